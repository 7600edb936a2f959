#include "accuracy/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "ops/ops.h"

#define GUESSED_SAMPLES 4
#define INTEGER_LIMIT   4503599627370496.0 /* 2^52: beyond it every double is an integer */

void calibration_free(calibration *c) {
    free(c->lo);
    free(c->hi);
    free(c->least);
    free(c->rms);
    free(c->second);
    free(c->integral);
    for (uint32_t v = 0; c->bins && v < c->n_values; v++)
        free(c->bins[v]);
    free(c->bins);
    free(c->n_elements);
    memset(c, 0, sizeof *c);
}

double calibration_magnitude(const calibration *c, uint32_t v) {
    return c->hi[v] > -c->lo[v] ? c->hi[v] : -c->lo[v];
}

/* --- magnitudes --- */

#define FIRST_EXPONENT (-40)
#define MOST_CLIPPED   64 /* the range is clipped to a share of 1 / MOST_CLIPPED at most */

/* By the bits of the number, so that it is the same everywhere: the octave, and where in it. */
static unsigned bin_of(double magnitude) {
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    const int64_t octave = (int64_t)(bits >> 52 & 0x7ff) - 1023 - FIRST_EXPONENT;
    if (octave < 0)
        return 0;
    if (octave >= CALIBRATION_OCTAVES)
        return CALIBRATION_BINS - 1;
    return (unsigned)octave * CALIBRATION_BINS_OCTAVE +
           (unsigned)(bits >> 49 & (CALIBRATION_BINS_OCTAVE - 1));
}

/* Where bin i begins. */
static double bin_start(unsigned i) {
    const double in_octave = 1 + (double)(i % CALIBRATION_BINS_OCTAVE) / CALIBRATION_BINS_OCTAVE;
    return ldexp(in_octave, (int)(i / CALIBRATION_BINS_OCTAVE) + FIRST_EXPONENT);
}

/* The end of the first bin up to which the share of all elements, zeros included, is reached. */
static double clip_by_share(const calibration *c, uint32_t v, double share) {
    double within = (double)c->n_elements[v];
    for (unsigned i = 0; i < CALIBRATION_BINS; i++)
        within -= c->bins[v][i];
    for (unsigned i = 0; i < CALIBRATION_BINS; i++) {
        within += c->bins[v][i];
        if (within >= share * (double)c->n_elements[v])
            return bin_start(i + 1);
    }
    return calibration_magnitude(c, v);
}

/* Twelve times the mean square of the error of rounding to steps of clip / 2^bits, and of clipping. */
static double clipping_error(const calibration *c, uint32_t v, double clip, unsigned bits) {
    const double unit = clip / (double)(UINT64_C(1) << bits);
    double rounded = 0, clipped = 0;
    for (unsigned i = 0; i < CALIBRATION_BINS; i++) {
        const double beyond = (bin_start(i) + bin_start(i + 1)) / 2 - clip;
        if (beyond > 0)
            clipped += c->bins[v][i] * beyond * beyond;
        else
            rounded += c->bins[v][i];
    }
    return rounded * unit * unit + 12 * clipped;
}

static double clip_by_error(const calibration *c, uint32_t v, unsigned bits) {
    double best = calibration_magnitude(c, v), least = clipping_error(c, v, best, bits);
    const double magnitude = best;
    for (unsigned i = CALIBRATION_BINS; i-- > 1 && bin_start(i) > magnitude / MOST_CLIPPED;) {
        const double clip = bin_start(i), error = clip < magnitude ? clipping_error(c, v, clip, bits) : least;
        if (error < least) {
            least = error;
            best = clip;
        }
    }
    return best;
}

double calibration_clip(const calibration *c, uint32_t v, calibration_clipping clipping, unsigned bits) {
    const double magnitude = calibration_magnitude(c, v);
    if (clipping.kind == CLIP_NEVER || !c->bins[v] || !(magnitude > 0))
        return magnitude;
    const double clip = clipping.kind == CLIP_ERROR ? clip_by_error(c, v, bits)
                                                    : clip_by_share(c, v, clipping.percentile / 100);
    return clip < magnitude ? clip : magnitude;
}

/* --- samples --- */

static bool is_integral(double x) {
    return x > -INTEGER_LIMIT && x < INTEGER_LIMIT && (double)(int64_t)x == x;
}

