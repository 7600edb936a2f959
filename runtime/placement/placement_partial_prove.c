#include "placement/placement_partial_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "placement/placement.h"
#include "poly/eq_prove.h"
#include "simd/kernels.h"

#define PIECE ((size_t)256)   /* cells of a table that one worker makes at a time: 4 KiB */
#define GRAIN ((size_t)16384) /* products per worker below which a factor is applied inline */

/* --- tables --- */

/* What an axis of a table is: of the placed tensor, brought in by a factor; of the source, not consumed by a
 * factor yet; or one that passes through, under its name in the placed tensor (rank: the batch axis). Tables
 * have them in this order: what a factor does not touch lies side by side, in long runs. */
typedef enum axis_kind { AXIS_PLACED, AXIS_SOURCE, AXIS_PASS } axis_kind;

typedef struct named_axis {
    axis_kind kind;
    unsigned axis, bits;
    size_t stride;
} named_axis;

typedef struct named_table {
    named_axis axis[2 * MICA_MAX_RANK + 2]; /* outermost first */
    unsigned n;
    size_t size;
    const m31 *base; /* the source's own cells, before the first factor, or NULL */
    qvec cells;
} named_table;

static void set_strides(named_table *t) {
    t->size = 1;
    for (unsigned i = t->n; i-- > 0; t->size <<= t->axis[i].bits)
        t->axis[i].stride = t->size;
}

/* The order of axes in the placed tensor, the batch first; behind them those of the source. */
static unsigned placed_order(const named_axis *a, unsigned rank) {
    if (a->kind == AXIS_SOURCE)
        return 2 * MICA_MAX_RANK + a->axis;
    return a->axis == rank ? 0 : a->axis + 1;
}

static bool comes_after(const named_axis *a, const named_axis *b, unsigned rank) {
    return a->kind != b->kind ? a->kind > b->kind : placed_order(a, rank) > placed_order(b, rank);
}

static void insert_axis(named_table *t, named_axis a, unsigned rank) {
    unsigned i = t->n++;
    for (; i > 0 && comes_after(&t->axis[i - 1], &a, rank); i--)
        t->axis[i] = t->axis[i - 1];
    t->axis[i] = a;
}

static const named_axis *find_axis(const named_table *t, axis_kind kind, unsigned axis) {
    for (unsigned i = 0; i < t->n; i++) {
        if (t->axis[i].kind == kind && t->axis[i].axis == axis)
            return &t->axis[i];
    }
    return NULL;
}

/* --- the source --- */

/* The kept axes of the source as a table in the source's order. Its cells stay field elements if nothing is
 * bound. */
static bool source_table(const tensor_store *s, uint32_t t, unsigned kept, const qm31 *inner,
                         named_table *table) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    *table = (named_table){.n = 0};
    if (kept >> src->rank & 1)
        table->axis[table->n++] = (named_axis){AXIS_PASS, x->rank, mica_log2_ceil(s->plan->batch), 0};
    for (unsigned i = 0; i < src->rank; i++) {
        named_axis a = {AXIS_SOURCE, i, mica_log2_ceil(src->dim[i]), 0};
        for (unsigned k = 0; k < d->n_factors; k++) {
            if (plan_factor_is_pass(c, t, &d->factor[k]) && d->factor[k].src_axis[0] == i)
                a = (named_axis){AXIS_PASS, d->factor[k].out_axis[0], a.bits, 0};
        }
        if (kept >> i & 1)
            table->axis[table->n++] = a;
    }
    set_strides(table);
    if (table->size == (size_t)1 << mica_tensor_bits(src, s->plan->batch) && s->cells[d->src]) {
        table->base = s->cells[d->src];
        return true;
    }
    return tensor_partial(s, d->src, kept, inner, &table->cells);
}

/* out[j][i] = in[i][j], i < rows, j < columns. */
typedef struct transposition {
    const m31 *in;
    m31 *out;
    size_t rows, columns;
} transposition;

#define TILE ((size_t)16)

/* Tiles of columns [begin, end). */
static void transpose_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const transposition *x = ctx;
    (void)worker;
    for (size_t tile = begin; tile < end; tile++) {
        const size_t first = tile * TILE, last = first + TILE < x->columns ? first + TILE : x->columns;
        for (size_t i = 0; i < x->rows; i++) {
            for (size_t j = first; j < last; j++)
                x->out[j * x->rows + i] = x->in[i * x->columns + j];
        }
    }
}

