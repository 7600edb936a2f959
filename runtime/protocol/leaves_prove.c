#include "protocol/leaves_prove.h"

#include <stdlib.h>
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
/* Lookups of the last proof that have failed, and the layer of the first. */
unsigned leaves_failed;
uint32_t leaves_failed_layer;
#endif

/* The first cell that is not in its table ends the proof, but for tests of lying provers. */
static bool mismatch(const plan *p, uint32_t lookup, uint64_t cell, mica_status *st) {
#ifdef MICA_CHEAT
    (void)cell;
    if (leaves_failed++ == 0)
        leaves_failed_layer = p->circuit->lookup[lookup].layer;
    return true;
#endif
    const mica_lookup *l = &p->circuit->lookup[lookup];
    return mica_fail(st, MICA_ERR_INTERNAL, "layer '%s': cell %llu of lookup %u is not in its table",
                     p->circuit->layer[l->layer].name, (unsigned long long)cell, lookup);
}

typedef struct count_job {
    const plan *p;
    const mica_table_def *def;
    const mica_tensor *x;
    const int32_t *key, *y; /* y: NULL for tables of one column */
    const int32_t *table;
    int32_t *count[PARALLEL_MAX_WORKERS];
    uint64_t wrong[PARALLEL_MAX_WORKERS]; /* first cell that is not in the table, or UINT64_MAX */
} count_job;

static void count_rows(void *ctx, size_t begin, size_t end, unsigned worker) {
    count_job *j = ctx;
    const unsigned width = row_bits(j->x);
    const int64_t rows = (int64_t)1 << j->def->bits;
    int32_t *count = j->count[worker];
    for (size_t row = begin; row < end; row++) {
        const uint64_t first = (uint64_t)row << width;
        const uint32_t valid = row_valid_cells(j->p, j->x, row);
        for (uint64_t i = first; i < first + valid; i++) {
            const int64_t at = (int64_t)j->key[i] - j->def->lo_key;
            const bool is_row = at >= 0 && at < rows;
            if ((!is_row || (j->y && j->y[i] != j->table[at])) && j->wrong[worker] == UINT64_MAX)
                j->wrong[worker] = i;
            if (is_row)
                count[at]++;
        }
        for (uint64_t i = first + valid; i < first + (1ull << width); i++) {
            if ((j->key[i] != 0 || (j->y && j->y[i] != 0)) && j->wrong[worker] == UINT64_MAX)
                j->wrong[worker] = i;
        }
    }
}

/* Workers count into tables of their own where there is enough to count; they are added up afterwards. */
static bool count_lookup(const plan *p, uint32_t index, int32_t *const *value, const int32_t *const *table,
                         mica_arena *arena, mica_status *st) {
    const mica_circuit *c = p->circuit;
    const mica_lookup *l = &c->lookup[index];
    const mica_table_def *def = &c->table[l->table].def;
    const mica_tensor *x = &c->tensor[l->entry[0]];
    const size_t rows = (size_t)1 << def->bits;
    const unsigned bits = mica_tensor_bits(x, p->batch), width = row_bits(x);
    const unsigned workers = (size_t)1 << bits < 2 * rows ? 1 : parallel_workers();
    count_job j = {.p = p,
                   .def = def,
                   .x = x,
                   .key = value[l->entry[0]],
                   .y = l->n_entries > 1 ? value[l->entry[1]] : NULL,
                   .table = table[l->table],
                   .count = {value[c->table[l->table].multiplicity]},
                   .wrong = {UINT64_MAX}};
    for (unsigned w = 1; w < workers; w++) {
        j.wrong[w] = UINT64_MAX;
        j.count[w] = arena_alloc(arena, rows, sizeof(int32_t), st);
        if (!j.count[w])
            return false;
        memset(j.count[w], 0, rows * sizeof(int32_t));
    }
    const size_t n = (size_t)1 << (bits - width), grain = ((size_t)1 << 14 >> width) + 1;
    if (workers > 1)
        parallel_for(n, grain, count_rows, &j);
    else
        count_rows(&j, 0, n, 0);
    for (unsigned w = 0; w < workers; w++) {
        for (size_t i = 0; w && i < rows; i++)
            j.count[0][i] += j.count[w][i];
        if (j.wrong[w] != UINT64_MAX && !mismatch(p, index, j.wrong[w], st))
            return false;
    }
    return true;
}

bool leaves_count(const plan *p, int32_t *const *value, const int32_t *const *table, mica_arena *arena,
                  mica_status *st) {
    const mica_circuit *c = p->circuit;
    const size_t mark = arena_mark(arena);
#ifdef MICA_CHEAT
    leaves_failed = 0;
#endif
    for (uint32_t i = 0; i < c->n_tables; i++)
        memset(value[c->table[i].multiplicity], 0, sizeof(int32_t) << c->table[i].def.bits);
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        if (!count_lookup(p, i, value, table, arena, st))
            return false;
        arena_reset(arena, mark);
    }
