/* Scatter operators that are made of simpler ones: reductions other than a sum, and lists of places that have
 * more than one axis. */
#include <string.h>

#include "expand/expand.h"

static const char *reduction_of(const graph_node *n) {
    return graph_attr_string(n, "reduction", "none");
}

/* Whether the lowering takes the reduction as it is. */
static bool is_plain(const graph_node *n) {
    const char *r = reduction_of(n);
    return !strcmp(r, "none") || !strcmp(r, "add");
}

bool expand_scatter_applies(const graph *g, const graph_node *n) {
    switch (n->kind) {
    case OP_SCATTER:
    case OP_SCATTERELEMENTS:
        return !is_plain(n);
    case OP_SCATTERND:
        return !is_plain(n) || op_in(g, n, 1)->rank != 2;
    default:
        return false;
    }
}

/* The indices as [places, depth], and the updates as [places, slice ...]. */
static void list_places(expander *x, uint32_t *indices, uint32_t *updates) {
    const graph_value k = *op_in(x->g, &x->node, 1), u = *op_in(x->g, &x->node, 2);
    int64_t dim[2] = {1, k.dim[k.rank - 1]}, updates_dim[GRAPH_MAX_RANK];
    uint32_t rank = 1;
    for (uint32_t i = 0; i + 1 < k.rank; i++)
        dim[0] *= k.dim[i];
    updates_dim[0] = dim[0];
    for (uint32_t i = k.rank - 1; i < u.rank; i++)
        updates_dim[rank++] = u.dim[i];
    *indices = expand_reshape(x, x->node.in[1], 2, dim);
    *updates = expand_reshape(x, x->node.in[2], rank, updates_dim);
}

uint32_t expand_scatter(expander *x) {
    const bool elements = x->node.kind != OP_SCATTERND;
    const char *reduction = reduction_of(&x->node);
    const uint32_t data = x->node.in[0], last = 1u << op_in(x->g, &x->node, 0)->rank;
    uint32_t indices = x->node.in[1], updates = x->node.in[2];
    if (!elements)
        list_places(x, &indices, &updates);
    if (is_plain(&x->node)) {
        expand_attr(x, "reduction");
        expand_last(x);
        return expand_op3(x, "ScatterND", data, indices, updates);
    }
    const bool product = !strcmp(reduction, "mul"), most = !strcmp(reduction, "max");
    const uint32_t base = product ? expand_filled(x, data, 1) : data;
    expand_attr(x, "axis");
    expand_int(x, "elements", elements);
    const uint32_t put = expand_op3(x, "mica.Put", base, indices, updates);
    expand_axes(x, last, false);
    const uint32_t reduced = expand_op1(x, product ? "ReduceProd" : most ? "ReduceMax" : "ReduceMin", put);
    expand_last(x);
    return expand_op2(x, product ? "Mul" : most ? "Max" : "Min", data, reduced);
}
