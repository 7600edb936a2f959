/* Sums of activations and constants at one scale, in a form. */
#include <stdlib.h>

#include "lowering/lowering_join.h"
#include "lowering/lowering_move.h"
#include "lowering/lowering_operand.h"
#include "lowering/range.h"

#define COMPARED_MARGIN 2
#define MAX_MULTIPLIER  1024
#define LEVEL_RATIO     1024.0 /* steps this much finer than another operand's are lost in its rounding */

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

/* Small integers m[0] : m[1] close to scale[0] : scale[1]: the coarser scale counts the finer one. The error
 * is below 1 / MAX_MULTIPLIER of the finer operand's largest value or the multipliers grow. Returns the scale
 * of the sum; 0 if the scales are too far apart. */
static double align_scales(const double *scale, int64_t *m) {
    const unsigned coarse = scale[0] >= scale[1] ? 0 : 1;
    double best = -1;
    int64_t best_fine = 1, best_coarse = 1;
    for (int64_t fine = 1; fine <= 16; fine++) { /* sum's scale = scale[fine] / fine */
        const double ratio = scale[coarse] / scale[!coarse] * (double)fine;
        if (ratio > (double)(INT64_C(1) << 24))
            break;
        const double error = (ratio - (double)round_away(ratio)) / ratio;
        const double magnitude = error < 0 ? -error : error;
        if (best < 0 || magnitude < best) {
            best = magnitude;
            best_fine = fine;
            best_coarse = round_away(ratio);
        }
        if (best * MAX_MULTIPLIER <= 1)
            break;
    }
    m[coarse] = best_coarse;
    m[!coarse] = best_fine;
    return best < 0 ? 0 : scale[!coarse] / (double)best_fine;
}

typedef struct linear_sum {
    domain d;
    form f;
    double scale; /* 0 while nothing has been added */
    uint32_t widest;
    int64_t limit; /* of the sum's magnitude */
} linear_sum;

static bool is_zero(const lowering *l, const form *f) {
    const bound r = form_range(f, lowering_tensors(l));
    return r.lo == 0 && r.hi == 0;
}

/* The scale of s + o, 0 if there is none, and the multipliers of the two. What can be nothing but 0 (a state
 * before the first step) is 0 at any scale, and leaves the other's resolution alone. */
static double joint_scale(const lowering *l, const linear_sum *s, const operand *o, int64_t *m) {
    m[0] = m[1] = 1;
    if (s->scale == 0 || is_zero(l, &s->f))
        return o->q.scale;
    if (is_zero(l, &o->f))
        return s->scale;
    const double scales[2] = {s->scale, o->q.scale};
    return align_scales(scales, m);
}

/* *ok is false if the sum would be too wide. */
static bool add_operand(lowering *l, linear_sum *s, const operand *o, int sign, bool *ok) {
    uint8_t map[MICA_MAX_RANK];
    form sum;
    int64_t m[2];
    const double scale = joint_scale(l, s, o, m);
    form_create(&sum, s->d.batched, s->d.rank, s->d.dim);
    *ok = domain_join(&s->d, &o->q.axes, o->f.dim, o->f.rank, map) &&
          form_add_form(&sum, lowering_tensors(l), &s->f, m[0], same_axes) &&
          form_add_form(&sum, lowering_tensors(l), &o->f, sign * m[1], map);
    if (s->widest == NO_INDEX || l->bits[o->q.origin] > l->bits[s->widest])
        s->widest = o->q.origin;
    const bound r = form_range(&sum, lowering_tensors(l));
    *ok = *ok && scale > 0 && r.lo > -s->limit && r.hi < s->limit;
    s->f = sum;
    s->scale = scale;
    return *ok;
}

/* Of the operands' scales, the coarsest. */
static bool coarsest_scale(lowering *l, uint32_t count, const addend *a, operand_mode mode, double *scale,
                           mica_status *st) {
    operand o;
    *scale = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lowering_is_constant(l, a[i].value))
            continue;
        if (!operand_get(l, a[i].value, mode, &o, st))
            return false;
        if (o.q.scale > *scale && !is_zero(l, &o.f))
            *scale = o.q.scale;
    }
    return true;
}

/* One attempt; *ok says whether it fits the field. */
static bool try_activations(lowering *l, uint32_t count, const addend *a, operand_mode mode, linear_sum *s,
                            bool *ok, mica_status *st) {
    operand o;
    double finest = 0;
    if (mode.level && !coarsest_scale(l, count, a, mode, &finest, st))
        return false;
    finest /= LEVEL_RATIO;
    *ok = true;
    s->scale = 0;
    s->widest = NO_INDEX;
    form_create(&s->f, s->d.batched, s->d.rank, s->d.dim);
    for (uint32_t i = 0; i < count && *ok; i++) {
        if (lowering_is_constant(l, a[i].value))
            continue;
        if (!operand_get(l, a[i].value, mode, &o, st))
            return false;
        if (o.q.scale < finest && !is_zero(l, &o.f)) {
            if (!lowering_at_scale(l, &o.q, a[i].value, finest, st))
                return false;
            o.f = lowering_tensor_form(l, o.q.tensor);
        }
        (void)add_operand(l, s, &o, a[i].sign, ok);
    }
    return true;
}

/* Elements that, times `sign`, are further from 0 than the sum r of all others come to just beyond it: the
 * sum keeps its sign, and so it does where a comparison adds 1 or -1. */
