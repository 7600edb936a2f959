/* What the float network does on sample inputs: the range of every value, from which scales are chosen. */
#ifndef MICA_COMPILER_CALIBRATION_H
#define MICA_COMPILER_CALIBRATION_H

#include "graph.h"

typedef struct calibration {
    uint32_t n_values; /* of the graph */
    double *lo, *hi;   /* smallest and largest element of each value over all samples; 0, 0 for constants */
    double *least;     /* smallest magnitude other than 0; 0 if nothing else occurs */
    double *rms;       /* root of the mean square */
    bool *integral;    /* every element was an integer */
    uint32_t n_samples;
    bool guessed; /* no samples were given: the ranges come from pseudo-random inputs in [-1, 1] */
} calibration;

/* Evaluates the graph on every sample: sample[s][i] are the elements of graph input i, row-major. With no
 * samples the inputs are pseudo-random with a fixed seed and `guessed` is set, which callers should warn
 * about. */
bool calibration_collect(calibration *c, const graph *g, const double *const *const *sample,
                         uint32_t n_samples, mica_status *st);
void calibration_free(calibration *c);

/* Largest magnitude of value v. */
double calibration_magnitude(const calibration *c, uint32_t v);

#endif