static void transpose(const m31 *in, m31 *out, size_t rows, size_t columns) {
    transposition x = {in, out, rows, columns};
    parallel_for((columns + TILE - 1) / TILE, GRAIN / (TILE * rows) + 1, transpose_range, &x);
}

/* Brings a table whose axes that pass through come first, as channels do, into the order of tables. Any other
 * order stays: it only makes shorter runs. */
static bool passes_last(const tensor_store *s, named_table *table) {
    named_table new = {.n = 0};
    unsigned first = 0;
    size_t rows = 1;
    for (; first < table->n && table->axis[first].kind == AXIS_PASS; first++)
        rows <<= table->axis[first].bits;
    for (unsigned i = first; i < table->n; i++) {
        if (table->axis[i].kind == AXIS_PASS)
            return true;
        new.axis[new.n++] = table->axis[i];
    }
    for (unsigned i = 0; i < first; i++)
        new.axis[new.n++] = table->axis[i];
    set_strides(&new);
    const size_t columns = new.size / rows;
    if (rows == 1 || columns == 1)
        return true;
    if (table->base) {
        m31 *cells = arena_alloc(s->arena, new.size, sizeof *cells, s->st);
        if (cells && !s->dry)
            transpose(table->base, cells, rows, columns);
        new.base = cells;
    } else {
        new.cells = qvec_alloc(s->arena, new.size, s->st);
        for (unsigned k = 0; new.cells.p && !s->dry &&k < QM31_DEGREE; k++)
            transpose(table->cells.p + k * table->cells.stride, new.cells.p + k *new.cells.stride, rows,
                      columns);
    }
    *table = new;
    return new.base || new.cells.p;
}

/* --- folding it, factor by factor --- */

/* eq tables of the bound out axes of a factor; NULL for kept ones. */
bool placement_bound_tables(const tensor_store *s, const mica_tensor *x, const mica_factor *f, unsigned keep,
                            const qm31 *point, qvec *eq) {
    for (unsigned i = 0; i < f->n_out; i++) {
        const unsigned axis = f->out_axis[i], bits = mica_log2_ceil(x->dim[axis]);
        eq[i] = (qvec){NULL, 0};
        if (keep >> axis & 1)
            continue;
        eq[i] = qvec_alloc(s->arena, (size_t)1 << bits, s->st);
        if (!eq[i].p)
            return false;
        if (!s->dry)
            eq_table_build(eq[i], point + plan_axis_var(x, axis), bits, qm31_one());
    }
    return true;
}

/* Entries of a factor that add to one place, from places of one distance: the bound axes of their rows are in
 * the weights, weight[first], ..., weight[first + n - 1]. */
typedef struct entry_run {
    size_t from, step, to;
    size_t first, n;
} entry_run;

/* An application of a factor: new[to][rest] += weight old[from][rest], rest over the axes that both tables
 * have. */
typedef struct application {
    const named_table *old, *new;
    entry_run *run;
    qm31 *weight;
    size_t n_runs;
    const named_axis *from[2 * MICA_MAX_RANK + 2],
        *to[2 * MICA_MAX_RANK + 2]; /* shared axes beyond the inner ones */
    unsigned n;
    size_t inner, pieces; /* cells side by side in both tables, in pieces of PIECE */
} application;

