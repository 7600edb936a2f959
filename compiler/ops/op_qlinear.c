/* MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv: products of integers less their zero points.
 * mica.Requantize: round(a * factor) + zero point, saturated, which ends the last two. */
#include "ops/qlinear.h"

#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/quantise.h"
#include "reference/float_math.h"

#define NONE GRAPH_NO_VALUE

static const qlinear_inputs integer_matmul = {0, 2, 1, 3, NONE, NONE, NONE, NONE, NONE, false};
static const qlinear_inputs integer_conv = {0, 2, 1, 3, NONE, NONE, NONE, NONE, NONE, true};
static const qlinear_inputs scaled_matmul = {0, 2, 3, 5, 1, 4, 6, 7, NONE, false};
static const qlinear_inputs scaled_conv = {0, 2, 3, 5, 1, 4, 6, 7, 8, true};

const qlinear_inputs *qlinear_inputs_of(op_kind kind) {
    switch (kind) {
    case OP_MATMULINTEGER:
        return &integer_matmul;
    case OP_CONVINTEGER:
        return &integer_conv;
    case OP_QLINEARMATMUL:
        return &scaled_matmul;
    default:
        return &scaled_conv;
    }
}

bool qlinear_aligned(const graph_value *v, uint32_t rank, uint32_t axis, int64_t *dim) {
    for (uint32_t i = 0; i < rank; i++)
        dim[i] = 1;
    if (graph_elements(v) == 1)
        return true;
    if (v->rank == rank) {
        memcpy(dim, v->dim, rank * sizeof *dim);
        return true;
    }
    if (v->rank != 1 || axis >= rank)
        return false;
    dim[axis] = v->dim[0];
    return true;
}

uint32_t qlinear_axis(const qlinear_inputs *in, uint32_t rank, bool of_x) {
    if (in->conv)
        return of_x ? rank : 0; /* one number for all of x */
    return of_x ? rank - 2 : rank - 1;
}

uint32_t qlinear_result_axis(const qlinear_inputs *in, uint32_t rank, bool of_x) {
    return in->conv && !of_x ? 1 : qlinear_axis(in, rank, of_x);
}

double qlinear_factor(double x_scale, double w_scale, double y_scale) {
    return x_scale * w_scale / y_scale;
}

double qlinear_scaled(double a, double factor) {
    return fm_round_even(a * factor);
}

/* --- the product, as a node of Conv or MatMul --- */

typedef struct product_node {
    graph_node n;
    uint32_t in[3];
} product_node;

static const graph_node *as_product(product_node *p, const graph_node *n, const qlinear_inputs *in) {
    p->n = *n;
    p->n.kind = in->conv ? OP_CONV : OP_MATMUL;
    p->n.in = p->in;
    p->in[0] = n->in[in->x];
    p->in[1] = n->in[in->w];
    p->in[2] = in->bias < n->n_in ? n->in[in->bias] : NONE;
    p->n.n_in = p->in[2] == NONE ? 2 : 3;
    return &p->n;
}

/* Zero points (or scales) that broadcast to their operand. */
static bool check_points(const op_context *c, const graph_node *n, uint32_t points,
                         const graph_value *operand, uint32_t axis, mica_status *st) {
    const graph_value *v = op_in(c->g, n, points);
    int64_t dim[GRAPH_MAX_RANK];
    bool fits = !v || qlinear_aligned(v, operand->rank, axis, dim);
    for (uint32_t i = 0; v && fits && i < operand->rank; i++)
        fits = dim[i] == 1 || dim[i] == operand->dim[i];
    return fits || op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u does not fit its operand", points);
}

static bool narrow_integers(const op_context *c, const graph_node *n, uint32_t i, mica_status *st) {
    const graph_value *v = op_in(c->g, n, i);
    double lo, hi;
    return (v->dtype == DTYPE_INT && quantise_range(v->onnx_dtype, &lo, &hi)) ||
           op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "input %u does not hold integers of 4, 8 or 16 bits",
                   i);
}

