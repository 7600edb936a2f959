/* Operators whose lowering takes constants only, with operands that arrive at run time. */
#include "expand/expand.h"

static uint32_t in_of(const graph_node *n, uint32_t i) {
    return i < n->n_in ? n->in[i] : GRAPH_NO_VALUE;
}

static bool is_constant(const graph *g, uint32_t v) {
    return graph_is_const(&g->value[v]);
}

/* --- Gemm --- */

bool expand_gemm_applies(const graph *g, const graph_node *n) {
    const uint32_t c = in_of(n, 2);
    if (c != GRAPH_NO_VALUE && !is_constant(g, c))
        return true;
    return !is_constant(g, n->in[0]) && !is_constant(g, n->in[1]) && graph_attr_float(n, "alpha", 1) != 1;
}

/* v times a factor. */
static uint32_t times(expander *x, uint32_t v, double factor) {
    return factor == 1 ? v : expand_op2(x, "Mul", v, expand_number(x, factor));
}

/* alpha (A B) + beta C */
uint32_t expand_gemm(expander *x) {
    const graph_node n = x->node;
    const uint32_t c = in_of(&n, 2);
    const double beta = c == GRAPH_NO_VALUE ? 0 : graph_attr_float(&n, "beta", 1);
    expand_attr(x, "transA");
    expand_attr(x, "transB");
    uint32_t product = x->g->opset < 11 ? expand_op3(x, "Gemm", n.in[0], n.in[1], expand_number(x, 0))
                                        : expand_op2(x, "Gemm", n.in[0], n.in[1]);
    product = times(x, product, graph_attr_float(&n, "alpha", 1));
    const uint32_t addend = beta == 0 || product == GRAPH_NO_VALUE ? GRAPH_NO_VALUE : times(x, c, beta);
    expand_last(x);
    return addend == GRAPH_NO_VALUE ? expand_op1(x, "Identity", product)
                                    : expand_op2(x, "Add", product, addend);
}

/* --- Conv, ConvTranspose --- */

/* A bias that arrives at run time. */
bool expand_conv_applies(const graph *g, const graph_node *n) {
    const uint32_t bias = in_of(n, 2);
    return bias != GRAPH_NO_VALUE && !is_constant(g, bias);
}

/* The convolution without bias, and the bias [channels, 1, ...]. */
uint32_t expand_conv(expander *x) {
    const graph_node n = x->node;
    const graph_value bias = *op_in(x->g, &n, 2);
    const int64_t dim[GRAPH_MAX_RANK] = {bias.dim[0], 1, 1, 1, 1, 1, 1, 1};
    const uint32_t rank = op_in(x->g, &n, 0)->rank;
    for (uint32_t i = 0; i < n.n_attrs; i++)
        expand_attr(x, n.attr[i].name);
    const uint32_t y = expand_op2(x, n.op, n.in[0], n.in[1]);
    const uint32_t shift = expand_reshape(x, n.in[2], rank - 1, dim);
    expand_last(x);
    return expand_op2(x, "Add", y, shift);
}

/* --- Clip --- */

/* Input i as a number, or the attribute that it was up to opset 10; GRAPH_NO_VALUE if there is no bound. */
static uint32_t clip_bound(expander *x, uint32_t i, const char *attr) {
    const uint32_t v = in_of(&x->node, i);
    if (v == GRAPH_NO_VALUE)
        return graph_attr_find(&x->node, attr) ? expand_number(x, graph_attr_float(&x->node, attr, 0))
                                               : GRAPH_NO_VALUE;
    return x->g->value[v].rank ? expand_reshape(x, v, 0, NULL) : v;
}

/* Bounds that are not known, are integers, or are not in order. */
bool expand_clip_applies(const graph *g, const graph_node *n) {
    const graph_value *lo = op_in(g, n, 1), *hi = op_in(g, n, 2);
    if (g->value[n->in[0]].dtype == DTYPE_INT || (lo && !lo->real) || (hi && !hi->real))
        return true;
    const double least = lo ? lo->real[0] : graph_attr_float(n, "min", -__builtin_inf());
    const double most = hi ? hi->real[0] : graph_attr_float(n, "max", __builtin_inf());
    return least > most;
}

/* min(max(x, lower), upper): the upper bound wins where they are not in order. */
uint32_t expand_clip(expander *x) {
    const uint32_t lo = clip_bound(x, 1, "min"), hi = clip_bound(x, 2, "max");
    uint32_t v = x->node.in[0];
    if (lo != GRAPH_NO_VALUE) {
        if (hi == GRAPH_NO_VALUE)
            expand_last(x);
        v = expand_op2(x, "Max", v, lo);
    }
    if (hi == GRAPH_NO_VALUE && lo != GRAPH_NO_VALUE)
        return v;
    expand_last(x);
    return hi == GRAPH_NO_VALUE ? expand_op1(x, "Identity", v) : expand_op2(x, "Min", v, hi);
}

/* --- CastLike --- */

uint32_t expand_castlike(expander *x) {
    expand_int(x, "to", x->g->value[x->node.in[1]].onnx_dtype);
    expand_last(x);
    return expand_op1(x, "Cast", x->node.in[0]);
}
