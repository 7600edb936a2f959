/* Small graphs built in C, calibrated, lowered, run by the interpreter and compared with the float reference.
 */
#ifndef MICA_TESTS_LOWERING_KIT_H
#define MICA_TESTS_LOWERING_KIT_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accuracy/accuracy.h"
#include "accuracy/calibration.h"
#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "lowering/lowering.h"
#include "lowering/range.h"
#include "ops/ops.h"
#include "suite.h"

#define SAMPLES 6

/* --- graphs in C --- */

typedef struct net {
    graph g;
    mica_status st;
    uint64_t seed;
    double spread; /* of inputs: [-spread, spread] */
    graph_attr attr[8];
    uint32_t n_attrs;
} net;

static inline double random_double(uint64_t *seed) { /* [-1, 1) */
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) / 4503599627370496.0 - 1.0;
}

static inline void *memory(net *t, size_t count, size_t element) {
    void *p = graph_alloc(&t->g, count, element, &t->st);
    ck_assert_ptr_nonnull(p);
    return p;
}

static inline uint32_t new_value(net *t, unsigned rank, const int64_t *dim) {
    char *name = memory(t, 16, 1);
    (void)snprintf(name, 16, "v%u", t->g.n_values);
    graph_value v = {
        .name = name, .dtype = DTYPE_FLOAT, .onnx_dtype = 1, .rank = rank, .producer = UINT32_MAX};
    for (unsigned i = 0; i < rank; i++)
        v.dim[i] = dim[i];
    v.has_shape = dim != NULL;
    const uint32_t id = graph_add_value(&t->g, &v, &t->st);
    ck_assert_uint_ne(id, UINT32_MAX);
    return id;
}

#define SHAPE(...)                                                                                           \
    (unsigned)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) {                      \
        __VA_ARGS__                                                                                          \
    }

static inline uint32_t input(net *t, unsigned rank, const int64_t *dim) {
    const uint32_t v = new_value(t, rank, dim);
    uint32_t *list = memory(t, t->g.n_inputs + 1, sizeof *list);
    if (t->g.n_inputs)
        memcpy(list, t->g.input, t->g.n_inputs * sizeof *list);
    list[t->g.n_inputs++] = v;
    t->g.input = list;
    t->g.value[v].batched = t->g.batched;
    return v;
}

/* An input of an integer type: samples are integers in [-12 spread, 12 spread], or truth values. */
static inline uint32_t int_input(net *t, int type, unsigned rank, const int64_t *dim) {
    const uint32_t v = input(t, rank, dim);
    t->g.value[v].dtype = DTYPE_INT;
    t->g.value[v].onnx_dtype = type;
    return v;
}

static inline void output(net *t, uint32_t v) {
    uint32_t *list = memory(t, t->g.n_outputs + 1, sizeof *list);
    if (t->g.n_outputs)
        memcpy(list, t->g.output, t->g.n_outputs * sizeof *list);
    list[t->g.n_outputs++] = v;
    t->g.output = list;
}

/* Uniform in centre +- width. */
static inline uint32_t constant(net *t, double centre, double width, unsigned rank, const int64_t *dim) {
    const uint32_t v = new_value(t, rank, dim);
    const uint64_t n = graph_elements(&t->g.value[v]);
    double *x = memory(t, n, sizeof *x);
    for (uint64_t i = 0; i < n; i++)
        x[i] = centre + width * random_double(&t->seed);
    t->g.value[v].real = x;
    return v;
}

static inline uint32_t number(net *t, double x) {
    const int64_t none[1] = {0};
    return constant(t, x, 0, 0, none);
}

/* A constant list. */
static inline uint32_t constant_list(net *t, unsigned n, const double *x) {
    const int64_t dim = n;
    const uint32_t v = constant(t, 0, 0, 1, &dim);
    memcpy((double *)(uintptr_t)t->g.value[v].real, x, n * sizeof *x);
    return v;
}

static inline uint32_t shape_constant(net *t, unsigned n, const int64_t *dim) {
    const int64_t rank = n;
    const uint32_t v = new_value(t, 1, &rank);
    int64_t *x = memory(t, n, sizeof *x);
    memcpy(x, dim, n * sizeof *x);
    t->g.value[v].dtype = DTYPE_INT;
    t->g.value[v].onnx_dtype = 7;
    t->g.value[v].integer = x;
    return v;
}

static inline void with_int(net *t, const char *name, int64_t i) {
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_INT, .i = i};
}

static inline void with_float(net *t, const char *name, double f) {
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_FLOAT, .f = f};
}

static inline void with_text(net *t, const char *name, const char *s) {
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_STRING, .s = s};
}

static inline void with_ints(net *t, const char *name, unsigned n, const int64_t *x) {
    int64_t *copy = memory(t, n, sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_INTS, .n = n, .ints = copy};
}

