#include "lowering/lowering_ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "lowering/limbs.h"
#include "lowering/lowering_domain.h"
#include "lowering/range.h"
#include "ops/op_rules.h"
#include "ops/unary.h"

#define CONSTANT_BITS     24   /* of outputs that are constants */
#define NARROW_INPUT_BITS 8    /* inputs of integer types that narrow have the whole type's range */
#define INPUT_MARGIN      1.25 /* declared input range over the calibrated one */

/* Integers keep scale 1; the next 2^k - 1 above the largest sample bounds them. Indices count from either
 * end of their axis. Truth values are 0 or 1. */
static bool integer_input_range(const lowering *l, uint32_t v, bound *r, mica_status *st) {
    const int64_t indexed = op_indexed_size(l->g, v);
    const double magnitude = indexed ? (double)indexed : calibration_magnitude(l->cal, v);
    const int type = l->g->value[v].onnx_dtype;
    int64_t top = 1;
    if (onnx_type_bits(type) <= NARROW_INPUT_BITS && type != ONNX_BOOL) { /* all that the type holds */
        const int64_t all = INT64_C(1) << onnx_type_bits(type);
        *r = onnx_type_signed(type) ? (bound){-all / 2, all / 2 - 1} : (bound){0, all - 1};
        return true;
    }
    if (magnitude >= (double)RANGE_ACC_LIMIT)
        return mica_fail(st, MICA_ERR_RANGE, "input '%s': integers of 2^28 and more are not supported",
                         l->g->value[v].name);
    *r = (bound){-indexed, indexed - 1};
    if (indexed)
        return true;
    while ((double)top < magnitude && l->g->value[v].onnx_dtype != ONNX_BOOL)
        top = 2 * top + 1;
    *r = (bound){l->cal->lo[v] < 0 && l->g->value[v].onnx_dtype != ONNX_BOOL ? -top : 0, top};
    return true;
}

/* The largest power of two that is not above x, within 2^-60 .. 2^60. */
static double power_of_two_below(double x) {
    double p = 1;
    for (int i = 0; i < 60 && p > x; i++)
        p /= 2;
    for (int i = 0; i < 60 && 2 * p <= x; i++)
        p *= 2;
    return p;
}

/* Scale 1 if the samples are integers of at most 16 bits; otherwise the largest sample takes `bits` bits. */
static bool input_range(const lowering *l, uint32_t v, double *scale, bound *r, mica_status *st) {
    const double magnitude = calibration_magnitude(l->cal, v), lo = l->cal->lo[v], hi = l->cal->hi[v];
    if (l->g->value[v].dtype == DTYPE_INT) {
        *scale = 1;
        return integer_input_range(l, v, r, st);
    }
    const unsigned exact_bits =
        l->bits[v] < l->width[v].activation_bits ? l->bits[v] : LOWERING_EXACT_BITS - 1; /* sign apart */
    const double limit = (double)(INT64_C(1) << exact_bits);
    const double want = l->want_scale[v];
    if (want > 0 && want >= magnitude / limit) { /* what it is concatenated with has this scale */
        const int64_t most = round_away(magnitude * INPUT_MARGIN / want) + 1;
        *scale = want;
        *r = (bound){lo < 0 ? -most : 0, hi > 0 ? most : 0};
        return true;
    }
    if (l->cal->integral[v] && !l->cal->guessed && magnitude > 0 && magnitude < limit) {
        int64_t top = 1;
        while ((double)top < magnitude)
            top = 2 * top + 1;
        *scale = 1;
        *r = (bound){lo < 0 ? -top : 0, hi > 0 ? top : 0};
        return true;
    }
    *scale = (magnitude > 0 ? magnitude : 1) / (double)(INT64_C(1) << l->bits[v]);
    if (unary_wants_round_scale(l->g, v))
        *scale = power_of_two_below(*scale);
    if (!lowering_exact_scale(scale))
        return mica_fail(st, MICA_ERR_RANGE, "input '%s': its values are outside 2^-50 .. 2^100",
                         l->g->value[v].name);
    const double widest = (magnitude > 0 ? magnitude : 1) * INPUT_MARGIN;
    *r = (bound){lo < 0 ? round_away(-widest / *scale) : 0, hi > 0 ? round_away(widest / *scale) : 0};
    return true;
}

