#include "placement/placement_verify.h"

#include "placement/placement_eval.h"
#include "poly/mle.h"
#include "sumcheck/sumcheck.h"

/* Tables for each axis of a tensor. */
typedef struct axis_tables {
    qm31 *eq[MICA_MAX_RANK];
} axis_tables;

/* eq tables at `point` of the axes axis[0..n) of tensor x, in this order. */
static bool make_tables(const walk *w, const mica_tensor *x, const qm31 *point, const uint8_t *axis,
                        unsigned n, axis_tables *t) {
    for (unsigned i = 0; i < n; i++) {
        const unsigned bits = mica_log2_ceil(x->dim[axis[i]]);
        t->eq[i] = arena_alloc(w->arena, (size_t)1 << bits, sizeof(qm31), w->st);
        if (!t->eq[i])
            return false;
        mle_eq_table(point + plan_axis_var(x, axis[i]), bits, t->eq[i]);
    }
    return true;
}

/* weight = sum over the instance's claims j of lambda_j M(z_j, s), s the point of the source. Factors that
 * pass through are left out: there both points agree and the identity is not summed. Tables at s serve all
 * claims. */
static bool matrix_weight(const walk *w, const plan_instance *k, const qm31 *lambda, qm31 *weight) {
    const mica_circuit *c = w->plan->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    const mica_placement *d = &c->placement[x->def];
    const size_t mark = arena_mark(w->arena);
    qm31 s[MICA_MAX_BITS], z[MICA_MAX_BITS];
    axis_tables src[MICA_MAX_RANK], out;
    walk_claim_point(w, k->operand[0], s);
    for (unsigned f = 0; f < d->n_factors; f++) {
        if (!plan_factor_is_pass(c, k->tensor, &d->factor[f]) &&
            !make_tables(w, &c->tensor[d->src], s, d->factor[f].src_axis, d->factor[f].n_src, &src[f]))
            return false;
    }
    *weight = qm31_zero();
    for (uint32_t j = 0; j < k->n_claims; j++) {
        qm31 product = lambda[j];
        walk_claim_point(w, w->plan->link[k->first_claim + j], z);
        for (unsigned f = 0; f < d->n_factors; f++) {
            const mica_factor *factor = &d->factor[f];
            const size_t claim_mark = arena_mark(w->arena);
            if (plan_factor_is_pass(c, k->tensor, factor))
                continue;
            if (!make_tables(w, x, z, factor->out_axis, factor->n_out, &out))
                return false;
            product = qm31_mul(product, placement_factor_at(c, k->tensor, factor, out.eq, src[f].eq));
            arena_reset(w->arena, claim_mark);
        }
        *weight = qm31_add(*weight, product);
    }
    arena_reset(w->arena, mark);
    return true;
}

bool placement_verify(const walk *w, const plan_event *e, mica_verdict *verdict) {
    const plan *p = w->plan;
    const qm31 *lambda = w->lambda;
    qm31 sum = qm31_zero();
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        const plan_instance *k = &p->instance[i];
        qm31 weight;
        if (!matrix_weight(w, k, lambda, &weight))
            return false;
        lambda += k->n_claims;
        weight = qm31_mul(weight, sumcheck_half_power(e->rounds - k->vars));
        sum = qm31_add(sum, qm31_mul(weight, w->value[k->operand[0]]));
    }
    return qm31_eq(sum, w->final_claim) ||
           mica_reject(verdict, MICA_REJECT_PLACEMENT, p->circuit->tensor[p->instance[e->first].tensor].layer,
                       e->slot, "the source's claims do not give the placement's final claim");
}

/* A table for every axis of both tensors at most, plus alignment. */
size_t placement_verify_workspace(const plan *p) {
    const mica_circuit *c = p->circuit;
    size_t most = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind != MICA_TENSOR_PLACEMENT)
            continue;
        const mica_tensor *x = &c->tensor[t], *src = &c->tensor[c->placement[x->def].src];
        size_t need = 0;
        for (unsigned i = 0; i < x->rank; i++)
            need += (sizeof(qm31) << mica_log2_ceil(x->dim[i])) + 64;
        for (unsigned i = 0; i < src->rank; i++)
            need += (sizeof(qm31) << mica_log2_ceil(src->dim[i])) + 64;
        most = need > most ? need : most;
    }
    return most;
}