/* A node with the attributes set since the last one. */
static inline uint32_t op(net *t, const char *type, unsigned n_in, ...) {
    char *name = memory(t, 32, 1);
    (void)snprintf(name, 32, "%s_%u", type, t->g.n_nodes);
    graph_node n = {
        .name = name, .op = type, .kind = op_find(type), .n_in = n_in, .n_out = 1, .n_attrs = t->n_attrs};
    n.in = memory(t, n_in, sizeof *n.in);
    n.out = memory(t, 1, sizeof *n.out);
    n.attr = memory(t, t->n_attrs + 1, sizeof *n.attr);
    memcpy(n.attr, t->attr, t->n_attrs * sizeof *n.attr);
    t->n_attrs = 0;
    va_list args;
    va_start(args, n_in);
    for (unsigned i = 0; i < n_in; i++)
        n.in[i] = va_arg(args, uint32_t);
    va_end(args);
    n.out[0] = new_value(t, 0, NULL);
    t->g.value[n.out[0]].producer = t->g.n_nodes;
    ck_assert_uint_ne(graph_add_node(&t->g, &n, &t->st), UINT32_MAX);
    return n.out[0];
}

typedef void build_fn(net *t);

/* --- running a case --- */

static inline void net_create(net *t, uint64_t seed, bool batched) {
    memset(t, 0, sizeof *t);
    t->seed = seed;
    t->spread = 1;
    ck_assert(graph_create(&t->g, &t->st));
    t->g.name = "test";
    t->g.opset = 13;
    t->g.batched = batched;
}

/* Indices into an axis of `size` > 0 entries are any of [-size, size). */
static inline double sample(net *t, const graph_value *v, int64_t size) {
    const double x = random_double(&t->seed);
    if (v->dtype != DTYPE_INT)
        return t->spread * x;
    if (size > 0)
        return (double)((int64_t)((x + 1) * (double)size) - size);
    return v->onnx_dtype == ONNX_BOOL ? x < 0 : (double)(int64_t)(12 * t->spread * x);
}

static inline double ***make_samples(net *t) {
    double ***s = calloc(SAMPLES, sizeof *s);
    for (int i = 0; i < SAMPLES; i++) {
        s[i] = calloc(t->g.n_inputs, sizeof **s);
        for (uint32_t k = 0; k < t->g.n_inputs; k++) {
            const uint64_t n = graph_elements(&t->g.value[t->g.input[k]]);
            const int64_t size = op_indexed_size(&t->g, t->g.input[k]);
            s[i][k] = calloc(n, sizeof ***s);
            for (uint64_t j = 0; j < n; j++)
                s[i][k][j] = sample(t, &t->g.value[t->g.input[k]], size);
        }
    }
    return s;
}

static inline void free_samples(net *t, double ***s) {
    for (int i = 0; i < SAMPLES; i++) {
        for (uint32_t k = 0; k < t->g.n_inputs; k++)
            free(s[i][k]);
        free(s[i]);
    }
    free(s);
}

static inline char *read_text_file(const char *path) {
    static char text[2][1 << 20];
    static int which;
    which = !which;
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    const size_t n = fread(text[which], 1, sizeof text[0] - 1, f);
    ck_assert_uint_lt(n, sizeof text[0] - 1);
    text[which][n] = 0;
    (void)fclose(f);
    return text[which];
}

static inline void check_text_form(const char *name, const program *p) {
    char path[] = "/tmp/mica-lowering-XXXXXX";
    mica_status st = {0};
    program q;
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert_msg(program_dump(p, path, &st), "%s: %s", name, st.message);
    const char *first = read_text_file(path);
    ck_assert_msg(program_parse(&q, path, &st), "%s: %s", name, st.message);
    ck_assert_msg(mica_circuit_validate(&q.circuit, &st), "%s: %s", name, st.message);
    ck_assert_msg(program_dump(&q, path, &st), "%s: %s", name, st.message);
    ck_assert_msg(!strcmp(first, read_text_file(path)), "%s: the text form changes when read back", name);
    uint8_t *a, *b;
    size_t a_size, b_size;
    ck_assert(mica_circuit_write(&p->circuit, &a, &a_size, &st) &&
              mica_circuit_write(&q.circuit, &b, &b_size, &st));
    ck_assert_msg(a_size == b_size && !memcmp(a, b, a_size), "%s: the circuit changes in its text form",
                  name);
    free(a);
    free(b);
    program_free(&q);
    (void)unlink(path);
}

/* Generated code runs layer by layer: a step may read only what its own or an earlier layer computes, and
 * every virtual tensor is computed once. */
