#include "protocol/leaves_prove.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "protocol/tensor_rows.h"
#include "simd/kernels.h"

/* Denominators that stay in the inner caches while entries are subtracted; even. */
#define LEAF_CHUNK ((size_t)1024)

/* How the denominators of one block are made: those of lookups are alpha - id - beta x - beta^2 y for cells
 * in D, alpha - id_0 outside, where all entries are zero; those of a table alpha - id - beta key - beta^2
 * value; that of the zero tuple alpha - id_0. */
typedef struct leaf_block {
    const plan *p;
    const plan_block *block;
    qm31 inside, outside;         /* alpha - id, alpha - id_0 */
    qm31 scale[MICA_MAX_ENTRIES]; /* -beta, -beta^2 */
    /* of lookups */
    const mica_tensor *x;
    unsigned n_entries;
    const m31 *entry[MICA_MAX_ENTRIES];
    /* of a table */
    int32_t lo_key;
    const int32_t *value; /* NULL for tables of one column */
} leaf_block;

static void fill(qvec q, size_t begin, size_t end, qm31 value) {
    for (unsigned k = 0; k < QM31_DEGREE; k++) {
        m31 *plane = q.p + k * q.stride;
        for (size_t i = begin; i < end; i++)
            plane[i] = value.v[k];
    }
}

/* q[i - begin] for cells [begin, end) */
static void fill_ids(const leaf_block *b, size_t begin, size_t end, qvec q) {
    const unsigned width = row_bits(b->x);
    for (size_t i = begin; i < end;) {
        const size_t first = i >> width << width, last = first + ((size_t)1 << width);
        const size_t valid = first + row_valid_cells(b->p, b->x, i >> width);
        const bool is_inside = i < valid;
        const size_t part = is_inside ? valid : last, stop = part < end ? part : end;
        fill(q, i - begin, stop - begin, is_inside ? b->inside : b->outside);
        i = stop;
    }
}

static void table_denominators(const leaf_block *b, size_t begin, size_t n, qvec q) {
    _Alignas(64) m31 column[LEAF_CHUNK];
    fill(q, 0, n, b->inside);
    for (size_t l = 0; l < n; l++)
        column[l] = m31_from_i64((int64_t)b->lo_key + (int64_t)(begin + l));
    kernels()->axpy_m31(q, b->scale[0], column, n);
    for (size_t l = 0; b->value && l < n; l++)
        column[l] = m31_from_i32(b->value[begin + l]);
    if (b->value)
        kernels()->axpy_m31(q, b->scale[1], column, n);
}

/* q[i - begin] for leaves [begin, begin + n) of a block, n <= LEAF_CHUNK */
static void denominators(const leaf_block *b, size_t begin, size_t n, qvec q) {
    if (b->block->kind == BLOCK_TABLE) {
        table_denominators(b, begin, n, q);
    } else if (b->block->kind == BLOCK_LOOKUP) {
        fill_ids(b, begin, begin + n, q);
        for (unsigned k = 0; k < b->n_entries; k++)
            kernels()->axpy_m31(q, b->scale[k], b->entry[k] + begin, n);
    } else {
        fill(q, 0, n, b->outside);
    }
}

/* Denominators of n leaves from leaf `at` on to their places. Blocks of more than one leaf begin at even
 * ones. */
static void file(const qvec to[2], size_t at, size_t n, qvec q) {
    for (unsigned k = 0; k < QM31_DEGREE; k++) {
        const m31 *plane = q.p + k * q.stride;
        m31 *even = to[0].p + k * to[0].stride + at / 2;
        m31 *odd = to[1].p + k * to[1].stride + at / 2;
        for (size_t i = 0; i < n / 2; i++) {
            even[i] = plane[2 * i]; // NOLINT(clang-analyzer-core.uninitialized.Assign): denominators fills it
            odd[i] = plane[2 * i + 1];
        }
        if (n & 1)
            (at & 1 ? odd : even)[n / 2] = plane[n - 1];
    }
}

/* The block that a leaf lies in. */
static const leaf_block *block_of(const leaf_block *b, size_t leaf) {
    size_t lo = 0, hi = b->p->n_blocks;
    while (hi - lo > 1) {
        const size_t middle = (lo + hi) / 2;
        if (b[middle].block->first <= leaf)
            lo = middle;
        else
            hi = middle;
    }
    return &b[lo];
}

/* logup_write_fn */
static void write_leaves(const void *ctx, size_t first, size_t n, const qvec q[2]) {
    _Alignas(64) m31 word[QM31_DEGREE * LEAF_CHUNK];
    const qvec chunk = {word, LEAF_CHUNK};
    const leaf_block *b = block_of(ctx, first);
    for (size_t at = 0; at < n; b++) {
        const size_t begin = first + at - b->block->first, size = (size_t)1 << b->block->bits;
        const size_t end = size - begin < n - at ? size : begin + (n - at);
        for (size_t i = begin; i < end; i += LEAF_CHUNK) {
            const size_t part = end - i < LEAF_CHUNK ? end - i : LEAF_CHUNK;
            denominators(b, i, part, chunk);
            file(q, at, part, chunk);
            at += part;
        }
    }
}

