#include "lowering/lowering_select.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_index.h"
#include "lowering/lowering_move.h"
#include "lowering/range.h"

#define CONSTANT_STEPS (1 << 14) /* of a constant of reals, between 0 and its largest magnitude */
#define MAX_HOT        (UINT64_C(1) << 26)

static void no_labels(labelled *x) {
    memset(x->label, NO_LABEL, sizeof x->label);
}

/* --- operands --- */

/* Integers over the axes dim[0..rank) as a LINEAR tensor; the axes longer than 1 keep their labels. */
static bool constant_tensor(lowering *l, unsigned rank, const int64_t *dim, const int8_t *label,
                            const int32_t *q, labelled *out) {
    uint32_t kept[MICA_MAX_RANK];
    unsigned n = 0;
    no_labels(out);
    for (unsigned i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        if (n == MICA_MAX_RANK)
            return mica_fail(l->b.st, MICA_ERR_LIMIT, "a constant of more than %d axes", MICA_MAX_RANK);
        out->label[n] = label[i];
        kept[n++] = (uint32_t)dim[i];
    }
    const uint32_t w = builder_weight(&l->b, n, kept, q);
    if (w == NO_INDEX)
        return false;
    const form f = lowering_tensor_form(l, w);
    out->tensor = builder_sum(&l->b, &f);
    return out->tensor != NO_INDEX;
}

static bool constant_operand(lowering *l, const graph_node *n, uint32_t v, const int8_t *label, double scale,
                             labelled *out, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const uint64_t count = graph_elements(c);
    double *x = lowering_constant(l, v, st);
    int32_t *q = malloc((count + 1) * sizeof *q);
    bool ok = (x && q) || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint64_t i = 0; ok && i < count; i++) {
        const double steps = x[i] / scale;
        ok =
            (steps > -(double)RANGE_ACC_LIMIT && steps < (double)RANGE_ACC_LIMIT) ||
            lowering_fail(l, n, st, MICA_ERR_RANGE, "constant '%.100s': its elements are too large", c->name);
        q[i] = ok ? (int32_t)round_away(steps) : 0;
    }
    ok = ok && constant_tensor(l, c->rank, c->dim, label, q, out);
    free(x);
    free(q);
    return ok;
}

bool select_operand(lowering *l, const graph_node *n, uint32_t v, const int8_t *label, double scale,
                    labelled *out, mica_status *st) {
    const graph_value *value = &l->g->value[v];
    const unsigned first = value->batched ? 1 : 0;
    qvalue x;
    if (graph_is_const(value))
        return constant_operand(l, n, v, label, scale, out, st);
    if (!lowering_plain_operand(l, v, &x, st) || !lowering_at_scale(l, &x, v, scale, st))
        return false;
    no_labels(out);
    out->tensor = x.tensor;
    for (unsigned i = 0; i < x.axes.rank; i++)
        if (x.axes.of[i].n)
            out->label[x.axes.of[i].axis[0]] = label[first + i];
    return true;
}

bool select_scale(lowering *l, uint32_t v, double *scale, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    qvalue x;
    if (!graph_is_const(c)) {
        if (!lowering_operand(l, v, &x, st))
            return false;
        *scale = x.scale;
        return true;
    }
    double *e = lowering_constant(l, v, st), magnitude = 0;
    bool whole = true;
    if (!e)
        return false;
    for (uint64_t i = 0; i < graph_elements(c); i++) {
        const double m = e[i] < 0 ? -e[i] : e[i];
        magnitude = m > magnitude ? m : magnitude;
        whole &= m < (double)RANGE_ACC_LIMIT && (double)(int64_t)e[i] == e[i];
    }
    free(e);
    *scale = whole ? 1 : magnitude / CONSTANT_STEPS;
    return true;
}

/* --- forms --- */

static void view_of(const lowering *l, const labelled *x, unsigned rank, const int8_t *label,
                    mica_view *view) {
    memset(view, 0, sizeof *view);
    for (unsigned i = 0; i < lowering_tensors(l)[x->tensor].rank; i++) {
        view->axis[i] = MICA_VIEW_AT(0);
        for (unsigned j = 0; j < rank && x->label[i] != NO_LABEL; j++)
            if (label[j] == x->label[i])
                view->axis[i] = (int32_t)j;
    }
}

form select_form(const lowering *l, const labelled *x) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    uint32_t dim[MICA_MAX_RANK];
    int8_t label[MICA_MAX_RANK];
    unsigned rank = 0;
    mica_view view;
    form f;
    for (unsigned i = 0; i < t->rank; i++)
        if (x->label[i] != NO_LABEL) {
            label[rank] = x->label[i];
            dim[rank++] = t->dim[i];
        }
    form_create(&f, t->batched, rank, dim);
    view_of(l, x, rank, label, &view);
    (void)form_add_term(&f, lowering_tensors(l), x->tensor, 1, &view); /* an empty form has room */
    return f;
}

/* x as the tensor of its labelled axes, none of which is left out: products and placements read no sums of
 * products. */
