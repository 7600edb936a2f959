/* What the float network does on sample inputs: the range of every value, from which scales are chosen. */
#ifndef MICA_COMPILER_CALIBRATION_H
#define MICA_COMPILER_CALIBRATION_H

#include "graph/graph.h"

/* How often each magnitude occurs: CALIBRATION_BINS_OCTAVE bins from each power of two to the next,
 * geometrically. */
#define CALIBRATION_BINS_OCTAVE 8
#define CALIBRATION_OCTAVES                                                                                  \
    80 /* from 2^-40; what is smaller is in the first bin, what is larger in the last */
#define CALIBRATION_BINS (CALIBRATION_BINS_OCTAVE * CALIBRATION_OCTAVES)

typedef struct calibration {
    uint32_t n_values; /* of the graph */
    double *lo, *hi;   /* smallest and largest element of each value over all samples; 0, 0 for constants */
    double *least;     /* smallest magnitude other than 0; 0 if nothing else occurs */
    double *rms;       /* root of the mean square */
    double *second;    /* largest magnitude but for the sample with the largest of all */
    bool *integral;    /* every element was an integer */
    uint32_t **bins;   /* per value, NULL for constants: elements other than 0 */
    uint64_t *n_elements; /* per value */
    uint32_t n_samples;
    bool guessed; /* no samples were given: the ranges come from guessed_samples */
} calibration;

/* Where values are clipped. */
typedef enum clipping_kind {
    CLIP_NEVER,     /* the largest sample counts */
    CLIP_ERROR,     /* where the mean square of what rounding and clipping cost on the samples is least */
    CLIP_PERCENTILE /* the given share of the elements on the samples is within */
} clipping_kind;

typedef struct calibration_clipping {
    clipping_kind kind;
    double percentile; /* 0 to 100 */
} calibration_clipping;

/* Inputs where there are no samples: pseudo-random with a fixed seed, reals in [-1, 1]. */
typedef struct guessed_samples {
    uint32_t n;
    double ***sample; /* [n][inputs] */
} guessed_samples;

bool guessed_samples_create(guessed_samples *s, const graph *g, mica_status *st);
void guessed_samples_free(guessed_samples *s, const graph *g);

/* Evaluates the graph on every sample: sample[s][i] are the elements of graph input i, row-major. With no
 * samples the inputs are guessed_samples and `guessed` is set, which callers should warn about. */
bool calibration_collect(calibration *c, const graph *g, const double *const *const *sample,
                         uint32_t n_samples, mica_status *st);
void calibration_free(calibration *c);

/* Largest magnitude of value v. */
double calibration_magnitude(const calibration *c, uint32_t v);

/* The magnitude at which value v is clipped if 2^bits steps lead there; the largest if it is not. */
double calibration_clip(const calibration *c, uint32_t v, calibration_clipping clipping, unsigned bits);

#endif
