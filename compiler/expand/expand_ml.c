/* Operators of ai.onnx.ml. */
#include "expand/expand.h"

#include <stdlib.h>

#include "graph/onnx_types.h"
#include "ops/ml.h"

static const graph_value *input(const expander *x) {
    return &x->g->value[x->node.in[0]];
}

/* The first input as floats. */
static uint32_t float_input(expander *x) {
    if (input(x)->dtype == DTYPE_FLOAT)
        return x->node.in[0];
    expand_int(x, "to", ONNX_FLOAT);
    return expand_op1(x, "Cast", x->node.in[0]);
}

/* --- linear models --- */

/* [rows, targets] */
static uint32_t scores(expander *x, const ml_linear *m) {
    const int64_t shape[2] = {m->rows, m->columns}, weights[2] = {m->targets, m->columns};
    double *zeros = calloc((size_t)m->targets, sizeof *zeros);
    uint32_t v = float_input(x);
    if (!zeros) {
        (void)mica_fail(x->st, MICA_ERR_MEMORY, "out of memory");
        return GRAPH_NO_VALUE;
    }
    if (input(x)->rank == 1)
        v = expand_reshape(x, v, 2, shape);
    const uint32_t w = expand_shared_reals(x, 2, weights, m->coefficient);
    const uint32_t bias = expand_reals(x, 1, &m->targets, m->intercept ? m->intercept : zeros);
    free(zeros);
    expand_int(x, "transB", 1);
    return expand_op3(x, "Gemm", v, w, bias);
}

static uint32_t last_transform(expander *x, ml_after after, uint32_t v) {
    if (after == ML_SOFTMAX)
        expand_int(x, "axis", 1);
    expand_last(x);
    return expand_op1(x, after == ML_SOFTMAX ? "Softmax" : after == ML_LOGISTIC ? "Sigmoid" : "Identity", v);
}

/* first + step * v */
static uint32_t affine_label(expander *x, uint32_t v, int64_t first, int64_t step) {
    const uint32_t scaled = step == 1 ? v : expand_op2(x, "Mul", v, expand_integer(x, step));
    expand_last(x);
    return first == 0 ? expand_op1(x, "Identity", scaled)
                      : expand_op2(x, "Add", scaled, expand_integer(x, first));
}

/* The label whose score is largest; of two classes with one score, the second if it is positive. */
static uint32_t expand_label(expander *x, const ml_linear *m, int64_t classes) {
    const int64_t *label = graph_attr_find(&x->node, "classlabels_ints")->ints;
    uint32_t at, s = scores(x, m);
    bool affine = true;
    if (m->targets == 1) {
        const uint32_t positive =
            expand_op2(x, "Greater", expand_reshape(x, s, 1, &m->rows), expand_number(x, 0));
        expand_int(x, "to", ONNX_INT64);
        at = expand_op1(x, "Cast", positive);
        return affine_label(x, at, label[0], label[1] - label[0]);
    }
    expand_int(x, "axis", 1);
    expand_int(x, "keepdims", 0);
    at = expand_op1(x, "ArgMax", s);
    for (int64_t i = 1; i < classes; i++)
        affine &= label[i] - label[i - 1] == label[1] - label[0];
    if (affine)
        return affine_label(x, at, label[0], label[1] - label[0]);
    const uint32_t list = expand_list(x, (size_t)classes, label);
    expand_last(x);
    return expand_op2(x, "Gather", list, at);
}

/* Two classes by one score s: 1 - p and p, with p = s or its sigmoid. */
static uint32_t expand_two_scores(expander *x, const ml_linear *m) {
    uint32_t p = scores(x, m);
    if (m->after == ML_LOGISTIC)
        p = expand_op1(x, "Sigmoid", p);
    const uint32_t other = expand_op2(x, "Sub", expand_number(x, 1), p);
    expand_int(x, "axis", 1);
    expand_last(x);
    return expand_op2(x, "Concat", other, p);
}

