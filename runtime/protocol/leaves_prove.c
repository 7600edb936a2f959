#include "protocol/leaves_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "simd/kernels.h"

/* --- rows: the cells of a tensor that differ only in the last axis --- */

/* Whether row `row` (all coordinates but the last axis's) lies in D. */
static bool row_is_valid(const plan *p, const mica_tensor *x, uint64_t row) {
    for (unsigned i = x->rank; i-- > 1;) {
        const unsigned bits = mica_log2_ceil(x->dim[i - 1]);
        if ((row & ((1ull << bits) - 1)) >= x->dim[i - 1])
            return false;
        row >>= bits;
    }
    return !x->batched || row < p->batch;
}

static unsigned row_bits(const mica_tensor *x) {
    return x->rank ? mica_log2_ceil(x->dim[x->rank - 1]) : 0;
}

static uint32_t row_valid_cells(const plan *p, const mica_tensor *x, uint64_t row) {
    if (!row_is_valid(p, x, row))
        return 0;
    return x->rank ? x->dim[x->rank - 1] : 1;
}

/* --- multiplicities --- */

#ifdef MICA_CHEAT
/* Tests of soundness only: lookups that fail go on, and the hook may change cells and multiplicities. */
void (*leaves_cheat)(const plan *p, int32_t *const *value);
#endif

static bool mismatch(const plan *p, uint32_t lookup, uint64_t cell, mica_status *st) {
#ifdef MICA_CHEAT
    (void)lookup;
    (void)cell;
    return true;
#endif
    const mica_lookup *l = &p->circuit->lookup[lookup];
    return mica_fail(st, MICA_ERR_INTERNAL, "layer '%s': cell %llu of lookup %u is not in its table",
                     p->circuit->layer[l->layer].name, (unsigned long long)cell, lookup);
}

static bool count_lookup(const plan *p, uint32_t index, int32_t *const *value, const int32_t *const *table,
                         mica_status *st) {
    const mica_circuit *c = p->circuit;
    const mica_lookup *l = &c->lookup[index];
    const mica_table_def *def = &c->table[l->table].def;
    const mica_tensor *x = &c->tensor[l->entry[0]];
    const int32_t *key = value[l->entry[0]], *y = l->n_entries > 1 ? value[l->entry[1]] : NULL;
    int32_t *count = value[c->table[l->table].multiplicity];
    const unsigned bits = mica_tensor_bits(x, p->batch), width = row_bits(x);
    for (uint64_t row = 0; row < 1ull << (bits - width); row++) {
        const uint64_t first = row << width;
        const uint32_t valid = row_valid_cells(p, x, row);
        for (uint64_t i = first; i < first + valid; i++) {
            const int64_t at = (int64_t)key[i] - def->lo_key;
            const bool is_row = at >= 0 && at < (int64_t)1 << def->bits;
            if ((!is_row || (y && y[i] != table[l->table][at])) && !mismatch(p, index, i, st))
                return false;
            if (is_row)
                count[at]++;
        }
        for (uint64_t i = first + valid; i < first + (1ull << width); i++) {
            if ((key[i] != 0 || (y && y[i] != 0)) && !mismatch(p, index, i, st))
                return false;
        }
    }
    return true;
}

bool leaves_count(const plan *p, int32_t *const *value, const int32_t *const *table, mica_status *st) {
    const mica_circuit *c = p->circuit;
    for (uint32_t i = 0; i < c->n_tables; i++)
        memset(value[c->table[i].multiplicity], 0, sizeof(int32_t) << c->table[i].def.bits);
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        if (!count_lookup(p, i, value, table, st))
            return false;
    }
#ifdef MICA_CHEAT
    if (leaves_cheat)
        leaves_cheat(p, value);
#endif
    return true;
}

/* --- leaves --- */

