/* Conv and ConvTranspose: patches by a placement, then one contraction with the weights over channels and
 * taps. Weights that arrive at run time are an operand like the patches. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_window.h"
#include "lowering/range.h"
#include "ops/ops.h"

/* Labels 0 .. rank of the contraction are the patches' axes; the output channel (within its group) follows.
 */
typedef struct conv {
    weighted w;
    patches p;
    uint32_t groups, outputs;     /* output channels per group */
    uint8_t place[MICA_MAX_RANK]; /* axis of the result of each axis of the patches */
    axis_list channel;            /* of the result */
} conv;

static void weight_axis(weighted *w, unsigned label, bool contracted) {
    w->w_dim[w->w_rank] = w->contract.label_dim[label];
    w->contract.a_view.axis[w->w_rank] = (int32_t)label;
    if (contracted)
        w->contracted |= 1u << w->w_rank;
    w->w_rank++;
}

static void weight_list(weighted *w, const axis_list *list, bool contracted) {
    for (unsigned i = 0; i < list->n; i++)
        weight_axis(w, list->axis[i], contracted);
}

static unsigned result_axis(weighted *w, unsigned label) {
    w->contract.out_label[w->out_rank] = (uint8_t)label;
    return w->out_rank++;
}

static void result_list(conv *c, const axis_list *list) {
    for (unsigned i = 0; i < list->n; i++)
        c->place[list->axis[i]] = (uint8_t)result_axis(&c->w, list->axis[i]);
}

/* Weights [O, C/g, k...] are [g, O/g, C/g, k...], row-major: the file's own order. */
static void conv_labels(conv *c, const op_window *w) {
    mica_contract *k = &c->w.contract;
    for (unsigned i = 0; i < c->p.rank; i++) {
        k->label_dim[i] = c->p.dim[i];
        k->b_view.axis[i] = (int32_t)i;
    }
    k->n_labels = (uint8_t)c->p.rank;
    result_list(c, &c->p.lead);
    weight_list(&c->w, &c->p.channel[0], false);
    result_list(c, &c->p.channel[0]);
    for (unsigned i = 0; i < c->p.channel[0].n; i++)
        axis_list_push(&c->channel, c->place[c->p.channel[0].axis[i]]);
    if (c->outputs > 1) {
        const unsigned label = k->n_labels++;
        k->label_dim[label] = c->outputs;
        weight_axis(&c->w, label, false);
        axis_list_push(&c->channel, result_axis(&c->w, label));
    }
    weight_list(&c->w, &c->p.channel[1], true);
    for (unsigned d = 0; d < w->n; d++)
        if (c->p.tap[d] >= 0)
            weight_axis(&c->w, (unsigned)c->p.tap[d], true);
    for (unsigned d = 0; d < w->n; d++)
        if (c->p.position[d] >= 0)
            c->place[c->p.position[d]] = (uint8_t)result_axis(&c->w, (unsigned)c->p.position[d]);
    if (k->n_labels == 0) { /* one number times one weight */
        k->n_labels = 1;
        k->label_dim[0] = 1;
        weight_axis(&c->w, 0, false);
        (void)result_axis(&c->w, 0);
    }
}

static double bias_magnitude(const graph_value *bias) {
    double m = 0;
    for (uint64_t i = 0; bias && i < graph_elements(bias); i++) {
        const double x = bias->real[i] < 0 ? -bias->real[i] : bias->real[i];
        m = x > m ? x : m;
    }
    return m;
}

/* The bias varies along the channel axis, which is followed by the spatial ones. */
static bool add_bias(lowering *l, form *f, const layout *axes, const op_window *w, const graph_value *bias,
                     double scale, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    dim[0] = bias->dim[0];
    for (unsigned d = 0; d < w->n; d++)
        dim[1 + d] = 1;
    return lowering_add_constant(l, f, axes, 1 + w->n, dim, bias->real, 1 / scale, st);
}

/* ConvTranspose's weights [g, C/g, O/g, k...] in the order of Conv's, [g, O/g, C/g, k...]. */
static double *swap_channels(const graph_value *weights, size_t groups) {
    const size_t inputs = (size_t)weights->dim[0] / groups, outputs = (size_t)weights->dim[1];
    const size_t elements = (size_t)graph_elements(weights), taps = elements / (groups * inputs * outputs);
    double *w = malloc(elements * sizeof *w);
    for (size_t g = 0; w && g < groups; g++)
        for (size_t c = 0; c < inputs; c++)
            for (size_t o = 0; o < outputs; o++)
                memcpy(w + ((g * outputs + o) * inputs + c) * taps,
                       weights->real + ((g * inputs + c) * outputs + o) * taps, taps * sizeof *w);
    return w;
}

/* --- weights that arrive at run time --- */

