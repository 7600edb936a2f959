/* Add, Sub, Mul, Div, Mod, Sum, Mean, Max, Min with broadcasting. */

#include <math.h>

#include "graph/onnx_types.h"
#include "ops/elementwise.h"

static bool infer_arith(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = *op_in(c->g, n, 0);
    return op_same_types(c->g, n, st) && elementwise_infer(c, n, &like, st);
}

/* Mean and the sum of many are defined for floating-point types only. */
static bool infer_floats(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = *op_in(c->g, n, 0);
    return op_all_float(c->g, n, st) && elementwise_infer(c, n, &like, st);
}

bool infer_add(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_sub(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_mul(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_div(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_mod(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_max(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_min(op_context *c, const graph_node *n, mica_status *st) {
    return infer_arith(c, n, st);
}

bool infer_sum(op_context *c, const graph_node *n, mica_status *st) {
    return infer_floats(c, n, st);
}

bool infer_mean(op_context *c, const graph_node *n, mica_status *st) {
    return infer_floats(c, n, st);
}

static double apply(op_kind kind, double x, double y) {
    return kind == OP_ADD ? x + y : kind == OP_SUB ? x - y : x * y;
}

/* Integers wrap in their type, as in the standard's reference. Operands are exact up to 2^53. */
static double apply_integer(op_kind kind, int type, double x, double y) {
    uint64_t a = (uint64_t)(int64_t)x, b = (uint64_t)(int64_t)y;
    return (double)onnx_wrap_integer(type, kind == OP_ADD ? a + b : kind == OP_SUB ? a - b : a * b);
}

static double two(const op_args *a, const double *x) {
    const graph_value *out = op_out(a->g, a->n, 0);
    const op_kind kind = (op_kind)a->n->kind;
    return out->dtype == DTYPE_INT ? apply_integer(kind, out->onnx_dtype, x[0], x[1])
                                   : apply(kind, x[0], x[1]);
}

bool eval_add(const op_args *a, mica_status *st) {
    return elementwise_eval(a, two, st);
}

bool eval_sub(const op_args *a, mica_status *st) {
    return elementwise_eval(a, two, st);
}

bool eval_mul(const op_args *a, mica_status *st) {
    return elementwise_eval(a, two, st);
}

/* Integers: towards zero; a division by zero has no value, and gives 0. So it does for reals where the node
 * says so (mica_zero). */
static double quotient(const op_args *a, const double *x) {
    if (op_out(a->g, a->n, 0)->dtype == DTYPE_FLOAT)
        return x[1] == 0 && graph_attr_int(a->n, "mica_zero", 0) ? 0 : x[0] / x[1];
    const int64_t q = x[1] == 0 ? 0 : (int64_t)x[0] / (int64_t)x[1];
    return (double)q;
}

bool eval_div(const op_args *a, mica_status *st) {
    return elementwise_eval(a, quotient, st);
}

/* The sign of the divisor, or with fmod that of the dividend. */
static double remainder_of(const op_args *a, const double *x) {
    const bool dividend = graph_attr_int(a->n, "fmod", 0) == 1;
    if (x[1] == 0)
        return 0;
    const double r = op_out(a->g, a->n, 0)->dtype == DTYPE_FLOAT ? fmod(x[0], x[1]) /* exact by definition */
                                                                 : (double)((int64_t)x[0] % (int64_t)x[1]);
    return r != 0 && !dividend && (r < 0) != (x[1] < 0) ? r + x[1] : r;
}

bool eval_mod(const op_args *a, mica_status *st) {
    return elementwise_eval(a, remainder_of, st);
}

static double add_up(const op_args *a, const double *x) {
    double sum = 0;
    for (uint32_t i = 0; i < a->n->n_in; i++)
        sum += x[i];
    return sum;
}

static double average(const op_args *a, const double *x) {
    return add_up(a, x) / (double)a->n->n_in;
}

static double largest(const op_args *a, const double *x) {
    double m = x[0];
    for (uint32_t i = 1; i < a->n->n_in; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

static double smallest(const op_args *a, const double *x) {
    double m = x[0];
    for (uint32_t i = 1; i < a->n->n_in; i++)
        m = x[i] < m ? x[i] : m;
    return m;
}

bool eval_sum(const op_args *a, mica_status *st) {
    return elementwise_eval(a, add_up, st);
}

bool eval_mean(const op_args *a, mica_status *st) {
    return elementwise_eval(a, average, st);
}

bool eval_max(const op_args *a, mica_status *st) {
    return elementwise_eval(a, largest, st);
}

bool eval_min(const op_args *a, mica_status *st) {
    return elementwise_eval(a, smallest, st);
}
