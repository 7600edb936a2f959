#include "sumcheck/batch_verify.h"

#include "sumcheck/sumcheck.h"

bool batch_reduce(walk *w, const plan_event *e) {
    const plan *p = w->plan;
    walk_batch(w, e);
    qm31 claim = qm31_zero();
    const qm31 *lambda = w->lambda;
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        for (uint32_t j = 0; j < p->instance[i].n_claims; j++)
            claim = qm31_add(claim, qm31_mul(*lambda++, w->value[p->link[p->instance[i].first_claim + j]]));
    }
    for (uint32_t j = 0; j < e->rounds; j++) {
        qm31 message[SUMCHECK_MAX_DEGREE];
        if (!sumcheck_round(w->ch, message, e->degree, &claim, &w->challenge[e->slot + e->rounds - 1 - j]))
            return false;
    }
    w->final_claim = claim;
    return true;
}
