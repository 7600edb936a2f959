/* DFT and STFT as linear maps of the samples of one axis. */
#ifndef MICA_COMPILER_SPECTRUM_H
#define MICA_COMPILER_SPECTRUM_H

#include "ops/op_rules.h"

/* Samples [samples, parts_in] become [bins, parts_out]; a part is the real or the imaginary one. */
typedef struct spectrum {
    uint32_t axis;
    int64_t length; /* of the transform */
    int64_t samples, bins;
    uint32_t parts_in, parts_out;
    bool inverse, half; /* half: one side of the spectrum of real samples */
} spectrum;

/* Of a DFT. */
bool spectrum_read(spectrum *s, const graph *g, const graph_node *n, mica_status *st);

/* The weight of part q of sample i in part p of bin o. */
double spectrum_weight(const spectrum *s, int64_t o, uint32_t p, int64_t i, uint32_t q);

/* STFT: frames of s.length samples, `step` apart, of a signal [batch, samples, parts]. */
typedef struct frames {
    spectrum s;
    int64_t step, count;
} frames;

bool frames_read(frames *f, const graph *g, const graph_node *n, mica_status *st);

#endif
