#include "graph/control_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_rules.h"

#define MAX_MADE (1u << 18) /* nodes that one node of control flow may become in one step */

bool flow_fail(flow *f, mica_code code, const char *format, ...) {
    char text[480];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return op_fail(f->g, &f->node, f->st, code, "%s", text);
}

const graph_body *flow_body(flow *f, const char *name, uint32_t n_in, uint32_t n_out) {
    const graph_attr *a = graph_attr_find(&f->node, name);
    if (!a || a->type != ATTR_GRAPH) {
        (void)flow_fail(f, MICA_ERR_FORMAT, "it has no graph '%s'", name);
        return NULL;
    }
    if (a->body->n_in != n_in || a->body->n_out != n_out) {
        (void)flow_fail(f, MICA_ERR_FORMAT, "graph '%s' has %u inputs and %u outputs; it needs %u and %u",
                        name, a->body->n_in, a->body->n_out, n_in, n_out);
        return NULL;
    }
    return a->body;
}

bool flow_known(const flow *f, uint32_t i, int64_t *value) {
    const graph_value *v = op_in(f->g, &f->node, i);
    if (!v || !v->integer || graph_elements(v) != 1)
        return false;
    *value = v->integer[0];
    return true;
}

/* --- values and nodes --- */

static const char *new_name(flow *f, const char *run, const char *what) {
    const size_t size = strlen(f->node.name) + strlen(run) + strlen(what) + 3;
    char *name = graph_alloc(f->g, size, 1, f->st);
    if (name)
        (void)snprintf(name, size, "%s/%s%s%s", f->node.name, run, *run ? "/" : "", what);
    return name;
}

static uint32_t add_constant(flow *f, uint32_t rank, int64_t n, const int64_t *value, int onnx_dtype) {
    graph_value v = {.dtype = DTYPE_INT,
                     .onnx_dtype = onnx_dtype,
                     .rank = rank,
                     .dim = {n},
                     .has_shape = true,
                     .producer = UINT32_MAX};
    int64_t *copy = graph_alloc(f->g, (size_t)n, sizeof *copy, f->st);
    v.name = new_name(f, "", "constant");
    if (!copy || !v.name)
        return GRAPH_NO_VALUE;
    for (int64_t i = 0; i < n; i++)
        copy[i] = value[i];
    v.integer = copy;
    return graph_add_value(f->g, &v, f->st);
}

uint32_t flow_number(flow *f, int64_t value, int onnx_dtype) {
    return add_constant(f, 0, 1, &value, onnx_dtype);
}

uint32_t flow_list(flow *f, uint32_t n, const int64_t *value) {
    return add_constant(f, 1, n, value, ONNX_INT64);
}

static uint32_t new_value(flow *f, const char *name) {
    const graph_value v = {.name = name, .producer = UINT32_MAX};
    return name ? graph_add_value(f->g, &v, f->st) : GRAPH_NO_VALUE;
}

static bool add_node(flow *f, const graph_node *n) {
    if (f->n_made == f->capacity) {
        const uint32_t capacity = f->capacity ? 2 * f->capacity : 32;
        graph_node *more = capacity <= MAX_MADE ? realloc(f->made, capacity * sizeof *more) : NULL;
        if (!more)
            return flow_fail(f, MICA_ERR_LIMIT, "it becomes more than %u nodes", MAX_MADE);
        f->made = more;
        f->capacity = capacity;
    }
    f->made[f->n_made++] = *n;
    return true;
}

uint32_t flow_op(flow *f, const char *op, uint32_t n_in, const uint32_t *in, uint32_t out, const char *attr,
                 int64_t value) {
    graph_node n = {.op = op, .kind = op_find(op), .n_in = n_in, .n_out = 1, .n_attrs = attr != NULL};
    n.name = new_name(f, "", op);
    n.in = graph_alloc(f->g, n_in + 1, sizeof *n.in, f->st);
    n.out = graph_alloc(f->g, 1, sizeof *n.out, f->st);
    n.attr = graph_alloc(f->g, 1, sizeof *n.attr, f->st);
    if (!n.name || !n.in || !n.out || !n.attr)
        return GRAPH_NO_VALUE;
    for (uint32_t i = 0; i < n_in; i++) {
        if (in[i] == GRAPH_NO_VALUE)
            return GRAPH_NO_VALUE;
        n.in[i] = in[i];
    }
    n.attr[0] = (graph_attr){.name = attr, .type = ATTR_INT, .i = value, .tensor = GRAPH_NO_VALUE};
    n.out[0] = out == GRAPH_NO_VALUE ? new_value(f, n.name) : out;
    return n.out[0] != GRAPH_NO_VALUE && add_node(f, &n) ? n.out[0] : GRAPH_NO_VALUE;
}

bool flow_output(flow *f, uint32_t i, uint32_t v) {
    if (i >= f->node.n_out || f->node.out[i] == GRAPH_NO_VALUE)
        return true;
    return flow_op(f, "Identity", 1, &v, f->node.out[i], NULL, 0) != GRAPH_NO_VALUE;
}

