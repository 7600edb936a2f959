#include "accuracy/guessed_ranges.h"

#include <stdlib.h>

#include "graph/onnx_types.h"
#include "ops/ops.h"

#define HEAD_ROOM   1.25 /* as inputs and the tightest tables have it */
#define NARROW_BITS 8    /* inputs of such types have the whole type's range */

/* Operators whose results lie in a range of their own, whatever they read. */
static bool is_bounded(uint32_t kind) {
    switch (kind) {
    case OP_SIGMOID:
    case OP_TANH:
    case OP_HARDSIGMOID:
    case OP_SOFTSIGN:
    case OP_ERF:
    case OP_SIN:
    case OP_COS:
    case OP_SIGN:
    case OP_SOFTMAX:
    case OP_HARDMAX:
    case OP_ONEHOT:
        return true;
    default:
        return false;
    }
}

bool guessed_range(const calibration *c, const graph *g, uint32_t v) {
    const graph_value *x = &g->value[v];
    const graph_node *n = x->producer == UINT32_MAX ? NULL : &g->node[x->producer];
    if (graph_is_const(x) || op_indexed_size(g, v) > 0)
        return false;
    if (n && (x->dtype == DTYPE_INT || is_bounded(n->kind) || op_moves((op_kind)n->kind)))
        return false;
    if (!n && x->dtype == DTYPE_INT && onnx_type_bits(x->onnx_dtype) <= NARROW_BITS)
        return false;
    if (c->guessed || c->n_samples < 2)
        return true;
    return c->n_samples < FEW_SAMPLES && c->second[v] * HEAD_ROOM < calibration_magnitude(c, v);
}

uint32_t *guessed_ranges(const calibration *c, const graph *g, uint32_t *n) {
    uint32_t *list = malloc((g->n_inputs + g->n_nodes + 1u) * sizeof *list);
    *n = 0;
    for (uint32_t i = 0; list && i < g->n_inputs; i++)
        if (guessed_range(c, g, g->input[i]))
            list[(*n)++] = g->input[i];
    for (uint32_t i = 0; list && i < g->n_nodes; i++)
        if (!g->node[i].removed && guessed_range(c, g, g->node[i].out[0]))
            list[(*n)++] = g->node[i].out[0];
    return list;
}
