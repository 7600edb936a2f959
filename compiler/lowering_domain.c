#include "lowering_domain.h"

#include <stdlib.h>
#include <string.h>

#include "lowering_move.h"
#include "range.h"
#include "requantise.h"

#define MAX_MULTIPLIER 1024
#define MASK_RATIO     64   /* a constant that much larger than the activations is a mask */
#define MASK_MARGIN    16.0 /* it stays this far beyond twice the activations: exp(-16) of a row's largest */
#define MASK_BITS      14   /* steps between 0 and the mask, log2 */

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

/* --- domains --- */

void domain_create(domain *d, unsigned onnx_rank) {
    memset(d, 0, sizeof *d);
    d->axes.rank = (uint8_t)onnx_rank;
}

/* ONNX axis i of the domain in an operand of other rank: aligned at the last one; empty where it broadcasts.
 */
static axis_list aligned_list(const layout *axes, unsigned rank, unsigned i) {
    const int at = (int)axes->rank - (int)(rank - i);
    return at >= 0 ? axes->of[at] : (axis_list){0};
}

bool domain_join(domain *d, const layout *axes, const uint32_t *dim, unsigned rank, uint8_t *map) {
    bool fresh[MICA_MAX_RANK] = {false};
    unsigned added = 0;
    memset(map, NO_AXIS, MICA_MAX_RANK);
    for (unsigned i = 0; i < d->axes.rank; i++) {
        const axis_list x = d->axes.of[i], y = aligned_list(axes, d->axes.rank, i);
        if (x.n && y.n && !axis_list_same_split(&x, d->dim, &y, dim))
            return false;
        for (unsigned j = 0; j < y.n; j++) {
            if (x.n)
                map[y.axis[j]] = x.axis[j];
            else
                fresh[y.axis[j]] = true;
        }
        added += x.n ? 0 : y.n;
    }
    if (d->rank + added > MICA_MAX_RANK)
        return false;
    for (unsigned i = 0; i < rank; i++)
        if (fresh[i]) {
            map[i] = (uint8_t)d->rank;
            d->dim[d->rank++] = dim[i];
        }
    for (unsigned i = 0; i < d->axes.rank; i++) {
        const axis_list y = aligned_list(axes, d->axes.rank, i);
        for (unsigned j = 0; d->axes.of[i].n < y.n && j < y.n; j++)
            axis_list_push(&d->axes.of[i], map[y.axis[j]]);
    }
    return true;
}

bool domain_join_constant(domain *d, const graph_value *c) {
    for (unsigned i = 0; i < c->rank; i++) {
        const int at = (int)d->axes.rank - (int)(c->rank - i);
        if (c->dim[i] == 1 || at < 0 || d->axes.of[at].n)
            continue;
        if (d->rank == MICA_MAX_RANK)
            return false;
        axis_list_push(&d->axes.of[at], d->rank);
        d->dim[d->rank++] = (uint32_t)c->dim[i];
    }
    return true;
}

double *lowering_constant(const lowering *l, uint32_t v, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const uint64_t n = graph_elements(c);
    double *x = malloc((n + 1) * sizeof *x);
    if (!x) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++)
        x[i] = c->real ? c->real[i] : (double)c->integer[i];
    return x;
}

unsigned lowering_result_rank(const lowering *l, const graph_node *n) {
    int64_t dim[GRAPH_MAX_RANK];
    return layout_dims(&l->g->value[n->out[0]], dim);
}

form lowering_tensor_form(const lowering *l, uint32_t t) {
    const mica_tensor *x = &lowering_tensors(l)[t];
    form f;
    form_create(&f, x->batched, x->rank, x->dim);
    (void)form_add_tensor(&f, lowering_tensors(l), t, 1); /* an empty form has room */
    return f;
}

static bool too_many_axes(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
}

