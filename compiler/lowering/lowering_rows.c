#include "lowering/lowering_rows.h"

#include <string.h>

#include "lowering/maximum.h"

static void take_axes(rows *r, mica_placement *p, const axis_list *from, axis_list *to,
                      const mica_tensor *x) {
    for (unsigned i = 0; i < from->n; i++) {
        mica_factor *f = &p->factor[p->n_factors++];
        f->n_out = f->n_src = 1;
        f->out_stride[0] = 1;
        f->out_axis[0] = (uint8_t)r->rank;
        f->src_axis[0] = from->axis[i];
        axis_list_push(to, r->rank);
        r->dim[r->rank++] = x->dim[from->axis[i]];
    }
}

bool rows_arrange(lowering *l, const qvalue *x, uint32_t along, rows *r) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    mica_placement p = {.src = x->tensor};
    memset(r, 0, sizeof *r);
    r->axes.rank = x->axes.rank;
    for (unsigned i = 0; i < x->axes.rank; i++)
        if (!(along & 1u << i))
            take_axes(r, &p, &x->axes.of[i], &r->axes.of[i], t);
    r->lead = r->rank;
    for (unsigned i = 0; i < x->axes.rank; i++)
        if (along & 1u << i)
            take_axes(r, &p, &x->axes.of[i], &r->axes.of[i], t);
    r->length = 1;
    for (unsigned i = r->lead; i < r->rank; i++)
        r->length *= r->dim[i];
    r->batched = t->batched;
    r->range = bound_of(t);
    bool in_place = r->rank == t->rank;
    unsigned seen = 0;
    for (unsigned i = 0; i < p.n_factors; i++) {
        in_place &= p.factor[i].src_axis[0] == i;
        seen |= 1u << p.factor[i].src_axis[0];
    }
    for (unsigned i = 0; i < t->rank && p.n_factors; i++)
        if (!(seen & 1u << i))
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)i; /* of size 1 */
    r->tensor = in_place ? x->tensor : builder_placement(&l->b, &p, r->rank, r->dim);
    return r->tensor != NO_INDEX;
}

/* --- maximum along the rows, by halves --- */

/* Cells [offset, offset + half) of the rows of `tensor`, whose own axes before `lead` pass through; zero
 * beyond the end. */
static uint32_t take_half(lowering *l, const rows *r, uint32_t tensor, uint32_t offset, uint32_t half) {
    const mica_tensor *t = &lowering_tensors(l)[tensor];
    mica_placement p = {.src = tensor};
    uint32_t dim[MICA_MAX_RANK];
    for (unsigned i = 0; i <= r->lead; i++) {
        mica_factor *f = &p.factor[p.n_factors++];
        f->n_out = f->n_src = 1;
        f->out_axis[0] = f->src_axis[0] = (uint8_t)i;
        f->out_stride[0] = 1;
        dim[i] = i < r->lead ? t->dim[i] : half;
    }
    mica_factor *last = &p.factor[r->lead];
    last->offset = (int32_t)offset;
    last->n_src = (uint8_t)(t->rank - r->lead);
    for (unsigned i = 0; i < last->n_src; i++)
        last->src_axis[i] = (uint8_t)(r->lead + i);
    return builder_placement(&l->b, &p, r->lead + 1, dim);
}

/* The half as a form, its missing last cell replaced by the smallest value there is. */
static bool half_form(lowering *l, const rows *r, uint32_t half, uint32_t valid, form *f) {
    const mica_tensor *t = &lowering_tensors(l)[half];
    form_create(f, t->batched, t->rank, t->dim);
    if (!form_add_tensor(f, lowering_tensors(l), half, 1))
        return false;
    uint32_t lo[MICA_MAX_RANK] = {0}, hi[MICA_MAX_RANK];
    memcpy(hi, f->dim, sizeof hi);
    hi[r->lead] = valid;
    return valid == f->dim[r->lead] || r->range.lo == 0 ||
           (form_add_constant(f, r->range.lo) && form_add_box(f, -r->range.lo, lo, hi));
}

bool rows_maximum(lowering *l, const rows *r, uint32_t *max, mica_status *st) {
    uint32_t tensor = r->tensor;
    for (uint32_t n = r->length; n > 1; n = (n + 1) / 2) {
        const uint32_t half = (n + 1) / 2;
        const uint32_t low = take_half(l, r, tensor, 0, half), high = take_half(l, r, tensor, half, half);
        form a, b, top;
        if (low == NO_INDEX || high == NO_INDEX || !half_form(l, r, low, half, &a) ||
            !half_form(l, r, high, n - half, &b) || !lowering_max(l, &a, &b, r->range, &top, st))
            return false;
        tensor = top.term[0].tensor;
    }
    *max = tensor;
    return true;
}

bool rows_add_lead(lowering *l, form *f, const rows *r, uint32_t tensor, int64_t coef) {
    mica_view v = {{0}};
    for (unsigned i = 0; i < lowering_tensors(l)[tensor].rank; i++)
        v.axis[i] = i < r->lead ? (int32_t)i : MICA_VIEW_AT(0);
    return form_add_term(f, lowering_tensors(l), tensor, coef, &v);
}

bool rows_negate(lowering *l, rows *r) {
    form f;
    form_create(&f, r->batched, r->rank, r->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), r->tensor, -1))
        return false;
    r->tensor = builder_sum(&l->b, &f);
    r->range = (bound){-r->range.hi, -r->range.lo};
    return r->tensor != NO_INDEX;
}

layout rows_reduced_axes(const rows *r, uint32_t along, bool keep) {
    layout axes = {0};
    for (unsigned i = 0; i < r->axes.rank; i++) {
        if (!(along & 1u << i))
            axes.of[axes.rank++] = r->axes.of[i];
        else if (keep)
            axes.rank++;
    }
    return axes;
}
