#include <stdlib.h>

#include "plan/plan_internal.h"
#include "soundness/soundness.h"

/* A shape for the witness, chosen for this batch size; the weights' is the vk's. */
static bool shape_groups(plan *p, const mica_vk *vk, mica_status *st) {
    const mica_circuit *c = p->circuit;
    const unsigned digest_bytes = soundness_digest_bytes(vk->security_bits);
    p->weight_group = p->witness_group = -1;
    if (!layout_place(&p->weights, c, MICA_TENSOR_WEIGHT, p->batch, st) ||
        !layout_place(&p->witness, c, MICA_TENSOR_WITNESS, p->batch, st))
        return false;
    if (p->weights.n_slots) {
        if (!layout_shape(&p->weights, c, p->batch, vk->weight_row_bits, vk->weight_rate_bits, digest_bytes,
                          st))
            return false;
        p->weight_group = (int)p->n_groups++;
    }
    if (p->witness.n_slots) {
        unsigned col_vars, rate_bits;
        pcs_choose_row_bits(p->witness.cells, vk->security_bits, PCS_EACH_PROOF, &col_vars, &rate_bits);
        if (!layout_shape(&p->witness, c, p->batch, col_vars, rate_bits, digest_bytes, st))
            return false;
        p->witness_group = (int)p->n_groups++;
    }
    p->first_port_group = p->n_groups;
    p->n_groups += p->n_ports * p->batch; /* at most MICA_MAX_DIGESTS: circuit_validate */
    return true;
}

/* Every claim on a committed tensor is opened, and then every item of the committed ports; the circuit's
 * validity ensures that each committed tensor has a claim. */
static bool list_openings(plan *p, mica_status *st) {
    p->opening = malloc(((size_t)p->n_claims + (size_t)p->n_ports * p->batch + 1) * sizeof *p->opening);
    if (!p->opening)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a plan");
    for (uint32_t i = 0; i < p->n_claims; i++) {
        const mica_tensor_kind kind = p->circuit->tensor[p->claim[i].tensor].kind;
        if (kind == MICA_TENSOR_WEIGHT)
            p->opening[p->n_openings++] = (plan_opening){i, (uint32_t)p->weight_group, PLAN_NONE};
        if (kind == MICA_TENSOR_WITNESS)
            p->opening[p->n_openings++] = (plan_opening){i, (uint32_t)p->witness_group, PLAN_NONE};
    }
    for (uint32_t i = 0; i < p->n_ports * p->batch; i++)
        p->opening[p->n_openings++] = (plan_opening){p->port[i / p->batch].claim, p->first_port_group + i, i};
    return true;
}

/* Smallest grinding that brings the lookup challenges to the target. */
static unsigned lookup_pow(const plan *p, unsigned security_bits) {
    unsigned pow_bits = 0;
    while (p->leaves && pow_bits < 40 &&
           soundness_logup(p->leaves, MICA_MAX_ENTRIES, pow_bits) < (bits16)security_bits << 16)
        pow_bits++;
    return pow_bits;
}

bool plan_commitments(plan *p, const mica_vk *vk, mica_status *st) {
    if (!shape_groups(p, vk, st) || !list_openings(p, st))
        return false;
    p->lookup_pow_bits = lookup_pow(p, vk->security_bits);
    if (p->n_groups == 0)
        return true;
    pcs_shape shape[PCS_MAX_GROUPS];
    if (p->weight_group >= 0)
        shape[p->weight_group] = p->weights.shape;
    if (p->witness_group >= 0)
        shape[p->witness_group] = p->witness.shape;
    for (uint32_t i = 0; i < p->n_ports * p->batch; i++)
        shape[p->first_port_group + i] = p->port[i / p->batch].layout.shape;
    return pcs_params_choose(&p->pcs, shape, p->n_groups, vk->security_bits, st);
}
