/* Conv and ConvTranspose: patches by a placement, then one contraction with the weights over channels and
 * taps. */
#include <stdlib.h>
#include <string.h>

#include "lowering.h"
#include "lowering_window.h"
#include "ops/op_rules.h"

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
    return lowering_weighted(l, n, &c.w, &patch, &f, &scale, st) &&
           (!bias || add_bias(l, &f, &c.w.axes, &w, bias, scale, st)) &&
           lowering_set_sum(l, n, &f, &c.w.axes, scale, st);
}

static bool constant_weights(const lowering *l, const graph_node *n, mica_status *st) {
    for (uint32_t i = 1; i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && !l->g->value[n->in[i]].real)
            return op_fail_varying(l->g, n, i, OP_NEEDS_CONSTANT, st);
    return true;
}

bool lower_conv(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *weights = &l->g->value[n->in[1]];
    return constant_weights(l, n, st) &&
           lower_window(l, n, weights->real, (uint32_t)(weights->dim[0] / graph_attr_int(n, "group", 1)), st);
}

bool lower_convtranspose(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *weights = &l->g->value[n->in[1]];
    if (!constant_weights(l, n, st))
        return false;
    double *w = swap_channels(weights, (size_t)graph_attr_int(n, "group", 1));
    if (!w)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    const bool ok = lower_window(l, n, w, (uint32_t)weights->dim[1], st);
    free(w);
    return ok;
}
