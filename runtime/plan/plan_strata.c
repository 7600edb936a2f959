/* Strata: which virtual tensors are reduced together, by which batched sumcheck, and the claims that it
 * leaves. */
#include <stdlib.h>
#include <string.h>

#include "plan/plan_internal.h"

/* stage[t] of each CONTRACT (even) and PLACEMENT (odd): the first at which all its claims exist. */
static uint32_t assign_stages(const mica_circuit *c, uint32_t *stage) {
    uint32_t last = 0;
    memset(stage, 0, c->n_tensors * sizeof *stage);
    for (uint32_t t = c->n_tensors; t-- > 0;) {
        const mica_tensor *x = &c->tensor[t];
        uint32_t operand[2], n = 0, ready = stage[t];
        switch (x->kind) {
        case MICA_TENSOR_LINEAR:
            for (uint32_t i = 0; i < c->linear[x->def].n_terms; i++) {
                uint32_t *s = &stage[c->term[c->linear[x->def].first_term + i].tensor];
                *s = *s > ready ? *s : ready;
            }
            continue;
        case MICA_TENSOR_CONTRACT:
            ready += ready & 1;
            operand[n++] = c->contract[x->def].a;
            operand[n++] = c->contract[x->def].b;
            break;
        case MICA_TENSOR_PLACEMENT:
            ready += !(ready & 1);
            operand[n++] = c->placement[x->def].src;
            break;
        default:
            continue;
        }
        stage[t] = ready;
        last = ready > last ? ready : last;
        for (uint32_t i = 0; i < n; i++) {
            if (stage[operand[i]] < ready + 1)
                stage[operand[i]] = ready + 1;
        }
    }
    return last;
}

static bool add_instance(builder *b, const plan_instance *i) {
    plan *p = b->p;
    if (!plan_grow((void **)&p->instance, &b->instance_capacity, p->n_instances + 1, sizeof *p->instance,
                   b->st))
        return false;
    p->instance[p->n_instances++] = *i;
    return true;
}

/* Variables of a contraction's sumcheck: bits of the summed labels, the last label lowest, the paired batch
 * on top. */
static unsigned contract_vars(const plan *p, uint32_t t, bool *paired) {
    const mica_contract *d = &p->circuit->contract[p->circuit->tensor[t].def];
    label_role role[MICA_MAX_LABELS];
    plan_label_roles(p->circuit, t, role);
    unsigned vars = 0;
    for (unsigned i = 0; i < d->n_labels; i++) {
        if (label_is_summed(&role[i])) {
            vars += mica_log2_ceil(d->label_dim[i]);
            *paired |= role[i].in_out;
        }
    }
    if (p->circuit->tensor[d->a].batched && p->circuit->tensor[d->b].batched) {
        vars += mica_log2_ceil(p->batch);
        *paired = true;
    }
    return vars;
}

static bool add_contract_instances(builder *b, uint32_t t, plan_event *e) {
    plan *p = b->p;
    bool paired = false;
    const unsigned vars = contract_vars(p, t, &paired);
    for (uint32_t i = b->first_claim[t]; i != PLAN_NONE; i = p->claim[i].next) {
        const plan_instance k = {t, p->n_links, 1, vars, {PLAN_NONE, PLAN_NONE}};
        if (!plan_add_link(b, i) || !add_instance(b, &k))
            return false;
        e->count++;
        e->n_claims++;
    }
    e->rounds = vars > e->rounds ? vars : e->rounds;
    e->degree = paired ? 3 : e->degree;
    return true;
}

#define PASS_THROUGH_WORK 16 /* of one comparison */