/* The labels of conv_labels in the order of ConvTranspose's weights [g, C/g, O/g, k...]. */
static void swap_labels(conv *c, uint32_t *dim, uint8_t *label) {
    const unsigned first = c->p.channel[0].n, outputs = c->outputs > 1 ? 1 : 0, inputs = c->p.channel[1].n;
    unsigned n = first;
    for (unsigned i = 0; i < inputs; i++, n++) {
        dim[n] = c->w.w_dim[first + outputs + i];
        label[n] = (uint8_t)c->w.contract.a_view.axis[first + outputs + i];
    }
    for (unsigned i = 0; i < outputs; i++, n++) {
        dim[n] = c->w.w_dim[first + i];
        label[n] = (uint8_t)c->w.contract.a_view.axis[first + i];
    }
}

/* The weights as a tensor whose axes are the labels' and have them in the contraction. */
static bool weight_operand(lowering *l, const graph_node *n, conv *c, qvalue *q, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t w_dim[MICA_MAX_RANK];
    uint8_t label[MICA_MAX_RANK];
    mica_view *view = &c->w.contract.a_view;
    for (unsigned i = 0; i < c->w.w_rank; i++) {
        w_dim[i] = c->w.w_dim[i];
        label[i] = (uint8_t)view->axis[i];
    }
    if (n->kind == OP_CONVTRANSPOSE)
        swap_labels(c, w_dim, label);
    for (unsigned i = 0; i < c->w.w_rank; i++)
        dim[i] = w_dim[i];
    if (!lowering_plain_operand(l, n->in[1], q, st) || !lowering_replace_axes(l, q, c->w.w_rank, dim, st))
        return false;
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        view->axis[i] = i < lowering_tensors(l)[q->tensor].rank ? MICA_VIEW_AT(0) : 0;
    for (unsigned i = 0; i < c->w.w_rank; i++)
        for (unsigned j = 0; j < q->axes.of[i].n; j++)
            view->axis[q->axes.of[i].axis[j]] = label[i];
    return true;
}

/* *f := the contraction of patches and weights, both activations. */
static bool contract_operands(lowering *l, const graph_node *n, conv *c, const qvalue *patch, form *f,
                              double *scale, mica_status *st) {
    uint64_t count = 1;
    qvalue q;
    if (!weight_operand(l, n, c, &q, st))
        return false;
    for (unsigned i = 0; i < c->w.w_rank; i++)
        count *= c->w.contracted >> i & 1 ? c->w.w_dim[i] : 1;
    c->w.contract.a = q.tensor;
    c->w.contract.b = patch->tensor;
    const mica_tensor *base = lowering_tensors(l);
    const bound r = range_of_products(bound_of(&base[q.tensor]), bound_of(&base[patch->tensor]), count);
    if (r.lo <= -RANGE_ACC_LIMIT || r.hi >= RANGE_ACC_LIMIT) {
        l->narrow = l->bits[q.origin] >= l->bits[patch->origin] ? q.origin : patch->origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its accumulators can leave the field");
    }
    const uint32_t t = builder_contract(&l->b, &c->w.contract, c->w.out_rank, r);
    if (t == NO_INDEX)
        return false;
    *f = lowering_tensor_form(l, t);
    *scale = q.scale * patch->scale;
    return true;
}

/* --- both --- */

/* Without elements of weights, they are an operand. */
static bool lower_window(lowering *l, const graph_node *n, const double *w_elements, uint32_t outputs,
                         mica_status *st) {
    const graph_value *bias = n->n_in > 2 && n->in[2] != GRAPH_NO_VALUE ? &l->g->value[n->in[2]] : NULL;
    op_window w;
    qvalue x;
    conv c;
    memset(&c, 0, sizeof c);
    c.groups = (uint32_t)graph_attr_int(n, "group", 1);
    c.outputs = outputs;
    if (!op_window_resolve(&w, l->g, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_layer(l, n, st) || !lowering_patches(l, n, &w, &x, c.groups, NULL, &c.p, st))
        return false;
    conv_labels(&c, &w);
    c.w.w = (double *)(uintptr_t)w_elements; /* read only */
    c.w.axes = lowering_window_axes(l, n, &c.p, &c.channel, c.place);
    c.w.bias_max = bias_magnitude(bias);
    qvalue patch = x;
    patch.tensor = c.p.tensor;
    form f;
    double scale;
    return (w_elements ? lowering_weighted(l, n, &c.w, &patch, &f, &scale, st)
                       : contract_operands(l, n, &c, &patch, &f, &scale, st)) &&
           (!bias || add_bias(l, &f, &c.w.axes, &w, bias, scale, st)) &&
           lowering_set_sum(l, n, &f, &c.w.axes, scale, st);
}

bool lower_conv(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *weights = &l->g->value[n->in[1]];
    return lower_window(l, n, weights->real, (uint32_t)(weights->dim[0] / graph_attr_int(n, "group", 1)), st);
}

bool lower_convtranspose(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *weights = &l->g->value[n->in[1]];
    double *w = weights->real ? swap_channels(weights, (size_t)graph_attr_int(n, "group", 1)) : NULL;
    if (weights->real && !w)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    const bool ok = lower_window(l, n, w, (uint32_t)weights->dim[1], st);
    free(w);
    return ok;
}