static void port_shape(mica_port *port, const graph_value *v, const layout *axes, const mica_tensor *x) {
    int64_t dim[GRAPH_MAX_RANK];
    port->onnx_rank = (uint8_t)layout_dims(v, dim);
    for (unsigned i = 0; i < port->onnx_rank; i++)
        port->onnx_dim[i] = (uint32_t)dim[i];
    port->onnx_batched = v->batched;
    axis_list order = layout_order(axes);
    unsigned listed = 0;
    for (unsigned i = 0; i < order.n; i++)
        listed |= 1u << order.axis[i];
    for (unsigned i = 0; i < x->rank; i++)
        if (!(listed & 1u << i))
            axis_list_push(&order, i);
    memcpy(port->axis_order, order.axis, x->rank);
}

bool lowering_make_port(const lowering *l, mica_port *port, uint32_t v, const qvalue *q, mica_status *st) {
    mica_dyadic d;
    memset(port, 0, sizeof *port);
    if (!mica_dyadic_from_double(&d, q->scale) || d.mantissa <= 0)
        return mica_fail(st, MICA_ERR_RANGE, "'%s': its scale is out of range", l->g->value[v].name);
    (void)snprintf(port->name, sizeof port->name, "%s", l->g->value[v].name ? l->g->value[v].name : "");
    port->tensor = q->tensor;
    port->mantissa = d.mantissa;
    port->exponent = d.exponent;
    port_shape(port, &l->g->value[v], &q->axes, &lowering_tensors(l)[q->tensor]);
    return true;
}

static bool add_port(lowering *l, bool is_input, uint32_t v, const qvalue *q, mica_visibility seen,
                     mica_status *st) {
    mica_port port;
    if (!lowering_make_port(l, &port, v, q, st))
        return false;
    port.visibility = seen;
    port.exact = is_input && op_indexed_size(l->g, v) > 0;
    return builder_port(&l->b, is_input, &port);
}

static mica_visibility visibility_of(const mica_visibility *said, uint32_t index) {
    return said ? said[index] : MICA_PUBLIC;
}

/* An input that the statement does not show: of the ranges whose size is a power of two the smallest that
 * contains r. */
static uint32_t hidden_input(lowering *l, unsigned rank, const uint32_t *dim, bound r, mica_status *st) {
    const uint64_t size = (uint64_t)(r.hi - r.lo) + 1; /* <= 2^31 */
    const unsigned bits = size > 1 ? mica_log2_ceil(size) : 1;
    const int64_t spare = (INT64_C(1) << bits) - (int64_t)size;
    return digits_tensor(l, rank, dim, bits, r.lo < 0 ? r.lo - spare / 2 : 0, st);
}

bool lowering_input(lowering *l, uint32_t index, mica_status *st) {
    const uint32_t v = l->g->input[index];
    const graph_value *x = &l->g->value[v];
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t tensor_dim[MICA_MAX_RANK];
    qvalue q = {.origin = v, .ready = true};
    const unsigned rank = layout_dims(x, dim);
    const unsigned tensor_rank = layout_plain(&q.axes, rank, dim, tensor_dim);
    bound r;
    if (builder_layer(&l->b, x->name, "Input") == NO_INDEX || !input_range(l, v, &q.scale, &r, st))
        return false;
    q.layer = l->b.layer;
    const mica_visibility seen = visibility_of(l->opt.input_visibility, index);
    q.tensor = seen == MICA_PUBLIC ? builder_input(&l->b, tensor_rank, tensor_dim, r)
                                   : hidden_input(l, tensor_rank, tensor_dim, r, st);
    l->value[v] = q;
    return q.tensor != NO_INDEX && add_port(l, true, v, &q, seen, st);
}

