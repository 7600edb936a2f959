#include "expand/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"

void expand_last(expander *x) {
    x->last = x->node.out[0];
}

static graph_attr *next_attr(expander *x, const char *name) {
    graph_attr *a = &x->attr[x->n_attrs < 8 ? x->n_attrs++ : 7];
    *a = (graph_attr){.name = name, .tensor = GRAPH_NO_VALUE};
    return a;
}

void expand_int(expander *x, const char *name, int64_t value) {
    graph_attr *a = next_attr(x, name);
    a->type = ATTR_INT;
    a->i = value;
}

void expand_text(expander *x, const char *name, const char *value) {
    char *copy = graph_alloc(x->g, strlen(value) + 1, 1, x->st);
    if (!copy)
        return;
    memcpy(copy, value, strlen(value) + 1);
    graph_attr *a = next_attr(x, name);
    a->type = ATTR_STRING;
    a->s = copy;
}

void expand_ints(expander *x, const char *name, size_t n, const int64_t *value) {
    int64_t *copy = graph_alloc(x->g, n + 1, sizeof *copy, x->st);
    if (!copy)
        return;
    if (n)
        memcpy(copy, value, n * sizeof *copy);
    graph_attr *a = next_attr(x, name);
    a->type = ATTR_INTS;
    a->n = n;
    a->ints = copy;
}

void expand_axes(expander *x, uint32_t axes, bool keep) {
    int64_t list[GRAPH_MAX_RANK];
    size_t n = 0;
    for (uint32_t i = 0; i < GRAPH_MAX_RANK; i++)
        if (axes & 1u << i)
            list[n++] = i;
    expand_ints(x, "axes", n, list);
    expand_int(x, "keepdims", keep);
    expand_int(x, "noop_with_empty_axes", 1);
}

void expand_attr(expander *x, const char *name) {
    const graph_attr *a = graph_attr_find(&x->node, name);
    if (a)
        *next_attr(x, name) = *a;
}

static uint32_t add_value(expander *x, const graph_value *v) {
    const uint32_t index = graph_add_value(x->g, v, x->st);
    return index == UINT32_MAX ? GRAPH_NO_VALUE : index;
}

/* Names are the replaced node's, with a number. */
static const char *new_name(expander *x) {
    char *name = graph_alloc(x->g, strlen(x->node.name) + 16, 1, x->st);
    if (name)
        (void)sprintf(name, "%s/%u", x->node.name, x->counter++);
    return name;
}

static uint32_t add_node(expander *x, const char *op, uint32_t n_in, const uint32_t *in) {
    graph *g = x->g;
    op_context c = {.g = g};
    graph_node n = {.op = op, .kind = op_find(op), .n_in = n_in, .n_out = 1, .n_attrs = x->n_attrs};
    for (uint32_t i = 0; i < n_in; i++)
        if (in[i] == GRAPH_NO_VALUE)
            return GRAPH_NO_VALUE;
    n.name = new_name(x);
    n.in = graph_alloc(g, n_in + 1, sizeof *n.in, x->st);
    n.out = graph_alloc(g, 1, sizeof *n.out, x->st);
    n.attr = graph_alloc(g, x->n_attrs + 1, sizeof *n.attr, x->st);
    if (x->st->code != MICA_OK)
        return GRAPH_NO_VALUE;
    memcpy(n.in, in, n_in * sizeof *in);
    memcpy(n.attr, x->attr, x->n_attrs * sizeof *x->attr);
    x->n_attrs = 0;
    const graph_value v = {.name = n.name, .producer = g->n_nodes};
    n.out[0] = x->last != GRAPH_NO_VALUE ? x->last : add_value(x, &v);
    x->last = GRAPH_NO_VALUE;
    if (n.out[0] == GRAPH_NO_VALUE || !op_rules[n.kind].infer(&c, &n, x->st)) {
        if (x->st->code == MICA_OK)
            (void)op_fail(g, &x->node, x->st, MICA_ERR_INTERNAL, "its %s mixes the batch axis", op);
        return GRAPH_NO_VALUE;
    }
    return graph_add_node(g, &n, x->st) == UINT32_MAX ? GRAPH_NO_VALUE : n.out[0];
}

uint32_t expand_op1(expander *x, const char *op, uint32_t a) {
    return add_node(x, op, 1, &a);
}

uint32_t expand_op2(expander *x, const char *op, uint32_t a, uint32_t b) {
    const uint32_t in[2] = {a, b};
    return add_node(x, op, 2, in);
}

uint32_t expand_op3(expander *x, const char *op, uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t in[3] = {a, b, c};
    return add_node(x, op, 3, in);
}

uint32_t expand_op4(expander *x, const char *op, const uint32_t *in) {
    return add_node(x, op, 4, in);
}

