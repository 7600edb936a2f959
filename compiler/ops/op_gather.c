/* Gather, GatherElements, GatherND, OneHot: elements picked by index. */
#include <string.h>

#include "ops/op_index.h"

bool op_integer_indices(op_context *c, const graph_node *n, uint32_t input, mica_status *st) {
    return op_in(c->g, n, input)->dtype == DTYPE_INT ||
           op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u must hold integers", input);
}

static void set_stride(const graph_value *v, int64_t *stride) {
    for (uint32_t i = 0; i < v->rank; i++)
        stride[i] = op_product(v->dim + i + 1, v->rank - i - 1);
}

/* --- Gather --- */

bool infer_gather(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1);
    int64_t dim[2 * GRAPH_MAX_RANK];
    uint32_t axis;
    if (!op_integer_indices(c, n, 1, st) || !op_axis(c->g, n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    /* Rows of one table for every item: the indices' batch axis comes first and stays the batch axis. */
    if ((x->batched && axis == 0) || (k->batched && (x->batched || axis != 0)))
        return op_mixes_batch(c);
    memcpy(dim, x->dim, axis * sizeof *dim);
    memcpy(dim + axis, k->dim, k->rank * sizeof *dim);
    memcpy(dim + axis + k->rank, x->dim + axis + 1, (x->rank - axis - 1) * sizeof *dim);
    return op_set_output(c, n, x, x->rank - 1 + k->rank, dim, x->batched || k->batched, st);
}

bool eval_gather(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    const size_t outer = (size_t)op_product(x->dim, axis), picks = (size_t)graph_elements(k),
                 inner = (size_t)op_product(x->dim + axis + 1, x->rank - axis - 1);
    for (size_t o = 0; o < outer; o++) {
        for (size_t j = 0; j < picks; j++) {
            int64_t at;
            if (!op_index(a, a->in[1][j], x->dim[axis], &at, st))
                return false;
            memcpy(a->out[0] + (o * picks + j) * inner,
                   a->in[0] + (o * (size_t)x->dim[axis] + (size_t)at) * inner, inner * sizeof(double));
        }
    }
    return true;
}

/* --- GatherElements --- */

bool infer_gatherelements(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1);
    uint32_t axis;
    if (!op_integer_indices(c, n, 1, st) || !op_axis(c->g, n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    if (k->rank != x->rank)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "indices of %u dimensions into %u", k->rank, x->rank);
    for (uint32_t i = 0; i < x->rank; i++)
        if (i != axis && k->dim[i] > x->dim[i])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "more indices than entries in dimension %u", i);
    const bool batched = x->batched || k->batched;
    if (batched && (axis == 0 || k->dim[0] != 1 || x->dim[0] != 1))
        return op_mixes_batch(c);
    int64_t dim[GRAPH_MAX_RANK];
    memcpy(dim, k->dim, sizeof dim);
    return op_set_output(c, n, x, x->rank, dim, batched, st);
}

bool op_named_element(const op_args *a, const graph_value *x, uint32_t axis, const int64_t *index, size_t e,
                      int64_t *at, mica_status *st) {
    int64_t stride[GRAPH_MAX_RANK], named;
    if (!op_index(a, a->in[1][e], x->dim[axis], &named, st))
        return false;
    set_stride(x, stride);
    *at = 0;
    for (uint32_t i = 0; i < x->rank; i++)
        *at += stride[i] * (i == axis ? named : index[i]);
    return true;
}

bool eval_gatherelements(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    int64_t index[GRAPH_MAX_RANK] = {0}, at;
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(k); e < n; e++) {
        if (!op_named_element(a, x, axis, index, e, &at, st))
            return false;
        a->out[0][e] = a->in[0][at];
        op_next_index(index, k->dim, k->rank);
    }
    return true;
}

/* --- GatherND: the last axis of the indices holds the first coordinates of a slice --- */

