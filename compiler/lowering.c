#include "lowering.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowering_balance.h"
#include "lowering_domain.h"
#include "lowering_shown.h"
#include "onnx_types.h"
#include "ops/op_rules.h"
#include "ops/unary.h"
#include "range.h"
#include "requantise.h"

#define SMALL_MODEL   (UINT64_C(1) << 22) /* parameters */
#define SMALL_BITS    10                  /* steps between 0 and the largest calibrated magnitude, log2 */
#define LARGE_BITS    8
#define FEWEST_BITS   5
#define SMALL_WEIGHTS 9 /* bits with the sign */
#define LARGE_WEIGHTS 8
#define NARROW_WEIGHTS                                                                                       \
    12 /* where no layer has more than NARROW_LAYER cells: a further limb costs next to nothing */
#define NARROW_LAYER      512
#define CONSTANT_BITS     24 /* of outputs that are constants */
#define INPUT_EXACT_BITS  16
#define NARROW_INPUT_BITS 8    /* inputs of integer types that narrow have the whole type's range */
#define INPUT_MARGIN      1.25 /* declared input range over the calibrated one */

int64_t round_away(double x) {
    return (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
}

bool lowering_fail(const lowering *l, const graph_node *n, mica_status *st, mica_code code,
                   const char *format, ...) {
    char text[512], where[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return mica_fail(st, code, "%s: %s", graph_describe(l->g, n, where, sizeof where), text);
}

/* --- layers --- */

static void append_shape(char *out, size_t size, const graph_value *v) {
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(v, dim);
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "[");
    for (unsigned i = 0; i < rank; i++) {
        used = strlen(out);
        (void)snprintf(out + used, size - used, i ? ",%lld" : "%lld", (long long)dim[i]);
    }
    used = strlen(out);
    (void)snprintf(out + used, size - used, "]");
}

static void append_text(char *out, size_t size, const char *text) {
    const size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s", text);
}

bool lowering_layer(lowering *l, const graph_node *n, mica_status *st) {
    (void)st;
    if (builder_layer(&l->b, n->name, n->op) == NO_INDEX)
        return false;
    char *shapes = l->b.p.note[l->b.layer].shapes;
    const size_t size = sizeof l->b.p.note[0].shapes;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == GRAPH_NO_VALUE)
            continue;
        append_text(shapes, size, i ? " * " : "");
        append_shape(shapes, size, &l->g->value[n->in[i]]);
    }
    append_text(shapes, size, " -> ");
    append_shape(shapes, size, &l->g->value[n->out[0]]);
    return true;
}

/* --- values --- */

static form *own_form(lowering *l, const form *f, mica_status *st) {
    if (l->n_owned == l->cap_owned) {
        const uint32_t cap = l->cap_owned ? 2 * l->cap_owned : 32;
        form **grown = realloc(l->owned, cap * sizeof(form *));
        if (!grown) {
            (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
            return NULL;
        }
        l->owned = grown;
        l->cap_owned = cap;
    }
    form *copy = malloc(sizeof *copy);
    if (!copy) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
        return NULL;
    }
    *copy = *f;
    l->owned[l->n_owned++] = copy;
    return copy;
}

bool lowering_set_sum(lowering *l, const graph_node *n, const form *f, const layout *axes, double scale,
                      mica_status *st) {
    form *sum = own_form(l, f, st);
    l->value[n->out[0]] = (qvalue){.axes = *axes,
                                   .scale = scale,
                                   .tensor = NO_INDEX,
                                   .sum = sum,
                                   .origin = n->out[0],
                                   .layer = l->b.layer,
                                   .ready = true};
    return sum != NULL;
}

bool lowering_set_tensor(lowering *l, const graph_node *n, uint32_t tensor, const layout *axes, double scale,
                         uint32_t origin) {
    l->value[n->out[0]] = (qvalue){.axes = *axes,
                                   .scale = scale,
                                   .tensor = tensor,
                                   .origin = origin,
                                   .layer = l->b.layer,
                                   .ready = true};
    return tensor != NO_INDEX;
}

