/* Weights and other constants of the graph as integers of the circuit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_join.h"
#include "lowering/lowering_split.h"
#include "lowering/range.h"
#include "ops/ops.h"

#define FEWEST_WEIGHT_BITS 4
#define MOST_WEIGHT_BITS   16
#define SCALE_MARGIN       1.001  /* of a weight scale over what the bound asks for */
#define SPLIT_STEP         1.1892 /* of a weight scale that even two limbs do not admit: a quarter of a bit */
#define WHOLE_MOST         65536.0 /* integers below it are taken as they are */
#define WHOLE_STEPS        255
#define STEP_ERROR         1e-4    /* of a product in single precision, in steps */
#define MATCH_MOST         65536.0 /* ratio of scales in a sum that small integers bridge */

static size_t product(unsigned rank, const uint32_t *dim) {
    size_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        n *= dim[i];
    return n;
}

static double largest_magnitude(const double *w, size_t n) {
    double m = 0;
    for (size_t i = 0; i < n; i++) {
        m = w[i] > m ? w[i] : m;
        m = -w[i] > m ? -w[i] : m;
    }
    return m;
}

/* The step of which all weights are multiples, at most WHOLE_STEPS: those of integer types, less zero points
 * and times a scale. 0 if there is none. Integers have step 1. */
static double common_step(const double *w, size_t n, double top) {
    bool whole = top < WHOLE_MOST;
    for (size_t i = 0; whole && i < n; i++)
        whole = w[i] == (double)round_away(w[i]);
    if (whole)
        return 1;
    for (int k = 1; k <= WHOLE_STEPS && top > 0; k++) {
        const double unit = top / k;
        bool all = true;
        for (size_t i = 0; all && i < n; i++) {
            const double off = w[i] / unit - (double)round_away(w[i] / unit);
            all = off < STEP_ERROR && off > -STEP_ERROR;
        }
        if (all)
            return unit;
    }
    return 0;
}

/* The integers of a layer's weights. */
typedef struct quantised {
    int32_t *q; /* in the order of weighted.w */
    double scale;
    bound acc;          /* of the accumulator; not of a split one */
    weight_split split; /* q has the high limbs */
} quantised;

static void quantised_free(quantised *k) {
    free(k->q);
    weight_split_free(&k->split);
}

/* The largest magnitude of accumulator and bias with weights of scale k->scale. */
static double quantise_at(const weighted *w, bound x, double x_scale, quantised *k) {
    const size_t n = product(w->w_rank, w->w_dim);
    for (size_t i = 0; i < n; i++)
        k->q[i] = (int32_t)round_away(w->w[i] / k->scale);
    k->acc = range_of_rows(k->q, w->w_rank, w->w_dim, w->contracted, x);
    return (double)(k->acc.hi > -k->acc.lo ? k->acc.hi : -k->acc.lo) + w->bias_max / (k->scale * x_scale);
}

/* What an accumulator will be added to. */
typedef struct join_partner {
    double scale; /* 0: nothing, or nothing is known of it */
    double reach; /* its largest magnitude */
    bool is_next; /* it has no accumulator yet, and `scale` is the finest that it can have */
} join_partner;

/* Makes the accumulator's scale a multiple or a fraction of its partner's in a sum, by a small integer: as
 * little coarser than k->scale as that takes. Scales that are far apart stay as they are. A partner that
 * comes next will match this one, and needs help only where it cannot be as fine, lest it become twice as
 * coarse. */
static void match_partner(const weighted *w, const join_partner *p, int64_t limit, bound x, double x_scale,
                          quantised *k) {
    const double finest = k->scale * x_scale, ratio = p->scale / finest;
    if (!(ratio > 1 / MATCH_MOST && ratio < MATCH_MOST) || (p->is_next && !(ratio > 1 && ratio < 2)))
        return;
    const double parts = ratio >= 1 ? (double)(int64_t)ratio : 1, times = ratio >= 1 ? 1 : ceil(1 / ratio);
    const double plain = k->scale;
    k->scale = p->scale * times / parts / x_scale;
    if (quantise_at(w, x, x_scale, k) < (double)limit)
        return;
    k->scale = plain;
    (void)quantise_at(w, x, x_scale, k);
}

/* Weights as they are if they count a common step; otherwise the finest, `bits` at most, with which
 * accumulator and bias keep the no-wrap bound, or its two parts do if it may be split. */
