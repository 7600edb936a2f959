/* Entries of a placement factor, for prover and verifier (they share the definition of the public matrix, as
 * they share that of a table; neither trusts the other's evaluation of it). */
#ifndef MICA_PLACEMENT_PLACEMENT_H
#define MICA_PLACEMENT_PLACEMENT_H

#include "mica/circuit.h"

/* A walk over the rows of one factor: all combinations of the indices of its out axes, last axis fastest. */
typedef struct factor_rows {
    const mica_factor *factor;
    const uint32_t *next; /* the list from the present row on, if the factor has one */
    uint32_t out_dim[MICA_MAX_RANK], src_dim[MICA_MAX_RANK];
    uint32_t out[MICA_MAX_RANK]; /* indices of the present row */
    uint32_t src[MICA_MAX_RANK]; /* indices of its entry, if it has one */
    uint32_t weight;             /* the entry, 0: the row is empty */
    uint64_t cells;
    bool started;
} factor_rows;

void factor_rows_begin(factor_rows *r, const mica_circuit *c, uint32_t tensor, const mica_factor *f);
/* Advances to the next row; false at the end. Rows without an entry are visited too (weight 0). */
bool factor_rows_next(factor_rows *r);

#endif
