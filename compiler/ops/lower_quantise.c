/* QuantizeLinear: the table of the requantisation that follows the linear operator. Its keys are fine enough,
 * as far as calibration and field leave room, that the result is within one unit of the rounded real quotient
 * and differs from it only near ties. Several scales: the values times 2^k / scale, rounded to integers, are
 * what that table rounds; zero points are added behind it, and where they differ a second table saturates.
 * DequantizeLinear with one scale: the integers themselves, at the file's scale; with several it is expanded
 * (expand_quantise.c). */
#include <stdlib.h>

#include "lowering/lowering.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/lower_times.h"
#include "ops/ops.h"
#include "ops/quantise.h"

#define KEYS_PER_UNIT 64 /* the coarsest that a table's keys may be */
#define NARROW_BITS   16 /* integers of at most so many bits are operands as they are */
#define FACTOR_MOST   32767.0
#define MOST_HALVINGS 200 /* of factors that begin between 2^-60 and 2^90 */

static bool check_scales(const lowering *l, const graph_node *n, const quantise_points *p, mica_status *st) {
    for (size_t i = 0; i < p->n; i++)
        if (!(p->scale[i] > 0x1p-60 && p->scale[i] < 0x1p60))
            return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED,
                                 "scale %g; supported are positive ones from 2^-60 to 2^60", p->scale[i]);
    return true;
}

