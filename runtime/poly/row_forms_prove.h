/* Many inner products of a row with few linear forms, as products of 16-bit matrices.
 *
 * A form here is a Kronecker product: over the blocks of 2^low_vars cells of a row it is one low factor times
 * one number for each block, as eq tables and the functionals of the line code are (code/line_code.h, I1).
 * The low factors are cut into limbs once; the cells of each block are cut into as many limbs as they need,
 * none for a block of zeros, one for weights of up to 12 bits. All results are exact modulo p.
 */
#ifndef MICA_POLY_ROW_FORMS_PROVE_H
#define MICA_POLY_ROW_FORMS_PROVE_H

#include "base/arena.h"
#include "field/m31.h"
#include "poly/narrow_prove.h"

/* 2^9 products of limbs, each at most 2^11 2^10, sum to 2^30 at most. */
#define ROW_FORMS_LOW_MAX 9
#define ROW_FORMS_LOW_MIN 1 /* products take pairs */

typedef struct row_forms {
    unsigned low_vars;
    size_t n, padded; /* forms; the next multiple of what a product takes at once */
    int16_t *panel;   /* the low factors' limbs, in the order of products */
    const narrow_matrix *narrow;
    int16_t *narrow_panel[NARROW_PATTERNS]; /* the same of the places that a pattern keeps */
} row_forms;

/* low: the low factors, form f at low + (f << low_vars). Memory of the arena: row_forms_bytes. */
bool row_forms_make(row_forms *f, unsigned low_vars, const m31 *low, size_t n, mica_arena *arena,
                    mica_status *st);
size_t row_forms_bytes(unsigned low_vars, size_t n);

/* Adds to acc[s * padded + i], for each of n_scales sets of numbers and i < n:
 * sum over b < n_blocks of scale[(s * n_blocks + b) * padded + i] <block b of row, low factor i>. What lies
 * in acc beyond n is overwritten. scratch: ROW_FORMS_SCRATCH bytes, 64-byte aligned, for the caller's thread
 * alone. */
void row_forms_add(const row_forms *f, const m31 *row, size_t n_blocks, const m31 *scale, size_t n_scales,
                   m31 *acc, void *scratch);

/* Prepares f, of low_vars NARROW_BLOCK_VARS, for rows of a narrow matrix, which must outlive it. Memory of
 * the arena: row_forms_narrow_most bytes at most. */
bool row_forms_make_narrow(row_forms *f, const narrow_matrix *m, mica_arena *arena, mica_status *st);
size_t row_forms_narrow_most(size_t n);

/* row_forms_add for the row that begins at cell `first_cell` of `matrix`, which is also f->narrow; row and
 * first_cell are whole numbers of chunks. */
void row_forms_add_narrow(const row_forms *f, const m31 *matrix, size_t first_cell, size_t n_blocks,
                          const m31 *scale, size_t n_scales, m31 *acc, void *scratch);

#define ROW_FORMS_CHUNK   32 /* blocks that are multiplied at once */
#define ROW_FORMS_COLUMNS 32 /* forms that are */
#define ROW_FORMS_SCRATCH                                                                                    \
    (((size_t)3 * ROW_FORMS_CHUNK << ROW_FORMS_LOW_MAX) * sizeof(int16_t) * 2 +                              \
     (size_t)3 * ROW_FORMS_CHUNK * ROW_FORMS_COLUMNS * sizeof(int32_t))

#endif
