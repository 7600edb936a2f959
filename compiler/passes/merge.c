/* Equal nodes become one: what an operator's outputs share, each of which has been expanded by itself, is
 * computed once. */
#include <stdlib.h>
#include <string.h>

#include "graph/passes.h"
#include "ops/op_rules.h"

#define SMALL_CONSTANT 64 /* elements; larger ones are equal if they share them */

typedef struct merging {
    graph *g;
    uint32_t *same; /* per value: the first that equals it */
    uint32_t *next, *head;
    uint32_t buckets; /* a power of two */
} merging;

static uint64_t mix(uint64_t hash, uint64_t x) {
    hash = (hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, const char *s) {
    for (; s && *s; s++)
        hash = mix(hash, (unsigned char)*s);
    return hash;
}

/* --- constants --- */

static const void *elements_of(const graph_value *v) {
    return v->real ? (const void *)v->real : (const void *)v->integer;
}

static bool same_constant(const graph_value *a, const graph_value *b) {
    const void *x = elements_of(a), *y = elements_of(b);
    const size_t n = (size_t)graph_elements(a);
    if (a->dtype != b->dtype || a->onnx_dtype != b->onnx_dtype || a->rank != b->rank ||
        (a->real == NULL) != (b->real == NULL) || memcmp(a->dim, b->dim, a->rank * sizeof *a->dim) != 0)
        return false;
    return x == y || (n <= SMALL_CONSTANT && !memcmp(x, y, n * sizeof(int64_t)));
}

static uint64_t hash_constant(const graph_value *v) {
    uint64_t hash = mix((uint64_t)v->onnx_dtype, v->rank), bits;
    if (graph_elements(v) > SMALL_CONSTANT)
        return mix(hash, (uint64_t)(uintptr_t)elements_of(v));
    for (size_t i = 0; i < (size_t)graph_elements(v); i++) {
        memcpy(&bits, v->real ? (const void *)&v->real[i] : (const void *)&v->integer[i], sizeof bits);
        hash = mix(hash, bits);
    }
    return hash;
}

static void merge_constants(merging *m) {
    memset(m->head, 0xff, m->buckets * sizeof *m->head);
    for (uint32_t v = 0; v < m->g->n_values; v++) {
        const graph_value *x = &m->g->value[v];
        m->same[v] = v;
        if (!graph_is_const(x))
            continue;
        uint32_t *head = &m->head[hash_constant(x) & (m->buckets - 1)];
        for (uint32_t i = *head; i != UINT32_MAX && m->same[v] == v; i = m->next[i])
            if (same_constant(&m->g->value[i], x))
                m->same[v] = i;
        m->next[v] = *head;
        if (m->same[v] == v)
            *head = v;
    }
}

/* --- nodes --- */

static bool same_attr(const graph_attr *a, const graph_attr *b) {
    if (a->type != b->type || strcmp(a->name, b->name) != 0 || a->n != b->n || a->i != b->i || a->f != b->f ||
        a->tensor != b->tensor || (a->s == NULL) != (b->s == NULL))
        return false;
    return (!a->s || !strcmp(a->s, b->s)) &&
           (!a->n || a->type != ATTR_INTS || !memcmp(a->ints, b->ints, a->n * sizeof *a->ints)) &&
           (!a->n || a->type != ATTR_FLOATS || !memcmp(a->floats, b->floats, a->n * sizeof *a->floats));
}

static uint32_t input_of(const merging *m, const graph_node *n, uint32_t i) {
    return n->in[i] == GRAPH_NO_VALUE ? GRAPH_NO_VALUE : m->same[n->in[i]];
}

static bool same_node(const merging *m, const graph_node *a, const graph_node *b) {
    bool same = a->kind == b->kind && a->n_in == b->n_in && a->n_attrs == b->n_attrs;
    for (uint32_t i = 0; same && i < a->n_in; i++)
        same = input_of(m, a, i) == input_of(m, b, i);
    for (uint32_t i = 0; same && i < a->n_attrs; i++)
        same = same_attr(&a->attr[i], &b->attr[i]);
    return same;
}

static uint64_t hash_node(const merging *m, const graph_node *n) {
    uint64_t hash = mix(n->kind, n->n_in);
    for (uint32_t i = 0; i < n->n_in; i++)
        hash = mix(hash, input_of(m, n, i));
    for (uint32_t i = 0; i < n->n_attrs; i++)
        hash = mix(mix_text(hash, n->attr[i].name), (uint64_t)n->attr[i].i);
    return hash;
}

/* The node becomes a copy of an earlier one's result, which canonicalisation removes. */
static void make_copy(merging *m, graph_node *n, uint32_t from) {
    n->kind = OP_IDENTITY;
    n->op = op_rules[OP_IDENTITY].name;
    n->n_in = 1;
    n->in[0] = from;
    n->n_attrs = 0;
    m->same[n->out[0]] = m->same[from];
}

static void merge_nodes(merging *m) {
    memset(m->head, 0xff, m->buckets * sizeof *m->head);
    for (uint32_t j = 0; j < m->g->n_nodes; j++) {
        graph_node *n = &m->g->node[j];
        if (n->removed || n->n_out != 1 || n->n_in == 0 || n->kind == OP_UNSUPPORTED)
            continue;
        uint32_t *head = &m->head[hash_node(m, n) & (m->buckets - 1)];
        uint32_t i = *head;
        while (i != UINT32_MAX && !same_node(m, &m->g->node[i], n))
            i = m->next[i];
        if (i != UINT32_MAX) {
            make_copy(m, n, m->g->node[i].out[0]);
        } else {
            m->next[j] = *head;
            *head = j;
        }
    }
}

bool graph_merge(graph *g, mica_status *st) {
    const uint32_t n = (g->n_values > g->n_nodes ? g->n_values : g->n_nodes) + 1;
    merging m = {.g = g, .buckets = 64};
    while (m.buckets < n)
        m.buckets *= 2;
    m.same = malloc(n * sizeof *m.same);
    m.next = malloc(n * sizeof *m.next);
    m.head = malloc(m.buckets * sizeof *m.head);
    const bool ok = m.same && m.next && m.head;
    if (ok) {
        merge_constants(&m);
        merge_nodes(&m);
    } else {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    }
    free(m.same);
    free(m.next);
    free(m.head);
    return ok;
}
