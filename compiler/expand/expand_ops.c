/* What each composite operator is made of. */
#include <stdlib.h>

#include "expand/expand.h"
#include "ops/reduce.h"

bool expand_applies(const graph *g, const graph_node *n) {
    switch (n->kind) {
    case OP_MAXPOOL:
        return expand_maxpool_applies(g, n);
#define X(kind, symbol, type, fewest, most) case OP_##kind:
        MICA_COMPOSITE_OPS(X)
#undef X
        return true;
    case OP_AVGPOOL:
        return expand_avgpool_applies(g, n);
    case OP_EINSUM:
        return expand_einsum_applies(g, n);
    case OP_CONV:
    case OP_CONVTRANSPOSE:
        return expand_conv_applies(g, n);
    case OP_GEMM:
        return expand_gemm_applies(g, n);
    case OP_CLIP:
        return expand_clip_applies(g, n);
    case OP_QUANTIZELINEAR:
        return expand_quantise_applies(g, n);
    case OP_DEQUANTIZELINEAR:
        return expand_dequantise_applies(g, n);
    default:
        return expand_scatter_applies(g, n);
    }
}

static const graph_value *input(const expander *x, uint32_t i) {
    return op_in(x->g, &x->node, i);
}

static uint64_t count_cells(const graph_value *v, uint32_t axes) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->rank; i++)
        n *= axes & 1u << i ? (uint64_t)v->dim[i] : 1;
    return n;
}

static uint32_t axes_from(const graph_value *v, uint32_t first) {
    return ((1u << v->rank) - 1) & ~((1u << first) - 1);
}

/* The output's shape, for a last Reshape. */
static uint32_t to_output_shape(expander *x, uint32_t v) {
    const graph_value out = x->g->value[x->node.out[0]];
    const uint32_t shape = expand_list(x, out.rank, out.dim);
    expand_last(x);
    return expand_op2(x, "Reshape", v, shape);
}

/* --- reductions --- */

static uint32_t reduce(expander *x, const char *op, uint32_t v, uint32_t axes, bool keep) {
    expand_axes(x, axes, keep);
    return expand_op1(x, op, v);
}

/* x - max x along the axes, and log sum exp of it. */
static uint32_t shifted(expander *x, uint32_t axes, uint32_t *top) {
    *top = reduce(x, "ReduceMax", x->node.in[0], axes, true);
    return expand_op2(x, "Sub", x->node.in[0], *top);
}

static uint32_t log_sum_exp(expander *x, uint32_t difference, uint32_t axes) {
    const uint32_t e = expand_op1(x, "Exp", difference);
    return expand_op1(x, "Log", reduce(x, "ReduceSum", e, axes, true));
}

static uint32_t expand_log_softmax(expander *x) {
    uint32_t axes, top;
    if (!reduce_normalised_axes(x->g, &x->node, &axes, x->st))
        return GRAPH_NO_VALUE;
    const uint32_t d = shifted(x, axes, &top), log = log_sum_exp(x, d, axes);
    expand_last(x);
    return expand_op2(x, "Sub", d, log);
}

static uint32_t expand_reduce_log_sum_exp(expander *x, uint32_t axes) {
    uint32_t top;
    const uint32_t d = shifted(x, axes, &top);
    return to_output_shape(x, expand_op2(x, "Add", log_sum_exp(x, d, axes), top));
}

/* Cells [first, end) of an axis. */
static uint32_t slice(expander *x, uint32_t v, int64_t axis, int64_t first, int64_t end) {
    if (x->g->opset < 10) {
        expand_ints(x, "starts", 1, &first);
        expand_ints(x, "ends", 1, &end);
        expand_ints(x, "axes", 1, &axis);
        return expand_op1(x, "Slice", v);
    }
    const uint32_t from = expand_list(x, 1, &first), to = expand_list(x, 1, &end),
                   along = expand_list(x, 1, &axis);
    const uint32_t in[4] = {v, from, to, along};
    return expand_op4(x, "Slice", in);
}

/* The product along one axis, by halves; an odd cell waits in `rest`. */
static uint32_t product_along(expander *x, uint32_t v, int64_t axis) {
    uint32_t rest = GRAPH_NO_VALUE;
    while (v != GRAPH_NO_VALUE && x->g->value[v].dim[axis] > 1) {
        const int64_t n = x->g->value[v].dim[axis], half = n / 2;
        if (n & 1) {
            const uint32_t odd = slice(x, v, axis, n - 1, n);
            rest = rest == GRAPH_NO_VALUE ? odd : expand_op2(x, "Mul", rest, odd);
        }
        const uint32_t low = slice(x, v, axis, 0, half), high = slice(x, v, axis, half, 2 * half);
        v = expand_op2(x, "Mul", low, high);
    }
    return rest == GRAPH_NO_VALUE || v == GRAPH_NO_VALUE ? v : expand_op2(x, "Mul", v, rest);
}