/* Entries in the order of their places in the new table, then of the old one. */
static bool list_entries(const tensor_store *s, uint32_t t, const mica_factor *f, const qvec *eq,
                         application *a) {
    const mica_circuit *c = s->plan->circuit;
    factor_rows r;
    size_t n = 0, places = 1, at = 0;
    for (unsigned i = 0; i < f->n_out; i++) {
        if (!eq[i].p)
            places <<= mica_log2_ceil(c->tensor[t].dim[f->out_axis[i]]);
    }
    for (factor_rows_begin(&r, c, t, f); factor_rows_next(&r);)
        n += r.weight != 0;
    size_t *end = arena_alloc(s->arena, places + 1, sizeof *end, s->st);
    a->run = arena_alloc(s->arena, n + 1, sizeof *a->run, s->st);
    a->weight = arena_alloc(s->arena, n + 1, sizeof *a->weight, s->st);
    if (!end || !a->run || !a->weight)
        return false;
    if (s->dry)
        return true;
    /* Counting sort: pass 0 counts the entries of each place, pass 1 puts them there. */
    memset(end, 0, (places + 1) * sizeof *end);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (factor_rows_begin(&r, c, t, f); factor_rows_next(&r);) {
            if (!r.weight)
                continue;
            entry_run e = {.n = 1};
            qm31 weight = qm31_from_m31(r.weight);
            size_t place = 0;
            for (unsigned i = 0; i < f->n_out; i++) {
                if (eq[i].p) {
                    weight = qm31_mul(weight, qvec_get(eq[i], r.out[i]));
                } else {
                    place = place << mica_log2_ceil(c->tensor[t].dim[f->out_axis[i]]) | r.out[i];
                    e.to += r.out[i] * find_axis(a->new, AXIS_PLACED, f->out_axis[i])->stride;
                }
            }
            if (pass == 0) {
                end[place + 1]++;
                continue;
            }
            for (unsigned i = 0; i < f->n_src; i++)
                e.from += r.src[i] * find_axis(a->old, AXIS_SOURCE, f->src_axis[i])->stride;
            e.first = end[place]++;
            a->run[e.first] = e;
            a->weight[e.first] = weight;
        }
        for (size_t i = 0; pass == 0 && i < places; i++)
            end[i + 1] += end[i];
    }
    /* Entries at one distance become one run. */
    for (size_t i = 0; i < n; i++) {
        entry_run *last = at ? &a->run[at - 1] : NULL;
        const entry_run e = a->run[i];
        const bool follows = last && last->to == e.to && e.from > last->from &&
                             (last->n == 1 || e.from == last->from + last->n * last->step);
        if (follows) {
            last->step = last->n == 1 ? e.from - last->from : last->step;
            last->n++;
        } else {
            a->run[at++] = e;
        }
    }
    a->n_runs = at;
    return true;
}

static void share_axes(application *a) {
    const named_table *old = a->old;
    a->inner = 1;
    a->n = 0;
    for (unsigned i = 0; i < old->n; i++) {
        const named_axis *other = find_axis(a->new, old->axis[i].kind, old->axis[i].axis);
        if (other) {
            a->from[a->n] = &old->axis[i];
            a->to[a->n++] = other;
        }
    }
    while (a->n > 0 && a->from[a->n - 1]->stride == a->inner && a->to[a->n - 1]->stride == a->inner)
        a->inner <<= a->from[--a->n]->bits;
    a->pieces = (a->inner + PIECE - 1) / PIECE;
}

/* Pieces [begin, end) of all that the tables share. */
static void apply_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const application *a = ctx;
    (void)worker;
    for (size_t unit = begin; unit < end; unit++) {
        size_t rest = unit / a->pieces, from = unit % a->pieces * PIECE, to = from;
        const size_t len = a->inner - from < PIECE ? a->inner - from : PIECE;
        for (unsigned i = a->n; i-- > 0; rest >>= a->from[i]->bits) {
            const size_t index = rest & (((size_t)1 << a->from[i]->bits) - 1);
            from += index * a->from[i]->stride;
            to += index * a->to[i]->stride;
        }
        for (size_t k = 0; k < a->n_runs; k++) {
            const entry_run *run = &a->run[k];
            const qvec y = qvec_from(a->new->cells, to + run->to);
            if (a->old->base) {
                kernels()->axpys_m31(y, a->weight + run->first, a->old->base + from + run->from, run->step,
                                     run->n, len);
                continue;
            }
            for (size_t i = 0; i < run->n; i++)
                kernels()->axpy(y, a->weight[run->first + i],
                                qvec_from(a->old->cells, from + run->from + i * run->step), len);
        }
    }
}

static void apply(application *a) {
    share_axes(a);
    size_t entries = 0, units = a->pieces;
    for (unsigned i = 0; i < a->n; i++)
        units <<= a->from[i]->bits;
    for (size_t k = 0; k < a->n_runs; k++)
        entries += a->run[k].n;
    const size_t work = entries * (a->inner < PIECE ? a->inner : PIECE);
    parallel_for(units, GRAIN / (work + 1) + 1, apply_range, a);
}

static bool apply_factor(const tensor_store *s, uint32_t t, const mica_factor *f, unsigned keep,
                         const qm31 *point, named_table *table) {
    const mica_tensor *x = &s->plan->circuit->tensor[t];
    named_table new = {.n = 0};
    for (unsigned i = 0; i < table->n; i++) {
        bool consumed = false;
        for (unsigned k = 0; k < f->n_src; k++)
            consumed |= table->axis[i].kind == AXIS_SOURCE && table->axis[i].axis == f->src_axis[k];
        if (!consumed)
            insert_axis(&new, table->axis[i], x->rank);
    }
    for (unsigned i = 0; i < f->n_out; i++) {
        if (keep >> f->out_axis[i] & 1)
            insert_axis(&new,
                        (named_axis){AXIS_PLACED, f->out_axis[i], mica_log2_ceil(x->dim[f->out_axis[i]]), 0},
                        x->rank);
    }
    set_strides(&new);
    qvec eq[MICA_MAX_RANK];
    application a = {.old = table, .new = &new};
    new.cells = qvec_alloc(s->arena, new.size, s->st);
    if (!new.cells.p || !placement_bound_tables(s, x, f, keep, point, eq) || !list_entries(s, t, f, eq, &a))
        return false;
    if (!s->dry) {
        for (unsigned k = 0; k < QM31_DEGREE; k++)
            memset(new.cells.p + k *new.cells.stride, 0, new.size * sizeof(m31));
        apply(&a);
    }
    *table = new;
    return true;
}

