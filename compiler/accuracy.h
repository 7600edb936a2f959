/* How far the integer program is from the float network: the compile-time report on accuracy. */
#ifndef MICA_COMPILER_ACCURACY_H
#define MICA_COMPILER_ACCURACY_H

#include "graph.h"
#include "lowering.h"
#include "program.h"

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
    value_error *inner;  /* [n_values], every value that has a tensor, in the order of the map */
    uint64_t saturated;  /* input values outside the declared range */
} accuracy;

/* Called before each sample; may be NULL. */
typedef void (*accuracy_progress)(void *ctx, uint32_t done, uint32_t total);

/* Runs program and float reference on every sample (as calibration_collect). */
bool accuracy_measure(accuracy *a, const program *p, const value_map *map, const graph *g,
                      const double *const *const *sample, uint32_t n_samples, accuracy_progress progress,
                      void *progress_ctx, mica_status *st);
void accuracy_free(accuracy *a);

#endif
