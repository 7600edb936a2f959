/* Gemm and MatMul, with constant weights or between two activations. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering.h"
#include "lowering/range.h"
#include "ops/ops.h"

/* One operand seen as [lead..., K, F]: K is contracted, F is its own axis in the result. Axes are counted
 * from the right of the ONNX shape, batch axis left out. */
typedef struct side {
    uint32_t value;
    int k_axis, f_axis; /* ONNX axes, batch left out; f_axis -1: none (a vector, or the batch axis) */
    unsigned n_lead;    /* leading axes 0 .. n_lead */
} side;

typedef struct product {
    side left, right;
    double alpha;
    uint32_t addend; /* GRAPH_NO_VALUE: none */
    double beta;
} product;

/* Of the result. */
static unsigned matrix_axes(const product *p) {
    return (p->left.f_axis >= 0 ? 1u : 0u) + (p->right.f_axis >= 0 ? 1u : 0u);
}

/* The last two axes of v, swapped if transposed. */
static bool make_side(const graph *g, uint32_t value, bool is_left, bool transposed, side *s) {
    int64_t dim[GRAPH_MAX_RANK];
    const int rank = (int)layout_dims(&g->value[value], dim);
    const int k_from_right = is_left != transposed ? 1 : 2, f_from_right = 3 - k_from_right;
    *s = (side){.value = value};
    if (rank >= 2) {
        s->k_axis = rank - k_from_right;
        s->f_axis = rank - f_from_right;
        s->n_lead = (unsigned)rank - 2;
        return true;
    }
    /* A vector, or a matrix whose rows are the batch: its one axis is contracted. */
    s->k_axis = 0;
    s->f_axis = -1;
    return rank == 1 && (!g->value[value].batched || (is_left && !transposed));
}

/* ONNX axis of the result that a side's own axis becomes; -1 if it has none. */
static int result_axis(const graph *g, const graph_node *n, const product *p, bool of_left) {
    int64_t dim[GRAPH_MAX_RANK];
    const int rank = (int)layout_dims(&g->value[n->out[0]], dim);
    const side *s = of_left ? &p->left : &p->right;
    if (s->f_axis < 0)
        return -1;
    return of_left && p->right.f_axis >= 0 ? rank - 2 : rank - 1;
}

/* --- one constant operand --- */

typedef struct weighted_product {
    weighted w;
    const graph_value *constant;
    size_t stride[GRAPH_MAX_RANK]; /* of the constant's ONNX axes */
    int w_axis_of[MICA_MAX_RANK];  /* ONNX axis of the constant that each run of w's axes splits */
    uint32_t run_dim[MICA_MAX_RANK];
    unsigned n_runs;
} weighted_product;

/* Appends the constant's ONNX axis `axis` to w, split like `list` of x; label i follows tensor axis i of x.
 */
static void append_run(weighted_product *b, int axis, const axis_list *list, const uint32_t *x_dim,
                       bool contracted) {
    b->w_axis_of[b->n_runs] = axis;
    b->run_dim[b->n_runs++] = (uint32_t)b->constant->dim[axis];
    for (unsigned i = 0; i < list->n; i++) {
        const unsigned at = b->w.w_rank++;
        b->w.w_dim[at] = x_dim[list->axis[i]];
        b->w.contract.a_view.axis[at] = list->axis[i];
        if (contracted)
            b->w.contracted |= 1u << at;
    }
}

/* A label that only the weights have; its index in the result's axes, or NO_AXIS if its size is 1. */
static unsigned append_free(weighted_product *b, int axis) {
    const uint32_t size = (uint32_t)b->constant->dim[axis];
    b->w_axis_of[b->n_runs] = axis;
    b->run_dim[b->n_runs++] = size;
    if (size == 1)
        return NO_AXIS;
    const unsigned label = b->w.contract.n_labels++;
    b->w.contract.label_dim[label] = size;
    b->w.w_dim[b->w.w_rank] = size;
    b->w.contract.a_view.axis[b->w.w_rank++] = (int32_t)label;
    return label;
}