/* The keep-set of the source: pass-through axes as in `keep`, all others kept. *inner points at pass-through
 * coordinates copied to the source's own places. */
unsigned placement_source_keep(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point,
                               qm31 *inner) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    unsigned kept = keep >> x->rank & 1 ? 1u << src->rank : 0;
    memset(inner, 0, MICA_MAX_BITS * sizeof *inner);
    for (unsigned i = 0; i < d->n_factors; i++) {
        const mica_factor *f = &d->factor[i];
        if (!plan_factor_is_pass(c, t, f)) {
            for (unsigned k = 0; k < f->n_src; k++)
                kept |= 1u << f->src_axis[k];
        } else if (keep >> f->out_axis[0] & 1) {
            kept |= 1u << f->src_axis[0];
        } else {
            memcpy(inner + plan_axis_var(src, f->src_axis[0]), point + plan_axis_var(x, f->out_axis[0]),
                   mica_log2_ceil(src->dim[f->src_axis[0]]) * sizeof *inner);
        }
    }
    if (src->batched)
        memcpy(inner + plan_axis_var(src, src->rank), point + plan_axis_var(x, x->rank),
               mica_log2_ceil(s->plan->batch) * sizeof *inner);
    return kept;
}

/* A table of field elements as one of QM31: no factor has been applied. */
static bool lift(const tensor_store *s, named_table *table) {
    table->cells = qvec_alloc(s->arena, table->size, s->st);
    if (!table->cells.p)
        return false;
    for (unsigned k = 1; !s->dry && k < QM31_DEGREE; k++)
        memset(table->cells.p + k * table->cells.stride, 0, table->size * sizeof(m31));
    if (!s->dry)
        memcpy(table->cells.p, table->base, table->size * sizeof(m31));
    table->base = NULL;
    return true;
}

/* Brings the axes into the order of the placed tensor. */
static bool sort_axes(const tensor_store *s, named_table *table, unsigned rank, qvec *out) {
    unsigned bits[MICA_MAX_RANK + 1], order[MICA_MAX_RANK + 1];
    for (unsigned i = 0; i < table->n; i++) {
        unsigned smaller = 0;
        for (unsigned k = 0; k < table->n; k++)
            smaller += placed_order(&table->axis[k], rank) < placed_order(&table->axis[i], rank);
        bits[i] = table->axis[i].bits;
        order[smaller] = i;
    }
    return table_permute(s, table->cells, bits, order, table->n, out);
}

static bool placement_partial(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point,
                              qvec *out) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    qm31 inner[MICA_MAX_BITS];
    const unsigned kept = placement_source_keep(s, t, keep, point, inner);
    named_table table;
    if (!source_table(s, t, kept, inner, &table) || !passes_last(s, &table))
        return false;
    for (unsigned i = 0; i < d->n_factors; i++) {
        if (!plan_factor_is_pass(c, t, &d->factor[i]) &&
            !apply_factor(s, t, &d->factor[i], keep, point, &table))
            return false;
    }
    return (!table.base || lift(s, &table)) && sort_axes(s, &table, x->rank, out);
}

bool operand_partial(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point, qvec *out) {
    if (s->cells[t])
        return tensor_partial(s, t, keep, point, out);
    if (s->plan->circuit->tensor[t].kind == MICA_TENSOR_PLACEMENT)
        return placement_partial(s, t, keep, point, out);
    return mica_fail(s->st, MICA_ERR_INTERNAL, "tensor %u is neither materialised nor a placement", t);
}

bool operand_eval(const tensor_store *s, uint32_t t, const qm31 *point, qm31 *out) {
    const size_t mark = arena_mark(s->arena);
    qvec v;
    const bool ok = operand_partial(s, t, TENSOR_KEEP_NONE, point, &v);
    if (ok && !s->dry)
        *out = qvec_get(v, 0);
    arena_reset(s->arena, mark);
    return ok;
}
