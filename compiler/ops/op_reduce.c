/* ReduceSum and its kin; ArgMax and ArgMin; Hardmax. */
#include <math.h>
#include <stdlib.h>

#include "graph/onnx_types.h"
#include "ops/reduce.h"
#include "reference/float_math.h"

/* --- axes --- */

static bool add_axis(const graph *g, const graph_node *n, int64_t a, uint32_t rank, uint32_t *axes,
                     mica_status *st) {
    if (a < -(int64_t)rank || a >= (int64_t)rank)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %lld is outside an input of %u dimensions",
                       (long long)a, rank);
    *axes |= 1u << (a < 0 ? a + rank : a);
    return true;
}

bool reduce_resolve(const graph *g, const graph_node *n, uint32_t *axes, bool *keep, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *list = op_in(g, n, 1);
    const graph_attr *attr = graph_attr_find(n, "axes");
    const bool has_attr = attr && attr->type == ATTR_INTS;
    *axes = 0;
    *keep = graph_attr_int(n, "keepdims", 1) != 0;
    if (list && !list->integer)
        return op_fail_varying(g, n, 1, OP_DECIDES_SHAPE, st);
    if (list && list->rank > 1)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the axes are not a list");
    const size_t count = has_attr ? attr->n : list ? (size_t)graph_elements(list) : 0;
    for (size_t i = 0; i < count; i++)
        if (!add_axis(g, n, has_attr ? attr->ints[i] : list->integer[i], x->rank, axes, st))
            return false;
    if (count == 0 && graph_attr_int(n, "noop_with_empty_axes", 0) == 0)
        *axes = (1u << x->rank) - 1;
    return true;
}

bool reduce_normalised_axes(const graph *g, const graph_node *n, uint32_t *axes, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    const bool flattens = g->opset < 13;
    uint32_t axis;
    *axes = 0;
    /* A scalar is one row of one element. */
    if (!op_axis(g, n, "axis", flattens ? 1 : -1, x->rank ? x->rank : 1, flattens ? 1 : 0, &axis, st))
        return false;
    for (uint32_t i = axis; i < x->rank && (flattens || i == axis); i++)
        *axes |= 1u << i;
    return true;
}

/* --- rows --- */

static size_t count_cells(const graph_value *x, uint32_t axes) {
    size_t n = 1;
    for (uint32_t i = 0; i < x->rank; i++)
        n *= axes & 1u << i ? (size_t)x->dim[i] : 1;
    return n;
}

/* Offsets of the cells along `axes`, row-major. */
static void list_offsets(const graph_value *x, uint32_t axes, size_t *out) {
    int64_t index[GRAPH_MAX_RANK] = {0}, dim[GRAPH_MAX_RANK];
    size_t stride[GRAPH_MAX_RANK] = {0}, step = 1, n = 0;
    for (uint32_t i = x->rank; i-- > 0;) {
        dim[i] = axes & 1u << i ? x->dim[i] : 1;
        stride[i] = step;
        step *= (size_t)x->dim[i];
    }
    do {
        size_t at = 0;
        for (uint32_t i = 0; i < x->rank; i++)
            at += (size_t)index[i] * stride[i];
        out[n++] = at;
    } while (op_next_index(index, dim, x->rank));
}

bool reduce_walk_create(reduce_walk *w, const graph_value *x, uint32_t axes, mica_status *st) {
    w->length = count_cells(x, axes);
    w->n_rows = count_cells(x, ~axes);
    w->row = calloc(w->n_rows + 1, sizeof *w->row);
    w->cell = calloc(w->length + 1, sizeof *w->cell);
    if (!w->row || !w->cell) {
        reduce_walk_free(w);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    }
    if (w->n_rows)
        list_offsets(x, ~axes, w->row);
    if (w->length)
        list_offsets(x, axes, w->cell);
    return true;
}

void reduce_walk_free(reduce_walk *w) {
    free(w->row);
    free(w->cell);
    w->row = w->cell = NULL;
}

/* --- shapes --- */

