/* Flatten, Reshape, Transpose, Identity, Dropout, Constant, Concat: operators that move elements and compute
 * none. */
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_move.h"

static void copy_elements(const op_args *a) {
    memcpy(a->out[0], a->in[0], (size_t)graph_elements(op_out(a->g, a->n, 0)) * sizeof(double));
}

static int64_t product(const int64_t *dim, uint32_t n) {
    int64_t p = 1;
    for (uint32_t i = 0; i < n; i++)
        p *= dim[i];
    return p;
}

/* --- Flatten --- */

bool infer_flatten(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t axis;
    if (c->g->opset < 11 && graph_attr_int(n, "axis", 1) < 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "negative axes came with opset 11");
    if (!op_axis(c->g, n, "axis", 1, x->rank, 1, &axis, st))
        return false;
    int64_t dim[2] = {product(x->dim, axis), product(x->dim + axis, x->rank - axis)};
    if (x->batched && (axis == 0 || dim[0] != 1))
        return op_mixes_batch(c);
    return op_set_output(c, n, x, 2, dim, x->batched, st);
}

bool eval_flatten(const op_args *a, mica_status *st) {
    (void)st;
    copy_elements(a);
    return true;
}

/* --- Reshape --- */

/* The output shape with 0 (copy) and -1 (the rest) resolved. */
static bool reshape_dims(const graph *g, const graph_node *n, const graph_value *x, const graph_value *shape,
                         int64_t *dim, mica_status *st) {
    bool allow_zero = graph_attr_int(n, "allowzero", 0) != 0;
    int64_t known = 1, elements = (int64_t)graph_elements(x);
    uint32_t rest = UINT32_MAX;
    for (uint32_t i = 0; i < (uint32_t)shape->dim[0]; i++) {
        dim[i] = shape->integer[i];
        if (dim[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return op_fail(g, n, st, MICA_ERR_FORMAT,
                               "entry %u of the shape is 0 but the input has no such axis", i);
            dim[i] = x->dim[i];
        }
        if (dim[i] == -1 && rest == UINT32_MAX) {
            rest = i;
            continue;
        }
        if (dim[i] < 0)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "entry %u of the shape is %lld", i, (long long)dim[i]);
        if (__builtin_mul_overflow(known, dim[i], &known))
            return op_fail(g, n, st, MICA_ERR_FORMAT, "the shape has too many elements");
    }
    if (rest != UINT32_MAX && (known == 0 || elements % known))
        return op_fail(g, n, st, MICA_ERR_FORMAT,
                       "%lld elements leave no whole size for entry %u of the shape", (long long)elements,
                       rest);
    if (rest != UINT32_MAX) {
        dim[rest] = elements / known;
        known *= dim[rest];
    }
    if (known != elements)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%lld elements do not fill a shape of %lld",
                       (long long)elements, (long long)known);
    return true;
}

bool infer_reshape(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *shape = op_in(c->g, n, 1);
    int64_t dim[GRAPH_MAX_RANK] = {0};
    if (shape->dtype != DTYPE_INT || shape->rank != 1)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shape must be a vector of integers");
    if (!shape->integer)
        return op_fail_varying(c->g, n, 1, OP_DECIDES_SHAPE, st);
    if (shape->dim[0] > GRAPH_MAX_RANK)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "%lld dimensions, at most %d are supported",
                       (long long)shape->dim[0], GRAPH_MAX_RANK);
    if (!reshape_dims(c->g, n, x, shape, dim, st))
        return false;
    /* A leading 1, written, copied or left over: the items keep their places and each is reshaped for itself.
     */
    if (x->batched && (shape->dim[0] == 0 || dim[0] != 1))
        return op_mixes_batch(c);
    return op_set_output(c, n, x, (uint32_t)shape->dim[0], dim, x->batched, st);
}

bool eval_reshape(const op_args *a, mica_status *st) {
    (void)st;
    copy_elements(a);
    return true;
}

/* --- Squeeze, Unsqueeze --- */

