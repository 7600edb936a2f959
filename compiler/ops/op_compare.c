/* Equal, Greater, Less and their kin; And, Or, Xor, Not; Where. */
#include "graph/onnx_types.h"
#include "ops/elementwise.h"

static bool infer_comparison(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = elementwise_bool();
    return op_same_types(c->g, n, st) && elementwise_infer(c, n, &like, st);
}

static bool infer_logic(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = elementwise_bool();
    for (uint32_t i = 0; i < n->n_in; i++)
        if (op_in(c->g, n, i)->onnx_dtype != ONNX_BOOL)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u is not of type bool", i);
    return elementwise_infer(c, n, &like, st);
}

bool infer_equal(op_context *c, const graph_node *n, mica_status *st) {
    return infer_comparison(c, n, st);
}

bool infer_greater(op_context *c, const graph_node *n, mica_status *st) {
    return infer_comparison(c, n, st);
}

bool infer_greater_equal(op_context *c, const graph_node *n, mica_status *st) {
    return infer_comparison(c, n, st);
}

bool infer_less(op_context *c, const graph_node *n, mica_status *st) {
    return infer_comparison(c, n, st);
}

bool infer_less_equal(op_context *c, const graph_node *n, mica_status *st) {
    return infer_comparison(c, n, st);
}

bool infer_and(op_context *c, const graph_node *n, mica_status *st) {
    return infer_logic(c, n, st);
}

bool infer_or(op_context *c, const graph_node *n, mica_status *st) {
    return infer_logic(c, n, st);
}

bool infer_xor(op_context *c, const graph_node *n, mica_status *st) {
    return infer_logic(c, n, st);
}

bool infer_not(op_context *c, const graph_node *n, mica_status *st) {
    return infer_logic(c, n, st);
}

static bool same_shape(const graph_value *a, const graph_value *b) {
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

bool infer_where(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = *op_in(c->g, n, 1);
    if (op_in(c->g, n, 0)->onnx_dtype != ONNX_BOOL)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the condition is not of type bool");
    if (like.onnx_dtype != op_in(c->g, n, 2)->onnx_dtype)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "inputs 1 and 2 have different element types");
    if (graph_attr_int(n, "mica_branches", 0) && !same_shape(&like, op_in(c->g, n, 2)))
        return op_fail(
            c->g, n, st, MICA_ERR_UNSUPPORTED,
            "its condition depends on the network's inputs, and its branches give different shapes");
    return elementwise_infer(c, n, &like, st);
}

static double value_equal(const op_args *a, const double *x) {
    (void)a;
    return x[0] == x[1];
}

static double value_greater(const op_args *a, const double *x) {
    (void)a;
    return x[0] > x[1];
}

static double value_greater_equal(const op_args *a, const double *x) {
    (void)a;
    return x[0] >= x[1];
}

static double value_less(const op_args *a, const double *x) {
    (void)a;
    return x[0] < x[1];
}

static double value_less_equal(const op_args *a, const double *x) {
    (void)a;
    return x[0] <= x[1];
}

static double value_and(const op_args *a, const double *x) {
    (void)a;
    return x[0] != 0 && x[1] != 0;
}

static double value_or(const op_args *a, const double *x) {
    (void)a;
    return x[0] != 0 || x[1] != 0;
}

static double value_xor(const op_args *a, const double *x) {
    (void)a;
    return (x[0] != 0) != (x[1] != 0);
}

static double value_not(const op_args *a, const double *x) {
    (void)a;
    return x[0] == 0;
}

static double value_where(const op_args *a, const double *x) {
    (void)a;
    return x[0] != 0 ? x[1] : x[2];
}

bool eval_equal(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_equal, st);
}

bool eval_greater(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_greater, st);
}

bool eval_greater_equal(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_greater_equal, st);
}

bool eval_less(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_less, st);
}

bool eval_less_equal(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_less_equal, st);
}

bool eval_and(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_and, st);
}

bool eval_or(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_or, st);
}

bool eval_xor(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_xor, st);
}

bool eval_not(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_not, st);
}

bool eval_where(const op_args *a, mica_status *st) {
    return elementwise_eval(a, value_where, st);
}
