/* One choice of widths, lowered and measured: the step that every search repeats. */
#ifndef MICA_COMPILER_ACCURACY_TRIAL_H
#define MICA_COMPILER_ACCURACY_TRIAL_H

#include "accuracy/accuracy.h"
#include "program/program_cost.h"

/* The figures of one choice. */
typedef struct accuracy_figures {
    bool lowered;         /* a circuit exists for it */
    bool complete;        /* all samples were measured; the errors are lower bounds otherwise */
    double mean_error;    /* of the worst output */
    double largest_error; /* of the worst output */
    double agreement;     /* of the worst output with two elements or more, else 1 */
    program_cost cost;
} accuracy_figures;

typedef struct accuracy_request {
    const graph *g;
    const calibration *cal;
    const double *const *const *sample;
    uint32_t n_samples;
    accuracy_target target;
    lowering_options options; /* what all choices share: everything but widths */
    bool clip;                /* every value that can be is clipped as options.clipping says */
    bool may_clip;            /* where nothing else meets the target */
    uint32_t most_trials;     /* measurements for widths of single values; 0: all values have the same */
    bool explain;             /* measure what a finer choice would give */
    accuracy_progress progress;
    void *progress_ctx;
} accuracy_request;

typedef struct accuracy_trial {
    program program;
    value_map map;
    accuracy accuracy;
    accuracy_figures figures;
} accuracy_trial;

/* widths: [q->g->n_values]. On failure nothing is left to free. */
bool accuracy_trial_lower(accuracy_trial *t, const accuracy_request *q, const lowering_widths *widths,
                          mica_status *st);
/* Measures what was lowered, as far as `stop` asks for (NULL: all samples); frees *t on failure. */
bool accuracy_trial_measure(accuracy_trial *t, const accuracy_request *q, const float_runs *runs,
                            const accuracy_target *stop, mica_status *st);
void accuracy_trial_free(accuracy_trial *t);

/* Whether the figures, which are complete, meet the target. */
bool accuracy_meets(const accuracy_figures *f, const accuracy_target *t);

#endif