static bool too_many_terms(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

/* --- operands --- */

typedef struct operand {
    form f;
    qvalue q;
} operand;

/* narrow: requantised if pending; plain: one tensor axis per ONNX axis; level (sums only): requantised where
 * its steps are far finer than those of another operand. */
typedef struct operand_mode {
    bool narrow, plain, level;
} operand_mode;

static bool get_operand(lowering *l, uint32_t v, operand_mode mode, operand *o, mica_status *st) {
    if (!mode.narrow && !mode.plain)
        return lowering_form(l, v, &o->f, &o->q, st);
    if (!(mode.plain ? lowering_plain_operand : lowering_operand)(l, v, &o->q, st))
        return false;
    o->f = lowering_tensor_form(l, o->q.tensor);
    return true;
}

/* The joint domain of operands; *fits is false if they split an axis differently. */
static bool join_all(lowering *l, const graph_node *n, uint32_t count, const uint32_t *v, operand_mode mode,
                     domain *d, bool *fits, mica_status *st) {
    uint8_t map[MICA_MAX_RANK];
    operand o;
    domain_create(d, lowering_result_rank(l, n));
    *fits = true;
    for (uint32_t i = 0; i < count && *fits; i++) {
        if (lowering_is_constant(l, v[i]))
            continue;
        if (!get_operand(l, v[i], mode, &o, st))
            return false;
        d->batched |= o.f.batched;
        *fits = domain_join(d, &o.q.axes, o.f.dim, o.f.rank, map);
    }
    for (uint32_t i = 0; i < count && *fits; i++)
        if (lowering_is_constant(l, v[i]))
            *fits = domain_join_constant(d, &l->g->value[v[i]]);
    return true;
}

/* --- sums --- */

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
    *ok = *ok && scale > 0 && r.lo > -RANGE_ACC_LIMIT && r.hi < RANGE_ACC_LIMIT;
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
        if (!get_operand(l, a[i].value, mode, &o, st))
            return false;
        if (o.q.scale > *scale && !is_zero(l, &o.f))
            *scale = o.q.scale;
    }
    return true;
}

/* Steps this much finer than another operand's are lost in its rounding. */
#define LEVEL_RATIO 1024.0

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
        if (!get_operand(l, a[i].value, mode, &o, st))
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