bool infer_squeeze(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t set, rank = 0;
    op_ints axes;
    if (!op_int_list(c->g, n, c->g->opset < 13 ? UINT32_MAX : 1, c->g->opset < 13 ? "axes" : NULL, &axes,
                     st) ||
        !op_axis_set(c->g, n, &axes, x->rank, &set, st))
        return false;
    for (uint32_t i = 0; i < x->rank; i++) {
        const bool named = axes.v ? set >> i & 1 : x->dim[i] == 1;
        if (named && x->dim[i] != 1)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "axis %u has %lld entries", i, (long long)x->dim[i]);
        if (named && i == 0 && x->batched)
            return op_mixes_batch(c);
        if (!named)
            dim[rank++] = x->dim[i];
    }
    return op_set_output(c, n, x, rank, dim, x->batched, st);
}

bool eval_squeeze(const op_args *a, mica_status *st) {
    (void)st;
    copy_elements(a);
    return true;
}

bool infer_unsqueeze(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t set, next = 0;
    op_ints axes;
    if (!op_int_list(c->g, n, c->g->opset < 13 ? UINT32_MAX : 1, c->g->opset < 13 ? "axes" : NULL, &axes, st))
        return false;
    if (axes.n > GRAPH_MAX_RANK - x->rank)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "more than %d dimensions", GRAPH_MAX_RANK);
    const uint32_t rank = x->rank + (uint32_t)axes.n;
    if (!op_axis_set(c->g, n, &axes, rank, &set, st))
        return false;
    if (x->batched && set & 1)
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < rank; i++)
        dim[i] = set >> i & 1 ? 1 : x->dim[next++];
    return op_set_output(c, n, x, rank, dim, x->batched, st);
}

bool eval_unsqueeze(const op_args *a, mica_status *st) {
    return eval_squeeze(a, st);
}

/* --- Transpose --- */

/* perm[i] is the input axis that becomes axis i of the output. */
static bool transpose_perm(const graph *g, const graph_node *n, uint32_t rank, uint32_t *perm,
                           mica_status *st) {
    const graph_attr *a = graph_attr_find(n, "perm");
    uint32_t seen = 0;
    if (a && (a->type != ATTR_INTS || a->n != rank))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "perm needs %u entries", rank);
    for (uint32_t i = 0; i < rank; i++) {
        int64_t p = a ? a->ints[i] : (int64_t)(rank - 1 - i);
        if (p < 0 || p >= (int64_t)rank || seen >> p & 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "perm is not a permutation");
        seen |= 1u << p;
        perm[i] = (uint32_t)p;
    }
    return true;
}

bool infer_transpose(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t perm[GRAPH_MAX_RANK];
    int64_t dim[GRAPH_MAX_RANK];
    if (!transpose_perm(c->g, n, x->rank, perm, st))
        return false;
    if (x->batched && perm[0] != 0)
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x->rank; i++)
        dim[i] = x->dim[perm[i]];
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

bool eval_transpose(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    size_t stride[GRAPH_MAX_RANK], elements = (size_t)graph_elements(y);
    int64_t index[GRAPH_MAX_RANK] = {0};
    uint32_t perm[GRAPH_MAX_RANK];
    if (!transpose_perm(a->g, a->n, x->rank, perm, st))
        return false;
    for (uint32_t i = 0; i < x->rank; i++)
        stride[i] = (size_t)product(x->dim + perm[i] + 1, x->rank - perm[i] - 1);
    for (size_t e = 0; e < elements; e++) {
        size_t at = 0;
        for (uint32_t i = 0; i < x->rank; i++)
            at += (size_t)index[i] * stride[i];
        a->out[0][e] = a->in[0][at];
        op_next_index(index, y->dim, y->rank);
    }
    return true;
}

/* --- Identity, Dropout --- */

bool infer_identity(op_context *c, const graph_node *n, mica_status *st) {
    return op_set_output_like(c, n, op_in(c->g, n, 0), st);
}

bool eval_identity(const op_args *a, mica_status *st) {
    (void)st;
    copy_elements(a);
    return true;
}

/* What was kept: everything, as bool since opset 10 and in the input's type before. A constant, of which
 * there is one for each item only where the batch axis is an ordinary one. */
