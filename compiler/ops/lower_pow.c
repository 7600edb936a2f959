/* Pow. A constant exponent is a table. Others:
 *
 * Integers to the power of integers in [0, 2^k), exactly: the product of (1 + b_i (x^(2^i) - 1)) over the
 * bits b_i of the exponent.
 *
 * Reals: exp(e log x), x >= 0. The table of log says nothing of x = 0, for which a step decides: the power is
 * 0, or 1 to the exponent 0.
 */
#include <math.h>
#include <stdlib.h>

#include "lowering/lowering_domain.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/ops.h"
#include "ops/unary.h"
#include "reference/float_math.h"

#define EXPONENT_BITS  4    /* of exact powers */
#define LOG_STEPS      4096 /* of the largest logarithm; times an exponent of 14 bits it stays below 2^27 */
#define CONSTANT_STEPS 13   /* log2 of the steps of the largest constant exponent */
#define EXP_FINEST                                                                                           \
    (1.0 / 4096) /* step of the exponential's argument: its result's relative error, doubled                 \
                  */
#define EXP_COARSEST (1.0 / 1024)

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static form constant_form(const form *like, int64_t c) {
    form f;
    form_create(&f, like->batched, like->rank, like->dim);
    (void)form_add_constant(&f, c); /* an empty form has room */
    return f;
}

static form empty_on(const domain *d) {
    form f;
    form_create(&f, d->batched, d->rank, d->dim);
    return f;
}

/* a b + c (c an own copy), in place of *a. */
static bool multiply_add(lowering *l, const graph_node *n, form *a, const form *b, const form *c,
                         mica_status *st) {
    uint32_t t;
    if (!lowering_product(l, n, a, b, &t, st))
        return false;
    const form product = lowering_tensor_form(l, t);
    form sum = product;
    /* The product of two single numbers has an axis of size 1, of which c knows nothing. */
    for (uint32_t i = 0; c && i < c->n_terms; i++)
        if (!form_add_term(&sum, lowering_tensors(l), c->term[i].tensor, c->term[i].coef, &c->term[i].view))
            return lowering_too_many_terms(l, n, st);
    for (uint32_t i = 0; c && i < c->n_boxes; i++)
        if (!form_add_constant(&sum, c->box[i].coef))
            return lowering_too_many_terms(l, n, st);
    *a = sum;
    return true;
}

/* --- exact powers of integers --- */

/* Bits of the exponent over the domain. */
typedef struct exponent {
    unsigned bits;
    form bit[EXPONENT_BITS];
} exponent;

