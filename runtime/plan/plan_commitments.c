#include <stdlib.h>

#include "plan/plan_internal.h"
#include "soundness/soundness.h"

/* A shape for the witness, chosen for this batch size; the weights' is the vk's. */
static bool shape_groups(plan *p, const mica_vk *vk, mica_status *st) {
    const mica_circuit *c = p->circuit;
    p->weight_group = p->witness_group = -1;
    if (!layout_place(&p->weights, c, MICA_TENSOR_WEIGHT, p->batch, st) ||
        !layout_place(&p->witness, c, MICA_TENSOR_WITNESS, p->batch, st))
        return false;
    if (p->weights.n_slots) {
        if (!layout_shape(&p->weights, c, p->batch, vk->weight_row_bits, vk->weight_rate_bits, st))
            return false;
        p->weight_group = (int)p->n_groups++;
    }
    if (p->witness.n_slots) {
        unsigned col_vars, rate_bits;
        pcs_choose_row_bits(p->witness.cells, vk->security_bits, &col_vars, &rate_bits);
        if (!layout_shape(&p->witness, c, p->batch, col_vars, rate_bits, st))
            return false;
        p->witness_group = (int)p->n_groups++;
    }
    return true;
}

/* Every claim on a committed tensor is opened; the circuit's validity ensures that each committed tensor has
 * one. */
static bool list_openings(plan *p, mica_status *st) {
    p->opening = malloc(((size_t)p->n_claims + 1) * sizeof *p->opening);
    if (!p->opening)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a plan");
    for (uint32_t i = 0; i < p->n_claims; i++) {
        const mica_tensor_kind kind = p->circuit->tensor[p->claim[i].tensor].kind;
        if (kind == MICA_TENSOR_WEIGHT || kind == MICA_TENSOR_WITNESS)
            p->opening[p->n_openings++] = i;
    }
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
    pcs_shape shape[2];
    if (p->weight_group >= 0)
        shape[p->weight_group] = p->weights.shape;
    if (p->witness_group >= 0)
        shape[p->witness_group] = p->witness.shape;
    return pcs_params_choose(&p->pcs, shape, p->n_groups, vk->security_bits, st);
}
