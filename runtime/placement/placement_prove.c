#include "placement/placement_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "placement/placement.h"
#include "poly/eq_prove.h"
#include "simd/kernels.h"

#define OUTER_GRAIN ((size_t)4096) /* cells of an outer product per worker below which it runs inline */

/* --- folding a source, factor by factor --- */

/* A table whose axes are named: axes of the placed tensor, or axes of the source that no factor has consumed
 * yet. */
typedef struct named_axis {
    bool is_source;
    unsigned axis; /* rank: the batch axis */
    unsigned bits;
    size_t stride;
} named_axis;

typedef struct named_table {
    named_axis axis[2 * MICA_MAX_RANK + 2]; /* outermost first */
    unsigned n;
    size_t size;
    qvec cells;
} named_table;

static void set_strides(named_table *t) {
    t->size = 1;
    for (unsigned i = t->n; i-- > 0; t->size <<= t->axis[i].bits)
        t->axis[i].stride = t->size;
}

/* Axes of the placed tensor by number (the batch first), then the source's own. */
static unsigned axis_key(const named_axis *a, unsigned rank) {
    if (a->is_source)
        return 2 * MICA_MAX_RANK + a->axis;
    return a->axis == rank ? 0 : a->axis + 1;
}

static void insert_axis(named_table *t, named_axis a, unsigned rank) {
    unsigned i = t->n++;
    for (; i > 0 && axis_key(&t->axis[i - 1], rank) > axis_key(&a, rank); i--)
        t->axis[i] = t->axis[i - 1];
    t->axis[i] = a;
}

static const named_axis *find_axis(const named_table *t, bool is_source, unsigned axis) {
    for (unsigned i = 0; i < t->n; i++) {
        if (t->axis[i].is_source == is_source && t->axis[i].axis == axis)
            return &t->axis[i];
    }
    return NULL;
}

/* One entry of a factor, the bound axes of its row folded into the weight. */
typedef struct entry {
    size_t from, to;
    qm31 weight;
} entry;

/* eq tables of the bound out axes of a factor; NULL for kept ones. */
static bool bound_tables(const tensor_store *s, const mica_tensor *x, const mica_factor *f, unsigned keep,
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

static entry make_entry(const named_table *old, const named_table *new, const factor_rows *r,
                        const qvec *eq) {
    entry e = {0, 0, qm31_from_m31(r->weight)};
    for (unsigned i = 0; i < r->factor->n_src; i++)
        e.from += r->src[i] * find_axis(old, true, r->factor->src_axis[i])->stride;
    for (unsigned i = 0; i < r->factor->n_out; i++) {
        if (eq[i].p)
            e.weight = qm31_mul(e.weight, qvec_get(eq[i], r->out[i]));
        else
            e.to += r->out[i] * find_axis(new, false, r->factor->out_axis[i])->stride;
    }
    return e;
}

/* new[rest][to] += weight old[rest][from], rest running over the axes that both tables share. */
static void scatter(const named_table *old, named_table *new, const entry *e) {
    const named_axis *a[2 * MICA_MAX_RANK + 2] = {NULL}, *b[2 * MICA_MAX_RANK + 2] = {NULL};
    size_t index[2 * MICA_MAX_RANK + 2] = {0}, inner = 1;
    unsigned n = 0;
    for (unsigned i = 0; i < old->n; i++) {
        const named_axis *other = find_axis(new, old->axis[i].is_source, old->axis[i].axis);
        if (other) {
            a[n] = &old->axis[i];
            b[n++] = other;
        }
    }
    /* The innermost shared axes that are contiguous in both tables go through the kernel. */
    while (n > 0 && a[n - 1]->stride == inner && b[n - 1]->stride == inner)
        inner <<= a[--n]->bits;
    for (;;) {
        size_t from = e->from, to = e->to;
        for (unsigned i = 0; i < n; i++) {
            from += index[i] * a[i]->stride;
            to += index[i] * b[i]->stride;
        }
        kernels()->axpy(qvec_from(new->cells, to), e->weight, qvec_from(old->cells, from), inner);
        unsigned i = n;
        while (i > 0 && ++index[i - 1] == (size_t)1 << a[i - 1]->bits)
            index[--i] = 0;
        if (i == 0)
            return;
    }
}

static bool apply_factor(const tensor_store *s, uint32_t t, const mica_factor *f, unsigned keep,
                         const qm31 *point, named_table *table) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    named_table new = {.n = 0};
    for (unsigned i = 0; i < table->n; i++) {
        bool consumed = false;
        for (unsigned k = 0; k < f->n_src; k++)
            consumed |= table->axis[i].is_source && table->axis[i].axis == f->src_axis[k];
        if (!consumed)
            insert_axis(&new, table->axis[i], x->rank);
    }
    for (unsigned i = 0; i < f->n_out; i++) {
        if (keep >> f->out_axis[i] & 1)
            insert_axis(&new, (named_axis){false, f->out_axis[i], mica_log2_ceil(x->dim[f->out_axis[i]]), 0},
                        x->rank);
    }
    set_strides(&new);
    qvec eq[MICA_MAX_RANK];
    new.cells = qvec_alloc(s->arena, new.size, s->st);
    if (!new.cells.p || !bound_tables(s, x, f, keep, point, eq))
        return false;
    for (unsigned k = 0; !s->dry && k < QM31_DEGREE; k++)
        memset(new.cells.p + k *new.cells.stride, 0, new.size * sizeof(m31));
    factor_rows r;
    for (factor_rows_begin(&r, c, t, f); !s->dry && factor_rows_next(&r);) {
        if (!r.weight)
            continue;
        const entry e = make_entry(table, &new, &r, eq);
        scatter(table, &new, &e);
    }
    *table = new;
    return true;
}