#ifdef MICA_CHEAT
    if (leaves_cheat)
        leaves_cheat(p, value);
#endif
    return true;
}

/* --- leaves --- */

#define LEAF_CHUNK                                                                                           \
    ((size_t)1024) /* denominators that stay in the inner caches while entries are subtracted */

/* One block of lookups: denominators alpha - id - beta x - beta^2 y of cells in D, alpha - id_0 outside,
 * where all entries are zero. */
typedef struct lookup_job {
    const plan *p;
    const mica_tensor *x;
    qm31 inside, outside;
    unsigned n_entries;
    qm31 scale[MICA_MAX_ENTRIES]; /* -beta, -beta^2 */
    const m31 *entry[MICA_MAX_ENTRIES];
    const logup_leaves *leaves;
    size_t first; /* leaf of cell 0 */
} lookup_job;

static void fill(qvec q, size_t begin, size_t end, qm31 value) {
    for (unsigned k = 0; k < QM31_DEGREE; k++) {
        m31 *plane = q.p + k * q.stride;
        for (size_t i = begin; i < end; i++)
            plane[i] = value.v[k];
    }
}

/* q[i - begin] for cells [begin, end) */
static void fill_ids(const lookup_job *j, size_t begin, size_t end, qvec q) {
    const unsigned width = row_bits(j->x);
    for (size_t i = begin; i < end;) {
        const size_t first = i >> width << width, last = first + ((size_t)1 << width);
        const size_t valid = first + row_valid_cells(j->p, j->x, i >> width);
        const bool is_inside = i < valid;
        const size_t part = is_inside ? valid : last, stop = part < end ? part : end;
        fill(q, i - begin, stop - begin, is_inside ? j->inside : j->outside);
        i = stop;
    }
}

/* Denominators of leaves [first, first + n) to their places. Blocks of more than one leaf begin at even ones.
 */
static void file(const logup_leaves *leaves, size_t first, size_t n, qvec q) {
    for (unsigned k = 0; k < QM31_DEGREE; k++) {
        const m31 *plane = q.p + k * q.stride;
        m31 *even = leaves->q[0].p + k * leaves->q[0].stride + first / 2;
        m31 *odd = leaves->q[1].p + k * leaves->q[1].stride + first / 2;
        for (size_t i = 0; i < n / 2; i++) {
            even[i] = plane[2 * i];
            odd[i] = plane[2 * i + 1];
        }
        if (n & 1)
            (first & 1 ? odd : even)[n / 2] = plane[n - 1];
    }
}

static void lookup_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const lookup_job *j = ctx;
    _Alignas(64) m31 word[QM31_DEGREE * LEAF_CHUNK];
    const qvec q = {word, LEAF_CHUNK};
    (void)worker;
    for (size_t i = begin; i < end; i += LEAF_CHUNK) {
        const size_t n = end - i < LEAF_CHUNK ? end - i : LEAF_CHUNK;
        fill_ids(j, i, i + n, q);
        for (unsigned k = 0; k < j->n_entries; k++)
            kernels()->axpy_m31(q, j->scale[k], j->entry[k] + i, n);
        file(j->leaves, j->first + i, n, q);
    }
}

static void lookup_leaves(const tensor_store *s, const walk *w, const plan_block *k,
                          const logup_leaves *leaves) {
    const mica_circuit *c = s->plan->circuit;
    const mica_lookup *l = &c->lookup[k->index];
    lookup_job j = {.p = s->plan,
                    .x = &c->tensor[l->entry[0]],
                    .inside = qm31_sub(w->alpha, qm31_from_m31(plan_table_id(l->table))),
                    .outside = qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID)),
                    .n_entries = l->n_entries,
                    .leaves = leaves,
                    .first = k->first};
    qm31 power = w->beta;
    for (unsigned i = 0; i < l->n_entries; i++) {
        j.scale[i] = qm31_neg(power);
        j.entry[i] = s->cells[l->entry[i]];
        power = qm31_mul(power, w->beta);
    }
    parallel_for((size_t)1 << k->bits, LEAF_CHUNK, lookup_range, &j);
}

/* One table: numerators -count, denominators alpha - id - beta key - beta^2 value. */
typedef struct table_job {
    const logup_leaves *leaves;
    size_t first;
    qm31 base, by_key, by_value; /* alpha - id, -beta, -beta^2 */
    int32_t lo_key;
    const int32_t *value; /* NULL for tables of one column */
    const m31 *count;
    m31 *num;
} table_job;