static bool add_constants(lowering *l, uint32_t count, const addend *a, linear_sum *s, mica_status *st) {
    for (uint32_t i = 0; i < count; i++) {
        const graph_value *c = &l->g->value[a[i].value];
        if (!graph_is_const(c))
            continue;
        double *x = lowering_constant(l, a[i].value, st);
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
    operand_mode mode = {false, false, false};
    for (int round = 0; round < 4; round++) {
        bool fits, ok;
        if (!join_all(l, n, count, v, mode, &s->d, &fits, st))
            return false;
        if (fits) {
            if (!try_activations(l, count, a, mode, s, &ok, st))
                return false;
            if (ok)
                return refine_for_constants(l, n, count, a, s, st) && add_constants(l, count, a, s, st);
        }
        if (!fits && mode.plain)
            return too_many_axes(l, n, st);
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

/* --- operands at one scale --- */

/* Steps of the output between 0 and its saturation, log2: requantisation saturates at twice the calibrated
 * magnitude. */
static unsigned saturation_bits(const lowering *l, uint32_t out) {
    return l->bits[out] + 1u;
}

static double constant_magnitude(const graph_value *c) {
    double m = 0;
    for (uint64_t i = 0; i < graph_elements(c); i++) {
        const double x = c->real ? c->real[i] : (double)c->integer[i];
        m = x > m ? x : -x > m ? -x : m;
    }
    return m;
}

static bool is_output(const lowering *l, uint32_t v) {
    bool found = false;
    for (uint32_t i = 0; i < l->g->n_outputs; i++)
        found |= l->g->output[i] == v;
    return found;
}

/* The output's scale. Where constants dwarf the activations they are masks, and the activations' resolution
 * counts; their reader must not requantise them by the calibrated magnitude. *exact says that all activations
 * have the scale already and need no table. */
static double common_scale(const lowering *l, const graph_node *n, uint32_t first, const qvalue *q,
                           unsigned *bits, bool *exact) {
    const uint32_t out = n->out[0];
    double activations = 0, constants = 0, scale = 0;
    *exact = true;
    for (uint32_t i = first; i < n->n_in; i++) {
        const double m = lowering_is_constant(l, n->in[i]) ? constant_magnitude(&l->g->value[n->in[i]])
                                                           : calibration_magnitude(l->cal, n->in[i]);
        double *largest = lowering_is_constant(l, n->in[i]) ? &constants : &activations;
        *largest = m > *largest ? m : *largest;
        if (lowering_is_constant(l, n->in[i]))
            continue;
        *exact &= scale == 0 || q[i - first].scale == scale;
        scale = q[i - first].scale;
    }
    const double seen = calibration_magnitude(l->cal, out);
    const bool integers = l->g->value[out].dtype == DTYPE_INT;
    *bits = saturation_bits(l, out);
    if (integers) { /* never saturated: every operand is exact */
        *bits = 30;
        return 1;
    }
    if (!is_output(l, out) && activations > 0 && constants > MASK_RATIO * activations) {
        const double least = (2 * activations + MASK_MARGIN) / (double)(1 << MASK_BITS);
        *bits = MASK_BITS;
        return *exact && scale > least ? scale : least;
    }
    /* One scale that is fine enough for the result, and not much finer than needed. */
    const double wanted = (seen > 0          ? seen
                           : activations > 0 ? activations
                                             : 1) /
                          (double)(INT64_C(1) << l->bits[out]);
    *exact &= scale > 0 && scale <= 2 * wanted && scale * 4 >= wanted;
    *bits += *exact && scale < wanted ? 2 : 0;
    return *exact ? scale : wanted;
}

static bool rescale(lowering *l, const graph_node *n, qvalue *x, double scale, mica_status *st) {
    const uint32_t out = n->out[0];
    const form f = lowering_tensor_form(l, x->tensor);
    const double wish = l->want_scale[out];
    if (x->scale == scale)
        return true;
    l->want_scale[out] = scale;
    const bool ok = requantise(l, &f, x->scale, &activation_identity, out, &x->tensor, &x->scale, st);
    l->want_scale[out] = wish;
    return ok;
}

bool lowering_constant_form(lowering *l, uint32_t v, const domain *d, double scale, unsigned bits, form *f,
                            mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const double limit = (double)(INT64_C(1) << bits) * scale;
    double *x = lowering_constant(l, v, st);
    if (!x)
        return false;
    for (uint64_t i = 0; i < graph_elements(c); i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
    form_create(f, d->batched, d->rank, d->dim);
    const bool ok = lowering_add_constant(l, f, &d->axes, c->rank, c->dim, x, 1 / scale, st);
    free(x);
    return ok;
}

static bool map_operand(lowering *l, const graph_node *n, domain *d, const qvalue *q, form *f,
                        mica_status *st) {
    uint8_t map[MICA_MAX_RANK];
    const form own = lowering_tensor_form(l, q->tensor);
    form_create(f, d->batched, d->rank, d->dim);
    return (domain_join(d, &q->axes, own.dim, own.rank, map) &&
            form_add_form(f, lowering_tensors(l), &own, 1, map)) ||
           too_many_terms(l, n, st);
}

bool lowering_on_domain_at(lowering *l, const graph_node *n, const domain *d, uint32_t v, double scale,
                           form *f, mica_status *st) {
    domain copy = *d;
    qvalue q;
    uint8_t map[MICA_MAX_RANK];
    if (!lowering_operand(l, v, &q, st))
        return false;
    const mica_tensor *x = &lowering_tensors(l)[q.tensor];
    if (!domain_join(&copy, &q.axes, x->dim, x->rank, map) || copy.rank != d->rank) {
        copy = *d;
        if (!lowering_plain_operand(l, v, &q, st))
            return false;
    }
    return (scale == 0 || lowering_at_scale(l, &q, v, scale, st)) && map_operand(l, n, &copy, &q, f, st);
}

bool lowering_on_domain(lowering *l, const graph_node *n, const domain *d, uint32_t v, form *f,
                        mica_status *st) {
    return lowering_on_domain_at(l, n, d, v, 0, f, st);
}

bool lowering_pair(lowering *l, const graph_node *n, domain *d, form *x, form *y, double *scale,
                   uint32_t *widest, mica_status *st) {
    operand_mode mode = {true, false, false};
    qvalue q[2];
    bool fits;
    if (!join_all(l, n, 2, n->in, mode, d, &fits, st))
        return false;
    mode.plain = !fits;
    if (!fits && !join_all(l, n, 2, n->in, mode, d, &fits, st))
        return false;
    if (!fits)
        return too_many_axes(l, n, st);
    for (unsigned i = 0; i < 2; i++)
        if (!(mode.plain ? lowering_plain_operand : lowering_operand)(l, n->in[i], &q[i], st))
            return false;
    *widest = l->bits[q[0].origin] >= l->bits[q[1].origin] ? q[0].origin : q[1].origin;
    *scale = q[0].scale * q[1].scale;
    return map_operand(l, n, d, &q[0], x, st) && map_operand(l, n, d, &q[1], y, st);
}

bool lowering_joint_domain(lowering *l, const graph_node *n, domain *d, mica_status *st) {
    operand_mode mode = {true, false, false};
    bool fits;
    if (!join_all(l, n, n->n_in, n->in, mode, d, &fits, st))
        return false;
    mode.plain = true;
    return fits || (join_all(l, n, n->n_in, n->in, mode, d, &fits, st) && (fits || too_many_axes(l, n, st)));
}

static bool align_operands(lowering *l, const graph_node *n, uint32_t first, aligned *a, form *forms,
                           qvalue *q, mica_status *st) {
    operand_mode mode = {true, false, false};
    bool fits, exact;
    unsigned bits;
    /* All of the node's inputs, so that a condition shares the domain. */
    if (!join_all(l, n, n->n_in, n->in, mode, &a->d, &fits, st))
        return false;
    if (!fits) {
        mode.plain = true;
        if (!join_all(l, n, n->n_in, n->in, mode, &a->d, &fits, st))
            return false;
        if (!fits)
            return too_many_axes(l, n, st);
    }
    for (uint32_t i = first; i < n->n_in; i++)
        if (!lowering_is_constant(l, n->in[i]) &&
            !(mode.plain ? lowering_plain_operand : lowering_operand)(l, n->in[i], &q[i - first], st))
            return false;
    a->scale = common_scale(l, n, first, q, &bits, &exact);
    a->range = (bound){0, 0};
    for (uint32_t i = first; i < n->n_in; i++) {
        form *f = &forms[i - first];
        const bool ok = lowering_is_constant(l, n->in[i])
                            ? lowering_constant_form(l, n->in[i], &a->d, a->scale, bits, f, st)
                            : rescale(l, n, &q[i - first], a->scale, st) &&
                                  map_operand(l, n, &a->d, &q[i - first], f, st);
        if (!ok)
            return false;
        a->range = bound_hull(a->range, form_range(f, lowering_tensors(l)));
    }
    return true;
}

bool lowering_align(lowering *l, const graph_node *n, uint32_t first, aligned *a, form *forms,
                    mica_status *st) {
    qvalue *q = calloc(n->n_in + 1u, sizeof *q);
    if (!q)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    const bool ok = lowering_layer(l, n, st) && align_operands(l, n, first, a, forms, q, st);
    free(q);
    return ok;
}
