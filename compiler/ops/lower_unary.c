/* Elementwise functions of one variable: resolution of their input and output, then one table. Neg is linear,
 * PRelu with a slope per channel a maximum and a product.
 *
 * The error has two parts: half a unit of the output's scale, and the function's slope times half a step of
 * the table's key. Both are chosen from the calibrated ranges.
 */
#include "ops/unary.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering.h"
#include "lowering/maximum.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/ops.h"
#include "reference/float_math.h"

#define SLOPE_SAMPLES   4096
#define STEPS_OF_SPAN   1024 /* steps of the key over which the function crosses its range, at its steepest */
#define QUANTISED_STEPS 32   /* of the input of QuantizeLinear, to one unit of its result */
#define MAX_VALUE_BITS  15
#define STEPS_BITS_LOST 3       /* resolution of the key given up, at most, for a smaller table */
#define FINEST_BITS     14      /* of an accumulator's calibrated magnitude: what is finer has no meaning, */
#define TOLERABLE_BITS  13      /* and what is that fine is never too coarse */
#define INPUT_STEPS     4       /* an input's unit may be as coarse as this many wanted steps */
#define MASKED_STEP     0x1p-7  /* of a softmax's input whose range is that of masks */
#define FINEST_SCALE    0x1p-32 /* where a table's error is absolute (docs/formats.md, "Accuracy") */

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* --- what calibration says --- */

/* Calibrated range of the function's values; span > 0. */
static double calibrated_span(const lowering *l, uint32_t v) {
    const double span = l->cal->hi[v] - l->cal->lo[v], magnitude = calibration_magnitude(l->cal, v);
    return span > 0 ? span : magnitude > 0 ? magnitude : 1;
}

/* The largest slope between neighbours of SLOPE_SAMPLES points of the calibrated range, poles left out. A
 * range of one point says nothing of the function: then it is that of its surroundings. */
static double steepest(const lowering *l, const graph_node *n, const unary *u) {
    const bool point = l->cal->lo[n->in[0]] == l->cal->hi[n->in[0]];
    const double around = point ? calibration_magnitude(l->cal, n->in[0]) / 16 : 0;
    const double lo = l->cal->lo[n->in[0]] - around, hi = l->cal->hi[n->in[0]] + around;
    const double width = (hi - lo) / SLOPE_SAMPLES;
    double slope = 0, last = u->f(lo, u->p);
    for (int i = 1; i <= SLOPE_SAMPLES && width > 0; i++) {
        const double next = u->f(lo + width * i, u->p);
        const double rise = next > last ? next - last : last - next;
        if (rise / width > slope && rise - rise == 0)
            slope = rise / width;
        last = next;
    }
    return slope;
}

/* The key's step at which the function crosses its range in STEPS_OF_SPAN steps or more. */
static double wanted_step(const lowering *l, const graph_node *n, const unary *u) {
    const double slope = steepest(l, n, u);
    const double all = calibration_magnitude(l->cal, n->in[0]);
    const double coarsest = (all > 0 ? all : 1) / 16;
    const double wanted = calibrated_span(l, n->out[0]) / STEPS_OF_SPAN / (slope > 0 ? slope : 1e-300);
    return wanted < coarsest ? wanted : coarsest;
}

static bool jumps_at_integers(uint32_t kind) {
    return kind == OP_FLOOR || kind == OP_CEIL || kind == OP_ROUND;
}

static bool jumps(uint32_t kind) {
    return jumps_at_integers(kind) || kind == OP_THRESHOLDEDRELU || kind == OP_SHRINK;
}

bool unary_wants_round_scale(const graph *g, uint32_t v) {
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->node[i].removed && jumps(g->node[i].kind) && g->node[i].in[0] == v)
            return true;
    return false;
}

/* The value whose integers v's are, but for a constant added and the order; NO_INDEX if v has its own. */
static uint32_t same_integers(const graph *g, uint32_t v) {
    const uint32_t producer = g->value[v].producer;
    if (producer == UINT32_MAX)
        return NO_INDEX;
    const graph_node *n = &g->node[producer];
    switch (n->kind) {
    case OP_ADD:
    case OP_SUB:
        if (graph_is_const(&g->value[n->in[0]]))
            return n->in[1];
        return graph_is_const(&g->value[n->in[1]]) ? n->in[0] : NO_INDEX;
    case OP_NEG:
    case OP_IDENTITY:
    case OP_RESHAPE:
    case OP_FLATTEN:
    case OP_TRANSPOSE:
        return n->in[0];
    default:
        return NO_INDEX;
    }
}

/* The step that the input of node n should have; negative if any will do. */
static double input_step(const lowering *l, const graph_node *n) {
    unary u;
    if (n->kind == OP_SOFTMAX && l->g->value[n->in[0]].masked)
        return MASKED_STEP;
    if (n->kind == OP_QUANTIZELINEAR) {
        const graph_value *scale = &l->g->value[n->in[1]];
        return scale->real && graph_elements(scale) == 1 ? scale->real[0] / QUANTISED_STEPS : -1;
    }
    return unary_of(&u, l->g, n) ? INPUT_STEPS * wanted_step(l, n, &u) : -1;
}

