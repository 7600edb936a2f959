#include "protocol/tensor_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "poly/combine_prove.h"
#include "poly/eq_prove.h"
#include "simd/kernels.h"

/* --- binding runs of axes --- */

/* Neighbouring axes that are all kept or all bound. */
typedef struct run {
    bool kept;
    unsigned bits;
    unsigned var;    /* first coordinate in the point */
    uint64_t filled; /* indices beyond are padding: all cells zero */
} run;

/* Axes of a tensor from the outermost (batch) to the innermost, merged into runs. */
static unsigned collect_runs(const plan *p, const mica_tensor *x, unsigned keep, run *r) {
    unsigned n = 0;
    for (unsigned i = 0; i <= x->rank; i++) {
        const unsigned axis = i == 0 ? x->rank : i - 1;
        const uint32_t dim = i == 0 ? (x->batched ? p->batch : 1) : x->dim[axis];
        const unsigned bits = mica_log2_ceil(dim);
        const bool kept = keep >> axis & 1;
        if (n && r[n - 1].kept == kept) {
            r[n - 1].bits += bits;
            r[n - 1].filled <<= bits;
            r[n - 1].var = plan_axis_var(x, axis);
        } else {
            r[n++] = (run){kept, bits, plan_axis_var(x, axis), dim};
        }
    }
    return n;
}

#define LOW_BITS 10 /* of a run that is bound in two steps */

/* Cuts a long innermost bound run in two: a dot product with 2^LOW_BITS entries of eq costs four
 * multiplications a cell, the table of all entries would cost sixteen more. */
static unsigned cut_run(run *r, unsigned n) {
    run *last = &r[n - 1];
    if (last->kept || last->bits <= LOW_BITS)
        return n;
    const uint64_t low = 1u << LOW_BITS;
    r[n] = (run){false, LOW_BITS, last->var, last->filled < low ? last->filled : low};
    last->bits -= LOW_BITS;
    last->var += LOW_BITS;
    last->filled = (last->filled + low - 1) / low;
    return n + 1;
}

/* out[o][i] = sum_s eq[s] in[o][s][i]: `outer` blocks of `size` rows of `inner` elements, of which `filled`
 * rows are read. Either cells (M31) or table (QM31) is the input. */
typedef struct bind_job {
    const m31 *cells;
    qvec table, eq, out;
    size_t outer, size, filled, inner;
} bind_job;

static void clear(qvec v, size_t n) {
    for (unsigned k = 0; k < QM31_DEGREE; k++)
        memset(v.p + k * v.stride, 0, n * sizeof(m31));
}

static qm31 bind_dot(const bind_job *j, size_t o) {
    const size_t at = o * j->size;
    return j->cells ? kernels()->dot_m31(j->cells + at, j->eq, j->filled)
                    : kernels()->dot(qvec_from(j->table, at), j->eq, j->filled);
}

/* Columns [begin, end) of block o. */
static void bind_columns(const bind_job *j, size_t o, size_t begin, size_t end) {
    const qvec y = qvec_from(j->out, o * j->inner + begin);
    clear(y, end - begin);
    for (size_t s = 0; s < j->filled; s++) {
        const size_t at = (o * j->size + s) * j->inner + begin;
        const qm31 c = qvec_get(j->eq, s);
        if (j->cells)
            kernels()->axpy_m31(y, c, j->cells + at, end - begin);
        else
            kernels()->axpy(y, c, qvec_from(j->table, at), end - begin);
    }
}

static void bind_blocks(void *ctx, size_t begin, size_t end, unsigned worker) {
    const bind_job *j = ctx;
    (void)worker;
    for (size_t o = begin; o < end; o++) {
        if (j->inner == 1)
            qvec_set(j->out, o, bind_dot(j, o));
        else
            bind_columns(j, o, 0, j->inner);
    }
}

static void bind_inner(void *ctx, size_t begin, size_t end, unsigned worker) {
    const bind_job *j = ctx;
    (void)worker;
    for (size_t o = 0; o < j->outer; o++)
        bind_columns(j, o, begin, end);
}

/* Whether the cells are weights that are there as 16-bit words, in rows of whole blocks. */
static bool is_narrow(const tensor_store *s, uint32_t t, const bind_job *j) {
    return s->narrow && j->cells && s->plan->circuit->tensor[t].kind == MICA_TENSOR_WEIGHT &&
           j->inner >= (size_t)1 << NARROW_BLOCK_VARS;
}