/* The constant's elements in the order of the runs. */
static double *gather(const weighted_product *b, double alpha, mica_status *st) {
    size_t n = 1;
    for (unsigned i = 0; i < b->n_runs; i++)
        n *= b->run_dim[i];
    double *w = malloc(n * sizeof *w);
    if (!w) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
        return NULL;
    }
    uint32_t index[MICA_MAX_RANK] = {0};
    for (size_t j = 0; j < n; j++) {
        size_t at = 0;
        for (unsigned i = 0; i < b->n_runs; i++)
            at += index[i] * b->stride[b->w_axis_of[i]];
        w[j] = alpha * b->constant->real[at];
        for (unsigned i = b->n_runs; i-- > 0 && ++index[i] == b->run_dim[i];)
            index[i] = 0;
    }
    return w;
}

/* Labels 0 .. rank of the contraction are x's tensor axes. */
static void begin_labels(mica_contract *c, const mica_tensor *x, const layout *axes) {
    const axis_list named = layout_order(axes);
    for (unsigned i = 0; i < x->rank; i++) {
        c->label_dim[i] = x->dim[i];
        c->b_view.axis[i] = MICA_VIEW_AT(0);
    }
    for (unsigned i = 0; i < named.n; i++)
        c->b_view.axis[named.axis[i]] = named.axis[i];
    c->n_labels = x->rank;
}

/* Labels that nothing uses (axes of size 1 taken at 0) are dropped; at least one label is left. */
static void compact_labels(weighted *w, const mica_tensor *x) {
    mica_contract *c = &w->contract;
    int map[MICA_MAX_LABELS] = {0};
    unsigned kept = 0;
    for (unsigned i = 0; i < c->n_labels; i++) {
        const bool unused = i < x->rank && c->b_view.axis[i] < 0;
        map[i] = unused ? -1 : (int)kept;
        if (!unused)
            c->label_dim[kept++] = c->label_dim[i];
    }
    c->n_labels = (uint8_t)kept;
    for (unsigned i = 0; i < x->rank; i++)
        if (c->b_view.axis[i] >= 0)
            c->b_view.axis[i] = map[c->b_view.axis[i]];
    for (unsigned i = 0; i < w->w_rank; i++)
        c->a_view.axis[i] = map[c->a_view.axis[i]];
    for (unsigned i = 0; i < w->out_rank; i++)
        c->out_label[i] = (uint8_t)map[c->out_label[i]];
    if (kept == 0) { /* a product of two numbers: one row of one weight */
        c->n_labels = 1;
        c->label_dim[0] = 1;
        w->w_dim[w->w_rank++] = 1;
        c->out_label[w->out_rank++] = 0;
    }
}

/* Largest magnitude of beta * addend, for the no-wrap bound. */
static double addend_magnitude(const lowering *l, const product *p) {
    if (p->addend == GRAPH_NO_VALUE || !graph_is_const(&l->g->value[p->addend]))
        return 0;
    const graph_value *c = &l->g->value[p->addend];
    double m = 0;
    for (uint64_t i = 0; i < graph_elements(c); i++) {
        const double x = p->beta * c->real[i];
        m = x > m ? x : -x > m ? -x : m;
    }
    return m;
}

