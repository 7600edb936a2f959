/* A matrix of small cells that are zero in the same places again and again, as weights are: 16-bit words
 * without those places. It is made once, beside the field elements, and read instead of them by passes over
 * all cells.
 *
 * Cells are taken in blocks of 2^NARROW_BLOCK_VARS, blocks in chunks of 2^NARROW_CHUNK_VARS cells. All blocks
 * of a chunk keep the places of one pattern; a chunk with larger cells is not narrow.
 */
#ifndef MICA_POLY_NARROW_PROVE_H
#define MICA_POLY_NARROW_PROVE_H

#include <stddef.h>

#include "field/qvec.h"

#define NARROW_BLOCK_VARS 9
#define NARROW_CHUNK_VARS 14
#define NARROW_MAX        2047 /* |cell| at most */
#define NARROW_PATTERNS   8

/* Places that a block keeps, ascending, an even number; all others hold zeros. */
typedef struct narrow_pattern {
    unsigned kept;
    uint16_t at[1 << NARROW_BLOCK_VARS];
} narrow_pattern;

typedef struct narrow_chunk {
    const int16_t *cell; /* [blocks][kept]; NULL: not narrow */
    unsigned pattern;
    unsigned depth; /* of products with halves (poly/exact_depth_prove.h) */
} narrow_chunk;

typedef struct narrow_matrix {
    unsigned n_patterns;
    narrow_pattern pattern[NARROW_PATTERNS];
    size_t n_chunks;
    narrow_chunk *chunk; /* chunk i: cells from i 2^NARROW_CHUNK_VARS on */
    int16_t *cell;
} narrow_matrix;

/* n cells, canonical; n a multiple of a chunk's. NULL if memory is short. The caller frees it. */
narrow_matrix *narrow_make(const m31 *cell, size_t n);
void narrow_free(narrow_matrix *m);

static inline size_t narrow_block_of(const narrow_matrix *m, size_t cell, const narrow_chunk **chunk) {
    const size_t blocks = (size_t)1 << (NARROW_CHUNK_VARS - NARROW_BLOCK_VARS);
    *chunk = &m->chunk[cell >> NARROW_CHUNK_VARS];
    return cell >> NARROW_BLOCK_VARS & (blocks - 1);
}

#endif
