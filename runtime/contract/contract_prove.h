/* Prover's side of CONTRACT. */
#ifndef MICA_CONTRACT_CONTRACT_PROVE_H
#define MICA_CONTRACT_CONTRACT_PROVE_H

#include "protocol/tensor_prove.h"
#include "sumcheck/batch_prove.h"

/* The tables of a contraction for a claim at `point`: operands with their free labels bound, over the summed
 * labels (row-major, a paired batch outermost), and the eq table of the paired ones. */
typedef struct contract_tables {
    qvec a, b, eq; /* eq.p is NULL if no label is paired */
    unsigned vars;
} contract_tables;

bool contract_tables_make(const tensor_store *s, uint32_t t, const qm31 *point, contract_tables *out);

/* sum a b (eq): the value of the claim. */
qm31 contract_tables_value(const contract_tables *k);

/* The summand of an instance; consumes the tables. */
batch_summand contract_instance(const contract_tables *k, qm31 value, qm31 lambda);

#endif
