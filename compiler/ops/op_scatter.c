/* ScatterElements, Scatter, ScatterND: elements put by index; and mica.Put, of which their reductions are
 * made. */
#include <string.h>

#include "ops/op_index.h"

/* --- reductions --- */

typedef enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MIN, REDUCE_MAX } reduction;

static bool read_reduction(const graph *g, const graph_node *n, reduction *r, mica_status *st) {
    static const char *const names[] = {"none", "add", "mul", "min", "max"};
    const char *name = graph_attr_string(n, "reduction", "none");
    for (unsigned i = 0; i < 5; i++) {
        if (!strcmp(name, names[i])) {
            *r = (reduction)i;
            return true;
        }
    }
    return op_fail(g, n, st, MICA_ERR_FORMAT, "reduction '%.40s' is unknown", name);
}

static void put(double *to, double x, reduction r) {
    switch (r) {
    case REDUCE_NONE:
        *to = x;
        break;
    case REDUCE_ADD:
        *to += x;
        break;
    case REDUCE_MUL:
        *to *= x;
        break;
    case REDUCE_MIN:
        *to = x < *to ? x : *to;
        break;
    case REDUCE_MAX:
        *to = x > *to ? x : *to;
        break;
    }
}

/* --- ScatterElements --- */

static bool elements_fit(const graph_value *x, const graph_value *k, const graph_value *u, uint32_t axis) {
    bool fits = k->rank == x->rank && u->rank == x->rank && u->dtype == x->dtype;
    for (uint32_t i = 0; fits && i < x->rank; i++)
        fits = k->dim[i] == u->dim[i] && (i == axis || k->dim[i] <= x->dim[i]);
    return fits;
}

bool infer_scatterelements(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1), *u = op_in(c->g, n, 2);
    reduction r = REDUCE_NONE;
    uint32_t axis;
    if (!op_integer_indices(c, n, 1, st) || !read_reduction(c->g, n, &r, st) ||
        !op_axis(c->g, n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    if (!elements_fit(x, k, u, axis))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "indices and updates do not fit the data");
    const bool batched = x->batched || k->batched || u->batched;
    if (batched && (axis == 0 || k->dim[0] != 1 || x->dim[0] != 1))
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank,
                         (int64_t[GRAPH_MAX_RANK]){x->dim[0], x->dim[1], x->dim[2], x->dim[3], x->dim[4],
                                                   x->dim[5], x->dim[6], x->dim[7]},
                         batched, st);
}

bool eval_scatterelements(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    int64_t index[GRAPH_MAX_RANK] = {0}, at;
    reduction r = REDUCE_NONE;
    uint32_t axis;
    if (!read_reduction(a->g, a->n, &r, st) || !op_axis(a->g, a->n, "axis", 0, x->rank, 0, &axis, st))
        return false;
    memcpy(a->out[0], a->in[0], (size_t)graph_elements(x) * sizeof(double));
    for (size_t e = 0, n = (size_t)graph_elements(k); e < n; e++) {
        if (!op_named_element(a, x, axis, index, e, &at, st))
            return false;
        put(&a->out[0][at], a->in[2][e], r);
        op_next_index(index, k->dim, k->rank);
    }
    return true;
}

bool infer_scatter(op_context *c, const graph_node *n, mica_status *st) {
    return infer_scatterelements(c, n, st);
}

bool eval_scatter(const op_args *a, mica_status *st) {
    return eval_scatterelements(a, st);
}

/* --- ScatterND --- */

static bool slices_fit(const graph_value *x, const graph_value *k, const graph_value *u) {
    const int64_t depth = k->rank ? k->dim[k->rank - 1] : 0;
    bool fits = k->rank > 0 && depth >= 1 && depth <= (int64_t)x->rank && u->dtype == x->dtype &&
                (int64_t)u->rank == (int64_t)k->rank - 1 + (int64_t)x->rank - depth;
    for (uint32_t i = 0; fits && i + 1 < k->rank; i++)
        fits = u->dim[i] == k->dim[i];
    for (uint32_t i = (uint32_t)depth; fits && i < x->rank; i++)
        fits = u->dim[k->rank - 1 + i - (uint32_t)depth] == x->dim[i];
    return fits;
}

