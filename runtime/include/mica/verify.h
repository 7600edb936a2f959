/* The verifier. libc only, no prover code, no recursion; memory is a function of the vk and the batch size
 * alone. */
#ifndef MICA_VERIFY_H
#define MICA_VERIFY_H

#include "mica/statement.h"

typedef struct mica_verify_options {
    uint32_t min_security_bits; /* parameters whose proven bits are fewer are refused, whatever target the vk
                                   names; 0 means MICA_DEFAULT_SECURITY_BITS */
} mica_verify_options;

/* Checks the proof part `proof` for the statement. True exactly if accepted; then and only then is
 * verdict->code MICA_ACCEPT. A recorded status means that no decision was reached (memory, limits). */
bool mica_verify(const mica_vk *vk, const mica_statement *s, const uint8_t *proof, size_t proof_size,
                 const mica_verify_options *options, mica_verdict *verdict, mica_status *st);

/* One line of the soundness budget (docs/soundness.md). */
typedef struct mica_budget_line {
    char what[72];
    double bits; /* for display; decisions use integers */
} mica_budget_line;

/* What the parameters say before any proof exists. */
typedef struct mica_report {
    unsigned n_lines;
    mica_budget_line line[64];
    double proven_bits;          /* minimum over the lines */
    size_t proof_bytes_expected; /* proof part */
    size_t proof_bytes_max;
    size_t prover_memory_bytes; /* of the prover, roughly: a verifier has no more; mica_prover_memory has */
    double prove_seconds;       /* estimate for two cores */
    uint64_t witness_cells, weight_cells, lookups, table_rows;
    unsigned lookup_bits; /* log2 of the lookup tree */
    unsigned strata;
} mica_report;

/* Plans a proof of `batch` inputs, 1 to the vk's max_batch, and fills the report. Fails with MICA_ERR_LIMIT
 * where such a proof exceeds what the protocol admits. */
bool mica_report_make(const mica_vk *vk, uint32_t batch, mica_report *report, mica_status *st);

/* stratum[t], t < circuit.n_tensors: which stratum reduces the claims on tensor t in a proof of one input,
 * counted from 1; 0 for tensors without one (committed, public and linear ones). */
bool mica_report_strata(const mica_vk *vk, uint32_t *stratum, mica_status *st);

#endif
