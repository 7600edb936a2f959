/* The lowering of mica compile: widths by the error on samples, or on guesses where there are none. */
#include "driver.h"

/* Multiply-accumulates that one measurement, and all measurements for widths of single values, may take. */
static const uint64_t measured_macs = UINT64_C(2400000000), refined_macs = UINT64_C(6000000000);
#define MOST_TRIALS 16

/* As many samples as the interpreter can run in reasonable time. */
static uint32_t measured_samples(const compilation *c, uint32_t n) {
    const uint64_t most = measured_macs / (c->macs + 1000);
    return most < n ? (uint32_t)(most ? most : 1) : n;
}

static uint32_t most_trials(const compilation *c, uint32_t n) {
    const uint64_t most = refined_macs / ((c->macs + 1000) * n);
    return most < MOST_TRIALS ? (uint32_t)most : MOST_TRIALS;
}

/* The compiler's own target where the user has none. */
static accuracy_target target_of(const compile_request *r) {
    const bool asked = r->max_error || r->min_agreement;
    return (accuracy_target){.max_error = r->max_error ? r->max_error_percent / 100
                                          : asked      ? 1
                                                       : ACCURACY_DEFAULT_ERROR,
                             .max_largest = asked ? 0 : ACCURACY_DEFAULT_LARGEST,
                             .min_agreement = r->min_agreement ? r->min_agreement_percent / 100 : 0,
                             .required = asked};
}

/* The same for an audit as for a compilation, but for what only a reader of the report wants to know. */
static bool search_widths(compilation *c, const double *const *const *sample, uint32_t n,
                          const lowering_options *options, accuracy_progress progress, mica_status *st) {
    accuracy_result r;
    const uint32_t measured = measured_samples(c, n);
    const accuracy_request request = {.g = &c->graph,
                                      .cal = &c->calibration,
                                      .sample = sample,
                                      .n_samples = measured,
                                      .target = target_of(c->request),
                                      .options = *options,
                                      .clip = options->clipping.kind != CLIP_NEVER,
                                      .may_clip = !c->request->ranges,
                                      .most_trials = most_trials(c, measured),
                                      .explain = c->explain,
                                      .progress = progress,
                                      .progress_ctx = (void *)c->request};
    if (!accuracy_search(&r, &request, st))
        return false;
    c->program = r.program;
    c->map = r.map;
    c->accuracy = r.accuracy;
    c->search = r.report;
    return true;
}

static bool search_on_guesses(compilation *c, const lowering_options *options, accuracy_progress progress,
                              mica_status *st) {
    guessed_samples s;
    if (!guessed_samples_create(&s, &c->graph, st))
        return false;
    const bool ok = search_widths(c, (const double *const *const *)s.sample, s.n, options, progress, st);
    guessed_samples_free(&s, &c->graph);
    return ok;
}

bool choose_widths(compilation *c, const sample_set *samples, accuracy_progress progress, mica_status *st) {
    const lowering_options options = {.max_batch = 1,
                                      .clipping = c->request->clipping,
                                      .input_visibility = c->input_visibility,
                                      .output_visibility = c->output_visibility};
    return samples->n ? search_widths(c, samples->sample, samples->n, &options, progress, st)
                      : search_on_guesses(c, &options, progress, st);
}