static bool infer_product(op_context *c, const graph_node *n, int type, mica_status *st) {
    const qlinear_inputs *in = qlinear_inputs_of((op_kind)n->kind);
    const graph_value *x = op_in(c->g, n, in->x), *w = op_in(c->g, n, in->w);
    const graph_value like = {.dtype = DTYPE_INT, .onnx_dtype = type};
    product_node p;
    if (!narrow_integers(c, n, in->x, st) || !narrow_integers(c, n, in->w, st))
        return false;
    if (x->rank < 1 || w->rank < 1 ||
        (x->rank < 2 && op_in(c->g, n, in->x_zero) && !in->conv &&
         graph_elements(op_in(c->g, n, in->x_zero)) > 1))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "a vector with several zero points");
    if (!check_points(c, n, in->x_zero, x, qlinear_axis(in, x->rank, true), st) ||
        !check_points(c, n, in->w_zero, w, qlinear_axis(in, w->rank, false), st))
        return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (i != in->x && i != in->w && op_in(c->g, n, i) && op_in(c->g, n, i)->batched)
            return op_mixes_batch(c);
    if (!(in->conv ? infer_conv_shape : infer_matmul_shape)(c, as_product(&p, n, in), st))
        return false;
    const graph_value shape = *op_out(c->g, n, 0);
    return op_set_output(c, n, &like, shape.rank, shape.dim, shape.batched, st);
}

bool infer_matmulinteger(op_context *c, const graph_node *n, mica_status *st) {
    return infer_product(c, n, ONNX_INT32, st);
}

bool infer_convinteger(op_context *c, const graph_node *n, mica_status *st) {
    return infer_product(c, n, ONNX_INT32, st);
}

static bool infer_scaled(op_context *c, const graph_node *n, mica_status *st) {
    const qlinear_inputs *in = qlinear_inputs_of((op_kind)n->kind);
    const graph_value *zero = op_in(c->g, n, in->y_zero);
    const uint32_t scales[] = {in->x_scale, in->w_scale, in->y_scale};
    int64_t dim[GRAPH_MAX_RANK];
    double lo, hi;
    for (unsigned i = 0; i < 3; i++)
        if (!op_in(c->g, n, scales[i])->real)
            return op_fail_varying(c->g, n, scales[i], OP_NEEDS_CONSTANT, st);
    for (unsigned i = 0; i < 3; i++)
        for (size_t k = 0; k < (size_t)graph_elements(op_in(c->g, n, scales[i])); k++)
            if (!(op_in(c->g, n, scales[i])->real[k] > 0))
                return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "a scale is not positive");
    if (!zero->integer)
        return op_fail_varying(c->g, n, in->y_zero, OP_NEEDS_CONSTANT, st);
    if (graph_elements(zero) != 1 || graph_elements(op_in(c->g, n, in->y_scale)) != 1 ||
        !quantise_range(zero->onnx_dtype, &lo, &hi))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "the result needs one constant scale and one constant zero point");
    if (!infer_product(c, n, zero->onnx_dtype, st))
        return false;
    const graph_value *y = op_out(c->g, n, 0);
    const uint32_t rank = y->rank;
    if (!qlinear_aligned(op_in(c->g, n, in->x_scale), rank, qlinear_result_axis(in, rank, true), dim) ||
        !check_points(c, n, in->x_scale, y, qlinear_result_axis(in, rank, true), st) ||
        !check_points(c, n, in->w_scale, y, qlinear_result_axis(in, rank, false), st))
        return st->code != MICA_OK
                   ? false
                   : op_fail(c->g, n, st, MICA_ERR_FORMAT, "the scales do not fit the result");
    return true;
}

bool infer_qlinearmatmul(op_context *c, const graph_node *n, mica_status *st) {
    return infer_scaled(c, n, st);
}

bool infer_qlinearconv(op_context *c, const graph_node *n, mica_status *st) {
    return infer_scaled(c, n, st);
}

/* --- float reference --- */

/* Element of aligned points that belongs to each element of the operand, in row-major order of `operand`. */
typedef struct point_walk {
    size_t stride[GRAPH_MAX_RANK];
    int64_t index[GRAPH_MAX_RANK];
    const graph_value *operand;
} point_walk;

static void walk_points(point_walk *w, const graph_value *points, const graph_value *operand, uint32_t axis) {
    graph_value aligned = {.rank = operand->rank};
    memset(w, 0, sizeof *w);
    w->operand = operand;
    if (points && qlinear_aligned(points, operand->rank, axis, aligned.dim))
        op_broadcast_strides(&aligned, operand->rank, w->stride);
}

