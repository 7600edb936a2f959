/* Requantisation: the one step that narrows accumulators, with the activation function folded into its table
 * (docs/protocol.md). */
#ifndef MICA_COMPILER_REQUANTISE_H
#define MICA_COMPILER_REQUANTISE_H

#include "lowering.h"

typedef struct activation {
    mica_table_kind kind; /* IDENTITY (with bounds), SIGMOID, TANH */
    double lo, hi;        /* bounds of the result; +-infinity if none */
} activation;

extern const activation activation_identity;

/* Emits limbs, h, y and their lookups for y = activation(f); y's calibrated range is that of graph value v.
 * Chooses shift, table bits and limbs. Returns y and its scale. */
bool requantise(lowering *l, const form *f, double scale, const activation *act, uint32_t v, uint32_t *tensor,
                double *out_scale, mica_status *st);

/* *tensor := 1 where f >= 1, else 0: exact, by a saturated table of floor((f - 1) / 2^s) + 1, which is at least
 * 1 if and only if f >= 1, whatever the s that suits the table. */
bool step_function(lowering *l, const form *f, uint32_t *tensor, mica_status *st);

/* Proves 0 <= f < 2^bits on D by a decomposition into limbs whose tables multiply to exactly 2^bits, 1 <=
 * bits <= 30. */
bool range_check(lowering *l, const form *f, unsigned bits, mica_status *st);

#endif
