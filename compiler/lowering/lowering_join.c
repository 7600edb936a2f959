#include "lowering/lowering_join.h"

#include <stdlib.h>

#include "lowering/range.h"
#include "ops/ops.h"

static bool is_product(const graph *g, const graph_node *n) {
    if (n->kind == OP_CONV || n->kind == OP_CONVTRANSPOSE)
        return graph_is_const(&g->value[n->in[1]]);
    return (n->kind == OP_GEMM || n->kind == OP_MATMUL) &&
           graph_is_const(&g->value[n->in[0]]) != graph_is_const(&g->value[n->in[1]]);
}

static bool is_sum(const graph *g, const graph_node *n) {
    return !n->removed && (n->kind == OP_ADD || n->kind == OP_SUB) && n->in[0] != n->in[1] &&
           !graph_is_const(&g->value[n->in[0]]) && !graph_is_const(&g->value[n->in[1]]);
}

static bool same_shape(const graph_value *x, const graph_value *y) {
    bool same = x->rank == y->rank;
    for (unsigned i = 0; same && i < x->rank; i++)
        same = x->dim[i] == y->dim[i];
    return same;
}

/* Readers of every value, graph outputs included. */
static uint32_t *count_readers(const graph *g) {
    uint32_t *readers = calloc(g->n_values + 1u, sizeof *readers);
    for (uint32_t i = 0; readers && i < g->n_nodes; i++)
        for (uint32_t k = 0; !g->node[i].removed && k < g->node[i].n_in; k++)
            if (g->node[i].in[k] != GRAPH_NO_VALUE)
                readers[g->node[i].in[k]]++;
    for (uint32_t i = 0; readers && i < g->n_outputs; i++)
        readers[g->output[i]]++;
    return readers;
}

bool lowering_find_joined(lowering *l, mica_status *st) {
    const graph *g = l->g;
    uint32_t *readers = count_readers(g);
    if (!readers)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t i = 0; i < g->n_nodes; i++)
        l->joined[i] = NO_INDEX;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_node *sum = &g->node[i];
        if (!is_sum(g, sum))
            continue;
        for (unsigned k = 0; k < 2; k++) {
            const graph_value *v = &g->value[sum->in[k]];
            if (v->producer != UINT32_MAX && v->dtype == DTYPE_FLOAT && readers[sum->in[k]] == 1 &&
                same_shape(v, &g->value[sum->out[0]]) && is_product(g, &g->node[v->producer]))
                l->joined[v->producer] = i;
        }
    }
    free(readers);
    return true;
}

static const graph_node *partner(const lowering *l, const graph_node *n, uint32_t *v) {
    const uint32_t at = l->joined[n - l->g->node];
    if (at == NO_INDEX)
        return NULL;
    const graph_node *sum = &l->g->node[at];
    *v = sum->in[sum->in[0] == n->out[0] ? 1 : 0];
    const uint32_t producer = l->g->value[*v].producer;
    return producer == UINT32_MAX ? NULL : &l->g->node[producer];
}

bool lowering_is_join(const lowering *l, const graph_node *n) {
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t producer = n->in[k] == GRAPH_NO_VALUE ? UINT32_MAX : l->g->value[n->in[k]].producer;
        if (producer != UINT32_MAX && l->joined[producer] == (uint32_t)(n - l->g->node))
            return true;
    }
    return false;
}

int64_t lowering_acc_limit(const lowering *l, const graph_node *n) {
    const uint32_t at = l->joined[n - l->g->node];
    uint32_t v;
    if (at == NO_INDEX)
        return l->acc_limit;
    const graph_node *other = partner(l, n, &v);
    const bool both = other && l->joined[other - l->g->node] == at;
    return (int64_t)((both ? LOWERING_JOIN_FULL / 2 : LOWERING_JOIN_FULL) * (double)l->acc_limit);
}

static const qvalue *settled(const lowering *l, uint32_t v) {
    const qvalue *q = l->small[v].ready ? &l->small[v] : &l->value[v];
    return q->ready ? q : NULL;
}

const graph_node *lowering_next_branch(const lowering *l, const graph_node *n, const qvalue **x) {
    uint32_t v = n->out[0];
    const graph_node *other = l->joined[n - l->g->node] == NO_INDEX ? NULL : partner(l, n, &v);
    if (!other || l->joined[other - l->g->node] != l->joined[n - l->g->node] || settled(l, v))
        return NULL;
    *x = settled(l, other->in[0]);
    return *x && (*x)->tensor != NO_INDEX ? other : NULL;
}

bool lowering_partner(const lowering *l, const graph_node *n, double *scale, double *reach) {
    uint32_t v = n->out[0];
    if (l->joined[n - l->g->node] == NO_INDEX)
        return false;
    (void)partner(l, n, &v); /* joined, so there is another term, whoever computes it */
    const qvalue *q = settled(l, v);
    if (!q)
        return false;
    const mica_tensor *base = lowering_tensors(l);
    const bound r = q->tensor == NO_INDEX ? form_range(q->sum, base) : bound_of(&base[q->tensor]);
    *scale = q->scale;
    *reach = (double)(r.hi > -r.lo ? r.hi : -r.lo) * q->scale;
    return true;
}