/* alpha - id on valid cells, alpha - id_0 outside D: all entries are zero there. */
static void fill_ids(const plan *p, const walk *w, const mica_tensor *x, m31 id, qvec q) {
    const unsigned bits = mica_tensor_bits(x, p->batch), width = row_bits(x);
    const qm31 inside = qm31_sub(w->alpha, qm31_from_m31(id));
    const qm31 outside = qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID));
    for (unsigned k = 0; k < QM31_DEGREE; k++) {
        m31 *plane = q.p + k * q.stride;
        for (uint64_t row = 0; row < 1ull << (bits - width); row++) {
            const uint32_t valid = row_valid_cells(p, x, row);
            m31 *cell = plane + (row << width);
            for (uint32_t i = 0; i < 1u << width; i++)
                cell[i] = i < valid ? inside.v[k] : outside.v[k];
        }
    }
}

typedef struct axpy_job {
    qvec y;
    qm31 c;
    const m31 *x;
} axpy_job;

static void axpy_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const axpy_job *j = ctx;
    (void)worker;
    kernels()->axpy_m31(qvec_from(j->y, begin), j->c, j->x + begin, end - begin);
}

/* q -= power * x */
static void subtract_entry(qvec q, qm31 power, const m31 *x, size_t n) {
    axpy_job j = {q, qm31_neg(power), x};
    parallel_for(n, 4096, axpy_range, &j);
}

static void lookup_leaves(const tensor_store *s, const walk *w, const plan_block *k, m31 *num, qvec den) {
    const mica_circuit *c = s->plan->circuit;
    const mica_lookup *l = &c->lookup[k->index];
    const size_t n = (size_t)1 << k->bits;
    for (size_t i = 0; i < n; i++)
        num[i] = 1;
    fill_ids(s->plan, w, &c->tensor[l->entry[0]], plan_table_id(l->table), den);
    qm31 power = w->beta;
    for (unsigned j = 0; j < l->n_entries; j++) {
        subtract_entry(den, power, s->cells[l->entry[j]], n);
        power = qm31_mul(power, w->beta);
    }
}

static bool table_leaves(const tensor_store *s, const walk *w, const plan_block *k, const int32_t *value,
                         m31 *num, qvec den) {
    const mica_table *t = &s->plan->circuit->table[k->index];
    const size_t n = (size_t)1 << k->bits, mark = arena_mark(s->arena);
    m31 *column = arena_alloc(s->arena, n, sizeof *column, s->st);
    if (!column)
        return false;
    const m31 *count = s->cells[t->multiplicity];
    const qm31 base = qm31_sub(w->alpha, qm31_from_m31(plan_table_id(k->index)));
    for (size_t i = 0; i < n; i++) {
        num[i] = m31_neg(count[i]);
        qvec_set(den, i, base);
        column[i] = m31_from_i64((int64_t)t->def.lo_key + (int64_t)i);
    }
    subtract_entry(den, w->beta, column, n);
    if (mica_table_width(&t->def) > 1) {
        for (size_t i = 0; i < n; i++)
            column[i] = m31_from_i32(value[i]);
        subtract_entry(den, qm31_mul(w->beta, w->beta), column, n);
    }
    arena_reset(s->arena, mark);
    return true;
}

bool leaves_build(const tensor_store *s, const walk *w, const int32_t *const *table, m31 **num, qvec *den) {
    const plan *p = s->plan;
    *num = arena_alloc(s->arena, p->leaves, sizeof **num, s->st);
    *den = qvec_alloc(s->arena, p->leaves, s->st);
    if (!*num || !den->p)
        return false;
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const plan_block *k = &p->block[i];
        if (k->kind == BLOCK_LOOKUP) {
            lookup_leaves(s, w, k, *num + k->first, qvec_from(*den, k->first));
        } else if (k->kind == BLOCK_TABLE) {
            if (!table_leaves(s, w, k, table[k->index], *num + k->first, qvec_from(*den, k->first)))
                return false;
        } else {
            (*num)[k->first] = m31_neg(m31_reduce64(p->zero_lookups));
            qvec_set(*den, k->first, qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID)));
        }
    }
    return true;
}