void lowering_set_alias(lowering *l, const graph_node *n, uint32_t from, const layout *axes) {
    qvalue *out = &l->value[n->out[0]];
    *out = l->value[from];
    out->axes = *axes;
    if (out->tensor == NO_INDEX)
        out->origin = n->out[0];
}

bool lowering_form(lowering *l, uint32_t v, form *f, qvalue *out, mica_status *st) {
    if (!l->value[v].ready)
        return mica_fail(st, MICA_ERR_UNSUPPORTED, "value '%s' is a constant where an activation is expected",
                         l->g->value[v].name ? l->g->value[v].name : "?");
    *out = l->value[v];
    if (out->tensor == NO_INDEX) {
        *f = *out->sum;
        return true;
    }
    const mica_tensor *x = &lowering_tensors(l)[out->tensor];
    form_create(f, x->batched, x->rank, x->dim);
    return form_add_tensor(f, lowering_tensors(l), out->tensor, 1);
}

bool lowering_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st) {
    form f;
    if (!lowering_form(l, v, &f, out, st) || out->tensor != NO_INDEX)
        return st->code == MICA_OK;
    qvalue *small = &l->small[v];
    if (!small->ready) {
        const uint32_t layer = l->b.layer;
        l->b.layer = out->layer;
        *small = *out;
        if (!requantise(l, &f, out->scale, &activation_identity, v, &small->tensor, &small->scale, st)) {
            l->narrow = st->code == MICA_ERR_RANGE ? v : NO_INDEX;
            return false;
        }
        small->sum = NULL;
        small->ready = true;
        l->b.layer = layer;
    }
    *out = *small;
    return true;
}

bool lowering_replace_axes(lowering *l, qvalue *x, unsigned rank, const int64_t *dim, mica_status *st) {
    const mica_tensor *src = &lowering_tensors(l)[x->tensor];
    if (layout_regroup(&x->axes, src->dim, rank, dim))
        return true;
    layout axes;
    uint32_t out_dim[GRAPH_MAX_RANK];
    const unsigned out_rank = layout_plain(&axes, rank, dim, out_dim);
    const axis_list from = layout_order(&x->axes);
    mica_placement p = {.src = x->tensor};
    unsigned i = 0, j = 0, listed = 0;
    while (i < from.n || j < out_rank) { /* one factor per shortest run of axes of equal size */
        mica_factor *f = &p.factor[p.n_factors++];
        uint64_t a = 1, b = 1;
        while (a != b || f->n_out + f->n_src == 0) {
            if (a <= b && i < from.n) {
                f->src_axis[f->n_src++] = from.axis[i];
                listed |= 1u << from.axis[i];
                a *= src->dim[from.axis[i++]];
            } else if (j < out_rank) {
                f->out_axis[f->n_out++] = (uint8_t)j;
                b *= out_dim[j++];
            } else {
                return mica_fail(st, MICA_ERR_INTERNAL, "a reshape changes the number of elements");
            }
        }
        int64_t stride = 1;
        for (unsigned k = f->n_out; k-- > 0;) {
            f->out_stride[k] = (int32_t)stride;
            stride *= out_dim[f->out_axis[k]];
        }
    }
    for (unsigned k = 0; k < src->rank; k++) /* axes of size 1 that no list names */
        if (!(listed & 1u << k)) {
            if (p.n_factors == 0)
                p.n_factors = 1;
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)k;
        }
    x->tensor = builder_placement(&l->b, &p, out_rank, out_dim);
    x->axes = axes;
    return x->tensor != NO_INDEX;
}

