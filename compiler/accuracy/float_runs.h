/* The float network on samples: evaluated once on all cores, and kept where memory allows it, for whoever
 * compares with it again and again. */
#ifndef MICA_COMPILER_FLOAT_RUNS_H
#define MICA_COMPILER_FLOAT_RUNS_H

#include "graph/graph.h"

typedef struct float_runs {
    const graph *g;
    const double *const *const *sample; /* [n][inputs], as calibration_collect */
    uint32_t n;
    double ***kept;  /* [n] buffers of all values; NULL where they are not kept */
    double *lo, *hi; /* per value, over all samples; 0, 0 where there are no elements */
} float_runs;

/* Evaluates every sample. The samples stay the caller's. */
bool float_runs_create(float_runs *r, const graph *g, const double *const *const *sample, uint32_t n,
                       mica_status *st);
void float_runs_free(float_runs *r);

/* Buffers for float_runs_values; NULL, without an error, if every sample is kept. */
bool float_runs_buffers(const float_runs *r, double ***own, mica_status *st);

/* All values on sample s, constants that are outputs too; either kept or evaluated into `own`. NULL on
 * failure. */
double *const *float_runs_values(const float_runs *r, uint32_t s, double **own, mica_status *st);

#endif