static uint32_t add_constant(expander *x, graph_value *v, uint32_t rank, const int64_t *dim) {
    v->name = new_name(x);
    v->rank = rank;
    v->has_shape = true;
    v->producer = UINT32_MAX;
    for (uint32_t i = 0; i < rank; i++)
        v->dim[i] = dim[i];
    return v->name ? add_value(x, v) : GRAPH_NO_VALUE;
}

uint32_t expand_reals(expander *x, uint32_t rank, const int64_t *dim, const double *element) {
    const graph_value *like = op_in(x->g, &x->node, 0);
    graph_value v = {.dtype = DTYPE_FLOAT,
                     .onnx_dtype = like->dtype == DTYPE_FLOAT ? like->onnx_dtype : ONNX_FLOAT};
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    double *copy = graph_alloc(x->g, n + 1, sizeof *copy, x->st);
    if (!copy)
        return GRAPH_NO_VALUE;
    memcpy(copy, element, n * sizeof *copy);
    v.real = copy;
    return add_constant(x, &v, rank, dim);
}

uint32_t expand_shared_reals(expander *x, uint32_t rank, const int64_t *dim, const double *element) {
    graph_value v = {.dtype = DTYPE_FLOAT, .onnx_dtype = ONNX_FLOAT, .real = element};
    return add_constant(x, &v, rank, dim);
}

uint32_t expand_number(expander *x, double value) {
    return expand_reals(x, 0, NULL, &value);
}

static uint32_t add_integers(expander *x, int type, size_t n, const int64_t *value, uint32_t rank) {
    graph_value v = {.dtype = DTYPE_INT, .onnx_dtype = type};
    const int64_t dim = (int64_t)n;
    int64_t *copy = graph_alloc(x->g, n + 1, sizeof *copy, x->st);
    if (!copy)
        return GRAPH_NO_VALUE;
    memcpy(copy, value, n * sizeof *copy);
    v.integer = copy;
    return add_constant(x, &v, rank, &dim);
}

uint32_t expand_integer(expander *x, int64_t value) {
    return expand_integer_of(x, ONNX_INT64, value);
}

uint32_t expand_integer_of(expander *x, int type, int64_t value) {
    return add_integers(x, type, 1, &value, 0);
}

uint32_t expand_list(expander *x, size_t n, const int64_t *value) {
    return add_integers(x, ONNX_INT64, n, value, 1);
}

uint32_t expand_filled(expander *x, uint32_t v, int value) {
    if (v == GRAPH_NO_VALUE)
        return v;
    graph_value c = x->g->value[v];
    const graph_value like = c;
    const size_t n = (size_t)graph_elements(&like);
    double *real = like.dtype == DTYPE_FLOAT ? graph_alloc(x->g, n, sizeof *real, x->st) : NULL;
    int64_t *integer = like.dtype == DTYPE_INT ? graph_alloc(x->g, n, sizeof *integer, x->st) : NULL;
    if (!real && !integer)
        return GRAPH_NO_VALUE;
    for (size_t i = 0; i < n; i++) {
        if (real)
            real[i] = value;
        else
            integer[i] = value;
    }
    c.real = real;
    c.integer = integer;
    c.batched = false;
    return add_constant(x, &c, like.rank, like.dim);
}

uint32_t expand_reshape(expander *x, uint32_t v, uint32_t rank, const int64_t *dim) {
    if (v == GRAPH_NO_VALUE)
        return v;
    if (!graph_is_const(&x->g->value[v]))
        return expand_op2(x, "Reshape", v, expand_list(x, rank, dim));
    graph_value copy = x->g->value[v];
    return add_constant(x, &copy, rank, dim);
}

/* --- the pass --- */

/* Appends the nodes again, in order; composites are replaced. */
static bool rebuild(graph *g, const graph_node *old, uint32_t n, mica_status *st) {
    for (uint32_t j = 0; j < n; j++) {
        if (old[j].removed || !expand_applies(g, &old[j])) {
            if (graph_add_node(g, &old[j], st) == UINT32_MAX)
                return false;
            continue;
        }
        expander x = {.g = g, .node = old[j], .st = st, .last = GRAPH_NO_VALUE};
        if (!expand_composite(&x))
            return false;
    }
    return true;
}

/* Expansions may hold composites themselves; none of them holds its own kind, but pools, over fewer axes. */
#define DEEPEST 4

bool graph_expand(graph *g, mica_status *st) {
    for (int depth = 0; depth < DEEPEST; depth++) {
        const uint32_t n = g->n_nodes;
        bool any = false;
        for (uint32_t j = 0; j < n; j++)
            any |= !g->node[j].removed && expand_applies(g, &g->node[j]);
        if (!any)
            return true;
        graph_node *old = malloc(n * sizeof *old);
        if (!old)
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        memcpy(old, g->node, n * sizeof *old);
        g->n_nodes = 0;
        const bool ok = rebuild(g, old, n, st);
        free(old);
        if (!ok)
            return false;
        graph_set_producers(g, 0);
    }
    return true;
}
