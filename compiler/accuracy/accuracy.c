#include "accuracy/accuracy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "graph/passes.h"
#include "mica/statement.h"
#include "program/cells.h"

#define MOST_CELL_BYTES (UINT64_C(4) << 30) /* of all workers together; one always works */

/* One value on one sample. */
typedef struct value_sums {
    double sum, max;
    bool agrees;
} value_sums;

/* What one worker needs for one sample. */
typedef struct bench {
    const program *p;
    const value_map *map;
    const float_runs *runs;
    int32_t **cell;   /* per tensor: padded cells of one item; those of weights are shared */
    double **own;     /* float values, where they are not kept */
    int32_t *packed;  /* valid cells of one input */
    value_sums *sums; /* outputs, then inner values */
    uint64_t saturated;
    uint32_t sample;
    mica_status st;
} bench;

static size_t padded_cells(const mica_tensor *x) {
    return (size_t)1 << mica_item_bits(x);
}

/* Valid cells row-major to the padded layout. */
static void spread_cells(const mica_tensor *x, const int32_t *packed, int32_t *padded) {
    uint32_t index[MICA_MAX_RANK] = {0};
    size_t stride[MICA_MAX_RANK], n = 0;
    cells_strides(x, stride);
    do {
        const size_t at = cells_offset(index, stride, cells_outer(x));
        memcpy(padded + at, packed + n, cells_row(x) * sizeof *packed);
        n += cells_row(x);
    } while (cells_next(index, x->dim, cells_outer(x)));
}

/* --- workers --- */

static bool bench_create(bench *b, const program *p, const value_map *map, const float_runs *runs,
                         int32_t *const *weight_cells, mica_status *st) {
    const mica_circuit *c = &p->circuit;
    size_t largest = 1;
    *b = (bench){.p = p, .map = map, .runs = runs};
    b->cell = calloc(c->n_tensors + 1u, sizeof *b->cell);
    b->sums = malloc((c->n_outputs + map->n + 1u) * sizeof *b->sums);
    bool ok = b->cell && b->sums && float_runs_buffers(runs, &b->own, st);
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        const size_t n = padded_cells(&c->tensor[t]);
        largest = n > largest ? n : largest;
        b->cell[t] = weight_cells[t] ? weight_cells[t] : calloc(n, sizeof **b->cell);
        ok = b->cell[t] != NULL;
    }
    b->packed = malloc(largest * sizeof *b->packed);
    return (ok && b->packed) || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report");
}

static void bench_free(bench *b) {
    for (uint32_t t = 0; b->cell && t < b->p->circuit.n_tensors; t++)
        if (!b->p->weight[t])
            free(b->cell[t]);
    free(b->cell);
    if (b->own)
        graph_buffers_free(b->runs->g, b->own);
    free(b->packed);
    free(b->sums);
}

static int32_t **spread_weights(const program *p, mica_status *st) {
    const mica_circuit *c = &p->circuit;
    int32_t **cell = calloc(c->n_tensors + 1u, sizeof *cell);
    bool ok = cell != NULL;
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        if (!p->weight[t])
            continue;
        cell[t] = calloc(padded_cells(&c->tensor[t]), sizeof **cell);
        ok = cell[t] != NULL;
        if (ok)
            spread_cells(&c->tensor[t], p->weight[t], cell[t]);
    }
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report");
    return cell;
}

/* --- one sample --- */

