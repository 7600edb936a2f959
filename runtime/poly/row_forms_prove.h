/* Many inner products of a row with few linear forms, as products of 16-bit matrices.
 *
 * A form here is a Kronecker product: over the blocks of 2^low_vars cells of a row it is one low factor times
 * one number for each block, as eq tables and the functionals of the line code are (code/line_code.h, I1).
 * The low factors are cut into halves once; the cells of each block are cut into as many limbs as they need,
 * none for a block of zeros, one for weights of up to 12 bits. A product is as deep as its cells' magnitudes
 * allow. All results are exact modulo p.
 */
#ifndef MICA_POLY_ROW_FORMS_PROVE_H
#define MICA_POLY_ROW_FORMS_PROVE_H

#include "base/arena.h"
#include "field/m31.h"
#include "poly/narrow_prove.h"

#define ROW_FORMS_LOW_MAX 9
#define ROW_FORMS_LOW_MIN 1 /* products take pairs */

typedef struct row_forms {
    unsigned low_vars;
    size_t n, padded; /* forms; the next multiple of what a product takes at once */
    int16_t *panel;   /* the low factors' halves, in the order of products */
    const narrow_matrix *narrow;
    int16_t *narrow_panel[NARROW_PATTERNS]; /* the same of the places that a pattern keeps */
} row_forms;

/* low: the low factors, form f at low + (f << low_vars). narrow: the matrix of the rows once more, which must
 * outlive f, or NULL; low_vars is NARROW_BLOCK_VARS then. Memory of the arena: row_forms_bytes. */
bool row_forms_make(row_forms *f, unsigned low_vars, const m31 *low, size_t n, const narrow_matrix *narrow,
                    mica_arena *arena, mica_status *st);
/* A bound, met where there are as many patterns as possible that keep everything. */
size_t row_forms_bytes(unsigned low_vars, size_t n, bool narrow);

/* Adds to acc[i], i < n, sum over b < n_blocks of scale[b * padded + i] <block b, low factor i>, for the
 * blocks from cell `first` of `matrix` on; of a narrow matrix, first and the blocks are whole chunks. What
 * lies in acc from n to padded is overwritten. scratch: ROW_FORMS_SCRATCH bytes, 64-byte aligned, for the
 * caller's thread alone. */
void row_forms_add(const row_forms *f, const m31 *matrix, size_t first, size_t n_blocks, const m31 *scale,
                   m31 *acc, void *scratch);

/* out[b * padded + i] = <block b, low factor i>, the rest as above. */
void row_forms_blocks(const row_forms *f, const m31 *matrix, size_t first, size_t n_blocks, m31 *out,
                      void *scratch);

#define ROW_FORMS_CHUNK   32 /* blocks that are multiplied at once */
#define ROW_FORMS_COLUMNS 32 /* forms that are */
#define ROW_FORMS_SCRATCH                                                                                    \
    (((size_t)3 * ROW_FORMS_CHUNK << ROW_FORMS_LOW_MAX) * sizeof(int16_t) * 2 +                              \
     (size_t)16 * 2 * ROW_FORMS_CHUNK * ROW_FORMS_COLUMNS * sizeof(int32_t))

#endif