bool op_slice_begin(const op_args *a, const graph_value *x, const graph_value *k, uint32_t batch_dims,
                    size_t row, int64_t *at, mica_status *st) {
    const int64_t depth = k->dim[k->rank - 1];
    const size_t batches = (size_t)op_product(k->dim, batch_dims),
                 rows = (size_t)op_product(k->dim, k->rank - 1);
    int64_t stride[GRAPH_MAX_RANK] = {0}, named = 0;
    set_stride(x, stride);
    *at = batch_dims ? (int64_t)(row / (rows / batches)) * stride[batch_dims - 1] : 0;
    for (int64_t d = 0; d < depth; d++) {
        const uint32_t axis = batch_dims + (uint32_t)d;
        if (!op_index(a, a->in[1][row * (size_t)depth + (size_t)d], x->dim[axis], &named, st))
            return false;
        *at += named * stride[axis];
    }
    return true;
}

bool infer_gathernd(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1);
    const int64_t shared = graph_attr_int(n, "batch_dims", 0);
    int64_t dim[2 * GRAPH_MAX_RANK];
    if (!op_integer_indices(c, n, 1, st))
        return false;
    const int64_t depth = k->rank ? k->dim[k->rank - 1] : 0;
    if (k->rank == 0 || shared < 0 || shared >= (int64_t)k->rank || depth < 1 ||
        depth > (int64_t)x->rank - shared)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "indices of depth %lld do not fit", (long long)depth);
    for (int64_t i = 0; i < shared; i++)
        if (k->dim[i] != x->dim[i])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "batch dimension %lld differs", (long long)i);
    if (k->batched || (x->batched && shared == 0))
        return op_mixes_batch(c);
    const uint32_t from = (uint32_t)(shared + depth);
    memcpy(dim, k->dim, (k->rank - 1) * sizeof *dim);
    memcpy(dim + k->rank - 1, x->dim + from, (x->rank - from) * sizeof *dim);
    return op_set_output(c, n, x, k->rank - 1 + x->rank - from, dim, x->batched, st);
}

bool eval_gathernd(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    const uint32_t shared = (uint32_t)graph_attr_int(a->n, "batch_dims", 0);
    const uint32_t from = shared + (uint32_t)k->dim[k->rank - 1];
    const size_t rows = (size_t)op_product(k->dim, k->rank - 1),
                 slice = (size_t)op_product(x->dim + from, x->rank - from);
    for (size_t row = 0; row < rows; row++) {
        int64_t at;
        if (!op_slice_begin(a, x, k, shared, row, &at, st))
            return false;
        memcpy(a->out[0] + row * slice, a->in[0] + at, slice * sizeof(double));
    }
    return true;
}

/* --- OneHot --- */

bool infer_onehot(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *k = op_in(c->g, n, 0), *depth = op_in(c->g, n, 1), *values = op_in(c->g, n, 2);
    int64_t dim[GRAPH_MAX_RANK + 1];
    uint32_t axis;
    if (!graph_is_const(depth))
        return op_fail_varying(c->g, n, 1, OP_DECIDES_SHAPE, st);
    if (graph_elements(depth) != 1)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the depth is not one number");
    const double entries = depth->integer ? (double)depth->integer[0] : depth->real[0];
    const int64_t size = entries >= 1 && entries <= (double)GRAPH_MAX_ELEMENTS ? (int64_t)entries : 0;
    if (size < 1 || graph_elements(values) != 2 || k->rank >= GRAPH_MAX_RANK)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "a depth of %lld with %llu values", (long long)size,
                       (unsigned long long)graph_elements(values));
    if (!op_axis(c->g, n, "axis", -1, k->rank + 1, 0, &axis, st))
        return false;
    if (values->batched || (k->batched && axis == 0))
        return op_mixes_batch(c);
    memcpy(dim, k->dim, axis * sizeof *dim);
    dim[axis] = size;
    memcpy(dim + axis + 1, k->dim + axis, (k->rank - axis) * sizeof *dim);
    return op_set_output(c, n, values, k->rank + 1, dim, k->batched, st);
}

bool eval_onehot(const op_args *a, mica_status *st) {
    const graph_value *k = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", -1, y->rank, 0, &axis, st))
        return false;
    const size_t size = (size_t)y->dim[axis], inner = (size_t)op_product(k->dim + axis, k->rank - axis);
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const double hot = a->in[0][e / inner / size * inner + e % inner];
        const double at = hot < 0 ? hot + (double)size : hot; /* beyond [-size, size): nowhere */
        a->out[0][e] = a->in[2][at == (double)(e / inner % size)];
    }
    return true;
}