static void clamp_compared(double *x, uint64_t n, int sign, bound r, double scale) {
    const double most = (double)(-r.lo + COMPARED_MARGIN) * scale,
                 least = (double)(-r.hi - COMPARED_MARGIN) * scale;
    for (uint64_t i = 0; i < n; i++) {
        const double y = sign * x[i];
        x[i] = sign * (y > most ? most : y < least ? least : y);
    }
}

static bool add_constants(lowering *l, uint32_t count, const addend *a, linear_sum *s, mica_status *st) {
    for (uint32_t i = 0; i < count; i++) {
        const graph_value *c = &l->g->value[a[i].value];
        if (!graph_is_const(c))
            continue;
        double *x = lowering_constant(l, a[i].value, st);
        if (x && a[i].compared)
            clamp_compared(x, graph_elements(c), a[i].sign, form_range(&s->f, lowering_tensors(l)), s->scale);
        const bool ok =
            x && lowering_add_constant(l, &s->f, &s->d.axes, c->rank, c->dim, x, a[i].sign / s->scale, st);
        free(x);
        if (!ok)
            return false;
    }
    return true;
}

/* The largest rounding error of the constants in units of the sum. */
static bool worst_rounding(lowering *l, uint32_t count, const addend *a, double scale, double *worst,
                           mica_status *st) {
    *worst = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!lowering_is_constant(l, a[i].value))
            continue;
        double *x = lowering_constant(l, a[i].value, st);
        if (!x)
            return false;
        for (uint64_t j = 0; j < graph_elements(&l->g->value[a[i].value]); j++) {
            const double units = x[j] / scale;
            const double off = units > -0x1p52 && units < 0x1p52 ? units - (double)round_away(units) : 0;
            *worst = off > *worst ? off : -off > *worst ? -off : *worst;
        }
        free(x);
    }
    return true;
}

/* Where activations are few large steps (integers that arrive as reals), a constant between two of them would
 * be rounded to one: the sum counts finer steps, until the constants are as exact as other values. */
static bool refine_for_constants(lowering *l, const graph_node *n, uint32_t count, const addend *a,
                                 linear_sum *s, mica_status *st) {
    double largest = calibration_magnitude(l->cal, n->out[0]), worst;
    for (uint32_t i = 0; i < count; i++)
        if (!lowering_is_constant(l, a[i].value) && calibration_magnitude(l->cal, a[i].value) > largest)
            largest = calibration_magnitude(l->cal, a[i].value);
    const double tolerated = largest / (double)(INT64_C(1) << l->bits[n->out[0]]);
    for (;;) {
        form finer;
        if (!worst_rounding(l, count, a, s->scale, &worst, st))
            return false;
        form_create(&finer, s->f.batched, s->f.rank, s->f.dim);
        if (worst * s->scale <= tolerated || !form_add_form(&finer, lowering_tensors(l), &s->f, 2, same_axes))
            return true;
        const bound r = form_range(&finer, lowering_tensors(l));
        if (r.lo <= -RANGE_ACC_LIMIT || r.hi >= RANGE_ACC_LIMIT)
            return true;
        s->f = finer;
        s->scale /= 2;
    }
}

/* A sum of one activation and constants continues the layer that the activation is pending in. */
static bool start_layer(lowering *l, const graph_node *n, uint32_t count, const addend *a, mica_status *st) {
    uint32_t only = NO_INDEX, activations = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!lowering_is_constant(l, a[i].value)) {
            only = a[i].value;
            activations++;
        }
    if (activations != 1 || l->value[only].tensor != NO_INDEX || !l->value[only].ready)
        return lowering_layer(l, n, st);
    l->b.layer = l->value[only].layer;
    builder_fuse_op(&l->b, l->b.layer, n->op);
    return true;
}

static bool sum_values(lowering *l, const graph_node *n, uint32_t count, const addend *a, const uint32_t *v,
                       linear_sum *s, mica_status *st) {
    operand_mode mode = {.settled = lowering_is_join(l, n)};
    s->limit = mode.settled ? l->acc_limit : RANGE_ACC_LIMIT;
    for (int round = 0; round < 4; round++) {
        bool fits, ok;
        if (!operand_join(l, n, count, v, mode, &s->d, &fits, st))
            return false;
        if (fits) {
            if (!try_activations(l, count, a, mode, s, &ok, st))
                return false;
            if (ok)
                return refine_for_constants(l, n, count, a, s, st) && add_constants(l, count, a, s, st);
        }
        if (!fits && mode.plain)
            return lowering_too_many_axes(l, n, st);
        mode.level |= fits && mode.narrow;
        mode.narrow |= fits;
        mode.plain |= !fits;
    }
    l->narrow = s->widest;
    return lowering_fail(l, n, st, MICA_ERR_RANGE, "the sum of its operands can leave the field");
}

bool lowering_linear(lowering *l, const graph_node *n, uint32_t count, const addend *a, form *f, layout *axes,
                     double *scale, mica_status *st) {
    linear_sum s;
    uint32_t *v = malloc((count + 1u) * sizeof *v);
    if (!v)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t i = 0; i < count; i++)
        v[i] = a[i].value;
    const bool ok = start_layer(l, n, count, a, st) && sum_values(l, n, count, a, v, &s, st);
    free(v);
    if (ok) {
        *f = s.f;
        *axes = s.d.axes;
        *scale = s.scale;
    }
    return ok;
}
