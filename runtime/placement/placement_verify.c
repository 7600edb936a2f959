#include "placement/placement_verify.h"

#include <string.h>

#include "placement/placement.h"
#include "poly/mle.h"
#include "sumcheck/sumcheck.h"

/* eq tables of the axes in `axis[0..n)` of tensor x at `point`. */
static bool axis_tables(const walk *w, const mica_tensor *x, const qm31 *point, const uint8_t *axis,
                        unsigned n, qm31 **table) {
    for (unsigned i = 0; i < n; i++) {
        const unsigned bits = mica_log2_ceil(x->dim[axis[i]]);
        table[i] = arena_alloc(w->arena, (size_t)1 << bits, sizeof(qm31), w->st);
        if (!table[i])
            return false;
        mle_eq_table(point + plan_axis_var(x, axis[i]), bits, table[i]);
    }
    return true;
}

/* The axes of one side but the last: its index in each, as of the last change of any on either side. */
typedef struct outer_axes {
    unsigned n;
    qm31 *const *eq;
    uint32_t index[MICA_MAX_RANK];
} outer_axes;

static bool outer_moved(const outer_axes *o, const uint32_t *index) {
    return memcmp(o->index, index, o->n * sizeof *index) != 0;
}

static qm31 outer_product(outer_axes *o, const uint32_t *index) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < o->n; i++) {
        product = qm31_mul(product, o->eq[i][index[i]]);
        o->index[i] = index[i];
    }
    return product;
}

/* eq of the last axis of a side, 1 if the side has none. */
static qm31 last_eq(qm31 *const *eq, const uint32_t *index, unsigned n) {
    return n ? eq[n - 1][index[n - 1]] : qm31_one();
}

/* M_f at (z, s): sum over the factor's entries of weight * prod eq(z, out) * prod eq(s, src). Entries that
 * differ in the last axes only are summed before they are multiplied by what they share. */
static bool factor_eval(const walk *w, uint32_t tensor, const mica_factor *f, const qm31 *z, const qm31 *s,
                        qm31 *out) {
    const mica_circuit *c = w->plan->circuit;
    const mica_tensor *x = &c->tensor[tensor];
    const mica_tensor *src = &c->tensor[c->placement[x->def].src];
    const size_t mark = arena_mark(w->arena);
    qm31 *eq_out[MICA_MAX_RANK], *eq_src[MICA_MAX_RANK];
    if (!axis_tables(w, x, z, f->out_axis, f->n_out, eq_out) ||
        !axis_tables(w, src, s, f->src_axis, f->n_src, eq_src))
        return false;
    factor_rows r;
    outer_axes outer_out = {f->n_out ? f->n_out - 1u : 0, eq_out, {0}};
    outer_axes outer_src = {f->n_src ? f->n_src - 1u : 0, eq_src, {0}};
    qm31 run = qm31_zero(), shared = qm31_zero();
    bool first = true;
    *out = qm31_zero();
    for (factor_rows_begin(&r, c, tensor, f); factor_rows_next(&r);) {
        if (!r.weight)
            continue;
        if (first || outer_moved(&outer_out, r.out) || outer_moved(&outer_src, r.src)) {
            *out = qm31_add(*out, qm31_mul(shared, run));
            shared = qm31_mul(outer_product(&outer_out, r.out), outer_product(&outer_src, r.src));
            run = qm31_zero();
            first = false;
        }
        const qm31 entry = qm31_mul(last_eq(eq_out, r.out, f->n_out), last_eq(eq_src, r.src, f->n_src));
        run = qm31_add(run, r.weight == 1 ? entry : qm31_mul_m31(entry, r.weight));
    }
    *out = qm31_add(*out, qm31_mul(shared, run));
    arena_reset(w->arena, mark);
    return true;
}

/* The placement matrix at the point of claim `id` and the source point s, pass-through axes left out: there
 * both points agree and the identity is not summed. */
static bool matrix_eval(const walk *w, uint32_t tensor, uint32_t id, const qm31 *s, qm31 *out) {
    const mica_circuit *c = w->plan->circuit;
    const mica_placement *d = &c->placement[c->tensor[tensor].def];
    qm31 z[MICA_MAX_BITS];
    walk_claim_point(w, id, z);
    *out = qm31_one();
    for (unsigned f = 0; f < d->n_factors; f++) {
        qm31 m;
        if (plan_factor_is_pass(c, tensor, &d->factor[f]))
            continue;
        if (!factor_eval(w, tensor, &d->factor[f], z, s, &m))
            return false;
        *out = qm31_mul(*out, m);
    }
    return true;
}

bool placement_verify(const walk *w, const plan_event *e, mica_verdict *verdict) {
    const plan *p = w->plan;
    const qm31 *lambda = w->lambda;
    qm31 sum = qm31_zero();
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        const plan_instance *k = &p->instance[i];
        qm31 s[MICA_MAX_BITS], weight = qm31_zero();
        walk_claim_point(w, k->operand[0], s);
        for (uint32_t j = 0; j < k->n_claims; j++) {
            qm31 m;
            if (!matrix_eval(w, k->tensor, p->link[k->first_claim + j], s, &m))
                return false;
            weight = qm31_add(weight, qm31_mul(*lambda++, m));
        }
        weight = qm31_mul(weight, sumcheck_half_power(e->rounds - k->vars));
        sum = qm31_add(sum, qm31_mul(weight, w->value[k->operand[0]]));
    }
    return qm31_eq(sum, w->final_claim) ||
           mica_reject(verdict, MICA_REJECT_PLACEMENT, p->circuit->tensor[p->instance[e->first].tensor].layer,
                       e->slot, "the source's claims do not give the placement's final claim");
}

/* Every axis of a factor needs a table: at most twice the ranks' sum of padded sizes, plus alignment. */
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
