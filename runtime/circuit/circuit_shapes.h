/* Small facts about shapes, views and placements that several checks share. */
#ifndef MICA_CIRCUIT_CIRCUIT_SHAPES_H
#define MICA_CIRCUIT_CIRCUIT_SHAPES_H

#include <string.h>

#include "mica/circuit.h"

/* Whether a and b have the same axes, the batch included. */
static inline bool circuit_same_domain(const mica_tensor *a, const mica_tensor *b) {
    return a->batched == b->batched && a->rank == b->rank &&
           memcmp(a->dim, b->dim, a->rank * sizeof a->dim[0]) == 0;
}

/* Whether term m reads the cell of its operand that has the index of the domain's cell, for every cell. */
static inline bool circuit_is_cellwise(const mica_circuit *c, const mica_term *m, const mica_tensor *domain) {
    const mica_tensor *x = &c->tensor[m->tensor];
    if (!circuit_same_domain(x, domain))
        return false;
    for (unsigned i = 0; i < x->rank; i++) {
        if (m->view.axis[i] != (int32_t)i)
            return false;
    }
    return true;
}

/* The first padded cell of row `row` of the last axis; rows are counted row-major over the valid cells. */
static inline size_t circuit_padded_row(const mica_tensor *x, size_t row) {
    size_t at = 0;
    unsigned shift = x->rank ? mica_log2_ceil(x->dim[x->rank - 1]) : 0;
    for (unsigned i = x->rank; i-- > 1; row /= x->dim[i - 1]) {
        at |= row % x->dim[i - 1] << shift;
        shift += mica_log2_ceil(x->dim[i - 1]);
    }
    return at;
}

static inline int64_t circuit_floor_div(int64_t a, int64_t b) { /* b > 0 */
    return a / b - (a % b < 0);
}

/* The i in [0, n) with 0 <= base + stride * i < cells are those in [*first, *end), an interval since the
 * expression is monotone; *first == *end if there are none. |base|, |stride|, cells < 2^41. */
static inline void circuit_valid_interval(int64_t base, int64_t stride, int64_t cells, int64_t n,
                                          int64_t *first, int64_t *end) {
    *first = 0;
    *end = n;
    if (stride == 0) {
        if (base < 0 || base >= cells)
            *end = 0;
        return;
    }
    if (stride < 0) { /* 0 <= cells - 1 - base - stride * i < cells says the same */
        base = cells - 1 - base;
        stride = -stride;
    }
    const int64_t from = -circuit_floor_div(base, stride); /* ceil(-base / stride) */
    const int64_t to = circuit_floor_div(cells - 1 - base, stride) + 1;
    *first = from > 0 ? from : 0;
    *end = to < n ? to : n;
    if (*first >= *end)
        *first = *end = 0;
}

#endif