static void table_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const table_job *j = ctx;
    _Alignas(64) m31 word[QM31_DEGREE * LEAF_CHUNK], column[LEAF_CHUNK];
    const qvec q = {word, LEAF_CHUNK};
    (void)worker;
    for (size_t i = begin; i < end; i += LEAF_CHUNK) {
        const size_t n = end - i < LEAF_CHUNK ? end - i : LEAF_CHUNK;
        fill(q, 0, n, j->base);
        for (size_t l = 0; l < n; l++)
            column[l] = m31_from_i64((int64_t)j->lo_key + (int64_t)(i + l));
        kernels()->axpy_m31(q, j->by_key, column, n);
        for (size_t l = 0; j->value && l < n; l++)
            column[l] = m31_from_i32(j->value[i + l]);
        if (j->value)
            kernels()->axpy_m31(q, j->by_value, column, n);
        for (size_t l = 0; l < n; l++)
            j->num[i + l] = m31_neg(j->count[i + l]);
        file(j->leaves, j->first + i, n, q);
    }
}

static void table_leaves(const tensor_store *s, const walk *w, const plan_block *k, const int32_t *value,
                         m31 *num, const logup_leaves *leaves) {
    const mica_table *t = &s->plan->circuit->table[k->index];
    table_job j = {.leaves = leaves,
                   .first = k->first,
                   .base = qm31_sub(w->alpha, qm31_from_m31(plan_table_id(k->index))),
                   .by_key = qm31_neg(w->beta),
                   .by_value = qm31_neg(qm31_mul(w->beta, w->beta)),
                   .lo_key = t->def.lo_key,
                   .value = mica_table_width(&t->def) > 1 ? value : NULL,
                   .count = s->cells[t->multiplicity],
                   .num = num};
    parallel_for((size_t)1 << k->bits, LEAF_CHUNK, table_range, &j);
}

/* Rows of all tables, and the zero tuple's. */
static size_t varying_leaves(const plan *p) {
    size_t n = 0;
    for (uint32_t i = 0; i < p->n_blocks; i++)
        n += p->block[i].kind == BLOCK_LOOKUP ? 0 : (size_t)1 << p->block[i].bits;
    return n;
}

/* Segment i is block i; numerators one after the other in `num`. */
static void set_segments(const plan *p, logup_segment *segment, const m31 *num) {
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const plan_block *k = &p->block[i];
        segment[i] = (logup_segment){k->first, k->kind == BLOCK_LOOKUP ? NULL : num};
        num += k->kind != BLOCK_LOOKUP ? (size_t)1 << k->bits : 0;
    }
}

bool leaves_build(const tensor_store *s, const walk *w, const int32_t *const *table, logup_leaves *leaves) {
    const plan *p = s->plan;
    logup_segment *segment = arena_alloc(s->arena, p->n_blocks, sizeof *segment, s->st);
    m31 *num = arena_alloc(s->arena, varying_leaves(p), sizeof *num, s->st);
    *leaves = (logup_leaves){.count = p->leaves, .segment = segment, .n_segments = p->n_blocks};
    for (size_t i = 0; i < 2; i++)
        leaves->q[i] = qvec_alloc(s->arena, p->leaves / 2 + (p->leaves & 1), s->st);
    if (!segment || !num || !leaves->q[0].p || !leaves->q[1].p)
        return false;
    set_segments(p, segment, num);
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const plan_block *k = &p->block[i];
        m31 *at = (m31 *)(uintptr_t)segment[i].p;
        if (k->kind == BLOCK_LOOKUP) {
            lookup_leaves(s, w, k, leaves);
        } else if (k->kind == BLOCK_TABLE) {
            table_leaves(s, w, k, table[k->index], at, leaves);
        } else {
            *at = m31_neg(m31_reduce64(p->zero_lookups));
            qvec_set(leaves->q[k->first & 1], k->first / 2, qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID)));
        }
    }
    return true;
}

size_t leaves_workspace(const plan *p) {
    const size_t half = (p->leaves / 2 + 1 + 15) / 16 * 16, blocks = p->n_blocks;
    size_t bytes = 0;
    logup_segment *segment = malloc((blocks + 1) * sizeof *segment);
    if (segment) {
        static const m31 somewhere = 0; /* only whether there are numerators counts here */
        for (size_t i = 0; i < blocks; i++)
            segment[i] =
                (logup_segment){p->block[i].first, p->block[i].kind == BLOCK_LOOKUP ? NULL : &somewhere};
        const logup_leaves leaves = {.count = p->leaves, .segment = segment, .n_segments = blocks};
        bytes = logup_prove_workspace(&leaves, p->lookup_bits);
    }
    free(segment);
    return bytes + blocks * sizeof(logup_segment) + varying_leaves(p) * sizeof(m31) +
           2 * half * QM31_DEGREE * sizeof(m31) + (size_t)4 * 64;
}