bool lowering_plain_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st) {
    if (!lowering_operand(l, v, out, st))
        return false;
    bool plain = true;
    for (unsigned i = 0; i < out->axes.rank; i++)
        plain &= out->axes.of[i].n <= 1;
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(&l->g->value[v], dim);
    if (plain)
        return true;
    if (l->plain[v].ready) {
        *out = l->plain[v];
        return true;
    }
    /* layout_regroup would keep the split: a fresh tensor is what is asked for. */
    uint32_t out_dim[GRAPH_MAX_RANK];
    layout axes;
    const unsigned out_rank = layout_plain(&axes, rank, dim, out_dim);
    const mica_tensor *src = &lowering_tensors(l)[out->tensor];
    mica_placement p = {.src = out->tensor};
    unsigned listed = 0, next = 0;
    for (unsigned i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        mica_factor *f = &p.factor[p.n_factors++];
        f->n_out = 1;
        f->out_axis[0] = (uint8_t)next++;
        f->out_stride[0] = 1;
        for (unsigned k = 0; k < out->axes.of[i].n; k++) {
            f->src_axis[f->n_src++] = out->axes.of[i].axis[k];
            listed |= 1u << out->axes.of[i].axis[k];
        }
    }
    for (unsigned k = 0; k < src->rank; k++)
        if (!(listed & 1u << k))
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)k;
    out->tensor = builder_placement(&l->b, &p, out_rank, out_dim);
    out->axes = axes;
    l->plain[v] = *out;
    return out->tensor != NO_INDEX;
}

/* --- inputs and outputs --- */

static bool exact_dyadic(double *scale) {
    mica_dyadic d;
    if (!mica_dyadic_from_double(&d, *scale) || d.mantissa <= 0)
        return false;
    *scale = mica_dyadic_to_double(d);
    return true;
}

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
        l->bits[v] < l->default_bits ? l->bits[v] : INPUT_EXACT_BITS - 1; /* sign apart */
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
    if (!exact_dyadic(scale))
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

static bool make_port(const lowering *l, mica_port *port, uint32_t v, const qvalue *q, mica_status *st) {
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
    if (!make_port(l, &port, v, q, st))
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

static bool lower_input(lowering *l, uint32_t index, mica_status *st) {
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
    const bool ok = (integral || exact_dyadic(&q->scale) ||
                     mica_fail(st, MICA_ERR_RANGE, "output '%s': its values are out of range", c->name)) &&
                    lowering_add_constant(l, f, &q->axes, c->rank, c->dim, x, 1 / q->scale, st);
    free(x);
    return ok;
}

/* Inputs that nothing depends on are part of the statement all the same: the first output reads a placement
 * that takes none of their cells. */
static bool add_unread_inputs(lowering *l, form *f, bool *added) {
    for (uint32_t i = 0; i < l->g->n_inputs; i++) {
        if (op_value_used(l->g, l->g->input[i]))
            continue;
        const uint32_t x = l->value[l->g->input[i]].tensor;
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

static bool lower_output(lowering *l, uint32_t index, mica_status *st) {
    const uint32_t v = l->g->output[index];
    form f;
    qvalue q;
    bool sum = false;
    if (graph_is_const(&l->g->value[v]) && graph_elements(&l->g->value[v]) == 0)
        return mica_fail(st, MICA_ERR_UNSUPPORTED, "output '%s' is empty", l->g->value[v].name);
    if (!(graph_is_const(&l->g->value[v]) ? constant_output : lowering_form)(l, v, &f, &q, st))
        return false;
    l->b.layer = q.layer;
    if (index == 0 && !add_unread_inputs(l, &f, &sum))
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

/* --- driver --- */

uint64_t lowering_parameters(const graph *g) {
    uint64_t n = 0;
    for (uint32_t v = 0; v < g->n_values; v++) {
        if (g->value[v].real && g->value[v].producer == UINT32_MAX)
            n += graph_elements(&g->value[v]);
    }
    return n;
}

static unsigned default_weight_bits(const graph *g) {
    uint64_t widest = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_value *v = &g->value[g->node[i].out[0]];
        if (!g->node[i].removed && !graph_is_const(v) && graph_elements(v) > widest)
            widest = graph_elements(v);
    }
    return lowering_parameters(g) >= SMALL_MODEL ? LARGE_WEIGHTS
           : widest > NARROW_LAYER               ? SMALL_WEIGHTS
                                                 : NARROW_WEIGHTS;
}

static bool lower_nodes(lowering *l, mica_status *st) {
    const graph *g = l->g;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!lower_input(l, i, st))
            return false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_node *n = &g->node[i];
        if (n->removed)
            continue;
        if (n->kind == OP_UNSUPPORTED || n->kind >= OP_KINDS)
            return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "operator %s is not supported", n->op);
        if (!graph_is_const(&g->value[n->out[0]]) && !op_lowerings[n->kind](l, n, st))
            return false;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (!lower_output(l, i, st))
            return false;
    return true;
}

static void lowering_reset(lowering *l) {
    for (uint32_t i = 0; i < l->n_owned; i++)
        free(l->owned[i]);
    free(l->owned);
    l->owned = NULL;
    l->n_owned = l->cap_owned = 0;
    builder_free(&l->b);
}

void value_map_free(value_map *m) {
    free(m->value);
    free(m->port);
    memset(m, 0, sizeof *m);
}

/* Every value that has a tensor: its own, or the requantised form. */
static bool make_map(const lowering *l, value_map *map, mica_status *st) {
    memset(map, 0, sizeof *map);
    map->value = malloc((l->g->n_values + 1u) * sizeof *map->value);
    map->port = malloc((l->g->n_values + 1u) * sizeof *map->port);
    bool ok = map->value && map->port;
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t v = 0; ok && v < l->g->n_values; v++) {
        const qvalue *q = l->small[v].ready ? &l->small[v] : &l->value[v];
        if (!q->ready || q->tensor == NO_INDEX)
            continue;
        map->value[map->n] = v;
        ok = make_port(l, &map->port[map->n++], v, q, st);
    }
    if (!ok)
        value_map_free(map);
    return ok;
}