/* The result has x's axes that are not contracted, then the weights' own. */
static void finish_result(weighted_product *b, const mica_tensor *x, const axis_list *k, unsigned f_label,
                          const unsigned *lead_label, unsigned n_lead_label) {
    weighted *w = &b->w;
    unsigned place[MICA_MAX_LABELS]; /* axis of the result of each label */
    memset(place, 0xff, sizeof place);
    unsigned contracted = 0;
    for (unsigned i = 0; i < k->n; i++)
        contracted |= 1u << k->axis[i];
    for (unsigned i = 0; i < n_lead_label; i++) {
        place[lead_label[i]] = w->out_rank;
        w->contract.out_label[w->out_rank++] = (uint8_t)lead_label[i];
    }
    for (unsigned i = 0; i < x->rank; i++) {
        if (w->contract.b_view.axis[i] >= 0 && !(contracted & 1u << i)) {
            place[i] = w->out_rank;
            w->contract.out_label[w->out_rank++] = (uint8_t)i;
        }
    }
    if (f_label != NO_AXIS) {
        place[f_label] = w->out_rank;
        w->contract.out_label[w->out_rank++] = (uint8_t)f_label;
    }
    for (unsigned i = 0; i < w->axes.rank; i++)
        for (unsigned j = 0; j < w->axes.of[i].n; j++)
            w->axes.of[i].axis[j] = (uint8_t)place[w->axes.of[i].axis[j]];
}

