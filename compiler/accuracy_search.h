/* Choosing widths by the error that they cause: the cheapest rung of a ladder that reaches a target on the
 * calibration samples. */
#ifndef MICA_COMPILER_ACCURACY_SEARCH_H
#define MICA_COMPILER_ACCURACY_SEARCH_H

#include "accuracy.h"
#include "program_cost.h"

#define ACCURACY_DEFAULT_ERROR   0.005
#define ACCURACY_DEFAULT_LARGEST 0.02 /* scores near a threshold should fall on the same side */

/* One rung that was tried. */
typedef struct accuracy_rung {
    uint32_t activation_bits, weight_bits; /* at most; 0: by the size of the network */
    bool lowered;                          /* a circuit exists for it */
    bool complete;        /* all samples were measured; the errors are lower bounds otherwise */
    double mean_error;    /* of the worst output */
    double largest_error; /* of the worst output */
    double agreement;     /* of the worst output with two elements or more, else 1 */
    program_cost cost;
} accuracy_rung;

#define ACCURACY_RUNGS 6
typedef struct accuracy_search_report {
    uint32_t n, chosen; /* rungs tried; the one taken */
    accuracy_rung rung[ACCURACY_RUNGS];
    bool met;
} accuracy_search_report;

/* Lowers and measures rung after rung, from the cheapest, until the target is met; deterministic. A rung is
 * measured until it is known to miss. Where none meets the target, the one with the least error is taken, or
 * the call fails if the target is required. Results as those of lower_graph and accuracy_measure, freed by
 * the caller on success. n_samples >= 1. */
typedef struct accuracy_request {
    const graph *g;
    const calibration *cal;
    const double *const *const *sample;
    uint32_t n_samples;
    accuracy_target target;
    lowering_options options; /* what all rungs share: everything but widths */
    accuracy_progress progress;
    void *progress_ctx;
} accuracy_request;

typedef struct accuracy_result {
    program program;
    value_map map;
    accuracy accuracy;
    accuracy_search_report report;
} accuracy_result;

bool accuracy_search(accuracy_result *r, const accuracy_request *request, mica_status *st);

/* By how much the mean error of inner value i exceeds that of the worst value that its node reads; 0 if it
 * does not. */
double accuracy_increase(const accuracy *a, const graph *g, uint32_t i);

#endif
