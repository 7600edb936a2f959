/* Equal ranges for the channels between two convolutions (Nagel et al. 2019, "Data-Free Quantization Through
 * Weight Equalization and Bias Correction", section 4.1).
 *
 * One scale per tensor serves channels of unlike size badly: the small ones get few steps, and the large
 * weights of the next layer that make up for it enlarge their error. Where a value is computed by a
 * convolution, passes functions with f(a x) = a f(x) for a > 0, and is read by convolutions only, channel c
 * of the first may be multiplied by a power of two and the weights that read it divided by the same: the
 * network computes the same numbers, without rounding.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/passes.h"
#include "ops/ops.h"

/* A channel is multiplied by 2^MOST_SHIFT at most, and stays this many times below the largest one on the
 * samples: the range of a single channel is known less well than that of all. */
#define MOST_SHIFT 6
#define RESERVE    1 /* log2 */
/* Samples that are enough to see which channels are small. */
#define MOST_SAMPLES 4

typedef struct bridge {
    uint32_t from;  /* node: the convolution */
    uint32_t value; /* what the convolutions behind it read */
    int64_t channels;
    double *largest; /* per channel, over the samples */
} bridge;

typedef struct equaliser {
    graph *g;
    uint32_t *n_readers, *reader; /* per value: how many, and the last of them */
    bool *is_output, *only_read_by_conv;
    bridge *bridge;
    uint32_t n_bridges;
} equaliser;

static bool is_conv(const graph *g, const graph_node *n) {
    return n->kind == OP_CONV && graph_is_const(&g->value[n->in[1]]) &&
           (n->n_in < 3 || n->in[2] == GRAPH_NO_VALUE || graph_is_const(&g->value[n->in[2]])) &&
           g->value[n->in[1]].real != NULL;
}

/* Channel by channel, and homogeneous. */
static bool passes_scale(const graph_node *n) {
    return n->kind == OP_RELU || n->kind == OP_LEAKYRELU || n->kind == OP_MAXPOOL || n->kind == OP_AVGPOOL ||
           n->kind == OP_GLOBAL_AVGPOOL || n->kind == OP_IDENTITY;
}

static void note_readers(equaliser *e) {
    const graph *g = e->g;
    for (uint32_t v = 0; v < g->n_values; v++)
        e->only_read_by_conv[v] = true;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        e->is_output[g->output[i]] = true;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_node *n = &g->node[i];
        for (uint32_t j = 0; !n->removed && j < n->n_in; j++) {
            const uint32_t v = n->in[j];
            if (v == GRAPH_NO_VALUE)
                continue;
            e->n_readers[v]++;
            e->reader[v] = i;
            e->only_read_by_conv[v] = e->only_read_by_conv[v] && j == 0 && is_conv(g, n);
        }
    }
}

/* The value in which convolution n's output reaches convolutions; GRAPH_NO_VALUE if it also goes elsewhere.
 */
static uint32_t follow(const equaliser *e, const graph_node *n) {
    const graph *g = e->g;
    uint32_t v = n->out[0];
    while (!e->is_output[v] && !e->only_read_by_conv[v] && e->n_readers[v] == 1) {
        const graph_node *next = &g->node[e->reader[v]];
        if (!passes_scale(next) || next->n_out != 1)
            return GRAPH_NO_VALUE;
        v = next->out[0];
    }
    return !e->is_output[v] && e->only_read_by_conv[v] && e->n_readers[v] > 0 ? v : GRAPH_NO_VALUE;
}

static bool find_bridges(equaliser *e, mica_status *st) {
    const graph *g = e->g;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_node *n = &g->node[i];
        const uint32_t v = n->removed || !is_conv(g, n) ? GRAPH_NO_VALUE : follow(e, n);
        if (v == GRAPH_NO_VALUE || g->value[v].rank < 3)
            continue;
        bridge *b = &e->bridge[e->n_bridges];
        *b = (bridge){i, v, g->value[v].dim[1], NULL};
        b->largest = calloc((size_t)b->channels + 1, sizeof *b->largest);
        if (!b->largest)
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory for equal ranges");
        e->n_bridges++;
    }
    return true;
}