static inline void check_order(const char *name, const program *p) {
    const mica_circuit *c = &p->circuit;
    uint32_t *at = malloc((c->n_tensors + 1u) * sizeof *at);
    memset(at, 0xff, (c->n_tensors + 1u) * sizeof *at);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const step *s = &p->step[i];
        const uint32_t t = s->tensor[0];
        ck_assert_msg(i == 0 || p->step[i - 1].layer <= s->layer, "%s: step %u belongs to an earlier layer",
                      name, i);
        if (s->kind != STEP_LOOKUP) {
            ck_assert_msg(at[t] == UINT32_MAX, "%s: tensor %u is computed twice", name, t);
            at[t] = s->layer;
        }
        if (s->kind == STEP_LOOKUP || (s->kind == STEP_REQUANTISE && s->tensor[1] != UINT32_MAX))
            at[s->tensor[1]] = s->layer;
        for (uint32_t j = 0; s->kind == STEP_REQUANTISE && j < s->n_limbs; j++)
            at[s->tensor[2 + j]] = s->layer;
        if (s->kind == STEP_MAX)
            at[s->tensor[1]] = at[s->tensor[2]] = s->layer;
        const mica_tensor *x = &c->tensor[s->kind == STEP_MAX ? s->tensor[1] : t];
        for (uint32_t j = 0; x->kind == MICA_TENSOR_LINEAR && j < c->linear[x->def].n_terms; j++) {
            const uint32_t from = c->term[c->linear[x->def].first_term + j].tensor;
            if (c->tensor[from].kind != MICA_TENSOR_INPUT && c->tensor[from].kind != MICA_TENSOR_WEIGHT)
                ck_assert_msg(at[from] <= s->layer, "%s: tensor %u is read before its layer", name, from);
        }
    }
    for (uint32_t t = 0; t < c->n_tensors; t++)
        if (c->tensor[t].kind >= MICA_TENSOR_LINEAR)
            ck_assert_msg(at[t] != UINT32_MAX, "%s: no step computes tensor %u", name, t);
    free(at);
}

/* Composite operators equal what they are made of. */
static inline void check_expansion(const char *name, net *t) {
    mica_status st = {0};
    const uint64_t seed = t->seed;
    double ***samples = make_samples(t), *want[64];
    const double *const *in = (const double *const *)samples[0];
    double **value = graph_buffers_create(&t->g, &st);
    ck_assert(value && t->g.n_outputs <= 64);
    ck_assert_msg(graph_evaluate(&t->g, in, value, &st), "%s: %s", name, st.message);
    for (uint32_t i = 0; i < t->g.n_outputs; i++) {
        const size_t n = (size_t)graph_elements(&t->g.value[t->g.output[i]]);
        want[i] = calloc(n + 1, sizeof **want);
        if (value[t->g.output[i]]) /* a constant has no buffer */
            memcpy(want[i], value[t->g.output[i]], n * sizeof **want);
    }
    graph_buffers_free(&t->g, value);
    ck_assert_msg(graph_expand(&t->g, &st), "%s: %s", name, st.message);
    value = graph_buffers_create(&t->g, &st);
    ck_assert(value && graph_evaluate(&t->g, in, value, &st));
    for (uint32_t i = 0; i < t->g.n_outputs; i++) {
        const double *got = value[t->g.output[i]];
        for (size_t e = 0; got && e < (size_t)graph_elements(&t->g.value[t->g.output[i]]); e++) {
            const double gap = got[e] - want[i][e], size = want[i][e] < 0 ? -want[i][e] : want[i][e];
            ck_assert_msg(gap <= 1e-7 * (1 + size) && -gap <= 1e-7 * (1 + size),
                          "%s: output %u, element %zu: %.17g, expanded %.17g", name, i, e, want[i][e],
                          got[e]);
        }
        free(want[i]);
    }
    graph_buffers_free(&t->g, value);
    free_samples(t, samples);
    t->seed = seed;
}

/* One graph: lowered, validated, its steps in order, its text form stable, its error within `tolerance` of
 * each output's range in the mean and `most` at most. */
static inline void run_case(const char *name, build_fn *build, uint64_t seed, bool batched, double tolerance,
                            double most) {
    net t;
    mica_status st = {0};
    net_create(&t, seed, batched);
    build(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &st), "%s: %s", name, st.message);
    check_expansion(name, &t);
    ck_assert_msg(t.g.batched == batched, "%s: the batch axis is mixed", name);
    double ***samples = make_samples(&t), ***fresh = make_samples(&t);
    calibration cal;
    program p;
    value_map map;
    accuracy a;
    const lowering_options options = {.max_batch = 3};
    ck_assert_msg(calibration_collect(&cal, &t.g, (const double *const *const *)samples, SAMPLES, &st),
                  "%s: %s", name, st.message);
    ck_assert_msg(lower_graph(&p, &map, &t.g, &cal, &options, &st), "%s: %s", name, st.message);
    ck_assert_msg(mica_circuit_validate(&p.circuit, &st), "%s: %s", name, st.message);
    check_order(name, &p);
    check_text_form(name, &p);
    ck_assert_msg(
        accuracy_measure_samples(&a, &p, &map, &t.g, (const double *const *const *)fresh, SAMPLES, &st),
        "%s: %s", name, st.message);
    ck_assert_uint_eq(a.n_outputs, t.g.n_outputs);
    for (uint32_t i = 0; i < a.n_outputs; i++)
        ck_assert_msg(a.output[i].mean <= tolerance && a.output[i].max <= most,
                      "%s: output %u: mean error %g, largest %g", name, i, a.output[i].mean, a.output[i].max);
    accuracy_free(&a);
    value_map_free(&map);
    program_free(&p);
    calibration_free(&cal);
    free_samples(&t, samples);
    free_samples(&t, fresh);
    graph_free(&t.g);
}

#endif