/* Entries that are set aside for a list of n inputs: a Loop that gathers one more at each iteration takes a
 * new list at every doubling only. */
static uint32_t room_for(uint32_t n) {
    uint32_t room = 16;
    while (room < n)
        room *= 2; /* n < 2^31: control_inline bounds it */
    return room;
}

bool flow_again(flow *f, bool taken_over, uint32_t n_in, const uint32_t *in, uint32_t n_attrs,
                const graph_attr *attr) {
    graph_node n = f->node;
    const bool fits = taken_over && room_for(n.n_in) == room_for(n_in);
    n.n_in = n_in;
    n.n_attrs = n_attrs;
    if (!fits)
        n.in = graph_alloc(f->g, room_for(n_in), sizeof *n.in, f->st);
    n.attr = graph_alloc(f->g, n_attrs + 1, sizeof *n.attr, f->st);
    if (!n.in || !n.attr)
        return false;
    memcpy(n.in, in, n_in * sizeof *in);
    memcpy(n.attr, attr, n_attrs * sizeof *attr);
    return add_node(f, &n);
}

/* --- copies --- */

/* What the values of a subgraph are in one copy of it. */
typedef struct renaming {
    uint32_t first, count;
    uint32_t *to;
} renaming;

static uint32_t renamed(const renaming *r, uint32_t v) {
    return v >= r->first && v - r->first < r->count ? r->to[v - r->first] : v;
}

static uint32_t *rename_list(flow *f, const renaming *r, uint32_t n, const uint32_t *v) {
    uint32_t *copy = graph_alloc(f->g, n, sizeof *copy, f->st);
    for (uint32_t i = 0; copy && i < n; i++)
        copy[i] = renamed(r, v[i]);
    return copy;
}

static bool rename_attrs(flow *f, const renaming *r, graph_node *n);

/* A subgraph within the copied one reads values of the latter; its own stay, to be copied when it runs. */
static graph_body *rename_body(flow *f, const renaming *r, const graph_body *b) {
    graph_body *copy = graph_alloc(f->g, 1, sizeof *copy, f->st);
    if (!copy)
        return NULL;
    *copy = *b;
    copy->out = rename_list(f, r, b->n_out, b->out);
    copy->node = graph_alloc(f->g, b->n_nodes, sizeof *copy->node, f->st);
    copy->capacity = b->n_nodes;
    if (!copy->out || !copy->node)
        return NULL;
    for (uint32_t j = 0; j < b->n_nodes; j++) {
        copy->node[j] = b->node[j];
        copy->node[j].in = rename_list(f, r, b->node[j].n_in, b->node[j].in);
        if (!copy->node[j].in || !rename_attrs(f, r, &copy->node[j]))
            return NULL;
    }
    return copy;
}

static bool rename_attrs(flow *f, const renaming *r, graph_node *n) {
    bool any = false;
    for (uint32_t i = 0; i < n->n_attrs; i++)
        any |= n->attr[i].type == ATTR_GRAPH;
    if (!any)
        return true;
    graph_attr *copy = graph_alloc(f->g, n->n_attrs, sizeof *copy, f->st);
    if (!copy)
        return false;
    memcpy(copy, n->attr, n->n_attrs * sizeof *copy);
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        if (copy[i].type == ATTR_GRAPH && !(copy[i].body = rename_body(f, r, copy[i].body)))
            return false;
    }
    n->attr = copy;
    return true;
}

static bool copy_node(flow *f, renaming *r, const graph_node *from, const char *run) {
    graph_node n = *from;
    n.name = new_name(f, run, from->name);
    n.in = rename_list(f, r, n.n_in, n.in);
    n.out = graph_alloc(f->g, n.n_out, sizeof *n.out, f->st);
    if (!n.name || !n.in || !n.out || !rename_attrs(f, r, &n))
        return false;
    for (uint32_t i = 0; i < n.n_out; i++) {
        n.out[i] = GRAPH_NO_VALUE;
        if (from->out[i] == GRAPH_NO_VALUE)
            continue;
        n.out[i] = new_value(f, new_name(f, run, f->g->value[from->out[i]].name));
        if (n.out[i] == GRAPH_NO_VALUE)
            return false;
        r->to[from->out[i] - r->first] = n.out[i];
    }
    return add_node(f, &n);
}

bool flow_copy(flow *f, const graph_body *b, const uint32_t *in, const char *run, uint32_t *out) {
    renaming r = {.first = b->first_value, .count = b->end_value - b->first_value};
    r.to = malloc((r.count + 1u) * sizeof *r.to);
    if (!r.to)
        return mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < r.count; i++)
        r.to[i] = r.first + i;
    for (uint32_t i = 0; i < b->n_in; i++)
        r.to[b->in[i] - r.first] = in[i];
    bool ok = true;
    for (uint32_t j = 0; ok && j < b->n_nodes; j++)
        ok = copy_node(f, &r, &b->node[j], run);
    for (uint32_t i = 0; i < b->n_out; i++)
        out[i] = renamed(&r, b->out[i]);
    free(r.to);
    return ok;
}