static bool quantise_weights(const weighted *w, unsigned bits, int64_t limit, bool may_split,
                             const join_partner *partner, bound x, double x_scale, quantised *k,
                             mica_status *st) {
    const double top = largest_magnitude(w->w, product(w->w_rank, w->w_dim));
    if (w->exact && top >= (double)RANGE_ACC_LIMIT)
        return false;
    k->scale = w->exact ? 1 : common_step(w->w, product(w->w_rank, w->w_dim), top);
    if (k->scale > 0 && quantise_at(w, x, x_scale, k) < (double)RANGE_ACC_LIMIT)
        return true;
    if (w->exact)
        return false;
    const double coarsest = top / (double)((1 << (FEWEST_WEIGHT_BITS - 1)) - 1);
    k->scale = top > 0 ? top / (double)((INT64_C(1) << (bits - 1)) - 1) : 1;
    for (;;) {
        const double largest = quantise_at(w, x, x_scale, k);
        if (largest < (double)limit && partner->scale > 0)
            match_partner(w, partner, limit, x, x_scale, k);
        if (largest < (double)limit)
            return true;
        if (may_split &&
            !weight_split_find(&k->split, k->q, w, x, w->bias_max / (k->scale * x_scale), limit, st))
            return false;
        if (k->split.bits)
            return true;
        if (!(k->scale < coarsest))
            return false;
        /* Rounding changes a row's sum by little: a few rounds at most. */
        k->scale *= may_split ? SPLIT_STEP : largest / (double)limit * SCALE_MARGIN;
    }
}

static uint64_t multiply_accumulates(const mica_contract *c) {
    uint64_t n = 1;
    for (unsigned i = 0; i < c->n_labels; i++)
        n *= c->label_dim[i];
    return n;
}

/* A result that is given more steps than others deserves weights that are as much finer. */
static unsigned weight_bits(const lowering *l, const graph_node *n) {
    const lowering_widths *asked = &l->width[n->out[0]];
    const unsigned own = l->bits[n->out[0]],
                   more = own > asked->activation_bits ? own - asked->activation_bits : 0;
    return asked->weight_bits + more < MOST_WEIGHT_BITS ? asked->weight_bits + more : MOST_WEIGHT_BITS;
}

/* *t := the product of x and new weights, `acc` its range. */
static bool contract(lowering *l, const weighted *w, const qvalue *x, const int32_t *q, bound acc,
                     uint32_t *t) {
    mica_contract c = w->contract;
    c.a = builder_weight(&l->b, w->w_rank, w->w_dim, q);
    c.b = x->tensor;
    *t = c.a == NO_INDEX ? NO_INDEX : builder_contract(&l->b, &c, w->out_rank, acc);
    l->b.p.note[l->b.layer].macs += multiply_accumulates(&c);
    return *t != NO_INDEX;
}

/* *f := the accumulator, or what is left of it after its low limb. */
static bool accumulate(lowering *l, const weighted *w, const qvalue *x, const quantised *k, form *f,
                       double *scale, mica_status *st) {
    uint32_t t, low;
    *scale = k->scale * x->scale * (double)(INT64_C(1) << k->split.bits);
    if (k->split.bits)
        return contract(l, w, x, k->q, k->split.high_acc, &t) &&
               contract(l, w, x, k->split.low, k->split.low_acc, &low) &&
               lowering_add_split(l, &k->split, t, low, f, st);
    if (!contract(l, w, x, k->q, k->acc, &t))
        return false;
    const mica_tensor *out = &lowering_tensors(l)[t];
    form_create(f, out->batched, out->rank, out->dim);
    return form_add_tensor(f, lowering_tensors(l), t, 1);
}

/* The largest magnitude of a convolution with real weights of an input within `x` in units of x_scale, and in
 * *top that of the weights. */
static double real_reach(const graph_value *w, const graph_value *bias, bound x, double x_scale,
                         double *top) {
    const size_t rows = (size_t)w->dim[0], columns = rows ? (size_t)(graph_elements(w) / rows) : 0;
    double reach = 0;
    *top = largest_magnitude(w->real, (size_t)graph_elements(w));
    for (size_t i = 0; i < rows; i++) {
        double lo = 0, hi = 0;
        for (size_t j = 0; j < columns; j++) {
            const double v = w->real[i * columns + j] * x_scale;
            hi += v * (double)(v > 0 ? x.hi : x.lo);
            lo += v * (double)(v > 0 ? x.lo : x.hi);
        }
        reach = hi > reach ? hi : reach;
        reach = -lo > reach ? -lo : reach;
    }
    return reach + (bias && bias->real ? largest_magnitude(bias->real, (size_t)graph_elements(bias)) : 0);
}

