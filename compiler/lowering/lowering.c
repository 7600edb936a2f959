#include "lowering/lowering.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_balance.h"
#include "lowering/lowering_domain.h"
#include "lowering/lowering_join.h"
#include "lowering/lowering_ports.h"
#include "lowering/lowering_shown.h"
#include "lowering/range.h"
#include "ops/op_rules.h"
#include "ops/unary.h"

#define SMALL_MODEL   (UINT64_C(1) << 22) /* parameters */
#define SMALL_BITS    10                  /* steps between 0 and the largest calibrated magnitude, log2 */
#define LARGE_BITS    8
#define FEWEST_BITS   5
#define SMALL_WEIGHTS 9 /* bits with the sign */
#define LARGE_WEIGHTS 8
#define NARROW_WEIGHTS                                                                                       \
    12 /* where no layer has more than NARROW_LAYER cells: a further limb costs next to nothing */
#define NARROW_LAYER 512

uint64_t lowering_parameters(const graph *g) {
    uint64_t n = 0;
    for (uint32_t v = 0; v < g->n_values; v++) {
        if (g->value[v].real && g->value[v].producer == UINT32_MAX)
            n += graph_elements(&g->value[v]);
    }
    return n;
}

static uint8_t default_weight_bits(const graph *g) {
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
        if (!lowering_input(l, i, st))
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
        if (!lowering_output(l, i, st))
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

/* Every value that has a tensor, ascending: its own, or the requantised form. */
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
        ok = lowering_make_port(l, &map->port[map->n++], v, q, st);
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
    if (l->cal->integral[n->out[0]] && !l->cal->guessed &&
        magnitude < (double)(1 << (LOWERING_EXACT_BITS - 1)))
        return 1;
    double scale = magnitude / (double)(INT64_C(1) << l->bits[n->out[0]]);
    return lowering_exact_scale(&scale) ? scale : 0;
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

static bool allocate(lowering *l, mica_status *st) {
    const size_t n = l->g->n_values + 1u;
    l->value = malloc(n * sizeof *l->value);
    l->small = malloc(n * sizeof *l->small);
    l->plain = malloc(n * sizeof *l->plain);
    l->bits = malloc(n);
    l->width = malloc(n * sizeof *l->width);
    l->want_scale = malloc(n * sizeof *l->want_scale);
    l->tight = calloc(n, sizeof *l->tight);
    l->split = calloc(l->g->n_nodes + 1u, sizeof *l->split);
    l->shown = malloc(n * sizeof *l->shown);
    l->joined = malloc((l->g->n_nodes + 1u) * sizeof *l->joined);
    return (l->value && l->small && l->plain && l->bits && l->width && l->want_scale && l->tight &&
            l->split && l->shown && l->joined) ||
           mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
}

static void release(lowering *l) {
    free(l->value);
    free(l->small);
    free(l->plain);
    free(l->bits);
    free(l->width);
    free(l->want_scale);
    free(l->tight);
    free(l->split);
    free(l->shown);
    free(l->joined);
}

static uint8_t default_activation_bits(const graph *g) {
    return lowering_parameters(g) < SMALL_MODEL ? SMALL_BITS : LARGE_BITS;
}

/* Outputs, and values of which the largest elements decide, keep their whole range. */
static void keep_unclipped(lowering *l) {
    for (uint32_t v = 0; v < l->g->n_values; v++)
        l->width[v].clipped &= !l->shown[v] && l->g->value[v].dtype == DTYPE_FLOAT;
    for (uint32_t i = 0; i < l->g->n_inputs; i++)
        l->width[l->g->input[i]].clipped = false;
    for (uint32_t i = l->g->n_nodes; i-- > 0;) {
        const graph_node *n = &l->g->node[i];
        const bool decides = n->kind == OP_SOFTMAX || n->kind == OP_HARDMAX || n->kind == OP_ARGMAX ||
                             n->kind == OP_ARGMIN || n->kind == OP_TOP || n->kind == OP_REDUCE_MAX ||
                             n->kind == OP_REDUCE_MIN;
        const bool passes = op_moves((op_kind)n->kind) && !l->width[n->out[0]].clipped;
        for (uint32_t k = 0; !n->removed && (decides || passes) && k < n->n_in; k++)
            if (n->in[k] != GRAPH_NO_VALUE)
                l->width[n->in[k]].clipped = false;
    }
}

/* Every value's widths as asked for, defaults filled in. */
static bool set_widths(lowering *l, mica_status *st) {
    const lowering_options *o = &l->opt;
    const uint8_t bits = default_activation_bits(l->g), weights = default_weight_bits(l->g);
    const lowering_widths all = {(uint8_t)o->activation_bits, (uint8_t)o->weight_bits, o->fine, o->split,
                                 o->clipped};
    for (uint32_t v = 0; v <= l->g->n_values; v++) {
        lowering_widths *w = &l->width[v];
        *w = o->widths && v < l->g->n_values ? o->widths[v] : all;
        w->activation_bits = w->activation_bits ? w->activation_bits : bits;
        w->weight_bits = w->weight_bits ? w->weight_bits : weights;
        if (w->activation_bits < FEWEST_BITS || w->activation_bits > 15 || w->weight_bits < 2 ||
            w->weight_bits > 16)
            return mica_fail(st, MICA_ERR_USAGE, "activations have 5 to 15 bits and weights 2 to 16");
    }
    return true;
}

double lowering_magnitude(const lowering *l, uint32_t v) {
    const double magnitude = calibration_magnitude(l->cal, v);
    if (!l->width[v].clipped)
        return magnitude;
    const double clip = calibration_clip(l->cal, v, l->opt.clipping, l->width[v].activation_bits);
    return clip < magnitude ? clip : magnitude;
}

/* The widths that the first attempt begins with. */
static void choose_widths(lowering *l) {
    for (uint32_t v = 0; v <= l->g->n_values; v++)
        l->bits[v] = l->width[v].activation_bits;
    balance_widths(l);
    widen_softmax_inputs(l);
    unary_widen_inputs(l);
    lowering_widen_factors(l);
}

bool lower_graph(program *p, value_map *map, const graph *g, const calibration *cal,
                 const lowering_options *options, mica_status *st) {
    lowering l = {.g = g, .cal = cal, .opt = *options, .acc_limit = RANGE_WEIGHTED_LIMIT};
    bool ok = allocate(&l, st) && set_widths(&l, st) && lowering_find_joined(&l, st);
    if (ok) {
        lowering_find_shown(g, l.shown);
        keep_unclipped(&l);
        choose_widths(&l);
        memset(p, 0, sizeof *p);
        ok = attempts(&l, p, map, st);
    }
    if (ok && !mica_circuit_validate(&p->circuit, st)) {
        program_free(p);
        if (map)
            value_map_free(map);
        ok = false;
    }
    release(&l);
    return ok;
}