static bool constant_bits(lowering *l, uint32_t v, const domain *d, exponent *e, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const uint64_t count = graph_elements(c);
    double *x = lowering_constant(l, v, st), *bit = malloc((count + 1) * sizeof *bit);
    bool ok = x && (bit || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering"));
    for (unsigned i = 0; ok && i < e->bits; i++) {
        for (uint64_t j = 0; j < count; j++)
            bit[j] = (double)((int64_t)x[j] >> i & 1);
        e->bit[i] = empty_on(d);
        ok = lowering_add_constant(l, &e->bit[i], &d->axes, c->rank, c->dim, bit, 1, st);
    }
    free(x);
    free(bit);
    return ok;
}

/* From the highest: [rest >= 2^i], then without it. */
static bool run_time_bits(lowering *l, const graph_node *n, const domain *d, exponent *e, mica_status *st) {
    form rest;
    if (!lowering_on_domain(l, n, d, n->in[1], &rest, st))
        return false;
    for (unsigned i = e->bits; i-- > 0;) {
        form above = rest;
        uint32_t t;
        if (!form_add_constant(&above, 1 - (INT64_C(1) << i)))
            return lowering_too_many_terms(l, n, st);
        if (!step_function(l, &above, &t, st))
            return false;
        e->bit[i] = lowering_tensor_form(l, t);
        if (!form_add_tensor(&rest, lowering_tensors(l), t, -(INT64_C(1) << i)))
            return lowering_too_many_terms(l, n, st);
    }
    return true;
}

static bool lower_exact(lowering *l, const graph_node *n, const domain *d, unsigned bits, mica_status *st) {
    exponent e = {.bits = bits};
    form x, result = {0};
    if (lowering_is_constant(l, n->in[0]) ? !lowering_constant_form(l, n->in[0], d, 1, 28, &x, st)
                                          : !lowering_on_domain(l, n, d, n->in[0], &x, st))
        return false;
    if (!(lowering_is_constant(l, n->in[1]) ? constant_bits(l, n->in[1], d, &e, st)
                                            : run_time_bits(l, n, d, &e, st)))
        return false;
    for (unsigned i = 0; i < bits; i++) {
        const form one = constant_form(&x, 1), square = x;
        form factor = x; /* 1 + b (x - 1) */
        if (!form_add_constant(&factor, -1))
            return lowering_too_many_terms(l, n, st);
        if (!multiply_add(l, n, &factor, &e.bit[i], &one, st))
            return false;
        if (i == 0)
            result = factor;
        else if (!multiply_add(l, n, &result, &factor, NULL, st))
            return false;
        if (i + 1 < bits && !multiply_add(l, n, &x, &square, NULL, st))
            return false;
    }
    return lowering_set_tensor(l, n, lowering_form_tensor(l, &result), &d->axes, 1, n->out[0]);
}

/* The largest magnitude of operand i if it is an integer in units of 1 everywhere; negative if it is not. */
static double integer_magnitude(lowering *l, const graph_node *n, uint32_t i, bool natural, mica_status *st) {
    const graph_value *c = &l->g->value[n->in[i]];
    double most = 0;
    qvalue q;
    if (!graph_is_const(c)) {
        if (!l->cal->integral[n->in[i]] || !lowering_operand(l, n->in[i], &q, st) || q.scale != 1)
            return -1;
        const mica_tensor *t = &lowering_tensors(l)[q.tensor];
        most = (double)(t->hi > -t->lo ? t->hi : -t->lo);
        return natural && t->lo < 0 ? -1 : most;
    }
    for (uint64_t j = 0; j < graph_elements(c); j++) {
        const double x = c->real ? c->real[j] : (double)c->integer[j];
        if (x != fm_floor(x) || (natural && x < 0))
            return -1;
        most = fabs(x) > most ? fabs(x) : most;
    }
    return most;
}

/* Bits of an exponent for which the power is exact; 0 if it is not. */
static unsigned exact_bits(lowering *l, const graph_node *n, mica_status *st) {
    const double base = integer_magnitude(l, n, 0, false, st), power = integer_magnitude(l, n, 1, true, st);
    unsigned bits = 1;
    if (base < 0 || power < 0)
        return 0;
    while ((double)(UINT32_C(1) << bits) <= power && bits <= EXPONENT_BITS)
        bits++;
    const double most = (double)((UINT32_C(1) << bits) - 1);
    return bits <= EXPONENT_BITS && most * fm_log(base > 1 ? base : 1) < fm_log((double)RANGE_ACC_LIMIT)
               ? bits
               : 0;
}

/* --- reals --- */

/* log x over the domain, with its scale; keep, unless the base is never 0: [x > 0]. */
static bool base_logarithm(lowering *l, const graph_node *n, const domain *d, form *f, double *scale,
                           form *keep, bool *may_vanish, mica_status *st) {
    const uint32_t v = n->in[0];
    const double least = l->cal->least[v], most = 2 * calibration_magnitude(l->cal, v);
    qvalue q;
    form x;
    uint32_t t;
    if (l->cal->lo[v] < 0)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED,
                             "a negative base with exponents that are not one constant or small integers");
    if (!lowering_operand(l, v, &q, st) || !lowering_on_domain(l, n, d, v, &x, st))
        return false;
    const double lo = fm_log(least > 0 ? least / 2 : 0.5), hi = fm_log(most > 0 ? most : 2);
    activation log = {
        .kind = MICA_TABLE_LOG, .lo = lo, .hi = hi > lo ? hi : lo, .in_factor = 1, .out_factor = 1};
    log.out_scale = (fabs(lo) > fabs(hi) ? fabs(lo) : fabs(hi)) / LOG_STEPS;
    log.wanted = log.tolerable = q.scale;
    *may_vanish = bound_of(&lowering_tensors(l)[q.tensor]).lo <= 0;
    if (*may_vanish) {
        if (!step_function(l, &x, &t, st))
            return false;
        *keep = lowering_tensor_form(l, t);
    }
    if (!requantise(l, &x, q.scale, &log, v, &t, scale, st)) {
        l->narrow = v;
        return false;
    }
    *f = lowering_tensor_form(l, t);
    return true;
}

static bool constant_logarithm(lowering *l, const graph_node *n, const domain *d, form *f, double *scale,
                               mica_status *st) {
    const graph_value *c = &l->g->value[n->in[0]];
    double *x = lowering_constant(l, n->in[0], st), most = 0;
    bool ok = x != NULL;
    for (uint64_t i = 0; ok && i < graph_elements(c); i++) {
        if (!(x[i] > 0))
            ok = lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "a constant base that is not positive");
        x[i] = fm_log(x[i]);
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    }
    *scale = (most > 0 ? most : 1) / LOG_STEPS;
    *f = empty_on(d);
    ok = ok && lowering_add_constant(l, f, &d->axes, c->rank, c->dim, x, 1 / *scale, st);
    free(x);
    return ok;
}