void unary_widen_inputs(struct lowering *l) {
    for (uint32_t i = 0; i < l->g->n_nodes; i++) {
        const graph_node *n = &l->g->node[i];
        if (n->removed || graph_is_const(&l->g->value[n->out[0]]))
            continue;
        const double unit = input_step(l, n);
        if (unit < 0)
            continue;
        for (uint32_t v = n->in[0]; v != NO_INDEX && !graph_is_const(&l->g->value[v]);
             v = same_integers(l->g, v)) {
            const double magnitude = calibration_magnitude(l->cal, v);
            unsigned bits = l->bits[v];
            while (bits < MAX_VALUE_BITS && magnitude > unit * (double)(UINT32_C(1) << bits))
                bits++;
            l->bits[v] = (uint8_t)bits;
        }
    }
}

/* --- resolution of the result --- */

/* 1 where the values are integers; otherwise the span takes result_bits, the values at most 15. */
static double result_scale(const lowering *l, const graph_node *n, const unary *u) {
    const uint32_t v = n->out[0];
    const double magnitude = calibration_magnitude(l->cal, v), span = calibrated_span(l, v);
    const bool integral =
        jumps_at_integers(n->kind) || n->kind == OP_SIGN || l->g->value[v].dtype == DTYPE_INT;
    if (l->want_scale[v] > 0)
        return l->want_scale[v];
    if (integral && magnitude < (double)(1 << MAX_VALUE_BITS))
        return 1;
    const unsigned bits = result_bits(l, v);
    const double least = magnitude / (double)(1 << MAX_VALUE_BITS);
    double scale = (span < magnitude ? span : magnitude) / (double)(1 << bits);
    scale = scale > least ? scale : least;
    scale = scale > 0 ? scale : 1 / (double)(1 << bits);
    const bool relative =
        u->kind == MICA_TABLE_LEAKY || u->kind == MICA_TABLE_POW || u->kind == MICA_TABLE_EXP;
    return relative || scale > FINEST_SCALE ? scale : FINEST_SCALE;
}

/* Saturation at twice the calibrated magnitude, as in every table, and at the function's own bounds. */
static void saturate(const lowering *l, const graph_node *n, const unary *u, activation *act) {
    const double seen = 2 * calibration_magnitude(l->cal, n->out[0]) / act->out_scale;
    double units = 1;
    while (units < seen && units < (double)(1 << 24))
        units = 2 * units + 1;
    const double limit = units * act->out_scale;
    act->lo = u->lo > -limit ? u->lo : -limit;
    act->hi = u->hi < limit ? u->hi : limit;
}

/* Functions that are exact on integers. */
static bool supports_integers(const unary *u, const graph_node *n) {
    return n->kind == OP_ABS || n->kind == OP_SIGN ||
           (n->kind == OP_POW && u->p[0] >= 0 && u->p[0] <= 31 && u->p[0] == fm_floor(u->p[0]));
}

bool unary_lower(struct lowering *l, const graph_node *n, mica_status *st) {
    unary u;
    if (!unary_of(&u, l->g, n))
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED,
                             "its second operand must be one constant number");
    const bool integers = l->g->value[n->in[0]].dtype == DTYPE_INT;
    if (integers && !supports_integers(&u, n))
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "on integers it is not supported");
    double wanted = integers ? 0 : wanted_step(l, n, &u), tolerable = wanted * (1 << STEPS_BITS_LOST);
    if (l->value[n->in[0]].tensor == NO_INDEX) { /* an accumulator, whose own error is larger than that */
        const double magnitude = calibration_magnitude(l->cal, n->in[0]);
        wanted = larger(wanted, magnitude / (1 << FINEST_BITS));
        tolerable = larger(tolerable, magnitude / (1 << TOLERABLE_BITS));
    }
    activation act = {.kind = u.kind,
                      .param = {u.param[0], u.param[1]},
                      .in_factor = u.in_factor,
                      .out_factor = u.out_factor,
                      .out_scale = result_scale(l, n, &u),
                      .wanted = wanted,
                      .tolerable = tolerable,
                      .exact = integers};
    saturate(l, n, &u, &act);
    return lower_activation(l, n, &act, st);
}

#define FUNCTION(symbol)                                                                                     \
    bool lower_##symbol(struct lowering *l, const graph_node *n, mica_status *st) {                          \
        return unary_lower(l, n, st);                                                                        \
    }