/* The cells of the port's tensor in the user's order, scaled, against the reference. */
static value_sums compare(const bench *b, const mica_port *port, const double *reference) {
    const mica_tensor *x = &b->p->circuit.tensor[port->tensor];
    const double scale = ldexp(port->mantissa, port->exponent);
    const int32_t *cell = b->cell[port->tensor];
    size_t natural[MICA_MAX_RANK] = {0}, stride[MICA_MAX_RANK] = {0}, best = 0, best_reference = 0, n = 0;
    uint32_t index[MICA_MAX_RANK] = {0}, dim[MICA_MAX_RANK] = {0};
    int32_t top = 0;
    value_sums r = {0};
    cells_strides(x, natural);
    for (unsigned i = 0; i < x->rank; i++) {
        dim[i] = x->dim[port->axis_order[i]];
        stride[i] = natural[port->axis_order[i]];
    }
    const unsigned outer = cells_outer(x);
    const uint32_t row = x->rank ? dim[outer] : 1;
    const size_t pitch = x->rank ? stride[outer] : 0;
    do {
        const int32_t *from = cell + cells_offset(index, stride, outer);
        for (uint32_t i = 0; i < row; i++, n++) {
            const int32_t q = from[i * pitch];
            const double error = fabs(scale * q - reference[n]);
            r.sum += error;
            r.max = error > r.max ? error : r.max;
            best = n == 0 || q > top ? n : best;
            top = n == 0 || q > top ? q : top;
            best_reference = reference[n] > reference[best_reference] ? n : best_reference;
        }
    } while (cells_next(index, dim, outer));
    r.agrees = best == best_reference;
    return r;
}

static bool run_sample(bench *b) {
    const mica_circuit *c = &b->p->circuit;
    const float_runs *runs = b->runs;
    b->saturated = 0;
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        const mica_port *port = &c->input[i];
        if (!mica_port_quantise(c, port, runs->sample[b->sample][i], b->packed, &b->saturated, &b->st))
            return false;
        spread_cells(&c->tensor[port->tensor], b->packed, b->cell[port->tensor]);
    }
    double *const *value = float_runs_values(runs, b->sample, b->own, &b->st);
    if (!value || !program_evaluate(b->p, b->cell, &b->st))
        return false;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        b->sums[i] = compare(b, &c->output[i], value[runs->g->output[i]]);
    for (uint32_t i = 0; i < b->map->n; i++)
        b->sums[c->n_outputs + i] = compare(b, &b->map->port[i], value[b->map->value[i]]);
    return true;
}

static void run_benches(void *ctx, size_t begin, size_t end, unsigned worker) {
    bench *b = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        (void)run_sample(&b[i]);
}

/* --- all samples --- */

static void name_value(value_error *e, const program *p, const mica_port *port, uint32_t v,
                       const float_runs *runs, bool has_top1) {
    *e = (value_error){.value = v,
                       .layer = p->circuit.tensor[port->tensor].layer,
                       .lo = runs->lo[v],
                       .hi = runs->hi[v],
                       .has_top1 = has_top1 && mica_port_cells(&p->circuit, port) >= 2};
}

static bool accuracy_create(accuracy *a, const program *p, const value_map *map, const float_runs *runs,
                            mica_status *st) {
    const mica_circuit *c = &p->circuit;
    memset(a, 0, sizeof *a);
    a->n_outputs = c->n_outputs;
    a->n_values = map->n;
    a->output = calloc(c->n_outputs + 1u, sizeof *a->output);
    a->inner = calloc(map->n + 1u, sizeof *a->inner);
    if (!a->output || !a->inner)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report");
    for (uint32_t i = 0; i < c->n_outputs; i++)
        name_value(&a->output[i], p, &c->output[i], runs->g->output[i], runs, true);
    for (uint32_t i = 0; i < map->n; i++)
        name_value(&a->inner[i], p, &map->port[i], map->value[i], runs, false);
    return true;
}

static double span_of(const value_error *e) {
    const double magnitude = e->hi > -e->lo ? e->hi : -e->lo;
    return e->hi > e->lo ? e->hi - e->lo : magnitude > 0 ? magnitude : 1;
}

static void add_sums(value_error *e, const value_sums *s, uint64_t cells, uint32_t n_samples) {
    const double span = span_of(e);
    e->mean += s->sum / span / ((double)cells * n_samples);
    e->max = s->max / span > e->max ? s->max / span : e->max;
    e->top1_agree += e->has_top1 && s->agrees;
}

