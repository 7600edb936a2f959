#include "contract/contract_prove.h"

#include "placement/placement_partial_prove.h"
#include "simd/kernels.h"

/* Operand `side` with its free axes bound, its summed axes in the order of the labels. */
static bool operand_table(const tensor_store *s, uint32_t t, unsigned side, const label_role *role,
                          const qm31 *point, qvec *out) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_contract *d = &c->contract[x->def];
    const uint32_t id = side ? d->b : d->a;
    const mica_tensor *o = &c->tensor[id];
    const mica_view *view = side ? &d->b_view : &d->a_view;
    const bool paired_batch = c->tensor[d->a].batched && c->tensor[d->b].batched;
    qm31 at[MICA_MAX_BITS];
    unsigned keep = 0, bits[MICA_MAX_RANK + 1], label[MICA_MAX_RANK + 1], order[MICA_MAX_RANK + 1], n = 0;
    if (o->batched && paired_batch) {
        keep |= 1u << o->rank;
        bits[n] = mica_log2_ceil(s->plan->batch);
        label[n++] = 0;
    }
    for (unsigned i = 0; i < o->rank; i++) {
        const int32_t l = view->axis[i];
        const unsigned width = mica_log2_ceil(o->dim[i]);
        qm31 *to = at + plan_axis_var(o, i);
        if (l >= 0 && label_is_summed(&role[l])) {
            keep |= 1u << i;
            bits[n] = width;
            label[n++] = (unsigned)l + 1;
        } else if (l >= 0) {
            for (unsigned j = 0; j < width; j++)
                to[j] = point[plan_axis_var(x, role[l].out_axis) + j];
        } else {
            for (unsigned j = 0; j < width; j++)
                to[j] = MICA_VIEW_AT_INDEX(l) >> j & 1 ? qm31_one() : qm31_zero();
        }
    }
    for (unsigned j = 0; o->batched && !paired_batch && j < mica_log2_ceil(s->plan->batch); j++)
        at[plan_axis_var(o, o->rank) + j] = point[plan_axis_var(x, x->rank) + j];
    for (unsigned i = 0; i < n; i++) {
        unsigned smaller = 0;
        for (unsigned k = 0; k < n; k++)
            smaller += label[k] < label[i];
        order[smaller] = i;
    }
    qvec table;
    return operand_partial(s, id, keep, at, &table) && table_permute(s, table, bits, order, n, out);
}

/* Doubles an eq table by one variable: paired (z, 1 - z) or contracted (1, 1). */
static void extend(qvec t, size_t n, bool paired, qm31 z) {
    if (paired) {
        kernels()->eq_extend(t, qvec_from(t, n), z, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        qvec_set(t, n + i, qvec_get(t, i));
}

static bool paired_eq_table(const tensor_store *s, uint32_t t, const label_role *role, const qm31 *point,
                            contract_tables *k) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_contract *d = &c->contract[x->def];
    const bool paired_batch = c->tensor[d->a].batched && c->tensor[d->b].batched;
    bool any = paired_batch;
    k->vars = paired_batch ? mica_log2_ceil(s->plan->batch) : 0;
    for (unsigned i = 0; i < d->n_labels; i++) {
        if (label_is_summed(&role[i])) {
            k->vars += mica_log2_ceil(d->label_dim[i]);
            any |= role[i].in_out;
        }
    }
    k->eq = (qvec){NULL, 0};
    if (!any)
        return true;
    k->eq = qvec_alloc(s->arena, (size_t)1 << k->vars, s->st);
    if (!k->eq.p)
        return false;
    if (s->dry)
        return true;
    size_t n = 1;
    qvec_set(k->eq, 0, qm31_one());
    for (unsigned i = d->n_labels; i-- > 0;) {
        for (unsigned j = 0; label_is_summed(&role[i]) && j < mica_log2_ceil(d->label_dim[i]); j++, n *= 2)
            extend(k->eq, n, role[i].in_out,
                   role[i].in_out ? point[plan_axis_var(x, role[i].out_axis) + j] : qm31_zero());
    }
    for (unsigned j = 0; paired_batch && j < mica_log2_ceil(s->plan->batch); j++, n *= 2)
        extend(k->eq, n, true, point[plan_axis_var(x, x->rank) + j]);
    return true;
}

bool contract_tables_make(const tensor_store *s, uint32_t t, const qm31 *point, contract_tables *out) {
    label_role role[MICA_MAX_LABELS];
    plan_label_roles(s->plan->circuit, t, role);
    return operand_table(s, t, 0, role, point, &out->a) && operand_table(s, t, 1, role, point, &out->b) &&
           paired_eq_table(s, t, role, point, out);
}

qm31 contract_tables_value(const contract_tables *k) {
    const size_t n = (size_t)1 << k->vars;
    if (!k->eq.p)
        return kernels()->dot(k->a, k->b, n);
    qm31 sum = qm31_zero();
    for (size_t i = 0; i < n; i++)
        sum = qm31_add(sum, qm31_mul(qvec_get(k->eq, i), qm31_mul(qvec_get(k->a, i), qvec_get(k->b, i))));
    return sum;
}

batch_summand contract_instance(const contract_tables *k, qm31 value, qm31 lambda) {
    return (batch_summand){.table = {k->a, k->b, k->eq},
                           .n_tables = k->eq.p ? 3 : 2,
                           .vars = k->vars,
                           .scale = lambda,
                           .claim = qm31_mul(value, lambda)};
}