FUNCTION(leakyrelu)
FUNCTION(elu)
FUNCTION(selu)
FUNCTION(celu)
FUNCTION(hardsigmoid)
FUNCTION(hardswish)
FUNCTION(mish)
FUNCTION(softplus)
FUNCTION(softsign)
FUNCTION(erf)
FUNCTION(gelu)
FUNCTION(exp)
FUNCTION(log)
FUNCTION(sqrt)
FUNCTION(reciprocal)
FUNCTION(abs)
FUNCTION(sign)
FUNCTION(floor)
FUNCTION(ceil)
FUNCTION(round)
FUNCTION(thresholdedrelu)
FUNCTION(shrink)
FUNCTION(sin)
FUNCTION(cos)

/* --- linear functions --- */

/* to := coef * from, over the same domain. */
static bool scaled_form(const lowering *l, form *to, const form *from, int64_t coef) {
    uint8_t map[MICA_MAX_RANK];
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        map[i] = (uint8_t)i;
    form_create(to, from->batched, from->rank, from->dim);
    return form_add_form(to, lowering_tensors(l), from, coef, map);
}

bool lower_neg(struct lowering *l, const graph_node *n, mica_status *st) {
    form x, f;
    qvalue q;
    if (!lowering_form(l, n->in[0], &x, &q, st) || (q.tensor != NO_INDEX && !lowering_layer(l, n, st)))
        return false;
    if (q.tensor == NO_INDEX)
        l->b.layer = q.layer;
    return scaled_form(l, &f, &x, -1) && lowering_set_sum(l, n, &f, &q.axes, q.scale, st);
}

/* --- PRelu with a slope per channel --- */

/* Small integers with m[0] : m[1] close to 1 : scale; returns the unit that m counts. */
static double common_unit(double scale, int64_t *m) {
    double best = 1;
    m[0] = 1;
    m[1] = 1;
    for (int64_t k = 1; k <= 16; k++) { /* unit = scale / k */
        const double ratio = (double)k / scale, whole = (double)round_away(ratio);
        const double error = (ratio > whole ? ratio - whole : whole - ratio) / ratio;
        if (whole >= 1 && error < best) {
            best = error;
            m[0] = (int64_t)whole;
            m[1] = k;
        }
    }
    return scale / (double)m[1];
}

/* Slopes times `x`, whose axes are x's. */
static bool slopes_times(lowering *l, const graph_node *n, const qvalue *x, form *f, double *scale,
                         mica_status *st) {
    const graph_value *c = &l->g->value[n->in[1]];
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    weighted w;
    memset(&w, 0, sizeof w);
    w.w = (double *)c->real; /* read only; the axes below are in its row-major order */
    w.axes = x->axes;
    w.contract.n_labels = w.out_rank = t->rank;
    for (unsigned i = 0; i < t->rank && i < MICA_MAX_RANK; i++) {
        w.contract.b_view.axis[i] = (int32_t)i;
        w.contract.label_dim[i] = t->dim[i];
        w.contract.out_label[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < c->rank; i++) {
        const int at = (int)x->axes.rank - (int)(c->rank - i);
        for (unsigned j = 0; c->dim[i] != 1 && at >= 0 && j < x->axes.of[at].n; j++) {
            const unsigned axis = x->axes.of[at].axis[j];
            w.w_dim[w.w_rank] = t->dim[axis];
            w.contract.a_view.axis[w.w_rank++] = (int32_t)axis;
        }
    }
    return lowering_weighted(l, n, &w, x, f, scale, st);
}

/* y = p + slope * (x - p) with p = max(x, 0), exact but for the slopes. */
static bool lower_prelu_channels(lowering *l, const graph_node *n, mica_status *st) {
    qvalue x;
    form f, zero, p, low, y;
    int64_t m[2];
    double scale;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    const bound r = bound_of(t);
    form_create(&f, t->batched, t->rank, t->dim);
    form_create(&zero, t->batched, t->rank, t->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), x.tensor, 1) ||
        !lowering_max(l, &f, &zero, bound_hull(r, (bound){0, 0}), &p, st) || !scaled_form(l, &low, &p, -1) ||
        !form_add_tensor(&low, lowering_tensors(l), x.tensor, 1))
        return false;
    qvalue negative = x;
    negative.tensor = builder_sum(&l->b, &low);
    if (negative.tensor == NO_INDEX || !slopes_times(l, n, &negative, &f, &scale, st))
        return false;
    const double unit = common_unit(scale / x.scale, m) * x.scale;
    if (!scaled_form(l, &y, &f, m[1]) || !form_add_tensor(&y, lowering_tensors(l), p.term[0].tensor, m[0]))
        return false;
    const bound sum = form_range(&y, lowering_tensors(l));
    if (sum.hi >= RANGE_ACC_LIMIT || sum.lo <= -RANGE_ACC_LIMIT) {
        l->narrow = x.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its sum can leave the field");
    }
    return lowering_set_sum(l, n, &y, &x.axes, unit, st);
}

bool lower_prelu(struct lowering *l, const graph_node *n, mica_status *st) {
    unary u;
    if (!l->g->value[n->in[1]].real)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "the slope must be a constant");
    return unary_of(&u, l->g, n) ? unary_lower(l, n, st) : lower_prelu_channels(l, n, st);
}