static void add_sample(accuracy *a, const bench *b) {
    const mica_circuit *c = &b->p->circuit;
    for (uint32_t i = 0; i < a->n_outputs; i++)
        add_sums(&a->output[i], &b->sums[i], mica_port_cells(c, &c->output[i]), b->runs->n);
    for (uint32_t i = 0; i < a->n_values; i++)
        add_sums(&a->inner[i], &b->sums[a->n_outputs + i], mica_port_cells(c, &b->map->port[i]), b->runs->n);
    a->saturated += b->saturated;
    a->n_samples++;
}

/* Whether the target is missed whatever the samples that are left say. */
static bool is_missed(const accuracy *a, const accuracy_target *t, uint32_t n_samples) {
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const value_error *e = &a->output[i];
        const uint32_t wrong = e->has_top1 ? a->n_samples - e->top1_agree : 0;
        if (e->mean > t->max_error || (t->max_largest > 0 && e->max > t->max_largest) ||
            (n_samples - wrong) < t->min_agreement * n_samples)
            return true;
    }
    return false;
}

void accuracy_free(accuracy *a) {
    free(a->output);
    free(a->inner);
    memset(a, 0, sizeof *a);
}

/* Samples that are measured at once. */
static uint32_t count_workers(const program *p, uint32_t n_samples) {
    uint64_t bytes = 1;
    for (uint32_t t = 0; t < p->circuit.n_tensors; t++)
        bytes += padded_cells(&p->circuit.tensor[t]) * sizeof(int32_t);
    const uint64_t most = MOST_CELL_BYTES / bytes ? MOST_CELL_BYTES / bytes : 1;
    const uint32_t wanted = parallel_workers() < n_samples ? parallel_workers() : n_samples;
    return most < wanted ? (uint32_t)most : wanted;
}

static bool measure_all(accuracy *a, bench *b, uint32_t workers, uint32_t n_samples,
                        const accuracy_target *stop, accuracy_progress progress, void *progress_ctx,
                        mica_status *st) {
    for (uint32_t first = 0; first < n_samples && !a->stopped; first += workers) {
        const uint32_t n = n_samples - first < workers ? n_samples - first : workers;
        for (uint32_t i = 0; i < n; i++)
            b[i].sample = first + i;
        if (progress)
            progress(progress_ctx, first, n_samples);
        parallel_for(n, 1, run_benches, b);
        for (uint32_t i = 0; i < n && !a->stopped; i++) {
            if (b[i].st.code != MICA_OK) {
                *st = b[i].st;
                return false;
            }
            add_sample(a, &b[i]);
            a->stopped = stop && a->n_samples < n_samples && is_missed(a, stop, n_samples);
        }
    }
    return true;
}

bool accuracy_measure(accuracy *a, const program *p, const value_map *map, const float_runs *runs,
                      const accuracy_target *stop, accuracy_progress progress, void *progress_ctx,
                      mica_status *st) {
    const uint32_t workers = count_workers(p, runs->n);
    int32_t **weight_cells = spread_weights(p, st);
    bench *b = calloc(workers + 1u, sizeof *b);
    uint32_t made = 0;
    bool ok = accuracy_create(a, p, map, runs, st) && weight_cells && st->code == MICA_OK && b;
    for (; ok && made < workers; made++)
        ok = bench_create(&b[made], p, map, runs, weight_cells, st);
    ok = ok && measure_all(a, b, workers, runs->n, stop, progress, progress_ctx, st);
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for the accuracy report"); /* unless said */
    for (uint32_t i = 0; i < made; i++)
        bench_free(&b[i]);
    for (uint32_t t = 0; weight_cells && t < p->circuit.n_tensors; t++)
        free(weight_cells[t]);
    free(weight_cells);
    free(b);
    if (!ok)
        accuracy_free(a);
    return ok;
}

bool accuracy_measure_samples(accuracy *a, const program *p, const value_map *map, const graph *g,
                              const double *const *const *sample, uint32_t n_samples, mica_status *st) {
    float_runs runs;
    if (!float_runs_create(&runs, g, sample, n_samples, st))
        return false;
    const bool ok = accuracy_measure(a, p, map, &runs, NULL, NULL, NULL, st);
    float_runs_free(&runs);
    return ok;
}