static size_t next_point(point_walk *w) {
    size_t at = 0;
    for (uint32_t i = 0; i < w->operand->rank; i++)
        at += (size_t)w->index[i] * w->stride[i];
    (void)op_next_index(w->index, w->operand->dim, w->operand->rank);
    return at;
}

/* Input i less its zero points; the caller frees. */
static double *less_zero(const op_args *a, uint32_t i, uint32_t zero, uint32_t axis, mica_status *st) {
    const graph_value *v = op_in(a->g, a->n, i), *z = op_in(a->g, a->n, zero);
    const size_t n = (size_t)graph_elements(v);
    point_walk w;
    double *x = malloc((n + 1) * sizeof *x);
    if (!x) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        return NULL;
    }
    walk_points(&w, z, v, axis);
    for (size_t e = 0; e < n; e++) {
        const size_t at = next_point(&w);
        x[e] = a->in[i][e] - (z ? a->in[zero][at] : 0);
    }
    return x;
}

static bool eval_product(const op_args *a, mica_status *st) {
    const qlinear_inputs *in = qlinear_inputs_of((op_kind)a->n->kind);
    const uint32_t x_rank = op_in(a->g, a->n, in->x)->rank, w_rank = op_in(a->g, a->n, in->w)->rank;
    product_node p;
    const graph_node *n = as_product(&p, a->n, in);
    double *x = less_zero(a, in->x, in->x_zero, qlinear_axis(in, x_rank, true), st);
    double *w = x ? less_zero(a, in->w, in->w_zero, qlinear_axis(in, w_rank, false), st) : NULL;
    const double *const inputs[3] = {x, w, n->n_in > 2 ? a->in[in->bias] : NULL};
    const op_args args = {a->g, n, inputs, a->out};
    const bool ok = w && (in->conv ? eval_conv : eval_matmul)(&args, st);
    free(x);
    free(w);
    return ok;
}

bool eval_matmulinteger(const op_args *a, mica_status *st) {
    return eval_product(a, st);
}

bool eval_convinteger(const op_args *a, mica_status *st) {
    return eval_product(a, st);
}

static double saturated(double v, double zero, double lo, double hi) {
    v += zero;
    return v > hi ? hi : v > lo ? v : lo;
}

static bool eval_scaled(const op_args *a, mica_status *st) {
    const qlinear_inputs *in = qlinear_inputs_of((op_kind)a->n->kind);
    const graph_value *y = op_out(a->g, a->n, 0);
    point_walk xs, ws;
    double lo, hi;
    if (!quantise_range(y->onnx_dtype, &lo, &hi) || !eval_product(a, st))
        return false;
    walk_points(&xs, op_in(a->g, a->n, in->x_scale), y, qlinear_result_axis(in, y->rank, true));
    walk_points(&ws, op_in(a->g, a->n, in->w_scale), y, qlinear_result_axis(in, y->rank, false));
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const double x_scale = a->in[in->x_scale][next_point(&xs)];
        const double factor =
            qlinear_factor(x_scale, a->in[in->w_scale][next_point(&ws)], a->in[in->y_scale][0]);
        a->out[0][e] = saturated(qlinear_scaled(a->out[0][e], factor), a->in[in->y_zero][0], lo, hi);
    }
    return true;
}

bool eval_qlinearmatmul(const op_args *a, mica_status *st) {
    return eval_scaled(a, st);
}

bool eval_qlinearconv(const op_args *a, mica_status *st) {
    return eval_scaled(a, st);
}

/* --- mica.Requantize: accumulators, factors, zero point --- */

bool infer_requantize(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *zero = op_in(c->g, n, 2);
    const graph_value like = {.dtype = DTYPE_INT, .onnx_dtype = zero->onnx_dtype};
    int64_t dim[GRAPH_MAX_RANK];
    if (!op_in(c->g, n, 1)->real || !zero->integer)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "factors and zero point must be constants");
    memcpy(dim, x->dim, sizeof dim);
    return op_set_output(c, n, &like, x->rank, dim, x->batched, st);
}

bool eval_requantize(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    point_walk w;
    double lo, hi;
    (void)st;
    if (!quantise_range(y->onnx_dtype, &lo, &hi))
        return false;
    walk_points(&w, op_in(a->g, a->n, 1), y, 0);
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++)
        a->out[0][e] = saturated(qlinear_scaled(a->in[0][e], a->in[1][next_point(&w)]), a->in[2][0], lo, hi);
    return true;
}
