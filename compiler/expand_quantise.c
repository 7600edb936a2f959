/* DequantizeLinear with several scales: (x - zero points) * scales, elementwise. */
#include "expand.h"

#include <stdlib.h>

#include "onnx_types.h"
#include "ops/quantise.h"

bool expand_dequantise_applies(const graph *g, const graph_node *n) {
    return graph_elements(&g->value[n->in[1]]) > 1;
}

static uint32_t exact_cast(expander *x, uint32_t v, int type) {
    expand_int(x, "mica_exact", 1);
    expand_int(x, "to", type);
    return expand_op1(x, "Cast", v);
}

/* Integers held as reals, less the zero points: nothing is rounded. */
static uint32_t less_zeros(expander *x, const quantise_points *p) {
    bool none = true;
    for (size_t i = 0; i < p->n; i++)
        none &= p->zero[i] == 0;
    const uint32_t v = exact_cast(x, x->node.in[0], ONNX_FLOAT);
    return none ? v : expand_op2(x, "Sub", v, expand_reals(x, p->rank, p->dim, p->zero));
}

uint32_t expand_dequantise(expander *x) {
    quantise_points p;
    if (!quantise_points_create(&p, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    const uint32_t v = less_zeros(x, &p), scales = expand_reals(x, p.rank, p.dim, p.scale);
    quantise_points_free(&p);
    expand_last(x);
    return expand_op2(x, "Mul", v, scales);
}