/* Whether two claims on placement t agree on the axes that pass through, the batch included. */
static bool same_pass_through(const plan *p, uint32_t t, uint32_t i, uint32_t j) {
    const mica_circuit *c = p->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    const plan_coord *u = p->coord + p->claim[i].point, *v = p->coord + p->claim[j].point;
    const unsigned top = plan_axis_var(x, x->rank);
    if (x->batched && memcmp(u + top, v + top, mica_log2_ceil(p->batch) * sizeof *u) != 0)
        return false;
    for (unsigned f = 0; f < d->n_factors; f++) {
        if (!plan_factor_is_pass(c, t, &d->factor[f]))
            continue;
        const unsigned axis = d->factor[f].out_axis[0], at = plan_axis_var(x, axis);
        if (memcmp(u + at, v + at, mica_log2_ceil(x->dim[axis]) * sizeof *u) != 0)
            return false;
    }
    return true;
}

static unsigned placement_vars(const plan *p, uint32_t t) {
    const mica_circuit *c = p->circuit;
    const mica_placement *d = &c->placement[c->tensor[t].def];
    unsigned vars = 0;
    for (unsigned f = 0; f < d->n_factors; f++) {
        for (unsigned i = 0; i < d->factor[f].n_src && !plan_factor_is_pass(c, t, &d->factor[f]); i++)
            vars += mica_log2_ceil(c->tensor[d->src].dim[d->factor[f].src_axis[i]]);
    }
    return vars;
}

static bool add_placement_instances(builder *b, uint32_t t, plan_event *e) {
    plan *p = b->p;
    const unsigned vars = placement_vars(p, t);
    for (uint32_t i = b->first_claim[t]; i != PLAN_NONE; i = p->claim[i].next) {
        bool leads = true; /* the first claim of its pass-through class */
        uint64_t steps = 0;
        for (uint32_t j = b->first_claim[t]; j != i && leads; j = p->claim[j].next, steps++)
            leads = !same_pass_through(p, t, i, j);
        if (!plan_spend(&b->work, steps * PASS_THROUGH_WORK, b->st))
            return false;
        if (!leads)
            continue;
        plan_instance k = {t, p->n_links, 0, vars, {PLAN_NONE, PLAN_NONE}};
        for (uint32_t j = i; j != PLAN_NONE; j = p->claim[j].next) {
            if (!plan_spend(&b->work, PASS_THROUGH_WORK, b->st))
                return false;
            if (same_pass_through(p, t, i, j)) {
                if (!plan_add_link(b, j))
                    return false;
                k.n_claims++;
            }
        }
        if (!add_instance(b, &k))
            return false;
        e->count++;
        e->n_claims += k.n_claims;
    }
    e->rounds = vars > e->rounds ? vars : e->rounds;
    return true;
}

/* Operand `side` (0: a, 1: b) of a contraction, at the sumcheck's final point. */
static void contract_point(const plan *p, const plan_instance *k, uint32_t slot, unsigned side,
                           plan_coord *out) {
    const mica_circuit *c = p->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    const mica_contract *d = &c->contract[x->def];
    const mica_tensor *o = &c->tensor[side ? d->b : d->a];
    const mica_view *view = side ? &d->b_view : &d->a_view;
    const plan_coord *at = p->coord + p->claim[p->link[k->first_claim]].point;
    label_role role[MICA_MAX_LABELS];
    unsigned var[MICA_MAX_LABELS] = {0}, next = 0;
    plan_label_roles(c, k->tensor, role);
    for (unsigned i = d->n_labels; i-- > 0;) {
        if (label_is_summed(&role[i])) {
            var[i] = next;
            next += mica_log2_ceil(d->label_dim[i]);
        }
    }
    for (unsigned i = 0; i < o->rank; i++) {
        plan_coord *to = out + plan_axis_var(o, i);
        const unsigned bits = mica_log2_ceil(o->dim[i]);
        const int32_t label = view->axis[i];
        if (label < 0)
            plan_put_constant(to, bits, MICA_VIEW_AT_INDEX(label));
        else if (label_is_summed(&role[label]))
            for (unsigned j = 0; j < bits; j++)
                to[j] = COORD_FIRST + slot + var[label] + j;
        else
            memcpy(to, at + plan_axis_var(x, role[label].out_axis), bits * sizeof *to);
    }
    if (!o->batched)
        return;
    if (c->tensor[d->a].batched && c->tensor[d->b].batched) {
        for (unsigned j = 0; j < mica_log2_ceil(p->batch); j++)
            out[plan_axis_var(o, o->rank) + j] = COORD_FIRST + slot + next + j;
    } else {
        plan_copy_batch(p, out, o, at, x);
    }
}

