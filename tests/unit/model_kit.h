/* Models written to a file, imported and evaluated by the float reference. */
#ifndef MICA_TESTS_MODEL_KIT_H
#define MICA_TESTS_MODEL_KIT_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/passes.h"
#include "onnx_writer.h"
#include "ops/ops.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }
#define MAX_CELLS 4096

static char folder[] = "/tmp/mica-model-XXXXXX";
static char model_path[64];
static uint64_t seed = 1;

/* Makes the folder of the models. */
static inline bool model_folder_make(void) {
    if (!mkdtemp(folder))
        return false;
    (void)snprintf(model_path, sizeof model_path, "%s/m.onnx", folder);
    return true;
}

static inline void model_folder_remove(void) {
    (void)unlink(model_path);
    (void)rmdir(folder);
}

static inline double random_real(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(seed >> 40) / 0x1p23 - 1;
}

static inline int64_t random_below(int64_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

/* Random values that a float of the file holds exactly. */
static inline void random_floats(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)random_real();
}

typedef struct result {
    uint32_t rank;
    int64_t dim[GRAPH_MAX_RANK];
    size_t n;
    double y[MAX_CELLS];
} result;

static inline void read_output(const graph *g, double *const *value, uint32_t k, result *r) {
    const bool empty = k >= g->n_outputs; /* set aside by shape inference */
    const uint32_t output = empty ? g->empty_output[k - g->n_outputs] : g->output[k];
    const graph_value *v = &g->value[output];
    r->rank = v->rank;
    memcpy(r->dim, v->dim, sizeof r->dim);
    r->n = (size_t)graph_elements(v);
    ck_assert_uint_le(r->n, MAX_CELLS);
    for (size_t i = 0; i < r->n; i++)
        r->y[i] = v->real ? v->real[i] : v->integer ? (double)v->integer[i] : value[output][i];
}

static inline void evaluate(const graph *g, const float *const *x, result *r) {
    mica_status st = {0};
    double **value = graph_buffers_create(g, &st), *input[4];
    ck_assert_msg(value != NULL, "%s", st.message);
    ck_assert_uint_le(g->n_inputs, 4);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        size_t n = (size_t)graph_elements(&g->value[g->input[i]]);
        input[i] = malloc((n + 1) * sizeof **input);
        for (size_t j = 0; j < n; j++)
            input[i][j] = (double)x[i][j]; // NOLINT(clang-analyzer-core.NullDereference): one per input
    }
    ck_assert_msg(graph_evaluate(g, (const double *const *)input, value, &st), "%s", st.message);
    for (uint32_t k = 0; k < g->n_outputs + g->n_empty_outputs; k++)
        read_output(g, value, k, &r[k]);
    for (uint32_t i = 0; i < g->n_inputs; i++)
        free(input[i]);
    graph_buffers_free(g, value);
}

static inline void load(graph *g, onnx_writer *w) {
    mica_status st = {0};
    ow_save(w, model_path);
    ck_assert_msg(onnx_import(g, model_path, NULL, 0, &st) && graph_infer_shapes(g, &st), "%s", st.message);
}

static inline void run(onnx_writer *w, const float *const *x, result *r) {
    graph g;
    load(&g, w);
    evaluate(&g, x, r);
    graph_free(&g);
}

static inline void expect_shape(const result *r, uint32_t rank, const int64_t *dim, const char *what) {
    ck_assert_msg(r->rank == rank, "%s: rank %u, expected %u", what, r->rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        ck_assert_msg(r->dim[i] == dim[i], "%s: dimension %u is %lld, expected %lld", what, i,
                      (long long)r->dim[i], (long long)dim[i]);
}

static inline void expect_close(const double *y, const double *want, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(y[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])),
                      "%s: element %zu is %.17g, expected %.17g", what, i, y[i], want[i]);
}

/* Coordinate d of flat index i in a box. */
static inline int64_t coordinate(size_t i, const int64_t *box, uint32_t n, uint32_t d) {
    for (uint32_t e = n - 1; e > d; e--)
        i /= (size_t)box[e];
    return (int64_t)(i % (size_t)box[d]);
}

#endif