static uint32_t expand_reduce_prod(expander *x, uint32_t axes) {
    uint32_t v = x->node.in[0];
    for (uint32_t i = 0; v != GRAPH_NO_VALUE && i < x->g->value[x->node.in[0]].rank; i++)
        if (axes & 1u << i)
            v = product_along(x, v, i);
    return to_output_shape(x, v);
}

static uint32_t expand_reduction(expander *x) {
    const op_kind kind = (op_kind)x->node.kind;
    uint32_t axes;
    bool keep;
    if (!reduce_resolve(x->g, &x->node, &axes, &keep, x->st))
        return GRAPH_NO_VALUE;
    if (kind == OP_REDUCE_PROD)
        return expand_reduce_prod(x, axes);
    if (kind == OP_REDUCE_LOG_SUM_EXP)
        return expand_reduce_log_sum_exp(x, axes);
    const bool l2 = kind == OP_REDUCE_L2;
    const uint32_t sum = reduce(x, l2 ? "ReduceSumSquare" : "ReduceSum", x->node.in[0], axes, keep);
    expand_last(x);
    return expand_op1(x, l2 ? "mica.Root" : "Log", sum);
}

/* --- normalisations --- */

/* sqrt(variance + epsilon) along the axes; *d is v - mean. */
static uint32_t deviation_of(expander *x, uint32_t v, uint32_t axes, double epsilon, uint32_t *d) {
    const double share = 1 / (double)count_cells(&x->g->value[v], axes);
    *d = expand_op2(x, "Sub", v, reduce(x, "ReduceMean", v, axes, true));
    const uint32_t squares = reduce(x, "ReduceSumSquare", *d, axes, true);
    const uint32_t variance = expand_op2(x, "Mul", squares, expand_number(x, share));
    const uint32_t padded =
        epsilon > 0 ? expand_op2(x, "Add", variance, expand_number(x, epsilon)) : variance;
    return expand_op1(x, "mica.Root", padded);
}

/* (v - mean) / sqrt(variance + epsilon) along the axes; `last`: this is the output. */
static uint32_t normalise(expander *x, uint32_t v, uint32_t axes, double epsilon, bool last) {
    uint32_t d;
    if (v == GRAPH_NO_VALUE)
        return v;
    const uint32_t deviation = deviation_of(x, v, axes, epsilon, &d);
    if (last)
        expand_last(x);
    return expand_op2(x, "Div", d, deviation);
}

/* v * scale + bias, the output; bias may be absent. */
static uint32_t scale_and_shift(expander *x, uint32_t v, uint32_t scale, uint32_t bias) {
    if (bias == GRAPH_NO_VALUE)
        expand_last(x);
    const uint32_t y = expand_op2(x, "Mul", v, scale);
    if (bias == GRAPH_NO_VALUE)
        return y;
    expand_last(x);
    return expand_op2(x, "Add", y, bias);
}

/* Input i, one number per channel (or group), as [n, 1, ..., 1] of `rank` axes. */
static uint32_t per_channel(expander *x, uint32_t i, uint32_t rank) {
    int64_t dim[GRAPH_MAX_RANK] = {input(x, i)->dim[0], 1, 1, 1, 1, 1, 1, 1};
    return expand_reshape(x, x->node.in[i], rank, dim);
}

static double epsilon_of(const expander *x) {
    return graph_attr_float(&x->node, "epsilon", (double)1e-5f);
}

static uint32_t expand_instance_norm(expander *x) {
    const uint32_t rank = input(x, 0)->rank, axes = axes_from(input(x, 0), 2);
    const uint32_t y = normalise(x, x->node.in[0], axes, epsilon_of(x), false);
    const uint32_t scale = per_channel(x, 1, rank - 1), bias = per_channel(x, 2, rank - 1);
    return scale_and_shift(x, y, scale, bias);
}

/* LayerNormalization's further outputs: the mean, and 1 / sqrt(variance + epsilon). */
static uint32_t expand_statistic(expander *x, uint32_t axes, bool mean) {
    uint32_t d;
    if (mean) {
        expand_axes(x, axes, true);
        expand_last(x);
        return expand_op1(x, "ReduceMean", x->node.in[0]);
    }
    const uint32_t deviation = deviation_of(x, x->node.in[0], axes, epsilon_of(x), &d);
    expand_last(x);
    return expand_op1(x, "Reciprocal", deviation);
}

