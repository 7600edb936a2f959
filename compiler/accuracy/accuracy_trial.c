#include "accuracy/accuracy_trial.h"

#include <string.h>

static void judge(accuracy_figures *f, const accuracy *a) {
    f->complete = !a->stopped;
    f->mean_error = f->largest_error = 0;
    f->agreement = 1;
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const value_error *e = &a->output[i];
        f->mean_error = e->mean > f->mean_error ? e->mean : f->mean_error;
        f->largest_error = e->max > f->largest_error ? e->max : f->largest_error;
        if (e->has_top1 && e->top1_agree < f->agreement * a->n_samples)
            f->agreement = (double)e->top1_agree / a->n_samples;
    }
}

bool accuracy_trial_lower(accuracy_trial *t, const accuracy_request *q, const lowering_widths *widths,
                          mica_status *st) {
    lowering_options options = q->options;
    memset(t, 0, sizeof *t);
    options.widths = widths;
    if (!lower_graph(&t->program, &t->map, q->g, q->cal, &options, st))
        return false;
    t->figures.lowered = true;
    t->figures.cost = program_cost_of(&t->program);
    return true;
}

bool accuracy_trial_measure(accuracy_trial *t, const accuracy_request *q, const float_runs *runs,
                            const accuracy_target *stop, mica_status *st) {
    if (!accuracy_measure(&t->accuracy, &t->program, &t->map, runs, stop, q->progress, q->progress_ctx, st)) {
        accuracy_trial_free(t);
        return false;
    }
    judge(&t->figures, &t->accuracy);
    return true;
}

void accuracy_trial_free(accuracy_trial *t) {
    program_free(&t->program);
    value_map_free(&t->map);
    accuracy_free(&t->accuracy);
}

bool accuracy_meets(const accuracy_figures *f, const accuracy_target *t) {
    return f->complete && f->mean_error <= t->max_error && f->agreement >= t->min_agreement &&
           (t->max_largest <= 0 || f->largest_error <= t->max_largest);
}