static bool lower_with_weights(lowering *l, const graph_node *n, const product *p, bool constant_right,
                               form *f, qvalue *out, mica_status *st) {
    const side *ws = constant_right ? &p->right : &p->left, *xs = constant_right ? &p->left : &p->right;
    qvalue x;
    if (!lowering_operand(l, xs->value, &x, st))
        return false;
    if (!lowering_layer(l, n, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    weighted_product b = {.constant = &l->g->value[ws->value]};
    size_t stride = 1;
    for (unsigned i = b.constant->rank; i-- > 0;) {
        b.stride[i] = stride;
        stride *= (size_t)b.constant->dim[i];
    }
    begin_labels(&b.w.contract, t, &x.axes);
    int64_t dim[GRAPH_MAX_RANK];
    b.w.axes.rank = (uint8_t)layout_dims(&l->g->value[n->out[0]], dim);
    /* Leading axes: the constant's are paired with x's or are its own. */
    unsigned lead_label[MICA_MAX_LABELS], n_lead_label = 0;
    const unsigned out_lead = b.w.axes.rank - matrix_axes(p);
    for (unsigned i = 0; i < out_lead; i++) {
        const int wi = (int)ws->n_lead - (int)(out_lead - i), xi = (int)xs->n_lead - (int)(out_lead - i);
        axis_list list = {0};
        if (xi >= 0)
            list = x.axes.of[xi];
        if (wi >= 0 && b.constant->dim[wi] > 1) {
            if (list.n) {
                append_run(&b, wi, &list, t->dim, false);
            } else {
                const unsigned label = append_free(&b, wi);
                lead_label[n_lead_label++] = label;
                axis_list_push(&list, label);
            }
        }
        b.w.axes.of[i] = list;
    }
    const unsigned f_label = ws->f_axis >= 0 ? append_free(&b, ws->f_axis) : NO_AXIS;
    const axis_list k = x.axes.of[xs->k_axis];
    append_run(&b, ws->k_axis, &k, t->dim, true);
    if (ws->f_axis >= 0 && f_label != NO_AXIS)
        axis_list_push(&b.w.axes.of[result_axis(l->g, n, p, !constant_right)], f_label);
    if (xs->f_axis >= 0)
        b.w.axes.of[result_axis(l->g, n, p, constant_right)] = x.axes.of[xs->f_axis];
    finish_result(&b, t, &k, f_label, lead_label, n_lead_label);
    compact_labels(&b.w, t);
    b.w.bias_max = addend_magnitude(l, p);
    b.w.w = gather(&b, p->alpha, st);
    const bool ok = b.w.w && lowering_weighted(l, n, &b.w, &x, f, &out->scale, st);
    free(b.w.w);
    out->axes = b.w.axes;
    return ok;
}

/* --- two activations --- */

static bool same_splits(const lowering *l, const qvalue *x, const axis_list *a, const qvalue *y,
                        const axis_list *b) {
    return axis_list_same_split(a, lowering_tensors(l)[x->tensor].dim, b, lowering_tensors(l)[y->tensor].dim);
}

/* Both as tensors with plain axes, unless their shared axes are split alike already. */
static bool product_operands(lowering *l, const product *p, unsigned out_lead, qvalue *x, qvalue *y,
                             mica_status *st) {
    if (!lowering_operand(l, p->left.value, x, st) || !lowering_operand(l, p->right.value, y, st))
        return false;
    bool alike = same_splits(l, x, &x->axes.of[p->left.k_axis], y, &y->axes.of[p->right.k_axis]);
    for (unsigned i = 0; i < out_lead; i++) {
        const int a = (int)p->left.n_lead - (int)(out_lead - i),
                  b = (int)p->right.n_lead - (int)(out_lead - i);
        if (a >= 0 && b >= 0 && x->axes.of[a].n && y->axes.of[b].n)
            alike &= same_splits(l, x, &x->axes.of[a], y, &y->axes.of[b]);
    }
    return alike || (lowering_plain_operand(l, p->left.value, x, st) &&
                     lowering_plain_operand(l, p->right.value, y, st));
}

/* Gives each axis of `list` a label of its own, or those of `shared` (the other operand's list, already
 * labelled). */
static void label_axes(mica_contract *c, const mica_tensor *x, mica_view *view, const axis_list *list,
                       const mica_view *other, const axis_list *shared) {
    for (unsigned i = 0; i < list->n; i++) {
        unsigned label;
        if (shared && shared->n) {
            label = (unsigned)other->axis[shared->axis[i]];
        } else {
            label = c->n_labels++;
            c->label_dim[label] = x->dim[list->axis[i]];
        }
        view->axis[list->axis[i]] = (int32_t)label;
    }
}

static void output_labels(mica_contract *c, unsigned *rank, const mica_view *view, const axis_list *list,
                          axis_list *out) {
    for (unsigned i = 0; i < list->n; i++) {
        axis_list_push(out, *rank);
        c->out_label[(*rank)++] = (uint8_t)view->axis[list->axis[i]];
    }
}

static bool lower_two_activations(lowering *l, const graph_node *n, const product *p, form *f, qvalue *out,
                                  mica_status *st) {
    qvalue x, y;
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned out_rank = layout_dims(&l->g->value[n->out[0]], dim);
    const unsigned out_lead = out_rank - matrix_axes(p);
    if (!lowering_layer(l, n, st) || !product_operands(l, p, out_lead, &x, &y, st))
        return false;
    const mica_tensor *a = &lowering_tensors(l)[x.tensor], *b = &lowering_tensors(l)[y.tensor];
    mica_contract c = {.a = x.tensor, .b = y.tensor};
    for (unsigned i = 0; i < a->rank; i++)
        c.a_view.axis[i] = MICA_VIEW_AT(0);
    for (unsigned i = 0; i < b->rank; i++)
        c.b_view.axis[i] = MICA_VIEW_AT(0);
    unsigned rank = 0;
    layout axes = {.rank = (uint8_t)out_rank};
    for (unsigned i = 0; i < out_lead; i++) {
        const int xi = (int)p->left.n_lead - (int)(out_lead - i),
                  yi = (int)p->right.n_lead - (int)(out_lead - i);
        const axis_list none = {0};
        const axis_list *xl = xi >= 0 ? &x.axes.of[xi] : &none, *yl = yi >= 0 ? &y.axes.of[yi] : &none;
        label_axes(&c, a, &c.a_view, xl, NULL, NULL);
        label_axes(&c, b, &c.b_view, yl, &c.a_view, xl);
        output_labels(&c, &rank, xl->n ? &c.a_view : &c.b_view, xl->n ? xl : yl, &axes.of[i]);
    }
    const axis_list *xk = &x.axes.of[p->left.k_axis], *yk = &y.axes.of[p->right.k_axis];
    label_axes(&c, a, &c.a_view, xk, NULL, NULL);
    label_axes(&c, b, &c.b_view, yk, &c.a_view, xk);
    uint64_t count = axis_list_size(xk, a->dim);
    if (p->left.f_axis >= 0) {
        label_axes(&c, a, &c.a_view, &x.axes.of[p->left.f_axis], NULL, NULL);
        output_labels(&c, &rank, &c.a_view, &x.axes.of[p->left.f_axis],
                      &axes.of[result_axis(l->g, n, p, true)]);
    }
    if (p->right.f_axis >= 0) {
        label_axes(&c, b, &c.b_view, &y.axes.of[p->right.f_axis], NULL, NULL);
        output_labels(&c, &rank, &c.b_view, &y.axes.of[p->right.f_axis],
                      &axes.of[result_axis(l->g, n, p, false)]);
    }
    if (c.n_labels == 0)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "a product of two single numbers");
    const bound acc = range_of_products(bound_of(a), bound_of(b), count);
    if (acc.hi > RANGE_ACC_LIMIT || acc.lo < -RANGE_ACC_LIMIT) {
        l->narrow = l->bits[x.origin] >= l->bits[y.origin] ? x.origin : y.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its accumulators can leave the field");
    }
    const uint32_t t = builder_contract(&l->b, &c, rank, acc);
    if (t == NO_INDEX)
        return false;
    uint64_t macs = 1;
    for (unsigned i = 0; i < c.n_labels; i++)
        macs *= c.label_dim[i];
    l->b.p.note[l->b.layer].macs += macs;
    const mica_tensor *r = &lowering_tensors(l)[t];
    form_create(f, r->batched, r->rank, r->dim);
    out->axes = axes;
    out->scale = x.scale * y.scale * p->alpha;
    if (!(out->scale > 0))
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "alpha <= 0 between two activations");
    return form_add_tensor(f, lowering_tensors(l), t, 1);
}

