#include "lowering/lowering_axis.h"

#include <string.h>

/* Axes of x keep their order, the contracted ones left out; the new axis is the last. */
static void result_axes(weighted *w, const mica_tensor *x, const axis_list *along, unsigned row_label,
                        qvalue *out, unsigned axis, int64_t rows) {
    unsigned place[MICA_MAX_RANK] = {0}, contracted = 0;
    for (unsigned i = 0; i < along->n; i++)
        contracted |= 1u << along->axis[i];
    for (unsigned i = 0; i < x->rank; i++) {
        place[i] = w->out_rank;
        if (!(contracted >> i & 1))
            w->contract.out_label[w->out_rank++] = (uint8_t)i;
    }
    for (unsigned i = 0; i < out->axes.rank; i++)
        for (unsigned j = 0; j < out->axes.of[i].n; j++)
            out->axes.of[i].axis[j] = (uint8_t)place[out->axes.of[i].axis[j]];
    out->axes.of[axis] = (axis_list){0};
    if (rows > 1)
        axis_list_push(&out->axes.of[axis], w->out_rank);
    w->contract.out_label[w->out_rank++] = (uint8_t)row_label;
}

bool lowering_axis_product(lowering *l, const graph_node *n, const qvalue *x, unsigned axis, int64_t rows,
                           double *m, form *f, qvalue *out, mica_status *st) {
    const mica_tensor t = lowering_tensors(l)[x->tensor];
    const axis_list along = x->axes.of[axis];
    weighted w = {.w = m, .exact = true, .w_rank = 1};
    mica_contract *c = &w.contract;
    if (t.rank + 1u - along.n > MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    c->n_labels = (uint8_t)(t.rank + 1);
    memcpy(c->label_dim, t.dim, t.rank * sizeof *t.dim);
    c->label_dim[t.rank] = (uint32_t)rows;
    for (unsigned i = 0; i < t.rank; i++)
        c->b_view.axis[i] = (int32_t)i;
    w.w_dim[0] = (uint32_t)rows;
    c->a_view.axis[0] = t.rank;
    for (unsigned i = 0; i < along.n; i++) {
        w.contracted |= 1u << w.w_rank;
        c->a_view.axis[w.w_rank] = along.axis[i];
        w.w_dim[w.w_rank++] = t.dim[along.axis[i]];
    }
    const qvalue from = *x;
    *out = from;
    result_axes(&w, &t, &along, t.rank, out, axis, rows);
    out->tensor = NO_INDEX;
    return lowering_weighted(l, n, &w, &from, f, &out->scale, st);
}
