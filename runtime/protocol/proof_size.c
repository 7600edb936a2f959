#include "protocol/proof_size.h"

#include "logup/logup.h"

size_t proof_bytes(const plan *p, size_t *expected) {
    size_t fixed = 0, opening = 0, opening_expected = 0;
    if (p->witness_group >= 0)
        fixed += MERKLE_DIGEST;
    if (p->lookup_bits)
        fixed += (p->lookup_pow_bits ? 8 : 0) + logup_proof_bytes(p->lookup_bits);
    for (uint32_t i = 0; i < p->n_claims; i++)
        fixed += p->claim[i].source == CLAIM_SENT ? QM31_BYTES : 0;
    fixed += (size_t)p->n_ports * p->batch * QM31_BYTES;
    for (uint32_t i = 0; i < p->n_events; i++)
        fixed += (size_t)p->event[i].rounds * p->event[i].degree * QM31_BYTES;
    if (p->n_groups)
        opening = pcs_proof_bytes(&p->pcs, &opening_expected);
    *expected = fixed + opening_expected;
    return fixed + opening;
}