bool infer_scatternd(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1), *u = op_in(c->g, n, 2);
    reduction r = REDUCE_NONE;
    if (!op_integer_indices(c, n, 1, st) || !read_reduction(c->g, n, &r, st))
        return false;
    if (!slices_fit(x, k, u))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "indices and updates do not fit the data");
    if (x->batched || k->batched || u->batched)
        return op_mixes_batch(c);
    return op_set_output_like(c, n, x, st);
}

bool eval_scatternd(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    const uint32_t depth = (uint32_t)k->dim[k->rank - 1];
    const size_t rows = (size_t)op_product(k->dim, k->rank - 1),
                 slice = (size_t)op_product(x->dim + depth, x->rank - depth);
    reduction r = REDUCE_NONE;
    if (!read_reduction(a->g, a->n, &r, st))
        return false;
    memcpy(a->out[0], a->in[0], (size_t)graph_elements(x) * sizeof(double));
    for (size_t row = 0; row < rows; row++) {
        int64_t at;
        if (!op_slice_begin(a, x, k, 0, row, &at, st))
            return false;
        for (size_t j = 0; j < slice; j++)
            put(&a->out[0][(size_t)at + j], a->in[2][row * slice + j], r);
    }
    return true;
}

/* --- mica.Put: a further last axis has the data once for every update, which has replaced its elements. With
 * `elements` updates follow one another along `axis`, as ScatterElements takes them; otherwise the indices
 * are a list of places, [updates, depth]. --- */

/* The axis of the indices along which updates follow one another. */
static bool update_axis(const graph *g, const graph_node *n, bool *elements, uint32_t *axis,
                        mica_status *st) {
    *elements = graph_attr_int(n, "elements", 0) != 0;
    *axis = 0;
    return !*elements || op_axis(g, n, "axis", 0, op_in(g, n, 0)->rank, 0, axis, st);
}

bool infer_put(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *k = op_in(c->g, n, 1), *u = op_in(c->g, n, 2);
    int64_t dim[GRAPH_MAX_RANK + 1];
    bool elements;
    uint32_t axis;
    if (!op_integer_indices(c, n, 1, st) || !update_axis(c->g, n, &elements, &axis, st))
        return false;
    if (elements ? !elements_fit(x, k, u, axis) : k->rank != 2 || !slices_fit(x, k, u))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "indices and updates do not fit the data");
    const bool batched = x->batched || k->batched || u->batched;
    if (batched && (!elements || axis == 0 || k->dim[0] != 1 || x->dim[0] != 1))
        return op_mixes_batch(c);
    memcpy(dim, x->dim, x->rank * sizeof *dim);
    dim[x->rank] = k->dim[axis];
    return op_set_output(c, n, x, x->rank + 1, dim, batched, st);
}

static bool put_elements(const op_args *a, uint32_t axis, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    const size_t count = (size_t)k->dim[axis];
    int64_t index[GRAPH_MAX_RANK] = {0}, at;
    for (size_t e = 0, n = (size_t)graph_elements(k); e < n; e++) {
        if (!op_named_element(a, x, axis, index, e, &at, st))
            return false;
        a->out[0][(size_t)at * count + (size_t)index[axis]] = a->in[2][e];
        op_next_index(index, k->dim, k->rank);
    }
    return true;
}

/* Places of slices without elements are not looked at. */
static bool put_slices(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *k = op_in(a->g, a->n, 1);
    const uint32_t depth = (uint32_t)k->dim[1];
    const size_t count = (size_t)k->dim[0], slice = (size_t)op_product(x->dim + depth, x->rank - depth);
    for (size_t update = 0; slice > 0 && update < count; update++) {
        int64_t at;
        if (!op_slice_begin(a, x, k, 0, update, &at, st))
            return false;
        for (size_t j = 0; j < slice; j++)
            a->out[0][((size_t)at + j) * count + update] = a->in[2][update * slice + j];
    }
    return true;
}

bool eval_put(const op_args *a, mica_status *st) {
    const size_t cells = (size_t)graph_elements(op_in(a->g, a->n, 0));
    bool elements;
    uint32_t axis;
    if (!update_axis(a->g, a->n, &elements, &axis, st))
        return false;
    const size_t count = (size_t)op_in(a->g, a->n, 1)->dim[axis];
    for (size_t e = 0; e < cells * count; e++)
        a->out[0][e] = a->in[0][e / count];
    return elements ? put_elements(a, axis, st) : put_slices(a, st);
}