static bool exponent_form(lowering *l, const graph_node *n, const domain *d, form *f, double *scale,
                          mica_status *st) {
    qvalue q;
    if (!lowering_is_constant(l, n->in[1])) {
        if (!lowering_operand(l, n->in[1], &q, st))
            return false;
        *scale = q.scale;
        return lowering_on_domain(l, n, d, n->in[1], f, st);
    }
    const graph_value *c = &l->g->value[n->in[1]];
    double most = 0;
    for (uint64_t i = 0; i < graph_elements(c); i++) {
        const double x = c->real ? c->real[i] : (double)c->integer[i];
        most = fabs(x) > most ? fabs(x) : most;
    }
    *scale = (most > 0 ? most : 1) / (double)(1 << CONSTANT_STEPS);
    return lowering_constant_form(l, n->in[1], d, *scale, CONSTANT_STEPS, f, st);
}

/* [e = 0] = 1 - [e >= 1] - [-e >= 1] */
static bool is_zero(lowering *l, const graph_node *n, const form *e, form *zero, mica_status *st) {
    form minus;
    uint32_t above, below;
    form_create(&minus, e->batched, e->rank, e->dim);
    if (!form_add_form(&minus, lowering_tensors(l), e, -1, same_axes))
        return lowering_too_many_terms(l, n, st);
    if (!step_function(l, e, &above, st) || !step_function(l, &minus, &below, st))
        return false;
    *zero = constant_form(e, 1);
    return (form_add_tensor(zero, lowering_tensors(l), above, -1) &&
            form_add_tensor(zero, lowering_tensors(l), below, -1)) ||
           lowering_too_many_terms(l, n, st);
}

/* y := keep y + (1 - keep) [e = 0] `one` = zero + keep (y - zero), zero being what the base 0 gives */
static bool settle_zero_base(lowering *l, const graph_node *n, form *y, const form *keep, const form *e,
                             double one, mica_status *st) {
    const bound r = form_range(e, lowering_tensors(l));
    form zero = constant_form(y, 0), is, difference;
    if (r.lo <= 0 && r.hi >= 0) {
        if (!is_zero(l, n, e, &is, st))
            return false;
        form_create(&zero, y->batched, y->rank, y->dim);
        if (!form_add_form(&zero, lowering_tensors(l), &is, round_away(one), same_axes))
            return lowering_too_many_terms(l, n, st);
    } else {
        form_create(&zero, y->batched, y->rank, y->dim);
    }
    difference = *y;
    if (!form_add_form(&difference, lowering_tensors(l), &zero, -1, same_axes))
        return lowering_too_many_terms(l, n, st);
    if (!multiply_add(l, n, &difference, keep, &zero, st))
        return false;
    *y = difference;
    return true;
}

static bool lower_real(lowering *l, const graph_node *n, const domain *d, mica_status *st) {
    form log, e, y, keep;
    double log_scale, e_scale, scale;
    bool may_vanish = false;
    uint32_t t;
    if (!(lowering_is_constant(l, n->in[0])
              ? constant_logarithm(l, n, d, &log, &log_scale, st)
              : base_logarithm(l, n, d, &log, &log_scale, &keep, &may_vanish, st)) ||
        !exponent_form(l, n, d, &e, &e_scale, st))
        return false;
    if (!lowering_product(l, n, &log, &e, &t, st)) {
        l->narrow = n->in[1];
        return false;
    }
    const form argument = lowering_tensor_form(l, t);
    const double magnitude = calibration_magnitude(l->cal, n->out[0]);
    activation exp = {.kind = MICA_TABLE_EXP, .lo = 0, .hi = 2 * magnitude, .in_factor = 1, .out_factor = 1};
    exp.out_scale = (magnitude > 0 ? magnitude : 1) / (double)(UINT64_C(1) << result_bits(l, n->out[0]));
    exp.wanted = EXP_FINEST;
    exp.tolerable = EXP_COARSEST;
    if (!requantise(l, &argument, log_scale * e_scale, &exp, n->out[0], &t, &scale, st)) {
        l->narrow = n->in[1];
        return false;
    }
    y = lowering_tensor_form(l, t);
    if (may_vanish && !settle_zero_base(l, n, &y, &keep, &e, 1 / scale, st))
        return false;
    return lowering_set_tensor(l, n, lowering_form_tensor(l, &y), &d->axes, scale, n->out[0]);
}

bool lower_pow(struct lowering *l, const graph_node *n, mica_status *st) {
    unary u;
    domain d;
    if (unary_of(&u, l->g, n))
        return unary_lower(l, n, st);
    if (!lowering_layer(l, n, st) || !lowering_joint_domain(l, n, &d, st))
        return false;
    const unsigned bits = exact_bits(l, n, st);
    if (st->code != MICA_OK)
        return false;
    if (bits)
        return lower_exact(l, n, &d, bits, st);
    if (l->g->value[n->out[0]].dtype == DTYPE_INT)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED,
                             "powers of integers need exponents in 0 .. %d and results below 2^28",
                             (1 << EXPONENT_BITS) - 1);
    return lower_real(l, n, &d, st);
}
