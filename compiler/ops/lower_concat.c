/* Concat: the sum of its operands, each placed at its offset. */
#include <string.h>

#include "lowering/lowering_move.h"
#include "ops/ops.h"

/* x at [offset, offset + its size) of axis 0 of the result; the other axes pass through. */
static uint32_t place(lowering *l, const qvalue *x, unsigned axis, int64_t offset, unsigned rank,
                      const uint32_t *dim) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    mica_placement p = {.src = x->tensor, .n_factors = 1};
    mica_factor *f = &p.factor[0];
    f->n_out = 1;
    f->out_stride[0] = 1;
    f->offset = (int32_t)-offset;
    f->n_src = x->axes.of[axis].n;
    memcpy(f->src_axis, x->axes.of[axis].axis, f->n_src);
    unsigned next = 1, seen = 0;
    for (unsigned i = 0; i < f->n_src; i++)
        seen |= 1u << f->src_axis[i];
    for (unsigned i = 0; i < x->axes.rank; i++) {
        for (unsigned j = 0; i != axis && j < x->axes.of[i].n; j++) {
            mica_factor *pass = &p.factor[p.n_factors++];
            pass->n_out = pass->n_src = 1;
            pass->out_axis[0] = (uint8_t)next++;
            pass->out_stride[0] = 1;
            pass->src_axis[0] = x->axes.of[i].axis[j];
            seen |= 1u << pass->src_axis[0];
        }
    }
    for (unsigned i = 0; i < t->rank; i++)
        if (!(seen & 1u << i))
            f->src_axis[f->n_src++] = (uint8_t)i; /* of size 1 */
    return builder_placement(&l->b, &p, rank, dim);
}

/* Whether all operands split their other axes as the first does. */
static bool alike(const lowering *l, const qvalue *x, const qvalue *first, unsigned axis) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor], *u = &lowering_tensors(l)[first->tensor];
    for (unsigned i = 0; i < x->axes.rank; i++)
        if (i != axis && !axis_list_same_split(&x->axes.of[i], t->dim, &first->axes.of[i], u->dim))
            return false;
    return true;
}

static bool common_split(lowering *l, const graph_node *n, unsigned axis, bool *plain, mica_status *st) {
    qvalue first, x;
    *plain = false;
    if (!lowering_operand(l, n->in[0], &first, st))
        return false;
    for (uint32_t i = 1; i < n->n_in; i++) {
        if (!lowering_operand(l, n->in[i], &x, st))
            return false;
        *plain |= !alike(l, &x, &first, axis);
    }
    return true;
}

/* --- scales ---
 *
 * Where the result is computed with, its parts share the coarsest of their scales, which is what their
 * producers have been asked for. Where it is only shown, parts may differ by orders of magnitude (positions
 * and scores of a detector): the result has a scale of its own, and part i is multiplied by the integer
 * nearest to scale_i / scale. */

/* A ratio of scales is off by 2^-RATIO_BITS of itself at most. */
#define RATIO_BITS 12

typedef struct parts {
    double scale;
    bool exact; /* parts are multiplied rather than brought to the scale */
} parts;

static bool operand(lowering *l, uint32_t v, bool plain, qvalue *x, mica_status *st) {
    return (plain ? lowering_plain_operand : lowering_operand)(l, v, x, st);
}

static bool near_integer(double ratio) {
    const double off = ratio - (double)round_away(ratio);
    return (off < 0 ? -off : off) * (1 << RATIO_BITS) <= ratio;
}

/* Whether the parts fit beside each other at the scale. */
static bool suits(lowering *l, const graph_node *n, bool plain, double scale, mica_status *st) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        qvalue x;
        if (!operand(l, n->in[i], plain, &x, st))
            return false;
        const bound r = bound_of(&lowering_tensors(l)[x.tensor]);
        const double ratio = x.scale / scale, most = (double)(r.hi > -r.lo ? r.hi : -r.lo);
        if (ratio > (1 << 30) || !near_integer(ratio) || ratio * most >= (1 << 30))
            return false;
    }
    return true;
}

static bool choose_scale(lowering *l, const graph_node *n, bool plain, parts *p, mica_status *st) {
    double least = 0;
    *p = (parts){0, false};
    for (uint32_t i = 0; i < n->n_in; i++) {
        qvalue x;
        if (!operand(l, n->in[i], plain, &x, st))
            return false;
        p->scale = x.scale > p->scale ? x.scale : p->scale;
        least = least == 0 || x.scale < least ? x.scale : least;
    }
    if (!l->shown[n->out[0]] || least == p->scale)
        return true;
    for (unsigned t = 0; t <= RATIO_BITS && !p->exact; t++) {
        if (suits(l, n, plain, least, st))
            *p = (parts){least, true};
        least /= 2;
    }
    return st->code == MICA_OK;
}

bool lower_concat(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *out = &l->g->value[n->out[0]];
    int64_t at = graph_attr_int(n, "axis", 1);
    at += at < 0 ? (int64_t)out->rank : 0;
    const unsigned axis = (unsigned)at - (out->batched ? 1 : 0);
    bool plain;
    parts p;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (graph_is_const(&l->g->value[n->in[i]]))
            return lowering_move(l, n, UINT32_MAX, st);
    if (!common_split(l, n, axis, &plain, st) || !choose_scale(l, n, plain, &p, st) ||
        !lowering_layer(l, n, st))
        return false;
    form f;
    layout axes = {0};
    int64_t offset = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        qvalue x;
        if (!operand(l, n->in[i], plain, &x, st) ||
            (!p.exact && !lowering_at_scale(l, &x, n->in[i], p.scale, st)))
            return false;
        const int64_t coef = p.exact ? round_away(x.scale / p.scale) : 1;
        if (i == 0) {
            uint32_t dim[MICA_MAX_RANK] = {(uint32_t)out->dim[at]};
            unsigned rank = 1;
            axes.rank = x.axes.rank;
            axis_list_push(&axes.of[axis], 0);
            for (unsigned k = 0; k < x.axes.rank; k++)
                for (unsigned j = 0; k != axis && j < x.axes.of[k].n; j++) {
                    if (rank == MICA_MAX_RANK)
                        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
                    axis_list_push(&axes.of[k], rank);
                    dim[rank++] = lowering_tensors(l)[x.tensor].dim[x.axes.of[k].axis[j]];
                }
            form_create(&f, lowering_tensors(l)[x.tensor].batched, rank, dim);
        }
        const uint32_t t = place(l, &x, axis, offset, f.rank, f.dim);
        if (t == NO_INDEX)
            return false;
        if (!form_add_tensor(&f, lowering_tensors(l), t, coef))
            return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d operands", FORM_MAX_TERMS);
        offset += l->g->value[n->in[i]].dim[at];
    }
    return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &axes, p.scale, n->out[0]);
}
