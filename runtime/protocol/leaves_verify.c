#include "protocol/leaves_verify.h"

#include "circuit/table_eval.h"
#include "poly/mle.h"

typedef struct fraction {
    qm31 p, q;
} fraction;

static fraction lookup_block(const walk *w, const plan_block *k) {
    const mica_circuit *c = w->plan->circuit;
    const mica_lookup *l = &c->lookup[k->index];
    const mica_tensor *x = &c->tensor[l->entry[0]];
    const qm31 inside = walk_box(w, x, w->challenge, (2u << x->rank) - 1, NULL, NULL);
    const m31 id = plan_table_id(l->table);
    /* id_0 + (id - id_0) 1_D */
    qm31 fp = qm31_add(qm31_from_m31(PLAN_ZERO_ID), qm31_mul_m31(inside, id - PLAN_ZERO_ID));
    qm31 power = w->beta;
    for (unsigned j = 0; j < l->n_entries; j++) {
        fp = qm31_add(fp, qm31_mul(power, w->value[k->claim[j]]));
        power = qm31_mul(power, w->beta);
    }
    return (fraction){qm31_one(), qm31_sub(w->alpha, fp)};
}

/* Rows of the largest table that is written down to be evaluated. */
static size_t most_rows(const plan *p) {
    size_t most = 0;
    for (uint32_t i = 0; i < p->circuit->n_tables; i++) {
        const size_t rows = table_eval_rows(&p->circuit->table[i].def);
        most = rows > most ? rows : most;
    }
    return most;
}

static fraction table_block(const walk *w, const plan_block *k, int32_t *values) {
    qm31 key, value;
    table_eval(&w->plan->circuit->table[k->index].def, w->challenge, values, &key, &value);
    qm31 fp = qm31_add(qm31_from_m31(plan_table_id(k->index)), qm31_mul(w->beta, key));
    fp = qm31_add(fp, qm31_mul(qm31_mul(w->beta, w->beta), value));
    return (fraction){qm31_neg(w->value[k->claim[0]]), qm31_sub(w->alpha, fp)};
}

static fraction zero_block(const walk *w) {
    const m31 cells = m31_reduce64(w->plan->zero_lookups); /* < p: circuit_validate bounds all lookups */
    return (fraction){qm31_neg(qm31_from_m31(cells)), qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID))};
}

bool leaves_verify(const walk *w, mica_verdict *verdict) {
    const plan *p = w->plan;
    qm31 num = qm31_zero(), den = qm31_zero(), covered = qm31_zero();
    const size_t mark = arena_mark(w->arena);
    int32_t *values = arena_alloc(w->arena, most_rows(p) + 1, sizeof *values, w->st);
    if (!values)
        return false;
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const plan_block *k = &p->block[i];
        fraction f;
        if (k->kind == BLOCK_LOOKUP)
            f = lookup_block(w, k);
        else if (k->kind == BLOCK_ZERO)
            f = zero_block(w);
        else
            f = table_block(w, k, values);
        const qm31 at = mle_eq_index(w->challenge + k->bits, p->lookup_bits - k->bits, k->first >> k->bits);
        num = qm31_add(num, qm31_mul(at, f.p));
        den = qm31_add(den, qm31_mul(at, f.q));
        covered = qm31_add(covered, at);
    }
    arena_reset(w->arena, mark);
    den = qm31_add(den, qm31_sub(qm31_one(), covered));
    return (qm31_eq(num, w->leaf_p) && qm31_eq(den, w->leaf_q)) ||
           mica_reject(verdict, MICA_REJECT_LOGUP_LEAF, UINT32_MAX, UINT32_MAX,
                       "the lookup columns do not give the final lookup claim");
}

size_t leaves_verify_workspace(const plan *p) {
    return (most_rows(p) + 1) * sizeof(int32_t) + 128; /* 128: alignment */
}