static void observe(bridge *b, const graph *g, const double *x) {
    const graph_value *v = &g->value[b->value];
    const uint64_t n = graph_elements(v), per_item = v->dim[0] ? n / (uint64_t)v->dim[0] : 0;
    const uint64_t inner = b->channels ? per_item / (uint64_t)b->channels : 0;
    for (uint64_t i = 0; inner > 0 && i < n; i++) {
        double *most = &b->largest[i / inner % (uint64_t)b->channels];
        *most = fabs(x[i]) > *most ? fabs(x[i]) : *most;
    }
}

static bool observe_samples(equaliser *e, const double *const *const *sample, uint32_t n_samples,
                            mica_status *st) {
    double **value = graph_buffers_create(e->g, st);
    bool ok = value != NULL;
    for (uint32_t s = 0; ok && s < n_samples && s < MOST_SAMPLES; s++) {
        ok = graph_evaluate(e->g, sample[s], value, st);
        for (uint32_t i = 0; ok && i < e->n_bridges; i++)
            observe(&e->bridge[i], e->g, value[e->bridge[i].value]);
    }
    if (value)
        graph_buffers_free(e->g, value);
    return ok;
}

/* floor(log2(most / x)), at most MOST_SHIFT + RESERVE, found without rounding. */
static int room_below(double most, double x) {
    int room = 0;
    while (x > 0 && room < MOST_SHIFT + RESERVE && ldexp(x, room + 1) <= most)
        room++;
    return room;
}

typedef struct row_size {
    double largest, sum; /* of the magnitudes of a row of weights */
} row_size;

static row_size size_of_row(const graph_value *w, int64_t row) {
    const uint64_t n = graph_elements(w) / (uint64_t)w->dim[0];
    row_size r = {0, 0};
    for (uint64_t i = 0; i < n; i++) {
        const double x = fabs(w->real[(uint64_t)row * n + i]);
        r.largest = x > r.largest ? x : r.largest;
        r.sum += x;
    }
    return r;
}

/* log2 of each channel's factor; whether any is not 0. No channel outgrows the largest one, and no row of
 * weights the largest row: what is small because it cancels or is cut off keeps its size. */
static bool choose_shifts(const graph *g, const bridge *b, int *shift) {
    const graph_value *w = &g->value[g->node[b->from].in[1]];
    double most = 0;
    row_size rows = {0, 0};
    bool any = false;
    for (int64_t c = 0; c < b->channels; c++) {
        const row_size r = size_of_row(w, c);
        most = b->largest[c] > most ? b->largest[c] : most;
        rows.largest = r.largest > rows.largest ? r.largest : rows.largest;
        rows.sum = r.sum > rows.sum ? r.sum : rows.sum;
    }
    for (int64_t c = 0; c < b->channels; c++) {
        const row_size r = size_of_row(w, c);
        const int channel = room_below(most, b->largest[c]) - RESERVE;
        const int largest = room_below(rows.largest, r.largest), sum = room_below(rows.sum, r.sum);
        shift[c] = channel < largest ? channel : largest;
        shift[c] = shift[c] < sum ? shift[c] : sum;
        shift[c] = shift[c] > 0 ? shift[c] : 0;
        any = any || shift[c] > 0;
    }
    return any;
}