/* The keep-set of the source: pass-through axes as in `keep`, all others kept. *inner points at pass-through
 * coordinates copied to the source's own places. */
static unsigned source_keep(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point,
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

/* The kept axes of the source as a named table; pass-through axes take the placed tensor's names. */
static bool source_table(const tensor_store *s, uint32_t t, unsigned kept, const qm31 *inner,
                         named_table *table) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    named_axis source_order[MICA_MAX_RANK + 1];
    unsigned n = 0;
    table->n = 0;
    if (kept >> src->rank & 1)
        source_order[n++] = (named_axis){false, x->rank, mica_log2_ceil(s->plan->batch), 0};
    for (unsigned i = 0; i < src->rank; i++) {
        named_axis a = {true, i, mica_log2_ceil(src->dim[i]), 0};
        for (unsigned k = 0; k < d->n_factors; k++) {
            if (plan_factor_is_pass(c, t, &d->factor[k]) && d->factor[k].src_axis[0] == i)
                a = (named_axis){false, d->factor[k].out_axis[0], a.bits, 0};
        }
        if (kept >> i & 1)
            source_order[n++] = a;
    }
    memcpy(table->axis, source_order, n * sizeof *source_order);
    table->n = n;
    set_strides(table);
    return tensor_partial(s, d->src, kept, inner, &table->cells);
}

/* Brings the axes into the order of the placed tensor. */
static bool sort_axes(const tensor_store *s, named_table *table, unsigned rank, qvec *out) {
    unsigned bits[MICA_MAX_RANK + 1], order[MICA_MAX_RANK + 1];
    for (unsigned i = 0; i < table->n; i++) {
        unsigned smaller = 0;
        for (unsigned k = 0; k < table->n; k++)
            smaller += axis_key(&table->axis[k], rank) < axis_key(&table->axis[i], rank);
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
    const unsigned kept = source_keep(s, t, keep, point, inner);
    named_table table;
    if (!source_table(s, t, kept, inner, &table))
        return false;
    for (unsigned i = 0; i < d->n_factors; i++) {
        if (!plan_factor_is_pass(c, t, &d->factor[i]) &&
            !apply_factor(s, t, &d->factor[i], keep, point, &table))
            return false;
    }
    return sort_axes(s, &table, x->rank, out);
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

/* --- instances --- */

/* The row of factor f at a claim's point: vector over the padded source axes of the factor, row-major in the
 * order of f->src_axis. */
static bool factor_vector(const tensor_store *s, uint32_t t, const mica_factor *f, const qm31 *point,
                          qvec *out) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_tensor *src = &c->tensor[c->placement[x->def].src];
    unsigned bits = 0;
    for (unsigned i = 0; i < f->n_src; i++)
        bits += mica_log2_ceil(src->dim[f->src_axis[i]]);
    qvec eq[MICA_MAX_RANK];
    *out = qvec_alloc(s->arena, (size_t)1 << bits, s->st);
    if (!out->p || !bound_tables(s, x, f, TENSOR_KEEP_NONE, point, eq))
        return false;
    if (s->dry)
        return true;
    for (unsigned k = 0; k < QM31_DEGREE; k++)
        memset(out->p + k * out->stride, 0, ((size_t)1 << bits) * sizeof(m31));
    factor_rows r;
    for (factor_rows_begin(&r, c, t, f); factor_rows_next(&r);) {
        if (!r.weight)
            continue;
        size_t at = 0;
        qm31 weight = qm31_from_m31(r.weight);
        for (unsigned i = 0; i < f->n_src; i++)
            at = at << mica_log2_ceil(src->dim[f->src_axis[i]]) | r.src[i];
        for (unsigned i = 0; i < f->n_out; i++)
            weight = qm31_mul(weight, qvec_get(eq[i], r.out[i]));
        qvec_set(*out, at, qm31_add(qvec_get(*out, at), weight));
    }
    return true;
}

/* out[src] += lambda prod_f row_f[src_f] over the kept source axes, row-major. */
typedef struct outer_product {
    const mica_tensor *src;
    const mica_factor *const *factor;
    const qvec *row; /* of each factor */
    unsigned n, kept;
    qm31 lambda;
    unsigned inner; /* factor whose last axis is the innermost kept one, over which its row is contiguous */
    unsigned inner_axis, inner_bits;
    qvec out;
} outer_product;

/* Where the row of factor f is read: its indices, row-major. */
static size_t row_index(const outer_product *p, const mica_factor *f, const size_t *index) {
    size_t at = 0;
    for (unsigned j = 0; j < f->n_src; j++) {
        const unsigned a = f->src_axis[j];
        at = at << mica_log2_ceil(p->src->dim[a]) | index[a];
    }
    return at;
}

/* Runs [begin, end) of the innermost axis. */
static void outer_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const outer_product *p = ctx;
    const size_t len = (size_t)1 << p->inner_bits;
    (void)worker;
    for (size_t run = begin; run < end; run++) {
        size_t index[MICA_MAX_RANK] = {0}, rest = run;
        for (unsigned a = p->inner_axis; a-- > 0;) {
            const unsigned bits = mica_log2_ceil(p->src->dim[a]);
            if (p->kept >> a & 1) {
                index[a] = rest & (((size_t)1 << bits) - 1);
                rest >>= bits;
            }
        }
        qm31 product = p->lambda;
        for (unsigned k = 0; k < p->n; k++) {
            if (k != p->inner)
                product = qm31_mul(product, qvec_get(p->row[k], row_index(p, p->factor[k], index)));
        }
        kernels()->axpy(qvec_from(p->out, run * len), product,
                        qvec_from(p->row[p->inner], row_index(p, p->factor[p->inner], index)), len);
    }
}

