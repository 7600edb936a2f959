/* Rows of a tensor: the cells that differ only in the last axis. */
#ifndef MICA_PROTOCOL_TENSOR_ROWS_H
#define MICA_PROTOCOL_TENSOR_ROWS_H

#include "plan/plan.h"

/* Whether row `row` (all coordinates but the last axis's) lies in D. */
static inline bool row_is_valid(const plan *p, const mica_tensor *x, uint64_t row) {
    for (unsigned i = x->rank; i-- > 1;) {
        const unsigned bits = mica_log2_ceil(x->dim[i - 1]);
        if ((row & ((1ull << bits) - 1)) >= x->dim[i - 1])
            return false;
        row >>= bits;
    }
    return !x->batched || row < p->batch;
}

static inline unsigned row_bits(const mica_tensor *x) {
    return x->rank ? mica_log2_ceil(x->dim[x->rank - 1]) : 0;
}

static inline uint32_t row_valid_cells(const plan *p, const mica_tensor *x, uint64_t row) {
    if (!row_is_valid(p, x, row))
        return 0;
    return x->rank ? x->dim[x->rank - 1] : 1;
}

#endif
