#include "placement/placement_eval.h"

#include <string.h>

#include "circuit/circuit_shapes.h"
#include "field/qm31_sum.h"
#include "placement/placement.h"

/* --- lines: one axis of the source, all weights 1 --- */

/* sum over i < n of x[i] y[step i], as sum over a of e_a sum_i x_i,a y[step i] with the basis e = 1, i, u,
 * iu. n < 2^30. */
static qm31 dot_steps(const qm31 *x, const qm31 *y, int64_t step, int64_t n) {
    qm31_sum sum[QM31_DEGREE] = {qm31_sum_zero(), qm31_sum_zero(), qm31_sum_zero(), qm31_sum_zero()};
    qm31 out = qm31_zero();
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const qm31 four[4] = {y[step * i], y[step * (i + 1)], y[step * (i + 2)], y[step * (i + 3)]};
        for (unsigned a = 0; a < QM31_DEGREE; a++) {
            const m31 factor[4] = {x[i].v[a], x[i + 1].v[a], x[i + 2].v[a], x[i + 3].v[a]};
            sum[a] = qm31_sum_add_four(sum[a], four, factor);
        }
    }
    for (unsigned a = 0; a < QM31_DEGREE; a++) {
        qm31 basis = qm31_zero();
        basis.v[a] = 1;
        out = qm31_add(out, qm31_mul(basis, qm31_sum_value(sum[a])));
    }
    for (; i < n; i++)
        out = qm31_add(out, qm31_mul(x[i], y[step * i]));
    return out;
}

/* The entries along the last axis of v are those whose flat is in range, an interval: flat is their cell. */
static qm31 line_factor_at(const mica_tensor *x, uint32_t cells, const mica_factor *f, qm31 *const *out,
                           const qm31 *src) {
    const unsigned outer = f->n_out - 1u; /* axes */
    const uint32_t last = x->dim[f->out_axis[outer]];
    const int64_t step = f->out_stride[outer];
    uint32_t index[MICA_MAX_RANK] = {0};
    qm31 sum = qm31_zero();
    for (bool more = true; more;) {
        int64_t flat = f->offset, first, end; /* |flat| < 2^40: circuit_validate */
        qm31 shared = qm31_one();
        for (unsigned i = 0; i < outer; i++) {
            flat += (int64_t)f->out_stride[i] * index[i];
            shared = qm31_mul(shared, out[i][index[i]]);
        }
        circuit_valid_interval(flat, step, cells, last, &first, &end);
        if (first < end)
            sum = qm31_add(sum, qm31_mul(shared, dot_steps(out[outer] + first, src + (flat + step * first),
                                                           step, end - first)));
        unsigned i = outer;
        while (i > 0 && ++index[i - 1] == x->dim[f->out_axis[i - 1]])
            index[--i] = 0;
        more = i > 0;
    }
    return sum;
}

/* --- any factor, row by row --- */

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

/* Entries that differ in the last axes only are summed before they are multiplied by what they share. */
static qm31 row_factor_at(const mica_circuit *c, uint32_t tensor, const mica_factor *f, qm31 *const *out,
                          qm31 *const *src) {
    factor_rows r;
    outer_axes outer_out = {f->n_out ? f->n_out - 1u : 0, out, {0}};
    outer_axes outer_src = {f->n_src ? f->n_src - 1u : 0, src, {0}};
    qm31 run = qm31_zero(), shared = qm31_zero(), sum = qm31_zero();
    bool first = true;
    for (factor_rows_begin(&r, c, tensor, f); factor_rows_next(&r);) {
        if (!r.weight)
            continue;
        if (first || outer_moved(&outer_out, r.out) || outer_moved(&outer_src, r.src)) {
            sum = qm31_add(sum, qm31_mul(shared, run));
            shared = qm31_mul(outer_product(&outer_out, r.out), outer_product(&outer_src, r.src));
            run = qm31_zero();
            first = false;
        }
        const qm31 entry = qm31_mul(last_eq(out, r.out, f->n_out), last_eq(src, r.src, f->n_src));
        run = qm31_add(run, r.weight == 1 ? entry : qm31_mul_m31(entry, r.weight));
    }
    return qm31_add(sum, qm31_mul(shared, run));
}

qm31 placement_factor_at(const mica_circuit *c, uint32_t tensor, const mica_factor *f, qm31 *const *out,
                         qm31 *const *src) {
    const mica_tensor *x = &c->tensor[tensor];
    const mica_tensor *source = &c->tensor[c->placement[x->def].src];
    if (f->n_out && f->n_src == 1 && f->norm == 0 && f->n_indices == 0)
        return line_factor_at(x, source->dim[f->src_axis[0]], f, out, src[0]);
    return row_factor_at(c, tensor, f, out, src);
}
