/* Add, Sub, Mul with broadcasting. */
#include "onnx_types.h"
#include "ops/op_rules.h"

static bool infer_binary(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *v[2] = {op_in(c->g, n, 0), op_in(c->g, n, 1)};
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t rank;
    if (!op_same_types(c->g, n, st))
        return false;
    if (!op_broadcast(v, 2, &rank, dim))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shapes do not broadcast");
    /* The batch axis stays axis 0 only if no operand has more axes or more entries there. */
    for (int i = 0; i < 2; i++)
        if (v[i]->batched && (v[i]->rank != rank || dim[0] != 1))
            return op_mixes_batch(c);
    return op_set_output(c, n, v[0], rank, dim, v[0]->batched || v[1]->batched, st);
}

bool infer_add(op_context *c, const graph_node *n, mica_status *st) {
    return infer_binary(c, n, st);
}

bool infer_sub(op_context *c, const graph_node *n, mica_status *st) {
    return infer_binary(c, n, st);
}

bool infer_mul(op_context *c, const graph_node *n, mica_status *st) {
    return infer_binary(c, n, st);
}

static double apply(op_kind kind, double x, double y) {
    return kind == OP_ADD ? x + y : kind == OP_SUB ? x - y : x * y;
}

/* Integers wrap in their type, as in the standard's reference. Operands are exact up to 2^53. */
static double apply_integer(op_kind kind, int type, double x, double y) {
    uint64_t a = (uint64_t)(int64_t)x, b = (uint64_t)(int64_t)y;
    return (double)onnx_wrap_integer(type, kind == OP_ADD ? a + b : kind == OP_SUB ? a - b : a * b);
}

static bool eval_binary(const op_args *a, mica_status *st) {
    const graph_value *out = op_out(a->g, a->n, 0);
    size_t stride[2][GRAPH_MAX_RANK], elements = (size_t)graph_elements(out);
    int64_t index[GRAPH_MAX_RANK] = {0};
    op_kind kind = (op_kind)a->n->kind;
    (void)st;
    for (uint32_t i = 0; i < 2; i++)
        op_broadcast_strides(op_in(a->g, a->n, i), out->rank, stride[i]);
    for (size_t e = 0; e < elements; e++) {
        size_t at[2] = {0, 0};
        for (uint32_t d = 0; d < out->rank; d++) {
            at[0] += (size_t)index[d] * stride[0][d];
            at[1] += (size_t)index[d] * stride[1][d];
        }
        double x = a->in[0][at[0]], y = a->in[1][at[1]];
        a->out[0][e] =
            out->dtype == DTYPE_INT ? apply_integer(kind, out->onnx_dtype, x, y) : apply(kind, x, y);
        op_next_index(index, out->dim, out->rank);
    }
    return true;
}

bool eval_add(const op_args *a, mica_status *st) {
    return eval_binary(a, st);
}

bool eval_sub(const op_args *a, mica_status *st) {
    return eval_binary(a, st);
}

bool eval_mul(const op_args *a, mica_status *st) {
    return eval_binary(a, st);
}