/* An output that is known: integers as they are, reals with more bits than any activation has. */
static bool constant_output(lowering *l, uint32_t v, form *f, qvalue *q, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    uint32_t tensor_dim[MICA_MAX_RANK];
    double magnitude = 0, *x = lowering_constant(l, v, st);
    bool integral = true;
    *q = (qvalue){.tensor = NO_INDEX, .scale = 1, .origin = v, .ready = true};
    if (!x || builder_layer(&l->b, c->name, "Constant") == NO_INDEX) {
        free(x);
        return false;
    }
    q->layer = l->b.layer;
    for (uint64_t i = 0; i < graph_elements(c); i++) {
        magnitude = x[i] > magnitude ? x[i] : -x[i] > magnitude ? -x[i] : magnitude;
        integral &= x[i] > -(double)RANGE_ACC_LIMIT && x[i] < (double)RANGE_ACC_LIMIT &&
                    x[i] == (double)(int64_t)x[i];
    }
    if (!integral)
        q->scale = magnitude / (double)(INT64_C(1) << CONSTANT_BITS);
    form_create(f, true, layout_plain(&q->axes, c->rank, c->dim, tensor_dim), tensor_dim);
    const bool ok = (integral || lowering_exact_scale(&q->scale) ||
                     mica_fail(st, MICA_ERR_RANGE, "output '%s': its values are out of range", c->name)) &&
                    lowering_add_constant(l, f, &q->axes, c->rank, c->dim, x, 1 / q->scale, st);
    free(x);
    return ok;
}

/* Whether something of the circuit, or the form of an output that is to follow, reads tensor t. */
static bool is_read(const lowering *l, uint32_t t, const form *last) {
    const mica_circuit *c = &l->b.p.circuit;
    bool found = false;
    for (uint32_t i = 0; i < last->n_terms; i++)
        found |= last->term[i].tensor == t;
    for (uint32_t i = 0; i < c->n_terms; i++)
        found |= c->term[i].tensor == t;
    for (uint32_t i = 0; i < c->n_contract; i++)
        found |= c->contract[i].a == t || c->contract[i].b == t;
    for (uint32_t i = 0; i < c->n_placement; i++)
        found |= c->placement[i].src == t;
    for (uint32_t i = 0; i < c->n_lookups; i++)
        found |= c->lookup[i].entry[0] == t || c->lookup[i].entry[1] == t;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        found |= c->output[i].tensor == t;
    return found;
}

/* Inputs that nothing depends on are part of the statement all the same: the last output reads a placement
 * that takes none of their cells. */
static bool add_unread_inputs(lowering *l, form *f, bool *added) {
    for (uint32_t i = 0; i < l->g->n_inputs; i++) {
        const uint32_t x = l->value[l->g->input[i]].tensor;
        if (is_read(l, x, f))
            continue;
        mica_placement p = {.src = x, .n_factors = 1};
        p.factor[0].n_src = lowering_tensors(l)[x].rank;
        p.factor[0].offset = -1;
        for (uint8_t j = 0; j < p.factor[0].n_src; j++)
            p.factor[0].src_axis[j] = j;
        const uint32_t none = builder_placement(&l->b, &p, 0, NULL);
        const mica_view view = {{0}};
        if (none == NO_INDEX || !form_add_term(f, lowering_tensors(l), none, 1, &view))
            return false;
        *added = true;
    }
    return true;
}

bool lowering_output(lowering *l, uint32_t index, mica_status *st) {
    const uint32_t v = l->g->output[index];
    form f = {0};
    qvalue q = {0};
    bool sum = false;
    if (graph_is_const(&l->g->value[v]) && graph_elements(&l->g->value[v]) == 0)
        return mica_fail(st, MICA_ERR_UNSUPPORTED, "output '%s' is empty", l->g->value[v].name);
    if (!(graph_is_const(&l->g->value[v]) ? constant_output : lowering_form)(l, v, &f, &q, st))
        return false;
    l->b.layer = q.layer;
    if (index + 1 == l->g->n_outputs && !add_unread_inputs(l, &f, &sum))
        return mica_fail(st, MICA_ERR_LIMIT, "output '%s': too many terms in one sum", l->g->value[v].name);
    if (sum || q.tensor == NO_INDEX || lowering_tensors(l)[q.tensor].kind == MICA_TENSOR_PLACEMENT) {
        q.tensor = builder_sum(&l->b, &f);
        if (q.tensor == NO_INDEX)
            return false;
        layer_note *note = &l->b.p.note[q.layer];
        const bound r =
            bound_hull(bound_of(&lowering_tensors(l)[q.tensor]), (bound){note->acc_lo, note->acc_hi});
        note->acc_lo = r.lo;
        note->acc_hi = r.hi;
    }
    return add_port(l, false, v, &q, visibility_of(l->opt.output_visibility, index), st);
}
