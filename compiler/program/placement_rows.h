/* The entries of a placement, factor by factor: each factor's rows are found once. */
#ifndef MICA_COMPILER_PLACEMENT_ROWS_H
#define MICA_COMPILER_PLACEMENT_ROWS_H

#include "mica/circuit.h"

#include <stddef.h>

/* One row of a factor: the one source cell that it takes, by its part of the offset, and the weight. */
typedef struct placement_row {
    size_t at;
    int64_t entry; /* 0: none */
} placement_row;

typedef struct placement_rows {
    const mica_placement *p;
    const mica_tensor *x;
    placement_row *row[MICA_MAX_RANK];             /* per factor, row-major over its axes of the result */
    uint32_t stride[MICA_MAX_RANK][MICA_MAX_RANK]; /* [factor][axis of the result] */
} placement_rows;

/* Of PLACEMENT t. */
bool placement_rows_create(placement_rows *r, const mica_circuit *c, uint32_t t, mica_status *st);
void placement_rows_free(placement_rows *r);

/* The row of the result at index[] along all axes but the last: out[i] = weight times the source's cell.
 * `src` are the source's padded cells. */
void placement_rows_read(const placement_rows *r, const uint32_t *index, const int32_t *src, int64_t *out);

#endif
