/* Multiplicities: how often each row of each table is looked up. */
#include <string.h>

#include "base/parallel.h"
#include "protocol/leaves_prove.h"
#include "protocol/tensor_rows.h"

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