static bool observe(calibration *c, const graph *g, uint32_t v, const double *x, mica_status *st) {
    const uint64_t n = graph_elements(&g->value[v]);
    const double before = calibration_magnitude(c, v);
    double squares = 0, most = 0;
    if (!c->bins[v] && !(c->bins[v] = calloc((size_t)CALIBRATION_BINS, sizeof **c->bins)))
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for calibration");
    for (uint64_t i = 0; i < n; i++) {
        if (!(x[i] - x[i] == 0)) /* NaN or infinite */
            return mica_fail(st, MICA_ERR_UNSUPPORTED,
                             c->guessed ? "value '%s' is not finite on pseudo-random inputs in [-1, 1]: give "
                                          "samples by --calibration DIR"
                                        : "value '%s' is not finite on a calibration sample; no integer can "
                                          "stand for it",
                             g->value[v].name ? g->value[v].name : "?");
        if ((c->n_samples == 0 && i == 0) || x[i] < c->lo[v])
            c->lo[v] = x[i];
        if ((c->n_samples == 0 && i == 0) || x[i] > c->hi[v])
            c->hi[v] = x[i];
        const double magnitude = x[i] < 0 ? -x[i] : x[i];
        if (magnitude > 0 && (c->least[v] == 0 || magnitude < c->least[v]))
            c->least[v] = magnitude;
        if (magnitude > 0 && c->bins[v][bin_of(magnitude)] < UINT32_MAX)
            c->bins[v][bin_of(magnitude)]++;
        most = magnitude > most ? magnitude : most;
        c->integral[v] = c->integral[v] && is_integral(x[i]);
        squares += x[i] * x[i];
    }
    if (n > 0) /* the mean over samples, which are of one size; its root is taken at the end */
        c->rms[v] += (squares / (double)n - c->rms[v]) / (c->n_samples + 1);
    const double other = most < before ? most : before;
    c->second[v] = other > c->second[v] ? other : c->second[v];
    c->n_elements[v] += n;
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

static bool guess_one(double **input, const graph *g, uint64_t *state) {
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        const int64_t size = op_indexed_size(g, g->input[i]);
        input[i] = malloc((graph_elements(v) + 1) * sizeof **input);
        for (uint64_t j = 0; input[i] && j < graph_elements(v); j++)
            input[i][j] = guessed_element(v, size, random_unit(state));
        if (!input[i])
            return false;
    }
    return true;
}

bool guessed_samples_create(guessed_samples *s, const graph *g, mica_status *st) {
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    *s = (guessed_samples){GUESSED_SAMPLES, calloc(GUESSED_SAMPLES, sizeof *s->sample)};
    bool ok = s->sample != NULL;
    for (uint32_t k = 0; ok && k < s->n; k++) {
        s->sample[k] = calloc(g->n_inputs + 1u, sizeof **s->sample);
        ok = s->sample[k] && guess_one(s->sample[k], g, &state);
    }
    if (!ok)
        guessed_samples_free(s, g);
    return ok || mica_fail(st, MICA_ERR_MEMORY, "out of memory for calibration");
}

void guessed_samples_free(guessed_samples *s, const graph *g) {
    for (uint32_t k = 0; s->sample && k < s->n; k++) {
        for (uint32_t i = 0; s->sample[k] && i < g->n_inputs; i++)
            free(s->sample[k][i]);
        free(s->sample[k]);
    }
    free(s->sample);
    *s = (guessed_samples){0};
}

static bool guess(calibration *c, const graph *g, double **value, mica_status *st) {
    guessed_samples s;
    c->guessed = true;
    if (!guessed_samples_create(&s, g, st))
        return false;
    bool ok = true;
    for (uint32_t k = 0; ok && k < s.n; k++)
        ok = observe_all(c, g, (const double *const *)s.sample[k], value, st);
    guessed_samples_free(&s, g);
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
    c->second = calloc(g->n_values + 1u, sizeof *c->second);
    c->bins = calloc(g->n_values + 1u, sizeof *c->bins);
    c->n_elements = calloc(g->n_values + 1u, sizeof *c->n_elements);
    c->integral = malloc(g->n_values + 1u);
    double **value = graph_buffers_create(g, st);
    bool ok =
        c->lo && c->hi && c->least && c->rms && c->second && c->bins && c->n_elements && c->integral && value;
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