static bool add_number(lowering *l, const graph_node *n, form *f, double x, mica_status *st) {
    return x == 0 || form_add_constant(f, (int64_t)x) ||
           lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

/* --- the quotient, a form whose real values are in units of `unit` --- */

typedef struct quotient {
    form f;
    layout axes;
    double scale, unit;
    uint32_t origin;
} quotient;

/* One scale: the values themselves, pending or not. */
static bool divide_by_one(lowering *l, const graph_node *n, double unit, quotient *q, mica_status *st) {
    qvalue x;
    if (!lowering_form(l, n->in[0], &q->f, &x, st))
        return false;
    q->axes = x.axes;
    q->scale = x.scale;
    q->unit = unit;
    q->origin = x.origin;
    if (x.tensor != NO_INDEX)
        return lowering_layer(l, n, st);
    l->b.layer = x.layer;
    builder_fuse_op(&l->b, x.layer, n->op);
    return true;
}

/* factor[i] := round(2^k / scale[i]) with the largest k that keeps factors and products in bounds; returns
 * 2^k. Powers of two, so that halves of quotients by round numbers stay halves. */
static double choose_factors(const quantise_points *p, bound x, double *factor) {
    const double most = (double)(x.hi > -x.lo ? x.hi : -x.lo) + 1;
    const double limit = (double)(RANGE_ACC_LIMIT - 1) / most < FACTOR_MOST
                             ? (double)(RANGE_ACC_LIMIT - 1) / most
                             : FACTOR_MOST;
    double least = p->scale[0], power = 0x1p90;
    for (size_t i = 1; i < p->n; i++)
        least = p->scale[i] < least ? p->scale[i] : least;
    for (int i = 0; i < MOST_HALVINGS && power / least + 1 > limit; i++)
        power /= 2;
    for (size_t i = 0; i < p->n; i++)
        factor[i] = (double)round_away(power / p->scale[i]); /* <= FACTOR_MOST */
    return power;
}

static bool divide_by_each(lowering *l, const graph_node *n, const quantise_points *p, quotient *q,
                           mica_status *st) {
    graph_value shape = {.rank = p->rank};
    weighted w;
    qvalue x;
    for (uint32_t i = 0; i < p->rank; i++)
        shape.dim[i] = p->dim[i];
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st) ||
        !lower_elements_product(l, n, &x, &shape, &w, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    double *factor = malloc((p->n + 1) * sizeof *factor);
    if (!factor)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    const double power = choose_factors(p, (bound){t->lo, t->hi}, factor);
    w.w = factor;
    w.exact = true;
    const bool ok = lowering_weighted(l, n, &w, &x, &q->f, &q->scale, st);
    free(factor);
    q->axes = w.axes;
    q->scale /= power;
    q->unit = 1;
    q->origin = x.origin;
    return ok;
}

/* --- rounding, zero points, saturation --- */

static bool saturate(lowering *l, const graph_node *n, const form *f, double lo, double hi, uint32_t *y,
                     mica_status *st) {
    double scale;
    const activation clamp = {.kind = MICA_TABLE_ROUND,
                              .lo = lo,
                              .hi = hi,
                              .in_factor = 1,
                              .out_factor = 1,
                              .out_scale = 1,
                              .wanted = 1,
                              .tolerable = 1,
                              .exact = true};
    return requantise(l, f, 1, &clamp, n->out[0], y, &scale, st);
}

static bool round_quotient(lowering *l, const graph_node *n, const quotient *q, double lo, double hi,
                           uint32_t *y, mica_status *st) {
    const double coarsest = q->unit / KEYS_PER_UNIT;
    double scale;
    if (l->g->value[n->in[0]].dtype == DTYPE_INT && q->scale == 1 && q->unit == 1)
        return saturate(l, n, &q->f, lo, hi, y, st); /* nothing to round */
    const activation act = {.kind = MICA_TABLE_ROUND,
                            .lo = lo,
                            .hi = hi,
                            .in_factor = 1 / q->unit,
                            .out_factor = 1,
                            .out_scale = 1,
                            .wanted = q->scale,
                            .tolerable = q->scale > coarsest ? q->scale : coarsest};
    if (!requantise(l, &q->f, q->scale, &act, n->out[0], y, &scale, st)) {
        if (st->code == MICA_ERR_RANGE)
            l->narrow = q->origin;
        return false;
    }
    return true;
}

/* The rounded quotient with zero points, saturated at lo and hi: where they are all equal, the table of the
 * quotient saturates already. */
static bool round_and_shift(lowering *l, const graph_node *n, const quotient *q, const quantise_points *p,
                            double lo, double hi, uint32_t *y, mica_status *st) {
    double least = p->zero[0], most = p->zero[0];
    form sum;
    for (size_t i = 1; i < p->n; i++) {
        least = p->zero[i] < least ? p->zero[i] : least;
        most = p->zero[i] > most ? p->zero[i] : most;
    }
    /* lo <= every zero point <= hi: the table's values surround 0. */
    if (!round_quotient(l, n, q, lo - most, hi - least, y, st))
        return false;
    if (least == 0 && most == 0)
        return true;
    form_create(&sum, q->f.batched, q->f.rank, q->f.dim);
    if (!form_add_tensor(&sum, lowering_tensors(l), *y, 1))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    if (least < most) {
        uint32_t rank = p->rank;
        const int64_t *dim = p->dim;
        if (rank > q->axes.rank) { /* the batch axis, along which zero points do not vary */
            rank--;
            dim++;
        }
        return lowering_add_constant(l, &sum, &q->axes, rank, dim, p->zero, 1, st) &&
               saturate(l, n, &sum, lo, hi, y, st);
    }
    if (!add_number(l, n, &sum, least, st))
        return false;
    *y = builder_sum(&l->b, &sum);
    return *y != NO_INDEX;
}

bool lower_quantizelinear(struct lowering *l, const graph_node *n, mica_status *st) {
    quantise_points p;
    quotient q;
    double lo = 0, hi = 0;
    uint32_t y = NO_INDEX;
    if (!quantise_result_range(l->g, n, &lo, &hi) || !quantise_points_create(&p, l->g, n, st))
        return false;
    const bool ok = check_scales(l, n, &p, st) &&
                    (p.n == 1 ? divide_by_one(l, n, p.scale[0], &q, st) : divide_by_each(l, n, &p, &q, st)) &&
                    round_and_shift(l, n, &q, &p, lo, hi, &y, st) &&
                    lowering_set_tensor(l, n, y, &q.axes, 1, n->out[0]);
    quantise_points_free(&p);
    return ok;
}

bool lower_dequantizelinear(struct lowering *l, const graph_node *n, mica_status *st) {
    quantise_points p;
    form f;
    qvalue x;
    if (!quantise_points_create(&p, l->g, n, st))
        return false;
    const double scale = p.scale[0], zero = p.zero[0];
    const bool ok = check_scales(l, n, &p, st);
    quantise_points_free(&p);
    if (!ok || !lowering_layer(l, n, st) || !lowering_form(l, n->in[0], &f, &x, st) ||
        !add_number(l, n, &f, -zero, st))
        return false;
    const bound r = form_range(&f, lowering_tensors(l));
    if (r.lo >= -(INT64_C(1) << NARROW_BITS) && r.hi <= INT64_C(1) << NARROW_BITS)
        return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &x.axes, x.scale * scale, n->out[0]);
    return lowering_set_sum(l, n, &f, &x.axes, x.scale * scale, st);
}
