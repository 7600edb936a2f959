/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: rows of zeros and a one choose the label's entry. */
#include "expand/expand.h"
#include "ops/loss.h"

static uint32_t sum_over(expander *x, uint32_t v, uint32_t axes) {
    expand_axes(x, axes, false);
    return expand_op1(x, "ReduceSum", v);
}

/* [items, classes, places...]: the label's weight at the label, 0 elsewhere and where it is ignored. */
static uint32_t chosen(expander *x, const loss *l) {
    const graph_node n = x->node;
    const graph_value v = *op_in(x->g, &n, 0), labels = *op_in(x->g, &n, 1);
    const double off_on[2] = {0, 1};
    const int64_t two = 2, per_class[GRAPH_MAX_RANK] = {l->classes, 1, 1, 1, 1, 1, 1, 1};
    const bool weighted = op_in(x->g, &n, 2) != NULL;
    const uint32_t depth = expand_integer(x, l->classes), values = expand_reals(x, 1, &two, off_on);
    expand_int(x, "axis", 1);
    uint32_t hot = expand_op3(x, "OneHot", n.in[1], depth, values);
    if (weighted)
        hot = expand_op2(x, "Mul", hot, expand_reshape(x, n.in[2], v.rank - 1, per_class));
    if (!l->ignores)
        return hot;
    int64_t dim[GRAPH_MAX_RANK] = {labels.dim[0], 1};
    for (uint32_t i = 1; i < labels.rank; i++)
        dim[1 + i] = labels.dim[i];
    const uint32_t ignored = expand_integer_of(x, labels.onnx_dtype, l->ignored);
    const uint32_t stays = expand_op1(x, "Not", expand_op2(x, "Equal", n.in[1], ignored));
    expand_int(x, "to", v.onnx_dtype);
    const uint32_t factor = expand_reshape(x, expand_op1(x, "Cast", stays), v.rank, dim);
    return expand_op2(x, "Mul", hot, factor);
}

/* The loss of logarithms of probabilities. */
static uint32_t likelihood(expander *x, const loss *l, uint32_t logs) {
    const uint32_t rank = op_in(x->g, &x->node, 0)->rank, all = (1u << rank) - 1;
    const bool weighted = op_in(x->g, &x->node, 2) != NULL;
    const uint32_t weights = chosen(x, l), products = expand_op2(x, "Mul", weights, logs);
    const uint32_t sum = sum_over(x, products, l->reduction == LOSS_NONE ? 2 : all);
    if (l->reduction != LOSS_MEAN) {
        expand_last(x);
        return expand_op1(x, "Neg", sum);
    }
    if (!weighted && !l->ignores) {
        const uint32_t share = expand_number(x, -1 / (double)(l->items * l->places));
        expand_last(x);
        return expand_op2(x, "Mul", sum, share);
    }
    const uint32_t count = sum_over(x, weights, all), mean = expand_op1(x, "Neg", sum);
    expand_last(x);
    return expand_op2(x, "Div", mean, count);
}

/* x - max - ln(sum of e^(x - max)) over the classes; the output if `last`. */
static uint32_t log_probabilities(expander *x, bool last) {
    expand_axes(x, 2, true);
    const uint32_t top = expand_op1(x, "ReduceMax", x->node.in[0]);
    const uint32_t d = expand_op2(x, "Sub", x->node.in[0], top), e = expand_op1(x, "Exp", d);
    expand_axes(x, 2, true);
    const uint32_t sum = expand_op1(x, "Log", expand_op1(x, "ReduceSum", e));
    if (last)
        expand_last(x);
    return expand_op2(x, "Sub", d, sum);
}

uint32_t expand_loss(expander *x) {
    loss l;
    if (!loss_read(&l, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    if (x->node.kind == OP_NLLLOSS)
        return likelihood(x, &l, x->node.in[0]);
    const bool second = op_part(&x->node) == 1;
    const uint32_t logs = log_probabilities(x, second);
    return second ? logs : likelihood(x, &l, logs);
}