/* Exponentials magnify the error of their argument: Softmax reads at least SMALL_BITS. */
static void widen_softmax_inputs(lowering *l) {
    for (uint32_t i = 0; i < l->g->n_nodes; i++) {
        const graph_node *n = &l->g->node[i];
        if (!n->removed && n->kind == OP_SOFTMAX && l->bits[n->in[0]] < SMALL_BITS)
            l->bits[n->in[0]] = SMALL_BITS;
    }
}

/* One attempt with the present widths. */
static bool attempt(lowering *l, program *p, value_map *map, mica_status *st) {
    const uint32_t n = l->g->n_values;
    memset(l->value, 0, (n + 1u) * sizeof *l->value);
    memset(l->small, 0, (n + 1u) * sizeof *l->small);
    memset(l->plain, 0, (n + 1u) * sizeof *l->plain);
    l->narrow = NO_INDEX;
    builder_create(&l->b, st);
    bool ok = lower_nodes(l, st) && (!map || make_map(l, map, st));
    ok = ok && builder_finish(&l->b, p, l->opt.max_batch ? l->opt.max_batch : 1);
    lowering_reset(l);
    return ok;
}

/* The scale that the inputs of node n should have; 0 if any will do. Where values of several inputs meet they
 * share one, 1 for integers; where they only move, the reader's wish is passed on. */
