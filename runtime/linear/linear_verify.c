#include "linear/linear_verify.h"

/* coef * 2^(bits of summed axes) * indicator of the domain's axes that the operand does not follow. A sum
 * over an axis is 2^bits times the evaluation at 1/2 in each of its variables; a broadcast repeats over valid
 * indices only. */
static qm31 term_weight(const walk *w, const mica_tensor *x, const qm31 *point, const mica_term *m) {
    const mica_tensor *o = &w->plan->circuit->tensor[m->tensor];
    unsigned unfollowed = (2u << x->rank) - 1, doublings = 0;
    for (unsigned i = 0; i < o->rank; i++) {
        if (m->view.axis[i] >= 0)
            unfollowed &= ~(1u << m->view.axis[i]);
        else if (m->view.axis[i] == MICA_VIEW_SUM)
            doublings += mica_log2_ceil(o->dim[i]);
    }
    if (o->batched)
        unfollowed &= ~(1u << x->rank);
    const qm31 indicator = walk_box(w, x, point, unfollowed, NULL, NULL);
    return qm31_mul_m31(qm31_mul_i32(indicator, m->coef), m31_pow(2, doublings));
}

bool linear_verify(const walk *w, const plan_event *e, mica_verdict *verdict) {
    const mica_circuit *c = w->plan->circuit;
    const mica_tensor *x = &c->tensor[w->plan->claim[e->first].tensor];
    const mica_linear *l = &c->linear[x->def];
    qm31 point[MICA_MAX_BITS], sum = qm31_zero();
    walk_claim_point(w, e->first, point);
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *m = &c->term[l->first_term + i];
        sum = qm31_add(sum, qm31_mul(term_weight(w, x, point, m), w->value[w->plan->link[e->link + i]]));
    }
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        const qm31 inside = walk_box(w, x, point, (2u << x->rank) - 1, b->lo, b->hi);
        sum = qm31_add(sum, qm31_mul_i32(inside, b->coef));
    }
    const qm31 scaled = qm31_mul_m31(w->value[e->first], m31_pow(2, l->shift));
    return qm31_eq(scaled, sum) || mica_reject(verdict, MICA_REJECT_LINEAR, x->layer, e->first,
                                               "a linear form differs from its terms");
}