static uint32_t expand_layer_norm(expander *x) {
    uint32_t axis;
    const bool biased = input(x, 2) != NULL;
    if (!op_axis(x->g, &x->node, "axis", -1, input(x, 0)->rank, 0, &axis, x->st))
        return GRAPH_NO_VALUE;
    const uint32_t axes = axes_from(input(x, 0), axis);
    if (op_part(&x->node) > 0)
        return expand_statistic(x, axes, op_part(&x->node) == 1);
    const uint32_t y = normalise(x, x->node.in[0], axes, epsilon_of(x), false);
    return scale_and_shift(x, y, x->node.in[1], biased ? x->node.in[2] : GRAPH_NO_VALUE);
}

/* Scale and bias are per group up to opset 20, per channel since 21. */
static uint32_t expand_group_norm(expander *x) {
    const graph_value v = *input(x, 0);
    const int64_t groups = graph_attr_int(&x->node, "num_groups", 1);
    const int64_t dim[3] = {v.dim[0], groups, (int64_t)(graph_elements(&v) / (uint64_t)(v.dim[0] * groups))};
    const bool per_group = x->g->opset < 21;
    uint32_t y = normalise(x, expand_reshape(x, x->node.in[0], 3, dim), 4, epsilon_of(x), false);
    if (!per_group)
        y = expand_reshape(x, y, v.rank, v.dim);
    const uint32_t rank = per_group ? 2 : v.rank - 1;
    const uint32_t scale = per_channel(x, 1, rank), bias = per_channel(x, 2, rank);
    if (!per_group)
        return scale_and_shift(x, y, scale, bias);
    return to_output_shape(x, expand_op2(x, "Add", expand_op2(x, "Mul", y, scale), bias));
}

/* mean((x - mean)^2) */
static uint32_t expand_variance(expander *x) {
    const graph_value v = *input(x, 0);
    const uint32_t axes = reduce_listed_axes(&x->node);
    const bool keep = input(x, 1)->rank == v.rank;
    int64_t dim[GRAPH_MAX_RANK];
    for (uint32_t i = 0; i < v.rank; i++)
        dim[i] = axes & 1u << i ? 1 : v.dim[i];
    const uint32_t mean = keep ? x->node.in[1] : expand_reshape(x, x->node.in[1], v.rank, dim);
    const uint32_t squares =
        reduce(x, "ReduceSumSquare", expand_op2(x, "Sub", x->node.in[0], mean), axes, keep);
    expand_last(x);
    return expand_op2(x, "Mul", squares, expand_number(x, 1 / (double)count_cells(&v, axes)));
}

static uint32_t expand_mvn(expander *x) {
    uint32_t axes;
    return mvn_axes(x->g, &x->node, &axes, x->st) ? normalise(x, x->node.in[0], axes, 0, true)
                                                  : GRAPH_NO_VALUE;
}

/* x (bias + alpha / size * sum of squares over the neighbouring channels)^-beta: the sum is a 1 x 1
 * convolution with a band of weights. */
static uint32_t expand_lrn(expander *x) {
    const graph_value v = *input(x, 0);
    const int64_t c = v.dim[1], size = graph_attr_int(&x->node, "size", 1);
    const double alpha = graph_attr_float(&x->node, "alpha", (double)1e-4f) / (double)size;
    const double beta = graph_attr_float(&x->node, "beta", 0.75),
                 bias = graph_attr_float(&x->node, "bias", 1);
    const int64_t dim[GRAPH_MAX_RANK] = {c, c, 1, 1, 1, 1, 1, 1};
    double *band = calloc((size_t)(c * c + c), sizeof *band);
    if (!band) {
        (void)mica_fail(x->st, MICA_ERR_MEMORY, "out of memory");
        return GRAPH_NO_VALUE;
    }
    for (int64_t i = 0; i < c; i++) {
        for (int64_t j = 0; j < c; j++)
            if (j - i >= -((size - 1) / 2) && j - i <= size / 2)
                band[i * c + j] = alpha;
        band[c * c + i] = bias;
    }
    const uint32_t weights = expand_reals(x, v.rank, dim, band),
                   biases = expand_reals(x, 1, &c, band + c * c);
    free(band);
    const uint32_t squares = expand_op2(x, "Mul", x->node.in[0], x->node.in[0]);
    const uint32_t sums = expand_op3(x, "Conv", squares, weights, biases);
    const uint32_t factor = expand_op2(x, "Pow", sums, expand_number(x, -beta));
    expand_last(x);
    return expand_op2(x, "Mul", x->node.in[0], factor);
}