static double wished_scale(const lowering *l, const graph_node *n) {
    const double asked = l->want_scale[n->out[0]], magnitude = calibration_magnitude(l->cal, n->out[0]);
    unsigned sources = 0;
    if (!op_moves((op_kind)n->kind) || l->g->value[n->out[0]].dtype == DTYPE_INT)
        return 0; /* integers have scale 1 anyway */
    for (uint32_t j = 0; j < n->n_in; j++)
        sources += n->in[j] != GRAPH_NO_VALUE && !graph_is_const(&l->g->value[n->in[j]]);
    if (asked > 0 || sources < 2)
        return asked;
    if (n->kind == OP_CONCAT && l->shown[n->out[0]])
        return 0; /* every part as fine as it can be: lower_concat finds a common scale */
    if (l->cal->integral[n->out[0]] && !l->cal->guessed && magnitude < (double)(1 << (INPUT_EXACT_BITS - 1)))
        return 1;
    double scale = magnitude / (double)(INT64_C(1) << l->bits[n->out[0]]);
    return exact_dyadic(&scale) ? scale : 0;
}

static void wish_scales(lowering *l) {
    const graph *g = l->g;
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const graph_node *n = &g->node[i];
        const double scale = n->removed ? 0 : wished_scale(l, n);
        for (uint32_t j = 0; scale > 0 && j < n->n_in; j++)
            if (n->in[j] != GRAPH_NO_VALUE)
                l->want_scale[n->in[j]] = scale;
    }
}

static bool attempts(lowering *l, program *p, value_map *map, mica_status *st) {
    for (;;) {
        mica_status tried = {0};
        memset(l->want_scale, 0, (l->g->n_values + 1u) * sizeof *l->want_scale);
        wish_scales(l);
        if (attempt(l, p, map, &tried))
            return true;
        if (tried.code == MICA_ERR_RANGE && l->acc_limit > RANGE_ACC_LIMIT) {
            l->acc_limit = RANGE_ACC_LIMIT; /* what follows an accumulator may need room */
            continue;
        }
        if (tried.code != MICA_ERR_RANGE || l->narrow == NO_INDEX || l->bits[l->narrow] <= FEWEST_BITS) {
            *st = tried;
            return false;
        }
        l->bits[l->narrow]--;
    }
}

bool lower_graph(program *p, value_map *map, const graph *g, const calibration *cal,
                 const lowering_options *options, mica_status *st) {
    lowering l = {.g = g, .cal = cal, .opt = *options};
    const size_t n = g->n_values + 1u;
    const bool small_model = lowering_parameters(g) < SMALL_MODEL;
    const unsigned bits = options->activation_bits ? options->activation_bits
                          : small_model            ? SMALL_BITS
                                                   : LARGE_BITS;
    if (!l.opt.weight_bits)
        l.opt.weight_bits = default_weight_bits(g);
    if (bits < FEWEST_BITS || bits > 15 || l.opt.weight_bits < 2 || l.opt.weight_bits > 16)
        return mica_fail(st, MICA_ERR_USAGE, "activations have 5 to 15 bits and weights 2 to 16");
    l.value = malloc(n * sizeof *l.value);
    l.small = malloc(n * sizeof *l.small);
    l.plain = malloc(n * sizeof *l.plain);
    l.bits = malloc(n);
    l.want_scale = malloc(n * sizeof *l.want_scale);
    l.tight = calloc(n, sizeof *l.tight);
    l.acc_limit = RANGE_WEIGHTED_LIMIT;
    l.shown = malloc(n * sizeof *l.shown);
    bool ok = l.value && l.small && l.plain && l.bits && l.want_scale && l.tight && l.shown;
    if (!ok) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    } else {
        l.default_bits = (uint8_t)bits;
        memset(l.bits, (int)bits, n);
        lowering_find_shown(g, l.shown);
        balance_widths(&l);
        widen_softmax_inputs(&l);
        unary_widen_inputs(&l);
        lowering_widen_factors(&l);
        memset(p, 0, sizeof *p);
        ok = attempts(&l, p, map, st);
        if (ok && !mica_circuit_validate(&p->circuit, st)) {
            program_free(p);
            if (map)
                value_map_free(map);
            ok = false;
        }
    }
    free(l.value);
    free(l.small);
    free(l.plain);
    free(l.bits);
    free(l.want_scale);
    free(l.tight);
    free(l.shown);
    return ok;
}
