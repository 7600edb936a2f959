/* A movement of cells, taken apart: which axes of the result depend on which axes of the source, and how.
 *
 * The movement is given cell by cell. Its factors are found, not assumed, and multiply to exactly what was
 * given: an axis that no other depends on is a factor of its own, and whatever does not separate is one
 * factor over all axes.
 */
#ifndef MICA_COMPILER_MOVE_MAP_H
#define MICA_COMPILER_MOVE_MAP_H

#include "mica/circuit.h"

typedef struct move_group {
    uint8_t n_out, n_src;
    uint8_t out[MICA_MAX_RANK], src[MICA_MAX_RANK]; /* axes, ascending */
    uint32_t rows;
    uint32_t *cell; /* [rows], row-major over `out`: cell over `src`, row-major, or MICA_NO_CELL */
    bool affine;    /* cell = offset + sum stride_i index_i where that is a cell, and none elsewhere */
    int32_t offset, stride[MICA_MAX_RANK];
} move_group;

typedef struct move_map {
    bool empty; /* no cell has a source */
    unsigned n_groups;
    move_group group[MICA_MAX_RANK + 1]; /* every axis is in exactly one */
} move_map;

/* from[e]: cell of the source, row-major over src_dim, of cell e of the result, row-major over out_dim;
 * MICA_NO_CELL if it has none. */
bool move_map_create(move_map *m, unsigned out_rank, const uint32_t *out_dim, unsigned src_rank,
                     const uint32_t *src_dim, const uint32_t *from, mica_status *st);
void move_map_free(move_map *m);

#endif