static bool make_solid(lowering *l, labelled *x) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    labelled solid;
    unsigned rank = 0;
    bool ready = t->kind != MICA_TENSOR_CONTRACT;
    no_labels(&solid);
    for (unsigned i = 0; i < t->rank; i++) {
        ready &= x->label[i] != NO_LABEL;
        if (x->label[i] != NO_LABEL)
            solid.label[rank++] = x->label[i];
    }
    if (ready)
        return true;
    const form f = select_form(l, x);
    solid.tensor = builder_sum(&l->b, &f);
    *x = solid;
    return x->tensor != NO_INDEX;
}

void select_result(const lowering *l, const graph_node *n, const int8_t *output_label, selection *s) {
    const graph_value *y = &l->g->value[n->out[0]];
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t tensor_dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(y, dim), first = y->rank - rank;
    form_create(&s->f, true, layout_plain(&s->axes, rank, dim, tensor_dim), tensor_dim);
    for (unsigned i = 0; i < rank; i++)
        if (s->axes.of[i].n)
            s->label[s->axes.of[i].axis[0]] = output_label[first + i];
}

bool select_add(lowering *l, const graph_node *n, selection *s, const labelled *x, int64_t coef,
                mica_status *st) {
    mica_view view;
    view_of(l, x, s->f.rank, s->label, &view);
    return form_add_term(&s->f, lowering_tensors(l), x->tensor, coef, &view) ||
           lowering_too_many_terms(l, n, st);
}

/* --- indices --- */

/* Ones at constant indices. */
static bool constant_hot(lowering *l, const graph_node *n, uint32_t index, const int8_t *label, int64_t at,
                         int64_t size, int8_t hot, labelled *out, mica_status *st) {
    const graph_value *k = &l->g->value[index];
    const unsigned rank = k->rank - (at >= 0 ? 1 : 0);
    const uint64_t depth = at >= 0 ? (uint64_t)k->dim[rank] : 1, rows = graph_elements(k) / depth;
    int64_t dim[GRAPH_MAX_RANK + 1];
    int8_t labels[GRAPH_MAX_RANK + 1];
    int32_t *q = calloc(rows * (uint64_t)size + 1, sizeof *q);
    bool ok = q || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint64_t r = 0; ok && r < rows; r++) {
        const int64_t i = k->integer[r * depth + (uint64_t)(at >= 0 ? at : 0)];
        ok = (i >= -size && i < size) ||
             lowering_fail(l, n, st, MICA_ERR_FORMAT, "index %lld is outside an axis of %lld entries",
                           (long long)i, (long long)size);
        if (ok)
            q[r * (uint64_t)size + (uint64_t)(i < 0 ? i + size : i)] = 1;
    }
    memcpy(dim, k->dim, rank * sizeof *dim);
    memcpy(labels, label, rank);
    dim[rank] = size;
    labels[rank] = hot;
    ok = ok && constant_tensor(l, rank + 1, dim, labels, q, out);
    free(q);
    return ok;
}

/* The indices as a form; x.label becomes the labels of its axes. */
static bool index_form(lowering *l, const graph_node *n, uint32_t index, const int8_t *label, int64_t at,
                       labelled *x, form *f, mica_status *st) {
    const graph_value *k = &l->g->value[index];
    qvalue q;
    int8_t own[GRAPH_MAX_RANK];
    if (!lowering_operand(l, index, &q, st))
        return false;
    if (q.scale != 1)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "indices that are not integers");
    memset(own, NO_LABEL, sizeof own);
    memcpy(own, label, k->rank);
    if (at >= 0)
        own[k->rank - 1] = NO_LABEL;
    if (!select_operand(l, n, index, own, 1, x, st))
        return false;
    *f = select_form(l, x);
    if (at > 0) { /* the axis without a label that has that many entries is the last one */
        const mica_tensor *t = &lowering_tensors(l)[x->tensor];
        for (unsigned i = 0; i < t->rank; i++)
            if (x->label[i] == NO_LABEL && t->dim[i] > 1)
                f->term[0].view.axis[i] = MICA_VIEW_AT(at);
    }
    return true;
}

bool select_hot(lowering *l, const graph_node *n, uint32_t index, const int8_t *label, int64_t at,
                int64_t size, int8_t hot, labelled *out, mica_status *st) {
    const graph_value *k = &l->g->value[index];
    labelled x;
    form f;
    unsigned rank = 0;
    if (graph_elements(k) > MAX_HOT / (uint64_t)size)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "%llu indices into %lld entries: more than 2^26 cases",
                             (unsigned long long)graph_elements(k), (long long)size);
    if (graph_is_const(k))
        return constant_hot(l, n, index, label, at, size, hot, out, st);
    if (!index_form(l, n, index, label, at, &x, &f, st))
        return false;
    no_labels(out);
    for (unsigned i = 0; i < lowering_tensors(l)[x.tensor].rank; i++)
        if (x.label[i] != NO_LABEL)
            out->label[rank++] = x.label[i];
    if (rank == MICA_MAX_RANK)
        return lowering_too_many_axes(l, n, st);
    if (size > 1)
        out->label[rank] = hot;
    return lowering_one_hot(l, n, &f, size, true, &out->tensor, st);
}