/* x / norm of x along one axis. */
static uint32_t expand_lp_normalization(expander *x) {
    uint32_t axis;
    if (!op_axis(x->g, &x->node, "axis", -1, input(x, 0)->rank, 0, &axis, x->st))
        return GRAPH_NO_VALUE;
    const uint32_t norm = reduce(x, graph_attr_int(&x->node, "p", 2) == 2 ? "ReduceL2" : "ReduceL1",
                                 x->node.in[0], 1u << axis, true);
    expand_int(x, "mica_zero", 1); /* rows of zeros stay zeros */
    expand_last(x);
    return expand_op2(x, "Div", x->node.in[0], norm);
}

typedef uint32_t expansion(expander *x);

static expansion *const expansions[OP_KINDS] = {
    [OP_SCATTER] = expand_scatter,
    [OP_SCATTERELEMENTS] = expand_scatter,
    [OP_SCATTERND] = expand_scatter,
    [OP_REDUCE_L2] = expand_reduction,
    [OP_REDUCE_PROD] = expand_reduction,
    [OP_REDUCE_LOG_SUM] = expand_reduction,
    [OP_REDUCE_LOG_SUM_EXP] = expand_reduction,
    [OP_LOGSOFTMAX] = expand_log_softmax,
    [OP_GLOBAL_MAXPOOL] = expand_global_pool,
    [OP_GLOBAL_LPPOOL] = expand_global_pool,
    [OP_MAXPOOL] = expand_maxpool,
    [OP_LPPOOL] = expand_lp_pool,
    [OP_AVGPOOL] = expand_avgpool,
    [OP_INSTANCENORM] = expand_instance_norm,
    [OP_LAYERNORM] = expand_layer_norm,
    [OP_GROUPNORM] = expand_group_norm,
    [OP_MVN] = expand_mvn,
    [OP_LRN] = expand_lrn,
    [OP_MATMULINTEGER] = expand_qlinear,
    [OP_CONVINTEGER] = expand_qlinear,
    [OP_QLINEARMATMUL] = expand_qlinear,
    [OP_QLINEARCONV] = expand_qlinear,
    [OP_QUANTIZELINEAR] = expand_quantise,
    [OP_DEQUANTIZELINEAR] = expand_dequantise,
    [OP_DYNAMICQUANTIZELINEAR] = expand_dynamic_quantise,
    [OP_VARIANCE] = expand_variance,
    [OP_TOPK] = expand_topk,
    [OP_LPNORMALIZATION] = expand_lp_normalization,
    [OP_CASTLIKE] = expand_castlike,
    [OP_LINEARCLASSIFIER] = expand_linear_classifier,
    [OP_LINEARREGRESSOR] = expand_linear_regressor,
    [OP_NORMALIZER] = expand_normalizer,
    [OP_SCALER] = expand_scaler,
    [OP_BINARIZER] = expand_binarizer,
    [OP_IMPUTER] = expand_imputer,
    [OP_FEATUREEXTRACTOR] = expand_feature_extractor,
    [OP_SINH] = expand_sinh,
    [OP_COSH] = expand_cosh,
    [OP_ASINH] = expand_asinh,
    [OP_ACOSH] = expand_acosh,
    [OP_ATANH] = expand_atanh,
    [OP_BITWISEAND] = expand_bitwise,
    [OP_BITWISEOR] = expand_bitwise,
    [OP_BITWISEXOR] = expand_bitwise,
    [OP_BITSHIFT] = expand_bitshift,
    [OP_ISINF] = expand_isinf,
    [OP_COL2IM] = expand_col2im,
    [OP_DFT] = expand_dft,
    [OP_STFT] = expand_stft,
    [OP_NLLLOSS] = expand_loss,
    [OP_CROSSENTROPY] = expand_loss,
    [OP_AFFINEGRID] = expand_affinegrid,
    [OP_GRIDSAMPLE] = expand_gridsample,
    [OP_MAXUNPOOL] = expand_maxunpool,
    [OP_BITWISENOT] = expand_bitwise_not,
    [OP_EINSUM] = expand_einsum,
    [OP_CONV] = expand_conv,
    [OP_CONVTRANSPOSE] = expand_conv,
    [OP_GEMM] = expand_gemm,
    [OP_CLIP] = expand_clip,
};

bool expand_composite(expander *x) {
    return expansions[x->node.kind](x) != GRAPH_NO_VALUE;
}
