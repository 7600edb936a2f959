#include "calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_types.h"
#include "ops/ops.h"
#include "passes.h"

#define GUESSED_SAMPLES 4
#define INTEGER_LIMIT   4503599627370496.0 /* 2^52: beyond it every double is an integer */

void calibration_free(calibration *c) {
    free(c->lo);
    free(c->hi);
    free(c->least);
    free(c->rms);
    free(c->integral);
    memset(c, 0, sizeof *c);
}

double calibration_magnitude(const calibration *c, uint32_t v) {
    return c->hi[v] > -c->lo[v] ? c->hi[v] : -c->lo[v];
}

static bool is_integral(double x) {
    return x > -INTEGER_LIMIT && x < INTEGER_LIMIT && (double)(int64_t)x == x;
}

static bool observe(calibration *c, const graph *g, uint32_t v, const double *x, mica_status *st) {
    const uint64_t n = graph_elements(&g->value[v]);
    double squares = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!(x[i] - x[i] == 0)) /* NaN or infinite */
            return mica_fail(st, MICA_ERR_UNSUPPORTED,
                             "value '%s' is not finite on a calibration sample; no integer can stand for it",
                             g->value[v].name ? g->value[v].name : "?");
        if ((c->n_samples == 0 && i == 0) || x[i] < c->lo[v])
            c->lo[v] = x[i];
        if ((c->n_samples == 0 && i == 0) || x[i] > c->hi[v])
            c->hi[v] = x[i];
        const double magnitude = x[i] < 0 ? -x[i] : x[i];
        if (magnitude > 0 && (c->least[v] == 0 || magnitude < c->least[v]))
            c->least[v] = magnitude;
        c->integral[v] = c->integral[v] && is_integral(x[i]);
        squares += x[i] * x[i];
    }
    if (n > 0) /* the mean over samples, which are of one size; its root is taken at the end */
        c->rms[v] += (squares / (double)n - c->rms[v]) / (c->n_samples + 1);
    return true;
}

static bool observe_all(calibration *c, const graph *g, const double *const *input, double **value,
                        mica_status *st) {
    if (!graph_evaluate(g, input, value, st))
        return false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const uint32_t v = g->node[i].out[0];
        if (!g->node[i].removed && value[v] && !graph_is_const(&g->value[v]) &&
            !observe(c, g, v, value[v], st))
            return false;
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!observe(c, g, g->input[i], input[i], st))
            return false;
    c->n_samples++;
    return true;
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled"). */
static double random_unit(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    const uint64_t bits = *state * UINT64_C(0x2545f4914f6cdd1d) >> 11; /* 53 bits */
    return (double)bits / 4503599627370496.0 - 1.0;                    /* [-1, 1) */
}

/* Integers of an unknown meaning: small ones; indices into an axis of `size` > 0 entries: any; truth values:
 * 0 or 1. */
static double guessed_element(const graph_value *v, int64_t size, double unit) {
    if (v->dtype != DTYPE_INT)
        return unit;
    if (size > 0)
        return (double)(int64_t)((unit + 1) / 2 * (double)size);
    return v->onnx_dtype == ONNX_BOOL ? unit < 0 : (double)(int64_t)(8 * unit);
}

static bool guess(calibration *c, const graph *g, double **value, mica_status *st) {
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    double **input = calloc(g->n_inputs + 1u, sizeof *input);
    bool ok = input != NULL;
    for (uint32_t i = 0; ok && i < g->n_inputs; i++) {
        input[i] = malloc((graph_elements(&g->value[g->input[i]]) + 1) * sizeof **input);
        ok = input[i] != NULL;
    }
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for calibration");
    for (int s = 0; ok && s < GUESSED_SAMPLES; s++) {
        for (uint32_t i = 0; i < g->n_inputs; i++) {
            const graph_value *v = &g->value[g->input[i]];
            const int64_t size = op_indexed_size(g, g->input[i]);
            for (uint64_t j = 0; j < graph_elements(v); j++)
                input[i][j] = guessed_element(v, size, random_unit(&state));
        }
        ok = observe_all(c, g, (const double *const *)input, value, st);
    }
    for (uint32_t i = 0; input && i < g->n_inputs; i++)
        free(input[i]);
    free(input);
    c->guessed = true;
    return ok;
}

bool calibration_collect(calibration *c, const graph *g, const double *const *const *sample,
                         uint32_t n_samples, mica_status *st) {
    memset(c, 0, sizeof *c);
    c->n_values = g->n_values;
    c->lo = calloc(g->n_values + 1u, sizeof *c->lo);
    c->hi = calloc(g->n_values + 1u, sizeof *c->hi);
    c->least = calloc(g->n_values + 1u, sizeof *c->least);
    c->rms = calloc(g->n_values + 1u, sizeof *c->rms);
    c->integral = malloc(g->n_values + 1u);
    double **value = graph_buffers_create(g, st);
    bool ok = c->lo && c->hi && c->least && c->rms && c->integral && value;
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for calibration");
    else
        memset(c->integral, true, g->n_values + 1u);
    for (uint32_t s = 0; ok && s < n_samples; s++)
        ok = observe_all(c, g, sample[s], value, st);
    if (ok && n_samples == 0)
        ok = guess(c, g, value, st);
    for (uint32_t v = 0; ok && v < g->n_values; v++)
        c->rms[v] = sqrt(c->rms[v]);
    if (value)
        graph_buffers_free(g, value);
    if (!ok)
        calibration_free(c);
    return ok;
}
