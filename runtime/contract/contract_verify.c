#include "contract/contract_verify.h"

#include "poly/mle.h"
#include "sumcheck/sumcheck.h"

/* eq between the claim's point and the sumcheck's point over paired labels and a paired batch. */
static qm31 paired_eq(const walk *w, const plan_event *e, const plan_instance *k) {
    const mica_circuit *c = w->plan->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    const mica_contract *d = &c->contract[x->def];
    label_role role[MICA_MAX_LABELS];
    qm31 point[MICA_MAX_BITS], product = qm31_one();
    plan_label_roles(c, k->tensor, role);
    walk_claim_point(w, w->plan->link[k->first_claim], point);
    const qm31 *s = w->challenge + e->slot;
    for (unsigned i = d->n_labels; i-- > 0;) {
        if (!label_is_summed(&role[i]))
            continue;
        const unsigned bits = mica_log2_ceil(d->label_dim[i]);
        if (role[i].in_out)
            product = qm31_mul(product, mle_eq(point + plan_axis_var(x, role[i].out_axis), s, bits));
        s += bits;
    }
    if (c->tensor[d->a].batched && c->tensor[d->b].batched)
        product =
            qm31_mul(product, mle_eq(point + plan_axis_var(x, x->rank), s, mica_log2_ceil(w->plan->batch)));
    return product;
}

bool contract_verify(const walk *w, const plan_event *e, mica_verdict *verdict) {
    const plan *p = w->plan;
    qm31 sum = qm31_zero();
    for (uint32_t i = 0; i < e->count; i++) { /* one claim and one lambda per instance */
        const plan_instance *k = &p->instance[e->first + i];
        const qm31 product = qm31_mul(w->value[k->operand[0]], w->value[k->operand[1]]);
        const qm31 weight = qm31_mul(w->lambda[i], sumcheck_half_power(e->rounds - k->vars));
        sum = qm31_add(sum, qm31_mul(weight, qm31_mul(paired_eq(w, e, k), product)));
    }
    return qm31_eq(sum, w->final_claim) ||
           mica_reject(verdict, MICA_REJECT_CONTRACT, p->circuit->tensor[p->instance[e->first].tensor].layer,
                       e->slot, "the operands' claims do not give the contraction's final claim");
}