static bool set_reduced(op_context *c, const graph_node *n, const graph_value *like, uint32_t axes, bool keep,
                        mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t rank = 0;
    if (x.batched && axes & 1)
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x.rank; i++) {
        if (!(axes & 1u << i))
            dim[rank++] = x.dim[i];
        else if (keep)
            dim[rank++] = 1;
    }
    return op_set_output(c, n, like, rank, dim, x.batched, st);
}

static bool infer_reduce(op_context *c, const graph_node *n, bool integers, mica_status *st) {
    const graph_value like = *op_in(c->g, n, 0);
    uint32_t axes;
    bool keep;
    if (!integers && like.dtype != DTYPE_FLOAT)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "the input holds integers");
    if (!reduce_resolve(c->g, n, &axes, &keep, st))
        return false;
    for (uint32_t i = 0; i < like.rank; i++)
        if (axes & 1u << i && like.dim[i] == 0 && n->kind == OP_REDUCE_MEAN)
            return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "the mean of no elements");
    return set_reduced(c, n, &like, axes, keep, st);
}

#define REDUCTIONS(X)                                                                                        \
    X(reduce_sum, true)                                                                                      \
    X(reduce_mean, false)                                                                                    \
    X(reduce_max, true)                                                                                      \
    X(reduce_min, true)                                                                                      \
    X(reduce_sum_square, true)                                                                               \
    X(reduce_l1, true)                                                                                       \
    X(reduce_l2, false)                                                                                      \
    X(reduce_prod, true)                                                                                     \
    X(reduce_log_sum, false)                                                                                 \
    X(reduce_log_sum_exp, false)

#define X(symbol, integers)                                                                                  \
    bool infer_##symbol(op_context *c, const graph_node *n, mica_status *st) {                               \
        return infer_reduce(c, n, integers, st);                                                             \
    }
REDUCTIONS(X)
#undef X

/* --- float reference --- */

static double magnitude(double x) {
    return x < 0 ? -x : x;
}

static double combine(op_kind kind, double r, double v) {
    switch (kind) {
    case OP_REDUCE_MAX:
        return v > r ? v : r;
    case OP_REDUCE_MIN:
        return v < r ? v : r;
    case OP_REDUCE_PROD:
        return r * v;
    case OP_REDUCE_L1:
        return r + magnitude(v);
    case OP_REDUCE_L2:
    case OP_REDUCE_SUM_SQUARE:
        return r + v * v;
    default:
        return r + v;
    }
}

/* log sum exp without overflow */
static double log_sum_exp(const double *x, const size_t *at, size_t n) {
    double top = x[at[0]], sum = 0;
    for (size_t i = 1; i < n; i++)
        top = x[at[i]] > top ? x[at[i]] : top;
    for (size_t i = 0; i < n; i++)
        sum += fm_exp(x[at[i]] - top);
    return fm_log(sum) + top;
}

/* The value of no elements: the least and the largest value of the type for maxima and minima. */
static double empty_value(op_kind kind, const graph_value *y) {
    const bool real = onnx_type_float(y->onnx_dtype), truth = y->onnx_dtype == ONNX_BOOL;
    const unsigned bits = truth ? 1 : onnx_type_bits(y->onnx_dtype);
    const double all = (double)(UINT64_C(1) << (bits - 1)), infinity = __builtin_inf();
    const bool negative = onnx_type_signed(y->onnx_dtype);
    switch (kind) {
    case OP_REDUCE_MAX:
        return real ? -infinity : negative ? -all : 0;
    case OP_REDUCE_MIN:
        return real ? infinity : negative ? all - 1 : 2 * all - 1;
    case OP_REDUCE_PROD:
        return 1;
    case OP_REDUCE_LOG_SUM:
    case OP_REDUCE_LOG_SUM_EXP:
        return -infinity;
    default:
        return 0;
    }
}

/* One row of n > 0 cells, cell i at x[at[i]]. */
static double row_value(op_kind kind, const double *x, const size_t *at, size_t n) {
    double r = kind == OP_REDUCE_MAX || kind == OP_REDUCE_MIN ? x[at[0]] : kind == OP_REDUCE_PROD;
    if (kind == OP_REDUCE_LOG_SUM_EXP)
        return log_sum_exp(x, at, n);
    for (size_t i = 0; i < n; i++)
        r = combine(kind, r, x[at[i]]);
    switch (kind) {
    case OP_REDUCE_MEAN:
        return r / (double)n;
    case OP_REDUCE_L2:
        return sqrt(r); /* correctly rounded everywhere */
    case OP_REDUCE_LOG_SUM:
        return fm_log(r);
    default:
        return r;
    }
}

