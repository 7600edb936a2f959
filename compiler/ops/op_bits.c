/* BitShift, BitwiseAnd, BitwiseOr, BitwiseXor: integers as their bits, in two's complement. IsNaN, IsInf. */
#include <math.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/elementwise.h"

static bool infer_bits(op_context *c, const graph_node *n, bool is_signed, mica_status *st) {
    const graph_value like = *op_in(c->g, n, 0);
    if (like.dtype != DTYPE_INT || like.onnx_dtype == ONNX_BOOL ||
        (!is_signed && onnx_type_signed(like.onnx_dtype)))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds no %sintegers",
                       is_signed ? "" : "unsigned ");
    if (onnx_type_signed(like.onnx_dtype) && onnx_type_bits(like.onnx_dtype) > 16)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "signed integers of more than 16 bits");
    const graph_value type = {.dtype = DTYPE_INT, .onnx_dtype = like.onnx_dtype};
    return op_same_types(c->g, n, st) && elementwise_infer(c, n, &type, st);
}

bool infer_bitwiseand(op_context *c, const graph_node *n, mica_status *st) {
    return infer_bits(c, n, true, st);
}

bool infer_bitwiseor(op_context *c, const graph_node *n, mica_status *st) {
    return infer_bits(c, n, true, st);
}

bool infer_bitwisexor(op_context *c, const graph_node *n, mica_status *st) {
    return infer_bits(c, n, true, st);
}

bool infer_bitshift(op_context *c, const graph_node *n, mica_status *st) {
    const char *direction = graph_attr_string(n, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the direction is neither LEFT nor RIGHT");
    return infer_bits(c, n, false, st);
}

static double combine(const op_args *a, const double *x) {
    const uint64_t p = (uint64_t)(int64_t)x[0], q = (uint64_t)(int64_t)x[1];
    const uint64_t y = a->n->kind == OP_BITWISEAND ? (p & q) : a->n->kind == OP_BITWISEOR ? (p | q) : (p ^ q);
    return (double)onnx_wrap_integer(op_out(a->g, a->n, 0)->onnx_dtype, y);
}

bool eval_bitwiseand(const op_args *a, mica_status *st) {
    return elementwise_eval(a, combine, st);
}

bool eval_bitwiseor(const op_args *a, mica_status *st) {
    return elementwise_eval(a, combine, st);
}

bool eval_bitwisexor(const op_args *a, mica_status *st) {
    return elementwise_eval(a, combine, st);
}

/* By as many bits as the type has, or more, nothing is left. */
static double shift(const op_args *a, const double *x) {
    const uint64_t v = (uint64_t)(int64_t)x[0];
    const int type = op_out(a->g, a->n, 0)->onnx_dtype;
    if (!(x[1] >= 0 && x[1] < onnx_type_bits(type)))
        return 0;
    const unsigned by = (unsigned)x[1];
    const bool left = !strcmp(graph_attr_string(a->n, "direction", ""), "LEFT");
    return (double)onnx_wrap_integer(type, left ? v << by : v >> by);
}

bool eval_bitshift(const op_args *a, mica_status *st) {
    return elementwise_eval(a, shift, st);
}

/* --- IsNaN, IsInf --- */

static bool infer_test(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = elementwise_bool();
    return op_all_float(c->g, n, st) && elementwise_infer(c, n, &like, st);
}

/* No integer stands for what is no number: the answer is no, whatever the input is. */
bool infer_isnan(op_context *c, const graph_node *n, mica_status *st) {
    if (!infer_test(c, n, st))
        return false;
    graph_value *y = &c->g->value[n->out[0]];
    int64_t *integer = graph_alloc(c->g, (size_t)graph_elements(y) + 1, sizeof *integer, st);
    y->integer = integer;
    y->batched = false;
    return integer != NULL;
}

bool infer_isinf(op_context *c, const graph_node *n, mica_status *st) {
    return infer_test(c, n, st);
}

static double is_nan(const op_args *a, const double *x) {
    (void)a;
    return isnan(x[0]);
}

bool eval_isnan(const op_args *a, mica_status *st) {
    return elementwise_eval(a, is_nan, st);
}

static double is_infinite(const op_args *a, const double *x) {
    return isinf(x[0]) && graph_attr_int(a->n, x[0] > 0 ? "detect_positive" : "detect_negative", 1);
}

bool eval_isinf(const op_args *a, mica_status *st) {
    return elementwise_eval(a, is_infinite, st);
}
