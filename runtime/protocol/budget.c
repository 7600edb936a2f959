#include "protocol/budget.h"

/* Terms outside the commitment: numerators of round-by-round errors over |F| = p^4. */
void budget_make(const plan *p, soundness_budget *b) {
    b->n = 0;
    if (p->lookup_bits) {
        soundness_add(b, soundness_logup(p->leaves, MICA_MAX_ENTRIES, p->lookup_pow_bits),
                      "lookup challenges: %llu fractions, tuples of %d, %u bits of work",
                      (unsigned long long)p->leaves, MICA_MAX_ENTRIES, p->lookup_pow_bits);
        soundness_add(b, soundness_over_field(3), "lookup rounds: degree 3, and merging two values");
    }
    unsigned degree = 0, claims = 0, point = 0;
    for (uint32_t i = 0; i < p->n_events; i++) {
        const plan_event *e = &p->event[i];
        degree = e->degree > degree ? e->degree : degree;
        claims = e->n_claims > claims ? e->n_claims : claims;
        point = e->kind == EVENT_POINT && e->count > point ? e->count : point;
    }
    if (point)
        soundness_add(b, soundness_over_field(point), "inputs and outputs: a random point in %u variables",
                      point);
    if (degree) {
        soundness_add(b, soundness_over_field(2), "strata: %u claims combined, independent challenges",
                      claims);
        soundness_add(b, soundness_over_field(degree), "strata: sumcheck rounds of degree %u", degree);
    }
    if (p->n_groups)
        pcs_budget(&p->pcs, p->n_openings, b);
}

bool budget_meets(const plan *p, uint32_t bits, mica_verdict *verdict) {
    soundness_budget b;
    budget_make(p, &b);
    for (unsigned i = 0; i < b.n; i++) {
        if (b.line[i].bits < (bits16)bits << 16)
            return mica_reject(verdict, MICA_REJECT_SECURITY, UINT32_MAX, UINT32_MAX,
                               "fewer than %u proven bits: %s has %d.%d", bits, b.line[i].what,
                               (int)(b.line[i].bits >> 16), (int)((b.line[i].bits & 0xffff) * 10 >> 16));
    }
    return true;
}
