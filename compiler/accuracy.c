#include "accuracy.h"

#include <stdlib.h>
#include <string.h>

#include "mica/statement.h"
#include "passes.h"

/* Buffers of one measurement. */
typedef struct bench {
    const program *p;
    const graph *g;
    int32_t **cell;      /* per tensor: padded cells of one item */
    double **reference;  /* per graph value */
    int32_t *packed;     /* valid cells of one port */
    double *real;        /* and their real values */
    uint64_t *sum_count; /* per compared value: elements seen */
} bench;

static size_t padded_cells(const mica_tensor *x) {
    return (size_t)1 << mica_item_bits(x);
}

/* Between valid cells row-major and the padded layout. */
static void copy_cells(const mica_tensor *x, int32_t *packed, int32_t *padded, bool pack) {
    uint32_t index[MICA_MAX_RANK] = {0};
    for (size_t i = 0;; i++) {
        size_t at = 0;
        for (unsigned d = 0; d < x->rank; d++)
            at = at << mica_log2_ceil(x->dim[d]) | index[d];
        if (pack)
            packed[i] = padded[at];
        else
            padded[at] = packed[i];
        unsigned d = x->rank;
        while (d-- > 0) {
            if (++index[d] < x->dim[d])
                break;
            index[d] = 0;
        }
        if (d == UINT32_MAX)
            return;
    }
}

static void bench_free(bench *b) {
    for (uint32_t t = 0; b->cell && t < b->p->circuit.n_tensors; t++)
        free(b->cell[t]);
    free(b->cell);
    if (b->reference)
        graph_buffers_free(b->g, b->reference);
    free(b->packed);
    free(b->real);
    free(b->sum_count);
}

/* Outputs that are constants have no buffer of the reference's. */
static bool add_constant_outputs(bench *b) {
    for (uint32_t i = 0; i < b->g->n_outputs; i++) {
        const graph_value *v = &b->g->value[b->g->output[i]];
        const uint64_t n = graph_elements(v);
        if (!graph_is_const(v))
            continue;
        double *x = malloc((n + 1) * sizeof *x);
        b->reference[b->g->output[i]] = x;
        for (uint64_t e = 0; x && e < n; e++)
            x[e] = v->real ? v->real[e] : (double)v->integer[e];
        if (!x)
            return false;
    }
    return true;
}

static bool bench_create(bench *b, const program *p, const graph *g, uint32_t n_values, mica_status *st) {
    const mica_circuit *c = &p->circuit;
    size_t largest = 1;
    *b = (bench){.p = p, .g = g};
    b->cell = calloc(c->n_tensors + 1u, sizeof *b->cell);
    b->reference = graph_buffers_create(g, st);
    bool ok = b->cell && b->reference && add_constant_outputs(b);
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        largest = padded_cells(&c->tensor[t]) > largest ? padded_cells(&c->tensor[t]) : largest;
        b->cell[t] = calloc(padded_cells(&c->tensor[t]), sizeof **b->cell);
        ok = b->cell[t] != NULL;
        if (ok && p->weight[t])
            copy_cells(&c->tensor[t], p->weight[t], b->cell[t], false);
    }
    b->packed = malloc(largest * sizeof *b->packed);
    b->real = malloc(largest * sizeof *b->real);
    b->sum_count = calloc(n_values + g->n_outputs + 1u, sizeof *b->sum_count);
    ok = ok && b->packed && b->real && b->sum_count;
    return ok || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report");
}

static uint64_t top1(const double *x, uint64_t n) {
    uint64_t best = 0;
    for (uint64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* Adds one sample of a value; mean is a sum until finish_value. */
static void compare(bench *b, value_error *e, const mica_port *port, uint32_t v, uint64_t *count,
                    const double *reference) {
    const mica_tensor *x = &b->p->circuit.tensor[port->tensor];
    const uint64_t n = mica_port_cells(&b->p->circuit, port);
    copy_cells(x, b->packed, b->cell[port->tensor], true);
    mica_port_dequantise(&b->p->circuit, port, b->packed, b->real);
    e->value = v;
    e->layer = x->layer;
    for (uint64_t i = 0; i < n; i++) {
        const double error =
            b->real[i] > reference[i] ? b->real[i] - reference[i] : reference[i] - b->real[i];
        e->mean += error;
        e->max = error > e->max ? error : e->max;
        e->lo = *count + i == 0 || reference[i] < e->lo ? reference[i] : e->lo;
        e->hi = *count + i == 0 || reference[i] > e->hi ? reference[i] : e->hi;
    }
    *count += n;
    e->has_top1 = n >= 2;
    e->top1_agree += n >= 2 && top1(b->real, n) == top1(reference, n);
}

static void finish_value(value_error *e, uint64_t count) {
    const double magnitude = e->hi > -e->lo ? e->hi : -e->lo;
    const double span = e->hi > e->lo ? e->hi - e->lo : magnitude > 0 ? magnitude : 1;
    e->mean = count ? e->mean / (double)count / span : 0;
    e->max /= span;
}

static const double *reference_of(const bench *b, const double *const *input, uint32_t v) {
    for (uint32_t i = 0; i < b->g->n_inputs; i++)
        if (b->g->input[i] == v)
            return input[i];
    return b->reference[v];
}

static bool run_sample(bench *b, accuracy *a, const value_map *map, const double *const *input,
                       mica_status *st) {
    const mica_circuit *c = &b->p->circuit;
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        const mica_port *port = &c->input[i];
        if (!mica_port_quantise(c, port, input[i], b->packed, &a->saturated, st))
            return false;
        copy_cells(&c->tensor[port->tensor], b->packed, b->cell[port->tensor], false);
    }
    if (!program_interpret(b->p, b->cell, st) || !graph_evaluate(b->g, input, b->reference, st))
        return false;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        compare(b, &a->output[i], &c->output[i], b->g->output[i], &b->sum_count[i],
                reference_of(b, input, b->g->output[i]));
    for (uint32_t i = 0; i < map->n; i++)
        compare(b, &a->inner[i], &map->port[i], map->value[i], &b->sum_count[c->n_outputs + i],
                reference_of(b, input, map->value[i]));
    a->n_samples++;
    return true;
}

void accuracy_free(accuracy *a) {
    free(a->output);
    free(a->inner);
    memset(a, 0, sizeof *a);
}

bool accuracy_measure(accuracy *a, const program *p, const value_map *map, const graph *g,
                      const double *const *const *sample, uint32_t n_samples, accuracy_progress progress,
                      void *progress_ctx, mica_status *st) {
    memset(a, 0, sizeof *a);
    a->n_outputs = g->n_outputs;
    a->n_values = map->n;
    a->output = calloc(g->n_outputs + 1u, sizeof *a->output);
    a->inner = calloc(map->n + 1u, sizeof *a->inner);
    bench b;
    bool ok = bench_create(&b, p, g, map->n, st);
    if (ok && !(a->output && a->inner))
        ok = mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report");
    for (uint32_t s = 0; ok && s < n_samples; s++) {
        if (progress)
            progress(progress_ctx, s, n_samples);
        ok = run_sample(&b, a, map, sample[s], st);
    }
    for (uint32_t i = 0; ok && i < a->n_outputs; i++)
        finish_value(&a->output[i], b.sum_count[i]);
    for (uint32_t i = 0; ok && i < a->n_values; i++)
        finish_value(&a->inner[i], b.sum_count[a->n_outputs + i]);
    bench_free(&b);
    if (!ok)
        accuracy_free(a);
    return ok;
}
