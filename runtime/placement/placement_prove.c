#include "placement/placement_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "placement/placement.h"
#include "placement/placement_partial_prove.h"
#include "simd/kernels.h"

#define OUTER_GRAIN ((size_t)4096) /* cells of an outer product per worker below which it runs inline */

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
    if (!out->p || !placement_bound_tables(s, x, f, TENSOR_KEEP_NONE, point, eq))
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
    const unsigned kept = placement_source_keep(s, k->tensor, TENSOR_KEEP_NONE, point, inner);
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
