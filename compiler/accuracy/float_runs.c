#include "accuracy/float_runs.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "graph/passes.h"

#define KEPT_BYTES (UINT64_C(1) << 30)

/* Outputs that are constants have no buffer of the reference's. */
static bool add_constant_outputs(const graph *g, double **value) {
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const uint32_t out = g->output[i];
        const graph_value *v = &g->value[out];
        const uint64_t n = graph_elements(v);
        if (!graph_is_const(v) || value[out])
            continue;
        value[out] = malloc((n + 1) * sizeof **value);
        for (uint64_t e = 0; value[out] && e < n; e++)
            value[out][e] = v->real ? v->real[e] : (double)v->integer[e];
        if (!value[out])
            return false;
    }
    return true;
}

static double **buffers(const graph *g, mica_status *st) {
    double **value = graph_buffers_create(g, st);
    if (value && !add_constant_outputs(g, value)) {
        graph_buffers_free(g, value);
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float reference");
        value = NULL;
    }
    return value;
}

/* Samples that KEPT_BYTES hold. */
static uint32_t samples_to_keep(const graph *g, uint32_t n) {
    uint64_t cells = 1;
    for (uint32_t v = 0; v < g->n_values; v++)
        cells += g->value[v].has_shape && !graph_is_const(&g->value[v]) ? graph_elements(&g->value[v]) : 0;
    const uint64_t most = KEPT_BYTES / sizeof(double) / cells;
    return most < n ? (uint32_t)most : n;
}

/* One round: a sample for each worker. */
typedef struct round {
    float_runs *r;
    uint32_t first;
    double ***own;   /* per place in the round */
    mica_status *st; /* likewise */
} round;

static void run_round(void *ctx, size_t begin, size_t end, unsigned worker) {
    round *o = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        double **value = o->r->kept[o->first + i] ? o->r->kept[o->first + i] : o->own[i];
        (void)graph_evaluate(o->r->g, o->r->sample[o->first + i], value, &o->st[i]);
    }
}

static void note_range(float_runs *r, uint32_t s, double *const *value) {
    for (uint32_t v = 0; v < r->g->n_values; v++) {
        const uint64_t n = value[v] ? graph_elements(&r->g->value[v]) : 0;
        for (uint64_t i = 0; i < n; i++) {
            if ((s == 0 && i == 0) || value[v][i] < r->lo[v])
                r->lo[v] = value[v][i];
            if ((s == 0 && i == 0) || value[v][i] > r->hi[v])
                r->hi[v] = value[v][i];
        }
    }
}

/* Allocates what the samples of one round need: kept buffers first. */
static bool round_buffers(round *o, uint32_t n, uint32_t keep, mica_status *st) {
    for (uint32_t i = 0; i < n; i++) {
        double ***at = o->first + i < keep ? &o->r->kept[o->first + i] : &o->own[i];
        if (!*at && !(*at = buffers(o->r->g, st)))
            return false;
        o->st[i] = (mica_status){0};
    }
    return true;
}

static bool run_all(round *o, uint32_t workers, mica_status *st) {
    float_runs *r = o->r;
    const uint32_t keep = samples_to_keep(r->g, r->n);
    for (o->first = 0; o->first < r->n; o->first += workers) {
        const uint32_t n = r->n - o->first < workers ? r->n - o->first : workers;
        if (!round_buffers(o, n, keep, st))
            return false;
        parallel_for(n, 1, run_round, o);
        for (uint32_t i = 0; i < n; i++) {
            if (o->st[i].code != MICA_OK) {
                *st = o->st[i];
                return false;
            }
            note_range(r, o->first + i, r->kept[o->first + i] ? r->kept[o->first + i] : o->own[i]);
        }
    }
    return true;
}

bool float_runs_create(float_runs *r, const graph *g, const double *const *const *sample, uint32_t n,
                       mica_status *st) {
    const uint32_t workers = parallel_workers();
    *r = (float_runs){.g = g, .sample = sample, .n = n};
    r->kept = calloc(n + 1u, sizeof *r->kept);
    r->lo = calloc(g->n_values + 1u, sizeof *r->lo);
    r->hi = calloc(g->n_values + 1u, sizeof *r->hi);
    round o = {.r = r, .own = calloc(workers, sizeof *o.own), .st = calloc(workers, sizeof *o.st)};
    bool ok = r->kept && r->lo && r->hi && o.own && o.st;
    ok = ok ? run_all(&o, workers, st)
            : mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float reference");
    for (uint32_t i = 0; o.own && i < workers; i++)
        if (o.own[i])
            graph_buffers_free(g, o.own[i]);
    free(o.own);
    free(o.st);
    if (!ok)
        float_runs_free(r);
    return ok;
}

void float_runs_free(float_runs *r) {
    for (uint32_t s = 0; r->kept && s < r->n; s++)
        if (r->kept[s])
            graph_buffers_free(r->g, r->kept[s]);
    free(r->kept);
    free(r->lo);
    free(r->hi);
    memset(r, 0, sizeof *r);
}

bool float_runs_buffers(const float_runs *r, double ***own, mica_status *st) {
    *own = NULL;
    for (uint32_t s = 0; s < r->n; s++)
        if (!r->kept[s])
            return (*own = buffers(r->g, st)) != NULL;
    return true;
}

double *const *float_runs_values(const float_runs *r, uint32_t s, double **own, mica_status *st) {
    if (r->kept[s])
        return r->kept[s];
    return graph_evaluate(r->g, r->sample[s], own, st) ? own : NULL;
}
