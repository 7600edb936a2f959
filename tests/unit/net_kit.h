/* Small graphs built in C. */
#ifndef MICA_TESTS_NET_KIT_H
#define MICA_TESTS_NET_KIT_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "ops/ops.h"

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

static inline void net_create(net *t, uint64_t seed, bool batched) {
    memset(t, 0, sizeof *t);
    t->seed = seed;
    t->spread = 1;
    ck_assert(graph_create(&t->g, &t->st));
    t->g.name = "test";
    t->g.opset = 13;
    t->g.batched = batched;
}

#endif