static void keep_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const logup_leaves *l = ctx;
    const size_t first = begin * LEAF_CHUNK, last = end * LEAF_CHUNK;
    const qvec to[2] = {qvec_from(l->q[0], first / 2), qvec_from(l->q[1], first / 2)};
    (void)worker;
    l->write(l->write_ctx, first, (last < l->count ? last : l->count) - first, to);
}

static leaf_block make_block(const tensor_store *s, const walk *w, const plan_block *k,
                             const int32_t *const *table) {
    const mica_circuit *c = s->plan->circuit;
    leaf_block b = {.p = s->plan, .block = k};
    uint32_t t = k->index;
    if (k->kind == BLOCK_LOOKUP) {
        const mica_lookup *l = &c->lookup[k->index];
        t = l->table;
        b.x = &c->tensor[l->entry[0]];
        b.n_entries = l->n_entries;
        for (unsigned i = 0; i < l->n_entries; i++)
            b.entry[i] = s->cells[l->entry[i]];
    } else if (k->kind == BLOCK_TABLE) {
        b.lo_key = c->table[t].def.lo_key;
        b.value = mica_table_width(&c->table[t].def) > 1 ? table[t] : NULL;
    }
    qm31 power = w->beta;
    for (unsigned i = 0; i < MICA_MAX_ENTRIES; i++) {
        b.scale[i] = qm31_neg(power);
        power = qm31_mul(power, w->beta);
    }
    if (k->kind != BLOCK_ZERO)
        b.inside = qm31_sub(w->alpha, qm31_from_m31(plan_table_id(t)));
    b.outside = qm31_sub(w->alpha, qm31_from_m31(PLAN_ZERO_ID));
    return b;
}

typedef struct negate_job {
    const m31 *count;
    m31 *num;
} negate_job;

static void negate_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const negate_job *j = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->num[i] = m31_neg(j->count[i]);
}

/* Segment i is block i. Numerators of tables and of the zero tuple, minus their multiplicities, lie one after
 * the other in `num`; those of lookups are 1. */
static void make_segments(const tensor_store *s, logup_segment *segment, m31 *num) {
    const plan *p = s->plan;
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const plan_block *k = &p->block[i];
        segment[i] = (logup_segment){k->first, k->kind == BLOCK_LOOKUP ? NULL : num};
        if (k->kind == BLOCK_LOOKUP)
            continue;
        if (k->kind == BLOCK_TABLE) {
            negate_job j = {s->cells[p->circuit->table[k->index].multiplicity], num};
            parallel_for((size_t)1 << k->bits, 1 << 14, negate_range, &j);
        } else {
            *num = m31_neg(m31_reduce64(p->zero_lookups));
        }
        num += (size_t)1 << k->bits;
    }
}

/* Rows of all tables, and the zero tuple's. */
static size_t varying_leaves(const plan *p) {
    size_t n = 0;
    for (uint32_t i = 0; i < p->n_blocks; i++)
        n += p->block[i].kind == BLOCK_LOOKUP ? 0 : (size_t)1 << p->block[i].bits;
    return n;
}

bool leaves_build(const tensor_store *s, const walk *w, const int32_t *const *table, bool keep,
                  logup_leaves *leaves) {
    const plan *p = s->plan;
    logup_segment *segment = arena_alloc(s->arena, p->n_blocks, sizeof *segment, s->st);
    leaf_block *block = arena_alloc(s->arena, p->n_blocks, sizeof *block, s->st);
    m31 *num = arena_alloc(s->arena, varying_leaves(p), sizeof *num, s->st);
    if (!segment || !block || !num)
        return false;
    make_segments(s, segment, num);
    for (uint32_t i = 0; i < p->n_blocks; i++)
        block[i] = make_block(s, w, &p->block[i], table);
    *leaves = (logup_leaves){.count = p->leaves,
                             .write = write_leaves,
                             .write_ctx = block,
                             .segment = segment,
                             .n_segments = p->n_blocks};
    if (!keep)
        return true;
    for (size_t i = 0; i < 2; i++)
        leaves->q[i] = qvec_alloc(s->arena, p->leaves / 2 + (p->leaves & 1), s->st);
    if (!leaves->q[0].p || !leaves->q[1].p)
        return false;
    parallel_for((p->leaves - 1) / LEAF_CHUNK + 1, 1, keep_range, leaves);
    return true;
}

size_t leaves_workspace(const plan *p, logup_thrift thrift) {
    const size_t half = (p->leaves / 2 + 1 + 15) / 16 * 16, blocks = p->n_blocks;
    size_t bytes = 0;
    logup_segment *segment = malloc((blocks + 1) * sizeof *segment);
    if (segment) {
        static const m31 somewhere = 0; /* only whether there are numerators counts here */
        for (size_t i = 0; i < blocks; i++)
            segment[i] =
                (logup_segment){p->block[i].first, p->block[i].kind == BLOCK_LOOKUP ? NULL : &somewhere};
        const logup_leaves leaves = {.count = p->leaves, .segment = segment, .n_segments = blocks};
        bytes = logup_prove_workspace(&leaves, p->lookup_bits, thrift);
    }
    free(segment);
    if (thrift < LOGUP_LEAVES_AGAIN)
        bytes += 2 * half * QM31_DEGREE * sizeof(m31);
    return bytes + blocks * (sizeof(logup_segment) + sizeof(leaf_block)) + varying_leaves(p) * sizeof(m31) +
           (size_t)5 * 64;
}
