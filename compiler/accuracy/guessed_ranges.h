/* Which calibrated ranges are guesses: those that no sample, or one sample alone, speaks for. */
#ifndef MICA_COMPILER_GUESSED_RANGES_H
#define MICA_COMPILER_GUESSED_RANGES_H

#include "accuracy/calibration.h"

#define FEW_SAMPLES 8

/* Whether the range of value v, a graph input or computed, is a guess: without samples; or there are fewer
 * than FEW_SAMPLES, and one of them reaches so much farther than all others that a further sample may well
 * leave the head room. Ranges that the operator or the type bounds are none, nor are those of values that
 * only move. */
bool guessed_range(const calibration *c, const graph *g, uint32_t v);

/* The values of which guessed_range is true: inputs, then in the network's order; the caller frees. NULL
 * without memory. */
uint32_t *guessed_ranges(const calibration *c, const graph *g, uint32_t *n);

#endif
