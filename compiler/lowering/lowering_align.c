/* Operands at one scale, saturated as the result is. */
#include <stdlib.h>

#include "lowering/lowering_operand.h"
#include "lowering/requantise.h"

#define MASK_RATIO  64   /* a constant that much larger than the activations is a mask */
#define MASK_MARGIN 16.0 /* it stays this far beyond twice the activations: exp(-16) of a row's largest */
#define MASK_BITS   14   /* steps between 0 and the mask, log2 */

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

static bool align_operands(lowering *l, const graph_node *n, uint32_t first, aligned *a, form *forms,
                           qvalue *q, mica_status *st) {
    operand_mode mode;
    bool exact;
    unsigned bits;
    /* All of the node's inputs, so that a condition shares the domain. */
    if (!operand_join_narrow(l, n, n->n_in, n->in, &a->d, &mode, st))
        return false;
    for (uint32_t i = first; i < n->n_in; i++)
        if (!lowering_is_constant(l, n->in[i]) && !operand_tensor(l, n->in[i], mode, &q[i - first], st))
            return false;
    a->scale = common_scale(l, n, first, q, &bits, &exact);
    a->range = (bound){0, 0};
    for (uint32_t i = first; i < n->n_in; i++) {
        form *f = &forms[i - first];
        const bool ok = lowering_is_constant(l, n->in[i])
                            ? lowering_constant_form(l, n->in[i], &a->d, a->scale, bits, f, st)
                            : rescale(l, n, &q[i - first], a->scale, st) &&
                                  operand_map(l, n, &a->d, &q[i - first], f, st);
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