/* --- operators --- */

static bool lower_product(lowering *l, const graph_node *n, const product *p, mica_status *st) {
    const bool left = graph_is_const(&l->g->value[p->left.value]);
    const bool right = graph_is_const(&l->g->value[p->right.value]);
    form f;
    qvalue out;
    if (!(left || right ? lower_with_weights(l, n, p, right, &f, &out, st)
                        : lower_two_activations(l, n, p, &f, &out, st)))
        return false;
    if (p->addend != GRAPH_NO_VALUE) {
        const graph_value *c = &l->g->value[p->addend];
        if (!graph_is_const(c))
            return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "C of Gemm must be a constant");
        if (!lowering_add_constant(l, &f, &out.axes, c->rank, c->dim, c->real, p->beta / out.scale, st))
            return false;
    }
    return lowering_set_sum(l, n, &f, &out.axes, out.scale, st);
}

static bool fail_batch(lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "the product contracts the batch axis");
}

bool lower_gemm(struct lowering *l, const graph_node *n, mica_status *st) {
    product p = {.alpha = graph_attr_float(n, "alpha", 1),
                 .beta = graph_attr_float(n, "beta", 1),
                 .addend = n->n_in > 2 ? n->in[2] : GRAPH_NO_VALUE};
    if (!make_side(l->g, n->in[0], true, graph_attr_int(n, "transA", 0) != 0, &p.left) ||
        !make_side(l->g, n->in[1], false, graph_attr_int(n, "transB", 0) != 0, &p.right))
        return fail_batch(l, n, st);
    return lower_product(l, n, &p, st);
}

bool lower_matmul(struct lowering *l, const graph_node *n, mica_status *st) {
    product p = {.alpha = 1, .beta = 1, .addend = GRAPH_NO_VALUE};
    if (!make_side(l->g, n->in[0], true, false, &p.left) ||
        !make_side(l->g, n->in[1], false, false, &p.right))
        return fail_batch(l, n, st);
    return lower_product(l, n, &p, st);
}
