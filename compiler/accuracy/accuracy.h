/* How far the integer program is from the float network: the compile-time report on accuracy. */
#ifndef MICA_COMPILER_ACCURACY_H
#define MICA_COMPILER_ACCURACY_H

#include "accuracy/float_runs.h"
#include "graph/graph.h"
#include "lowering/lowering.h"
#include "program/program.h"

/* Errors of one value over all samples, relative to max - min of the float reference over all samples (to its
 * largest magnitude, or 1, if that is zero). */
typedef struct value_error {
    uint32_t value; /* of the graph */
    uint32_t layer; /* of the circuit */
    double mean, max;
    double lo, hi; /* of the reference */
    uint32_t
        top1_agree; /* samples whose largest element is at the same place; outputs of two elements or more */
    bool has_top1;
} value_error;

typedef struct accuracy {
    uint32_t n_samples, n_outputs, n_values;
    value_error *output; /* [n_outputs], in the graph's order */
    value_error *inner;  /* [n_values], every value that has a tensor, ascending */
    uint64_t saturated;  /* input values outside the declared range */
    bool stopped;        /* the target was missed before all samples were measured: errors are lower bounds */
} accuracy;

/* What the user, or the compiler by default, wants on the samples that are measured. */
typedef struct accuracy_target {
    double max_error;     /* bound on the mean error of every output, as a share of its range */
    double max_largest;   /* bound on the largest error of every output, as a share of its range; 0: none */
    double min_agreement; /* share of the samples whose largest element is at the same place; 0: any */
    bool required;        /* fail where it is not met */
} accuracy_target;

/* Called before each round of samples; may be NULL. */
typedef void (*accuracy_progress)(void *ctx, uint32_t done, uint32_t total);

/* Runs the program on every sample, on all cores, and compares with the float network. With a target it stops
 * once the samples measured so far show that all of them will miss it: errors of outputs are then those sums
 * over all samples, n_samples counts those measured. The result does not depend on the number of cores. */
bool accuracy_measure(accuracy *a, const program *p, const value_map *map, const float_runs *runs,
                      const accuracy_target *stop, accuracy_progress progress, void *progress_ctx,
                      mica_status *st);
/* The same on samples (as calibration_collect) that are measured once. */
bool accuracy_measure_samples(accuracy *a, const program *p, const value_map *map, const graph *g,
                              const double *const *const *sample, uint32_t n_samples, mica_status *st);
void accuracy_free(accuracy *a);

#endif
