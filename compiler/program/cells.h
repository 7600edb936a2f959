/* Walking the padded cells of a tensor: strides, indices and offsets, for what runs a circuit by its
 * definitions.
 */
#ifndef MICA_COMPILER_CELLS_H
#define MICA_COMPILER_CELLS_H

#include "mica/circuit.h"

#include <stddef.h>

/* Strides of the padded axes of x; a single number is a row of one. */
static inline void cells_strides(const mica_tensor *x, size_t *stride) {
    size_t s = 1;
    stride[0] = 1;
    for (unsigned i = x->rank; i-- > 0;) {
        stride[i] = s;
        s <<= mica_log2_ceil(x->dim[i]);
    }
}

/* Steps index over dim[0..n), last one fastest; false after the last. n = 0 has one index. */
static inline bool cells_next(uint32_t *index, const uint32_t *dim, unsigned n) {
    for (unsigned i = n; i-- > 0;) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

static inline size_t cells_offset(const uint32_t *index, const size_t *stride, unsigned n) {
    size_t at = 0;
    for (unsigned i = 0; i < n; i++)
        at += index[i] * stride[i];
    return at;
}

/* The last axis is walked as a row, the axes in front of it by cells_next; a single number is a row of one.
 */
static inline unsigned cells_outer(const mica_tensor *x) {
    return x->rank ? x->rank - 1u : 0;
}
static inline uint32_t cells_row(const mica_tensor *x) {
    return x->rank ? x->dim[x->rank - 1] : 1;
}

/* How an operand's offset follows a domain's index: offset = fixed + sum index[i] * step[i], plus summed
 * axes. */
typedef struct cells_access {
    size_t fixed;
    size_t step[MICA_MAX_LABELS];
    unsigned n_sum;
    uint32_t sum_dim[MICA_MAX_RANK];
    size_t sum_step[MICA_MAX_RANK];
} cells_access;

static inline cells_access cells_access_of(const mica_tensor *x, const mica_view *v) {
    cells_access a = {0};
    size_t stride[MICA_MAX_RANK];
    cells_strides(x, stride);
    for (unsigned i = 0; i < x->rank; i++) {
        if (v->axis[i] >= 0) {
            a.step[v->axis[i]] = stride[i];
        } else if (v->axis[i] == MICA_VIEW_SUM) {
            a.sum_dim[a.n_sum] = x->dim[i];
            a.sum_step[a.n_sum++] = stride[i];
        } else {
            a.fixed += stride[i] * MICA_VIEW_AT_INDEX(v->axis[i]);
        }
    }
    return a;
}

#endif
