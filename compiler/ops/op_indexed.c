/* Which values are indices, and into how many entries. */
#include "graph/onnx_types.h"
#include "ops/op_rules.h"

#define MAX_DEPTH 8 /* operators between indices and their reader */

/* Entries of the longest axis that the last axis of the indices gives a coordinate of. */
static int64_t longest_coordinate(const graph_value *x, const graph_value *k, uint32_t from) {
    int64_t most = 0;
    for (int64_t d = 0; k->rank && d < k->dim[k->rank - 1] && from + d < (int64_t)x->rank; d++)
        most = x->dim[from + d] > most ? x->dim[from + d] : most;
    return most;
}

/* Entries that node n finds by its input 1; 0 if these are no indices. */
static int64_t indexed_by(const graph *g, const graph_node *n) {
    const graph_value *x = op_in(g, n, 0), *k = op_in(g, n, 1);
    const int64_t axis = graph_attr_int(n, "axis", 0);
    switch (n->kind) {
    case OP_PUT:
        if (!graph_attr_int(n, "elements", 0))
            return longest_coordinate(x, k, 0);
        return x->dim[axis < 0 ? axis + x->rank : axis];
    case OP_GATHER:
    case OP_GATHERELEMENTS:
    case OP_SCATTERELEMENTS:
    case OP_SCATTER:
        return x->dim[axis < 0 ? axis + x->rank : axis];
    case OP_GATHERND:
        return longest_coordinate(x, k, (uint32_t)graph_attr_int(n, "batch_dims", 0));
    case OP_SCATTERND:
        return longest_coordinate(x, k, 0);
    default:
        return 0;
    }
}

/* Every element of the output is the element of input 0 at another place, and all are there. */
static bool rearranges(const graph *g, const graph_node *n) {
    switch (n->kind) {
    case OP_CAST:
        return g->value[n->out[0]].dtype == DTYPE_INT && g->value[n->out[0]].onnx_dtype != ONNX_BOOL;
    case OP_FLATTEN:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_IDENTITY:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE:
        return true;
    default:
        return false;
    }
}

static void shorten(int64_t *least, int64_t size) {
    *least = size > 0 && (*least == 0 || size < *least) ? size : *least;
}

static int64_t indexed_size(const graph *g, uint32_t v, unsigned depth) {
    int64_t least = 0;
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        const graph_node *n = &g->node[j];
        if (n->removed || n->n_in == 0)
            continue;
        if (n->n_in > 1 && n->in[1] == v)
            shorten(&least, indexed_by(g, n));
        if (n->in[0] == v && depth > 0 && rearranges(g, n))
            shorten(&least, indexed_size(g, n->out[0], depth - 1));
    }
    return least;
}

int64_t op_indexed_size(const graph *g, uint32_t v) {
    return g->value[v].dtype == DTYPE_INT ? indexed_size(g, v, MAX_DEPTH) : 0;
}