/* The innermost axis is a run of one cell where no factor's row is contiguous over it. */
static void add_outer_product(outer_product *p, unsigned vars) {
    if (p->n == 0) { /* all axes pass through */
        qvec_set(p->out, 0, qm31_add(qvec_get(p->out, 0), p->lambda));
        return;
    }
    p->inner = p->n;
    p->inner_axis = p->src->rank;
    p->inner_bits = 0;
    while (p->inner_axis > 0 && !(p->kept >> (p->inner_axis - 1) & 1))
        p->inner_axis--;
    for (unsigned k = 0; k < p->n; k++) {
        const mica_factor *f = p->factor[k];
        if (f->n_src && f->src_axis[f->n_src - 1] + 1u == p->inner_axis)
            p->inner = k;
    }
    if (p->inner == p->n) {
        p->inner = 0;
    } else {
        p->inner_axis--;
        p->inner_bits = mica_log2_ceil(p->src->dim[p->inner_axis]);
    }
    const size_t runs = (size_t)1 << (vars - p->inner_bits);
    parallel_for(runs, (OUTER_GRAIN >> p->inner_bits) + 1, outer_range, p);
}

bool placement_instance(const tensor_store *s, const walk *w, const plan_instance *k, const qm31 *lambda,
                        batch_summand *out) {
    const mica_circuit *c = s->plan->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    qm31 point[MICA_MAX_BITS], inner[MICA_MAX_BITS];
    walk_claim_point(w, s->plan->link[k->first_claim], point);
    const unsigned kept = source_keep(s, k->tensor, TENSOR_KEEP_NONE, point, inner);
    *out = (batch_summand){.n_tables = 2, .vars = k->vars, .scale = qm31_one(), .claim = qm31_zero()};
    out->table[0] = qvec_alloc(s->arena, (size_t)1 << k->vars, s->st);
    if (!out->table[0].p || !tensor_partial(s, d->src, kept, inner, &out->table[1]))
        return false;
    for (unsigned i = 0; !s->dry && i < QM31_DEGREE; i++)
        memset(out->table[0].p + i * out->table[0].stride, 0, ((size_t)1 << k->vars) * sizeof(m31));
    for (uint32_t j = 0; j < k->n_claims; j++) {
        const uint32_t claim = s->plan->link[k->first_claim + j];
        const mica_factor *factor[MICA_MAX_RANK];
        const size_t mark = arena_mark(s->arena);
        qvec row[MICA_MAX_RANK];
        unsigned n = 0;
        walk_claim_point(w, claim, point);
        for (unsigned i = 0; i < d->n_factors; i++) {
            if (plan_factor_is_pass(c, k->tensor, &d->factor[i]))
                continue;
            factor[n] = &d->factor[i];
            if (!factor_vector(s, k->tensor, factor[n], point, &row[n]))
                return false;
            n++;
        }
        outer_product product = {src, factor, row, n, kept, lambda[j], 0, 0, 0, out->table[0]};
        if (!s->dry)
            add_outer_product(&product, k->vars);
        out->claim = qm31_add(out->claim, qm31_mul(lambda[j], w->value[claim]));
        arena_reset(s->arena, mark);
    }
    return true;
}