static bool infer_mask(op_context *c, const graph_node *n, mica_status *st) {
    graph_value like = *op_in(c->g, n, 0);
    if (like.batched)
        return op_mixes_batch(c);
    if (c->g->opset >= 10) {
        like.dtype = DTYPE_INT;
        like.onnx_dtype = ONNX_BOOL;
    }
    if (!op_set_output_like(c, n, &like, st))
        return false;
    const size_t elements = (size_t)graph_elements(&like);
    int64_t *integer = graph_alloc(c->g, elements, sizeof *integer, st);
    double *real = graph_alloc(c->g, elements, sizeof *real, st);
    for (size_t i = 0; integer && real && i < elements; i++)
        integer[i] = 1, real[i] = 1;
    graph_value *mask = &c->g->value[n->out[0]];
    mask->integer = like.dtype == DTYPE_INT ? integer : NULL;
    mask->real = like.dtype == DTYPE_INT ? NULL : real;
    return integer && real;
}

bool infer_dropout(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *training = op_in(c->g, n, 2);
    if (c->g->opset < 12 && n->n_in > 1)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the ratio is an attribute before opset 12");
    if (training && (!training->integer || graph_elements(training) != 1 || training->integer[0] != 0))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "training_mode is not the constant false");
    return op_part(n) == 1 ? infer_mask(c, n, st) : op_set_output_like(c, n, op_in(c->g, n, 0), st);
}

bool eval_dropout(const op_args *a, mica_status *st) {
    if (op_part(a->n) == 0)
        return eval_identity(a, st);
    for (size_t e = 0, n = (size_t)graph_elements(op_out(a->g, a->n, 0)); e < n; e++)
        a->out[0][e] = 1;
    return true;
}

/* --- Constant --- */

/* The value stands in one attribute, which the import has turned into a constant of the graph. */
static const graph_value *constant_source(const graph *g, const graph_node *n) {
    static const char *const names[] = {"value", "value_float", "value_floats", "value_int", "value_ints"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const graph_attr *a = graph_attr_find(n, names[i]);
        if (a && a->tensor != GRAPH_NO_VALUE)
            return &g->value[a->tensor];
    }
    return NULL;
}

bool infer_constant(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *from = constant_source(c->g, n);
    if (!from)
        return op_fail(
            c->g, n, st, MICA_ERR_UNSUPPORTED,
            "the value is neither a dense tensor nor floats or integers (sparse and string values are not "
            "supported)");
    if (!op_set_output_like(c, n, from, st))
        return false;
    graph_value *out = &c->g->value[n->out[0]];
    out->real = from->real;
    out->integer = from->integer;
    return true;
}

bool eval_constant(const op_args *a, mica_status *st) {
    const graph_value *from = constant_source(a->g, a->n);
    if (!from)
        return op_fail(a->g, a->n, st, MICA_ERR_INTERNAL, "no value");
    for (size_t i = 0, n = (size_t)graph_elements(from); i < n; i++)
        a->out[0][i] = from->real ? from->real[i] : (double)from->integer[i];
    return true;
}

/* --- Concat --- */

bool infer_concat(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *first = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    bool batched = false;
    uint32_t axis;
    if (!graph_attr_find(n, "axis"))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "axis is missing");
    if (!op_same_types(c->g, n, st) || !op_axis(c->g, n, "axis", 0, first->rank, 0, &axis, st))
        return false;
    memcpy(dim, first->dim, sizeof dim);
    dim[axis] = 0;
    for (uint32_t j = 0; j < n->n_in; j++) {
        const graph_value *v = op_in(c->g, n, j);
        if (!v || v->rank != first->rank)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u is absent or has another rank", j);
        for (uint32_t i = 0; i < v->rank; i++)
            if (i != axis && v->dim[i] != dim[i])
                return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u differs in axis %u", j, i);
        dim[axis] += v->dim[axis]; /* < 2^32 inputs of at most 2^31: no overflow */
        batched |= v->batched;
    }
    if (batched && axis == 0)
        return op_mixes_batch(c);
    return op_set_output(c, n, first, first->rank, dim, batched, st);
}

bool eval_concat(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", 0, y->rank, 0, &axis, st))
        return false;
    size_t outer = (size_t)product(y->dim, axis), row = (size_t)product(y->dim + axis, y->rank - axis),
           at = 0;
    for (uint32_t j = 0; j < a->n->n_in; j++) {
        const graph_value *v = op_in(a->g, a->n, j);
        size_t part = (size_t)product(v->dim + axis, v->rank - axis);
        for (size_t o = 0; o < outer; o++)
            memcpy(a->out[0] + o * row + at, a->in[j] + o * part, part * sizeof(double));
        at += part;
    }
    return true;
}