static bool eval_reduce(const op_args *a, mica_status *st) {
    uint32_t axes;
    bool keep;
    reduce_walk w;
    if (!reduce_resolve(a->g, a->n, &axes, &keep, st) ||
        !reduce_walk_create(&w, op_in(a->g, a->n, 0), axes, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++)
        a->out[0][j] = w.length ? row_value((op_kind)a->n->kind, a->in[0] + w.row[j], w.cell, w.length)
                                : empty_value((op_kind)a->n->kind, op_out(a->g, a->n, 0));
    reduce_walk_free(&w);
    return true;
}

#define X(symbol, integers)                                                                                  \
    bool eval_##symbol(const op_args *a, mica_status *st) {                                                  \
        return eval_reduce(a, st);                                                                           \
    }
REDUCTIONS(X)
#undef X

/* --- places of extrema --- */

static bool infer_place(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = {.dtype = DTYPE_INT, .onnx_dtype = ONNX_INT64}, *x = op_in(c->g, n, 0);
    uint32_t axis;
    if (!op_axis(c->g, n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    if (x->dim[axis] == 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "no largest element along an empty axis");
    return set_reduced(c, n, &like, 1u << axis, graph_attr_int(n, "keepdims", 1) != 0, st);
}

bool infer_argmax(op_context *c, const graph_node *n, mica_status *st) {
    return infer_place(c, n, st);
}

bool infer_argmin(op_context *c, const graph_node *n, mica_status *st) {
    return infer_place(c, n, st);
}

static size_t place(const double *x, const size_t *at, size_t n, double sign, bool last) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (sign * x[at[i]] > sign * x[at[best]] || (last && x[at[i]] == x[at[best]]))
            best = i;
    return best;
}

static bool eval_place(const op_args *a, double sign, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const bool last = graph_attr_int(a->n, "select_last_index", 0) != 0;
    uint32_t axis;
    reduce_walk w;
    if (!op_axis(a->g, a->n, "axis", 0, x->rank, 0, &axis, st) || !reduce_walk_create(&w, x, 1u << axis, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++)
        a->out[0][j] = (double)place(a->in[0] + w.row[j], w.cell, w.length, sign, last);
    reduce_walk_free(&w);
    return true;
}

bool eval_argmax(const op_args *a, mica_status *st) {
    return eval_place(a, 1, st);
}

bool eval_argmin(const op_args *a, mica_status *st) {
    return eval_place(a, -1, st);
}

bool infer_hardmax(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t axes;
    if (!op_all_float(c->g, n, st) || !reduce_normalised_axes(c->g, n, &axes, st))
        return false;
    return x->batched && axes & 1 ? op_mixes_batch(c) : op_set_output_like(c, n, x, st);
}

bool eval_hardmax(const op_args *a, mica_status *st) {
    uint32_t axes;
    reduce_walk w;
    if (!reduce_normalised_axes(a->g, a->n, &axes, st) ||
        !reduce_walk_create(&w, op_in(a->g, a->n, 0), axes, st))
        return false;
    for (size_t j = 0; w.length && j < w.n_rows; j++) {
        const size_t best = place(a->in[0] + w.row[j], w.cell, w.length, 1, false);
        for (size_t i = 0; i < w.length; i++)
            a->out[0][w.row[j] + w.cell[i]] = i == best;
    }
    reduce_walk_free(&w);
    return true;
}

/* The square root that other operators are made of; what rounding has made negative is 0. */
bool infer_root(op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) && op_set_output_like(c, n, op_in(c->g, n, 0), st);
}

bool eval_root(const op_args *a, mica_status *st) {
    const size_t n = (size_t)graph_elements(op_out(a->g, a->n, 0));
    (void)st;
    for (size_t i = 0; i < n; i++)
        a->out[0][i] = a->in[0][i] > 0 ? sqrt(a->in[0][i]) : 0;
    return true;
}