static bool bind_narrow(const tensor_store *s, const bind_job *j) {
    const size_t mark = arena_mark(s->arena);
    size_t *start = arena_alloc(s->arena, j->filled, sizeof *start, s->st);
    qm31 *weight = arena_alloc(s->arena, j->filled, sizeof *weight, s->st);
    bool ok = start && weight;
    if (s->dry)
        ok = ok && arena_alloc(s->arena, combine_rows_bytes(j->filled), 1, s->st);
    for (size_t i = 0; ok && !s->dry && i < j->filled; i++)
        weight[i] = qvec_get(j->eq, i);
    for (size_t o = 0; ok && !s->dry && o < j->outer; o++) {
        const qvec y = qvec_from(j->out, o * j->inner);
        clear(y, j->inner);
        for (size_t i = 0; i < j->filled; i++)
            start[i] = (size_t)(j->cells - s->matrix) + (o * j->size + i) * j->inner;
        ok = combine_rows(s->narrow, s->matrix, start, weight, j->filled,
                          (unsigned)mica_log2_ceil((uint32_t)j->inner), y, s->arena, s->st);
    }
    arena_reset(s->arena, mark);
    return ok;
}

static void bind_run(const bind_job *j) {
    const size_t work = j->outer * j->filled * j->inner;
    if (work < 1 << 15)
        bind_blocks((void *)j, 0, j->outer, 0);
    else if (j->outer >= parallel_workers() || j->inner < 1024)
        parallel_for(j->outer, 1, bind_blocks, (void *)j);
    else
        parallel_for(j->inner, 512, bind_inner, (void *)j);
}

/* A table of all cells: nothing is bound. */
static bool lift_cells(const tensor_store *s, const m31 *cells, unsigned bits, qvec *out) {
    const size_t n = (size_t)1 << bits;
    *out = qvec_alloc(s->arena, n, s->st);
    if (!out->p)
        return false;
    if (s->dry)
        return true;
    clear(*out, n);
    memcpy(out->p, cells, n * sizeof *cells);
    return true;
}

bool tensor_partial(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point, qvec *out) {
    const mica_tensor *x = &s->plan->circuit->tensor[t];
    run r[MICA_MAX_RANK + 2];
    unsigned n = cut_run(r, collect_runs(s->plan, x, keep, r));
    bind_job j = {.cells = s->cells[t]};
    for (;;) {
        unsigned last = n; /* innermost bound run; at most one kept run lies below it */
        while (last > 0 && r[last - 1].kept)
            last--;
        if (last == 0)
            break;
        last--;
        unsigned outer_bits = 0;
        for (unsigned i = 0; i < last; i++)
            outer_bits += r[i].bits;
        /* Of the outermost run, when it is bound next, only the filled rows are read. */
        j.outer = last == 1 && !r[0].kept ? r[0].filled : (size_t)1 << outer_bits;
        j.size = (size_t)1 << r[last].bits;
        j.filled = r[last].filled;
        j.inner = last + 1 < n ? (size_t)1 << r[last + 1].bits : 1;
        j.eq = qvec_alloc(s->arena, j.size, s->st);
        j.out = qvec_alloc(s->arena, j.outer * j.inner, s->st);
        if (!j.eq.p || !j.out.p)
            return false;
        if (!s->dry)
            eq_table_build(j.eq, point + r[last].var, r[last].bits, qm31_one());
        if (is_narrow(s, t, &j)) {
            if (!bind_narrow(s, &j))
                return false;
        } else if (!s->dry) {
            bind_run(&j);
        }
        j.cells = NULL;
        j.table = j.out;
        /* The bound run disappears; its kept neighbours merge. */
        if (last + 1 < n && last > 0) {
            r[last - 1].bits += r[last + 1].bits;
            n -= 2;
        } else if (last + 1 < n) {
            r[0] = r[1];
            n = 1;
        } else {
            n--;
        }
    }
    *out = j.table;
    return !j.cells || lift_cells(s, j.cells, n ? r[0].bits : 0, out);
}

bool table_permute(const tensor_store *s, qvec in, const unsigned *bits, const unsigned *order, unsigned n,
                   qvec *out) {
    bool sorted = true;
    unsigned total = 0, low[MICA_MAX_LABELS + 1];
    for (unsigned i = n; i-- > 0; total += bits[i])
        low[i] = total;
    for (unsigned i = 0; i < n; i++)
        sorted &= order[i] == i;
    if (sorted) {
        *out = in;
        return true;
    }
    *out = qvec_alloc(s->arena, (size_t)1 << total, s->st);
    if (!out->p)
        return false;
    for (size_t i = 0; !s->dry && i < (size_t)1 << total; i++) {
        size_t rest = i, from = 0;
        for (unsigned k = n; k-- > 0; rest >>= bits[order[k]])
            from |= (rest & (((size_t)1 << bits[order[k]]) - 1)) << low[order[k]];
        qvec_set(*out, i, qvec_get(in, from));
    }
    return true;
}
