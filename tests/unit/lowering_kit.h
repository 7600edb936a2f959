/* Graphs of net_kit.h, calibrated, lowered, run by the interpreter and compared with the float reference.
 */
#ifndef MICA_TESTS_LOWERING_KIT_H
#define MICA_TESTS_LOWERING_KIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accuracy/accuracy.h"
#include "accuracy/calibration.h"
#include "graph/passes.h"
#include "lowering/lowering.h"
#include "lowering/range.h"
#include "net_kit.h"
#include "ops/ops.h"
#include "suite.h"

#define SAMPLES 6

/* --- running a case --- */

/* Indices into an axis of `size` > 0 entries are any of [-size, size). */
static inline double sample(net *t, const graph_value *v, int64_t size) {
    const double x = random_double(&t->seed);
    if (v->dtype != DTYPE_INT)
        return t->spread * x;
    if (size > 0)
        return (double)((int64_t)((x + 1) * (double)size) - size);
    return v->onnx_dtype == ONNX_BOOL ? x < 0 : (double)(int64_t)(12 * t->spread * x);
}

/* Of an input of one number, two of the samples are its ends: what is calibrated on few numbers would
 * otherwise saturate on others. */
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
            if (n == 1 && i < 2 && t->g.value[t->g.input[k]].dtype != DTYPE_INT)
                s[i][k][0] = i == 0 ? t->spread : -t->spread;
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
    const uint32_t outputs = t->g.n_outputs;
    double ***samples = make_samples(t), *want[64] = {NULL};
    const double *const *in = (const double *const *)samples[0];
    double **value = graph_buffers_create(&t->g, &st);
    ck_assert(value && outputs <= 64);
    ck_assert_msg(graph_evaluate(&t->g, in, value, &st), "%s: %s", name, st.message);
    for (uint32_t i = 0; i < outputs; i++) {
        const size_t n = (size_t)graph_elements(&t->g.value[t->g.output[i]]);
        want[i] = calloc(n + 1, sizeof **want);
        if (value[t->g.output[i]]) /* a constant has no buffer */
            memcpy(want[i], value[t->g.output[i]], n * sizeof **want);
    }
    graph_buffers_free(&t->g, value);
    ck_assert_msg(graph_expand(&t->g, &st), "%s: %s", name, st.message);
    value = graph_buffers_create(&t->g, &st);
    ck_assert(value && graph_evaluate(&t->g, in, value, &st));
    for (uint32_t i = 0; i < outputs; i++) {
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

/* A net, the samples that it is calibrated on, and what it is lowered to. Starts as net_create leaves n.t,
 * and zeros. */
typedef struct lowered_net {
    net t;
    double ***samples; /* random ones if NULL */
    calibration cal;
    program p;
    value_map map;
} lowered_net;

/* Calibrates n->t, whose shapes are known, and lowers it. lowered_free in any case. */
static inline bool lower_net(lowered_net *n, const lowering_options *options, mica_status *st) {
    if (!n->samples)
        n->samples = make_samples(&n->t);
    const bool ok =
        calibration_collect(&n->cal, &n->t.g, (const double *const *const *)n->samples, SAMPLES, st) &&
        lower_graph(&n->p, &n->map, &n->t.g, &n->cal, options, st);
    if (!ok) { /* nothing of the two is left */
        memset(&n->p, 0, sizeof n->p);
        memset(&n->map, 0, sizeof n->map);
    }
    return ok;
}

/* The error on `samples`; the caller frees *a. */
static inline void lowered_measure(const lowered_net *n, double ***samples, accuracy *a) {
    mica_status st = {0};
    ck_assert_msg(accuracy_measure_samples(a, &n->p, &n->map, &n->t.g, (const double *const *const *)samples,
                                           SAMPLES, &st),
                  "%s", st.message);
}

static inline void lowered_free(lowered_net *n) {
    value_map_free(&n->map);
    program_free(&n->p);
    calibration_free(&n->cal);
    if (n->samples)
        free_samples(&n->t, n->samples);
    graph_free(&n->t.g);
}

/* One graph: lowered, validated, its steps in order, its text form stable, its error within `tolerance` of
 * each output's range in the mean and `most` at most. */
static inline void run_case(const char *name, build_fn *build, uint64_t seed, bool batched, double tolerance,
                            double most) {
    lowered_net n = {0};
    mica_status st = {0};
    accuracy a;
    net_create(&n.t, seed, batched);
    build(&n.t);
    ck_assert_msg(graph_infer_shapes(&n.t.g, &st), "%s: %s", name, st.message);
    check_expansion(name, &n.t);
    ck_assert_msg(n.t.g.batched == batched, "%s: the batch axis is mixed", name);
    ck_assert_msg(lower_net(&n, &(lowering_options){.max_batch = 3}, &st), "%s: %s", name, st.message);
    ck_assert_msg(mica_circuit_validate(&n.p.circuit, &st), "%s: %s", name, st.message);
    check_order(name, &n.p);
    check_text_form(name, &n.p);
    double ***fresh = make_samples(&n.t);
    lowered_measure(&n, fresh, &a);
    ck_assert_uint_eq(a.n_outputs, n.t.g.n_outputs);
    for (uint32_t i = 0; i < a.n_outputs; i++)
        ck_assert_msg(a.output[i].mean <= tolerance && a.output[i].max <= most,
                      "%s: output %u: mean error %g, largest %g", name, i, a.output[i].mean, a.output[i].max);
    accuracy_free(&a);
    free_samples(&n.t, fresh);
    lowered_free(&n);
}

/* --- lists of cases --- */

#define EXACT 0

typedef struct op_case {
    const char *name;
    build_fn *build;
    bool batched;
    double mean, max; /* error over the output's range */
} op_case;

/* The seed of a case follows from its name, so that its numbers are the same whatever else is in the list. */
static inline uint64_t case_seed(const char *name) {
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * UINT64_C(1099511628211);
    return h;
}

static inline void run_op_case(const op_case *c) {
    run_case(c->name, c->build, case_seed(c->name), c->batched, c->mean, c->max);
}

#endif