static void placement_point(const plan *p, const plan_instance *k, uint32_t slot, plan_coord *out) {
    const mica_circuit *c = p->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    const plan_coord *at = p->coord + p->claim[p->link[k->first_claim]].point;
    bool passes[MICA_MAX_RANK] = {false};
    for (unsigned f = 0; f < d->n_factors; f++) {
        const mica_factor *m = &d->factor[f];
        if (!plan_factor_is_pass(c, k->tensor, m))
            continue;
        const unsigned axis = m->src_axis[0];
        passes[axis] = true;
        memcpy(out + plan_axis_var(src, axis), at + plan_axis_var(x, m->out_axis[0]),
               mica_log2_ceil(src->dim[axis]) * sizeof *out);
    }
    unsigned next = 0;
    for (unsigned i = src->rank; i-- > 0;) {
        for (unsigned j = 0; !passes[i] && j < mica_log2_ceil(src->dim[i]); j++)
            out[plan_axis_var(src, i) + j] = COORD_FIRST + slot + next++;
    }
    if (src->batched)
        plan_copy_batch(p, out, src, at, x);
}

static bool add_operand_claims(builder *b, const plan_event *e) {
    plan *p = b->p;
    plan_coord point[MICA_MAX_BITS];
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        plan_instance k = p->instance[i];
        const mica_tensor *x = &p->circuit->tensor[k.tensor];
        if (e->kind == EVENT_PLACEMENT) {
            placement_point(p, &k, e->slot, point);
            if (!plan_find_or_add_claim(b, p->circuit->placement[x->def].src, point, &k.operand[0]))
                return false;
        } else {
            const mica_contract *d = &p->circuit->contract[x->def];
            for (unsigned side = 0; side < 2; side++) {
                contract_point(p, &k, e->slot, side, point);
                if (!plan_find_or_add_claim(b, side ? d->b : d->a, point, &k.operand[side]))
                    return false;
            }
        }
        p->instance[i] = k;
    }
    return true;
}

static bool plan_stratum(builder *b, uint32_t s) {
    plan *p = b->p;
    const mica_circuit *c = p->circuit;
    const mica_tensor_kind kind = s & 1 ? MICA_TENSOR_PLACEMENT : MICA_TENSOR_CONTRACT;
    plan_event e = {.kind = s & 1 ? EVENT_PLACEMENT : EVENT_CONTRACT,
                    .first = p->n_instances,
                    .slot = p->n_slots,
                    .degree = 2};
    if (!plan_spend(&b->work, c->n_tensors, b->st))
        return false;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind != kind || b->stage[t] != s)
            continue;
        if (!(kind == MICA_TENSOR_CONTRACT ? add_contract_instances(b, t, &e)
                                           : add_placement_instances(b, t, &e)))
            return false;
    }
    if (e.count == 0)
        return true;
    p->n_slots += e.rounds;
    p->n_strata++;
    const uint32_t first_new = p->n_claims, at = p->n_events;
    return plan_add_event(b, e) && add_operand_claims(b, &e) && plan_settle(b, first_new) &&
           plan_add_event(b, (plan_event){.kind = EVENT_FINAL, .first = at});
}

bool plan_strata(builder *b) {
    b->stage = malloc(((size_t)b->p->circuit->n_tensors + 1) * sizeof *b->stage);
    if (!b->stage)
        return mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for a plan");
    const uint32_t last = assign_stages(b->p->circuit, b->stage);
    for (uint32_t s = 0; s <= last; s++) {
        if (!plan_stratum(b, s))
            return false;
    }
    return true;
}