/* Input j of node n becomes a copy in which element i is multiplied by 2^(sign * shift[channel of i]). */
static bool scale_constant(graph *g, graph_node *n, unsigned j, const int *shift, int sign, uint64_t inner,
                           uint64_t per_group, uint64_t rows_per_group, mica_status *st) {
    graph_value copy = g->value[n->in[j]];
    const uint64_t size = graph_elements(&copy);
    double *x = graph_alloc(g, size, sizeof *x, st);
    if (!x)
        return false;
    for (uint64_t i = 0; i < size; i++) {
        const uint64_t row = i / inner / per_group, column = i / inner % per_group;
        const uint64_t c = rows_per_group ? row / rows_per_group * per_group + column : row;
        x[i] = ldexp(copy.real[i], sign * shift[c]);
    }
    copy.real = x;
    n->in[j] = graph_add_value(g, &copy, st);
    return n->in[j] != GRAPH_NO_VALUE;
}

/* Output channels of the convolution in front: weights [channels, ...] and bias [channels]. */
static bool scale_outputs(graph *g, graph_node *n, const int *shift, mica_status *st) {
    const graph_value *w = &g->value[n->in[1]];
    const uint64_t per_row = graph_elements(w) / (uint64_t)w->dim[0];
    return scale_constant(g, n, 1, shift, 1, per_row, 1, 0, st) &&
           (n->n_in < 3 || n->in[2] == GRAPH_NO_VALUE || scale_constant(g, n, 2, shift, 1, 1, 1, 0, st));
}

/* Input channels of one behind it: weights [rows, channels / groups, ...], group by group. */
static bool scale_inputs(graph *g, graph_node *n, const int *shift, mica_status *st) {
    const graph_value *w = &g->value[n->in[1]];
    const uint64_t groups = (uint64_t)graph_attr_int(n, "group", 1);
    const uint64_t rows = (uint64_t)w->dim[0], per_group = (uint64_t)w->dim[1];
    return scale_constant(g, n, 1, shift, -1, graph_elements(w) / (rows * per_group), per_group,
                          rows / groups, st);
}

static bool equalise(equaliser *e, const bridge *b, mica_status *st) {
    graph *g = e->g;
    int *shift = calloc((size_t)b->channels + 1, sizeof *shift);
    bool ok = shift || mica_fail(st, MICA_ERR_MEMORY, "out of memory for equal ranges");
    if (ok && choose_shifts(g, b, shift)) {
        ok = scale_outputs(g, &g->node[b->from], shift, st);
        for (uint32_t i = 0; ok && i < g->n_nodes; i++) {
            if (!g->node[i].removed && g->node[i].kind == OP_CONV && g->node[i].in[0] == b->value)
                ok = scale_inputs(g, &g->node[i], shift, st);
        }
    }
    free(shift);
    return ok;
}

bool graph_equalise(graph *g, const double *const *const *sample, uint32_t n_samples, mica_status *st) {
    const size_t n = g->n_values + 1u;
    equaliser e = {.g = g,
                   .n_readers = calloc(n, sizeof *e.n_readers),
                   .reader = calloc(n, sizeof *e.reader),
                   .is_output = calloc(n, sizeof *e.is_output),
                   .only_read_by_conv = calloc(n, sizeof *e.only_read_by_conv),
                   .bridge = calloc(g->n_nodes + 1u, sizeof *e.bridge)};
    bool ok = (e.n_readers && e.reader && e.is_output && e.only_read_by_conv && e.bridge) ||
              mica_fail(st, MICA_ERR_MEMORY, "out of memory for equal ranges");
    if (ok) {
        note_readers(&e);
        ok = find_bridges(&e, st) &&
             (e.n_bridges == 0 || n_samples == 0 || observe_samples(&e, sample, n_samples, st));
    }
    for (uint32_t i = 0; ok && n_samples > 0 && i < e.n_bridges; i++)
        ok = equalise(&e, &e.bridge[i], st);
    for (uint32_t i = 0; e.bridge && i < e.n_bridges; i++)
        free(e.bridge[i].largest);
    free(e.n_readers);
    free(e.reader);
    free(e.is_output);
    free(e.only_read_by_conv);
    free(e.bridge);
    return ok;
}
