/* Rows: a tensor with some of its ONNX axes moved to the end, and what runs along them. */
#ifndef MICA_COMPILER_LOWERING_ROWS_H
#define MICA_COMPILER_LOWERING_ROWS_H

#include "lowering/lowering.h"

typedef struct rows {
    uint32_t tensor;
    unsigned rank, lead; /* axes; a row runs along those from `lead` on */
    uint32_t dim[MICA_MAX_RANK];
    uint32_t length; /* cells of one row */
    bool batched;
    bound range;
    layout axes;
} rows;

/* Bit i of `along` moves axis i of x's layout (the batch axis left out) to the end. */
bool rows_arrange(lowering *l, const qvalue *x, uint32_t along, rows *r);

/* The rows with every cell negated. */
bool rows_negate(lowering *l, rows *r);

/* *max: one cell per row, exact; axes [lead..., 1], or those of a row if it has one cell. */
bool rows_maximum(lowering *l, const rows *r, uint32_t *max, mica_status *st);

/* Adds coef * tensor to a form over rows; the tensor's axes are the leading ones, a further axis has one
 * index. */
bool rows_add_lead(lowering *l, form *f, const rows *r, uint32_t tensor, int64_t coef);

/* Layout of one cell per row over the leading axes: reduced ONNX axes keep size 1 or disappear. */
layout rows_reduced_axes(const rows *r, uint32_t along, bool keep);

#endif
