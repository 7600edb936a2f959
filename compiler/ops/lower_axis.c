/* CumSum, Resize and Upsample: every element of the result is a weighted sum along axes. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_axis.h"
#include "lowering/lowering_move.h"
#include "lowering/range.h"
#include "ops/op_rules.h"
#include "ops/resize.h"

#define MAX_SUMMED         4096 /* entries of a cumulative sum: its matrix has their square */
#define INTERPOLATION_BITS 10   /* of a weight's fraction, at most */

/* --- CumSum: a triangular matrix of ones --- */

bool lower_cumsum(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *v = &l->g->value[n->in[0]];
    const int64_t at = l->g->value[n->in[1]].integer[0];
    const size_t axis = (size_t)(at < 0 ? at + v->rank : at), size = (size_t)v->dim[axis];
    const bool exclusive = graph_attr_int(n, "exclusive", 0) != 0,
               reverse = graph_attr_int(n, "reverse", 0) != 0;
    double *m = size > MAX_SUMMED ? NULL : calloc(size * size + 1, sizeof *m);
    qvalue x;
    form f;
    if (!m)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "a sum over %zu entries", size);
    for (size_t row = 0; row < size; row++)
        for (size_t k = 0; k < size; k++)
            m[row * size + k] = reverse ? k >= row + exclusive : k + exclusive <= row;
    const bool ok = lowering_operand(l, n->in[0], &x, st) && lowering_layer(l, n, st) &&
                    lowering_axis_product(l, n, &x, (unsigned)axis - (v->batched ? 1 : 0), (int64_t)size, m,
                                          &f, &x, st) &&
                    lowering_set_sum(l, n, &f, &x.axes, x.scale, st);
    free(m);
    return ok;
}

/* --- Resize --- */

/* The axis as a matrix times 2^bits, rounded. */
static double *axis_matrix(const resize *r, uint32_t axis, unsigned bits) {
    const size_t in = (size_t)r->in[axis], out = (size_t)r->out[axis];
    const double one = (double)(UINT64_C(1) << bits);
    double *m = calloc(in * out + 1, sizeof *m);
    for (size_t o = 0; m && o < out; o++) {
        resize_taps t;
        resize_axis(r, axis, (int64_t)o, &t);
        for (unsigned i = 0; i < t.n && !t.outside; i++)
            m[o * in + (size_t)t.at[i]] += t.weight[i] * one;
        for (size_t i = 0; i < in; i++)
            m[o * in + i] = (double)round_away(m[o * in + i]);
    }
    return m;
}

/* The fewest bits with which every weight of the axis is exact; `most` if there are none. */
static unsigned exact_bits(const resize *r, uint32_t axis, unsigned most) {
    unsigned bits = 0;
    for (int64_t o = 0; o < r->out[axis]; o++) {
        resize_taps t;
        resize_axis(r, axis, o, &t);
        for (unsigned i = 0; i < t.n; i++)
            while (bits < most &&
                   t.weight[i] * (double)(1 << bits) != (double)round_away(t.weight[i] * (double)(1 << bits)))
                bits++;
    }
    return bits;
}

/* Bits that the products with `axes` matrices may add in all to values of the range r: their sums stay below
 * the accumulators' bound, cubic weights, whose magnitudes sum to less than 2 in an axis, included. */
static unsigned spare_bits(bound r, unsigned axes) {
    const int64_t top = r.hi > -r.lo ? r.hi : -r.lo;
    const unsigned used = mica_log2_ceil((uint64_t)top + 1), limit = mica_log2_ceil(RANGE_ACC_LIMIT);
    return used + axes < limit ? limit - used - axes : 0;
}

/* bits[i] of the weights of axis i: what makes them exact, or an even share of the spare bits. */
static void share_bits(const resize *r, unsigned spare, unsigned *bits) {
    unsigned wanted[GRAPH_MAX_RANK];
    bool any = true;
    for (uint32_t i = 0; i < r->rank; i++) {
        bits[i] = 0;
        wanted[i] = resize_is_identity(r, i) ? 0 : exact_bits(r, i, INTERPOLATION_BITS);
    }
    while (any && spare > 0) {
        any = false;
        for (uint32_t i = 0; i < r->rank && spare > 0; i++) {
            if (bits[i] == wanted[i])
                continue;
            bits[i]++;
            spare--;
            any = true;
        }
    }
}

/* Adds the extrapolation value where a position of some axis lies beyond the input; there the products are 0.
 */
static bool extrapolate(lowering *l, const graph_node *n, const resize *r, const layout *axes, double scale,
                        form *f, mica_status *st) {
    const graph_value *y = &l->g->value[n->out[0]];
    const size_t cells = (size_t)graph_elements(y);
    const unsigned skip = l->g->value[n->in[0]].batched ? 1 : 0;
    int64_t index[GRAPH_MAX_RANK] = {0};
    bool any = false;
    if (r->extrapolation == 0 || strcmp(r->coordinates, "tf_crop_and_resize") != 0)
        return true;
    double *value = malloc((cells + 1) * sizeof *value);
    if (!value)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (size_t e = 0; e < cells; e++) {
        bool outside = false;
        for (uint32_t i = 0; i < r->rank; i++) {
            resize_taps t;
            resize_axis(r, i, index[i], &t);
            outside |= t.outside;
        }
        value[e] = outside ? r->extrapolation : 0;
        any |= outside;
        (void)op_next_index(index, y->dim, y->rank);
    }
    const bool ok =
        !any || lowering_add_constant(l, f, axes, y->rank - skip, y->dim + skip, value, 1 / scale, st);
    free(value);
    return ok;
}

static bool interpolate(lowering *l, const graph_node *n, const resize *r, mica_status *st) {
    const unsigned skip = l->g->value[n->in[0]].batched ? 1 : 0;
    unsigned axes = 0, bits[GRAPH_MAX_RANK];
    qvalue x;
    form f;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st))
        return false;
    for (uint32_t i = 0; i < r->rank; i++)
        axes += !resize_is_identity(r, i);
    share_bits(r, spare_bits(bound_of(&lowering_tensors(l)[x.tensor]), axes), bits);
    for (uint32_t i = 0; i < r->rank; i++) {
        if (resize_is_identity(r, i))
            continue;
        if (x.tensor == NO_INDEX && (x.tensor = builder_sum(&l->b, &f)) == NO_INDEX)
            return false;
        double *m = axis_matrix(r, i, bits[i]);
        const bool ok = m ? lowering_axis_product(l, n, &x, i - skip, r->out[i], m, &f, &x, st)
                          : mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
        free(m);
        if (!ok)
            return false;
        x.scale /= (double)(1 << bits[i]);
    }
    if (x.tensor != NO_INDEX)
        return lowering_set_tensor(l, n, x.tensor, &x.axes, x.scale, x.origin);
    return extrapolate(l, n, r, &x.axes, x.scale, &f, st) && lowering_set_sum(l, n, &f, &x.axes, x.scale, st);
}

bool lower_resize(struct lowering *l, const graph_node *n, mica_status *st) {
    resize r;
    if (!resize_read(&r, l->g, n, st))
        return false;
    if (r.mode == RESIZE_NEAREST)
        return lowering_move(l, n, 1, st);
    return interpolate(l, n, &r, st);
}

bool lower_upsample(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_resize(l, n, st);
}