uint32_t expand_linear_classifier(expander *x) {
    ml_linear m;
    int64_t classes;
    if (!ml_linear_resolve(&m, x->g, &x->node, x->st) || !ml_classes(x->g, &x->node, &m, &classes, x->st))
        return GRAPH_NO_VALUE;
    if (op_part(&x->node) == 0)
        return expand_label(x, &m, classes);
    return m.targets == 1 ? expand_two_scores(x, &m) : last_transform(x, m.after, scores(x, &m));
}

uint32_t expand_linear_regressor(expander *x) {
    ml_linear m;
    return ml_linear_resolve(&m, x->g, &x->node, x->st) ? last_transform(x, m.after, scores(x, &m))
                                                        : GRAPH_NO_VALUE;
}

/* --- others --- */

uint32_t expand_normalizer(expander *x) {
    static const char *const reduction[] = {
        [ML_MAX] = "ReduceMax", [ML_L1] = "ReduceL1", [ML_L2] = "ReduceL2"};
    const uint32_t last = 1u << (input(x)->rank - 1), v = float_input(x);
    expand_axes(x, last, true);
    const uint32_t norm = expand_op1(x, reduction[ml_norm_of(&x->node)], v);
    expand_int(x, "mica_zero", 1); /* rows of zeros stay zeros */
    expand_last(x);
    return expand_op2(x, "Div", v, norm);
}

/* A list of floats for the last axis, or `otherwise`. */
static uint32_t list_or(expander *x, const char *name, double otherwise) {
    const graph_attr *a = graph_attr_find(&x->node, name);
    if (!a || a->n == 0)
        return expand_number(x, otherwise);
    const int64_t n = (int64_t)a->n;
    return expand_reals(x, 1, &n, a->floats);
}

uint32_t expand_scaler(expander *x) {
    const uint32_t d = expand_op2(x, "Sub", float_input(x), list_or(x, "offset", 0));
    const uint32_t scale = list_or(x, "scale", 1);
    expand_last(x);
    return expand_op2(x, "Mul", d, scale);
}

uint32_t expand_binarizer(expander *x) {
    const int type = input(x)->onnx_dtype;
    const uint32_t above = expand_op2(x, "Greater", float_input(x),
                                      expand_number(x, graph_attr_float(&x->node, "threshold", 0)));
    expand_int(x, "to", type);
    expand_last(x);
    return expand_op1(x, "Cast", above);
}

/* What is replaced is a number, or not a number, which no input is. */
uint32_t expand_imputer(expander *x) {
    const bool integers = input(x)->dtype == DTYPE_INT;
    const double replaced = ml_replaced(input(x), &x->node);
    const graph_attr *a = graph_attr_find(&x->node, ml_imputed_name(input(x)));
    if (replaced != replaced) {
        expand_last(x);
        return expand_op1(x, "Identity", x->node.in[0]);
    }
    const uint32_t what = integers ? expand_integer(x, (int64_t)replaced) : expand_number(x, replaced);
    const uint32_t equal = expand_op2(x, "Equal", x->node.in[0], what);
    const uint32_t by = integers ? expand_list(x, a->n, a->ints) : list_or(x, ml_imputed_name(input(x)), 0);
    expand_last(x);
    return expand_op3(x, "Where", equal, by, x->node.in[0]);
}

uint32_t expand_feature_extractor(expander *x) {
    const graph_value out = x->g->value[x->node.out[0]], v = *input(x);
    const int64_t count = out.dim[out.rank - 1], row[2] = {1, v.dim[0]};
    const uint32_t at = expand_reshape(x, x->node.in[1], 1, &count);
    const uint32_t data = v.rank == 1 ? expand_reshape(x, x->node.in[0], 2, row) : x->node.in[0];
    expand_int(x, "axis", (int64_t)out.rank - 1);
    expand_last(x);
    return expand_op2(x, "Gather", data, at);
}
