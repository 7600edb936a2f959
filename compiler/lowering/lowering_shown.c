#include "lowering/lowering_shown.h"

#include "ops/ops.h"

static bool reaches_outputs_only(const graph *g, const graph_node *n, const bool *shown) {
    bool all = op_moves((op_kind)n->kind);
    for (uint32_t k = 0; all && k < n->n_out; k++)
        all = n->out[k] == GRAPH_NO_VALUE || (shown[n->out[k]] && g->value[n->out[k]].dtype == DTYPE_FLOAT);
    return all;
}

/* Nodes are in topological order: from the last to the first, the outputs' readers are known. */
void lowering_find_shown(const graph *g, bool *shown) {
    for (uint32_t v = 0; v < g->n_values; v++)
        shown[v] = true;
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const graph_node *n = &g->node[i];
        const bool passes = n->removed || reaches_outputs_only(g, n, shown);
        for (uint32_t j = 0; j < n->n_in; j++) {
            if (n->in[j] != GRAPH_NO_VALUE)
                shown[n->in[j]] = shown[n->in[j]] && passes;
        }
    }
}