/* --- products --- */

typedef struct labels {
    mica_contract c;
    int8_t name[MICA_MAX_LABELS];
} labels;

/* Gives every labelled axis of x its label of the contraction; false if there are too many, or sizes differ.
 */
static bool add_labels(labels *s, const mica_tensor *t, const labelled *x, mica_view *view) {
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        view->axis[i] = i < t->rank ? MICA_VIEW_AT(0) : 0;
    for (unsigned i = 0; i < t->rank; i++) {
        unsigned j = 0;
        if (x->label[i] == NO_LABEL)
            continue;
        while (j < s->c.n_labels && s->name[j] != x->label[i])
            j++;
        if (j == s->c.n_labels) {
            if (j == MICA_MAX_LABELS)
                return false;
            s->name[j] = x->label[i];
            s->c.label_dim[j] = t->dim[i];
            s->c.n_labels++;
        }
        if (s->c.label_dim[j] != t->dim[i])
            return false;
        view->axis[i] = (int32_t)j;
    }
    return true;
}

/* x with an axis of size 1 in place of none: two single numbers have no label, and one label stands for all.
 */
static bool add_unit_axis(lowering *l, labelled *x, labels *s) {
    const uint32_t one = 1;
    mica_view view;
    form f;
    form_create(&f, lowering_tensors(l)[x->tensor].batched, 1, &one);
    view_of(l, x, 0, NULL, &view);
    (void)form_add_term(&f, lowering_tensors(l), x->tensor, 1, &view); /* an empty form has room */
    x->tensor = builder_sum(&l->b, &f);
    s->name[0] = NO_LABEL;
    s->c.label_dim[0] = 1;
    s->c.n_labels = 1;
    return x->tensor != NO_INDEX;
}

bool select_contract(lowering *l, const graph_node *n, const labelled *a, const labelled *b, uint32_t summed,
                     labelled *out, mica_status *st) {
    labels s = {.c = {0}};
    labelled x = *a, y = *b;
    uint64_t count = 1;
    unsigned rank = 0;
    if (!make_solid(l, &x) || !make_solid(l, &y))
        return false;
    const mica_tensor ta = lowering_tensors(l)[x.tensor], tb = lowering_tensors(l)[y.tensor];
    if (!add_labels(&s, &ta, &x, &s.c.a_view) || !add_labels(&s, &tb, &y, &s.c.b_view))
        return lowering_too_many_axes(l, n, st);
    if (s.c.n_labels == 0 && !add_unit_axis(l, &x, &s))
        return false;
    s.c.a = x.tensor;
    s.c.b = y.tensor;
    no_labels(out);
    for (uint8_t i = 0; i < s.c.n_labels; i++) {
        if (s.name[i] != NO_LABEL && summed >> s.name[i] & 1) {
            count *= s.c.label_dim[i];
            continue;
        }
        if (rank == MICA_MAX_RANK)
            return lowering_too_many_axes(l, n, st);
        out->label[rank] = s.name[i];
        s.c.out_label[rank++] = i;
    }
    const bound r = range_of_products(bound_of(&ta), bound_of(&tb), count);
    if (r.hi > RANGE_ACC_LIMIT || r.lo < -RANGE_ACC_LIMIT) {
        l->narrow = lowering_is_constant(l, n->in[0]) ? NO_INDEX : n->in[0];
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its products can leave the field");
    }
    out->tensor = builder_contract(&l->b, &s.c, rank, r);
    return out->tensor != NO_INDEX;
}

/* --- other sizes --- */

uint32_t select_size(const lowering *l, const labelled *x, int8_t label) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    for (unsigned i = 0; i < t->rank; i++)
        if (x->label[i] == label)
            return t->dim[i];
    return 1;
}

bool select_resize(lowering *l, const graph_node *n, labelled *x, int8_t label, uint32_t size, int32_t first,
                   mica_status *st) {
    if (!make_solid(l, x))
        return false;
    const mica_tensor t = lowering_tensors(l)[x->tensor];
    mica_placement p = {.src = x->tensor, .n_factors = t.rank};
    uint32_t dim[MICA_MAX_RANK];
    unsigned rank = t.rank;
    bool found = false;
    for (uint8_t i = 0; i < t.rank; i++) {
        mica_factor *f = &p.factor[i];
        f->n_out = f->n_src = 1;
        f->out_axis[0] = f->src_axis[0] = i;
        f->out_stride[0] = 1;
        f->offset = x->label[i] == label ? first : 0;
        dim[i] = x->label[i] == label ? size : t.dim[i];
        found |= x->label[i] == label;
    }
    if (!found) { /* a single entry along that axis */
        if (rank == MICA_MAX_RANK)
            return lowering_too_many_axes(l, n, st);
        mica_factor *f = &p.factor[p.n_factors++];
        f->n_out = 1;
        f->out_axis[0] = (uint8_t)rank;
        f->out_stride[0] = 1;
        f->offset = first;
        x->label[rank] = label;
        dim[rank++] = size;
    }
    x->tensor = builder_placement(&l->b, &p, rank, dim);
    return x->tensor != NO_INDEX;
}
