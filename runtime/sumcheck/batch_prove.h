/* The prover's side of a batched sumcheck. */
#ifndef MICA_SUMCHECK_BATCH_PROVE_H
#define MICA_SUMCHECK_BATCH_PROVE_H

#include "protocol/walk.h"

/* One instance: claim = scale * sum over 2^vars of table[0] * table[1] (* table[2]). Tables are consumed:
 * what is left in element 0 of each is its value at the point of the rounds. */
typedef struct batch_summand {
    qvec table[3];
    unsigned n_tables; /* 2 or 3 */
    unsigned vars;
    qm31 scale;
    qm31 claim;
    qm31 message[3]; /* of the present round, private to batch_prove */
} batch_summand;

/* Runs the rounds of event e over its instances, lambda already multiplied into claims, scales and tables. */
bool batch_prove(walk *w, const plan_event *e, batch_summand *summand);

#endif
