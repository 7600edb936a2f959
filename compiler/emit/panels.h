/* Contractions as products of 16-bit matrices: which ones, and in what pieces. */
#ifndef MICA_COMPILER_EMIT_PANELS_H
#define MICA_COMPILER_EMIT_PANELS_H

#include "emit/emitter.h"

/* What a loop runs along: an axis of the result that one or both operands share, or a contracted one. */
typedef enum panel_role { ROLE_PAIRED, ROLE_ROW, ROLE_COLUMN, ROLE_DEPTH } panel_role;

/* result[paired, row, column] = sum over depth of left[paired, row, depth] * right[paired, depth, column]. */
typedef struct panels {
    operand op[3]; /* result, left, right; only the right one has windows */
    nest loops;
    panel_role role[NEST_MAX];
    unsigned row;     /* the one loop of rows */
    unsigned inner;   /* the loop of columns that runs fastest in the panel */
    unsigned chunked; /* the loop of columns of which `chunk` iterations fill one panel; slowest in it */
    uint32_t chunk;
    uint32_t rows, depth, padded_depth; /* depth padded to even */
    uint32_t columns;                   /* of one panel, padded for mica_products */
    size_t panel_at, sums_at, cells;    /* of the workspace, in cells from its first, the rows' copy */
} panels;

enum { PANEL_BLOCK_ROWS = 8 }; /* rows whose sums are computed at a time */

/* Whether tensor `result`'s contraction m is to be computed so; if it is, *k is the plan. */
bool panels_plan(panels *k, const emitter *e, const mica_contract *m, uint32_t result);

bool emit_panels(emitter *e, const panels *k);

#endif
