/* Sums of terms and boxes, row by row: the linear forms of the interpreter. */
#ifndef MICA_COMPILER_LINEAR_SUMS_H
#define MICA_COMPILER_LINEAR_SUMS_H

#include "mica/circuit.h"

typedef struct linear_sums {
    const mica_circuit *c;
    int32_t *const *value; /* per tensor: padded cells of one item */
    const mica_tensor *x;
    struct cells_access *access; /* per term */
    bool *left_out;              /* per term */
    int64_t *sum;                /* one row */
} linear_sums;

/* Of LINEAR t; the terms that read one of left_out[0..n_left_out) are left out. */
bool linear_sums_create(linear_sums *l, const mica_circuit *c, int32_t *const *value, uint32_t t,
                        const uint32_t *left_out, uint32_t n_left_out, mica_status *st);
void linear_sums_free(linear_sums *l);

/* l->sum[i] := the sum at the cell with index i along the last axis and index[] along the others, for every
 * i. The values are as of now. */
void linear_sums_row(linear_sums *l, const uint32_t *index);

#endif