static join_partner find_partner(const lowering *l, const graph_node *n) {
    join_partner p = {0};
    const qvalue *x;
    if (lowering_partner(l, n, &p.scale, &p.reach))
        return p;
    const graph_node *next = lowering_next_branch(l, n, &x);
    const graph_value *w = next && next->kind == OP_CONV ? &l->g->value[next->in[1]] : NULL;
    if (!w || !w->real)
        return p;
    const bool has_bias = next->n_in > 2 && next->in[2] != GRAPH_NO_VALUE;
    double top;
    p.reach = real_reach(w, has_bias ? &l->g->value[next->in[2]] : NULL,
                         bound_of(&lowering_tensors(l)[x->tensor]), x->scale, &top);
    p.scale = top / (double)((INT64_C(1) << (weight_bits(l, next) - 1)) - 1) * x->scale;
    p.is_next = true;
    return p;
}

/* What accumulators of node n and what they are added to may come to. */
static int64_t joint_limit(const lowering *l, const graph_node *n, const join_partner *p) {
    if (p->is_next)
        return (int64_t)(LOWERING_JOIN_FULL * (double)l->acc_limit);
    return p->scale > 0 ? l->acc_limit : lowering_acc_limit(l, n);
}

bool lowering_weighted(lowering *l, const graph_node *n, const weighted *w, const qvalue *x, form *f,
                       double *scale, mica_status *st) {
    quantised k = {.q = malloc(product(w->w_rank, w->w_dim) * sizeof *k.q)};
    if (!k.q)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    const mica_tensor *input = &lowering_tensors(l)[x->tensor];
    const bool split = l->split[n - l->g->node];
    weighted beside = *w; /* what the accumulator is added to is more bias */
    const join_partner p = find_partner(l, n);
    beside.bias_max += p.reach;
    bool ok = quantise_weights(&beside, weight_bits(l, n), joint_limit(l, n, &p), split, &p, bound_of(input),
                               x->scale, &k, st);
    if (ok) {
        ok = accumulate(l, w, x, &k, f, scale, st);
    } else if (st->code == MICA_OK) {
        l->narrow = x->origin;
        (void)lowering_fail(l, n, st, MICA_ERR_RANGE,
                            "even with %d-bit weights its accumulators can leave the field",
                            FEWEST_WEIGHT_BITS);
    }
    quantised_free(&k);
    return ok;
}

/* --- constants added to a form --- */

/* Tensor axes along which the constant varies, in its row-major order. */
static bool constant_axes(const form *f, const layout *axes, unsigned rank, const int64_t *dim,
                          uint32_t *out_dim, mica_view *view, unsigned *out_rank) {
    *out_rank = 0;
    for (unsigned i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        if (rank - i > axes->rank)
            return false;
        const axis_list *list = &axes->of[axes->rank - (rank - i)];
        if ((int64_t)axis_list_size(list, f->dim) != dim[i])
            return false;
        for (unsigned j = 0; j < list->n; j++) {
            view->axis[*out_rank] = list->axis[j];
            out_dim[(*out_rank)++] = f->dim[list->axis[j]];
        }
    }
    return true;
}

static bool add_integers(lowering *l, form *f, unsigned rank, const uint32_t *dim, const mica_view *view,
                         const int32_t *q, mica_status *st) {
    bool uniform = true;
    for (size_t i = 1; i < product(rank, dim); i++)
        uniform &= q[i] == q[0];
    bool ok = true;
    if (uniform) {
        ok = form_add_constant(f, q[0]);
    } else {
        const uint32_t t = builder_weight(&l->b, rank, dim, q);
        if (t == NO_INDEX)
            return false;
        ok = form_add_term(f, lowering_tensors(l), t, 1, view);
    }
    return ok || mica_fail(st, MICA_ERR_LIMIT, "layer '%s': too many terms in one sum",
                           l->b.p.circuit.layer[l->b.layer].name);
}

bool lowering_add_constant(lowering *l, form *f, const layout *axes, unsigned rank, const int64_t *dim,
                           const double *c, double factor, mica_status *st) {
    uint32_t out_dim[MICA_MAX_RANK];
    mica_view view = {{0}};
    unsigned out_rank;
    if (!constant_axes(f, axes, rank, dim, out_dim, &view, &out_rank))
        return mica_fail(st, MICA_ERR_INTERNAL, "a constant does not broadcast to its layer's shape");
    const size_t n = product(out_rank, out_dim);
    int32_t *q = malloc(n * sizeof *q);
    if (!q)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        const double x = c[i] * factor;
        if (!(x > -(double)RANGE_ACC_LIMIT && x < (double)RANGE_ACC_LIMIT)) {
            ok = mica_fail(st, MICA_ERR_RANGE, "layer '%s': a constant exceeds the accumulator's range",
                           l->b.p.circuit.layer[l->b.layer].name);
            break;
        }
        q[i] = (int32_t)round_away(x);
    }
    ok = ok && add_integers(l, f, out_rank, out_dim, &view, q, st);
    free(q);
    return ok;
}
