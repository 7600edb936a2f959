/* Requantisation: the one step that narrows accumulators, with the activation function folded into its table
 * (docs/protocol.md). */
#ifndef MICA_COMPILER_REQUANTISE_H
#define MICA_COMPILER_REQUANTISE_H

#include "lowering/limbs.h"
#include "lowering/lowering.h"

typedef struct activation {
    mica_table_kind kind; /* IDENTITY (with bounds), SIGMOID, TANH; any other with the fields below */
    double lo, hi;        /* bounds of the result; +-infinity if none */
    /* out_scale > 0: result = out_factor * table(in_factor * x; param), in units of out_scale. */
    double param[2];
    double in_factor, out_factor;
    double out_scale;
    double wanted,
        tolerable; /* real size of one step of the key: fine enough, and the coarsest that will do */
    bool exact;    /* every step counts: fails rather than merging any */
} activation;

extern const activation activation_identity;

/* Emits limbs, h, y and their lookups for y = activation(f); y's calibrated range is that of graph value v.
 * Chooses shift, table bits and limbs. Returns y and its scale. */
bool requantise(lowering *l, const form *f, double scale, const activation *act, uint32_t v, uint32_t *tensor,
                double *out_scale, mica_status *st);

/* *tensor := 1 where f >= 1, else 0: exact, by a saturated table of floor((f - 1) / 2^s) + 1, which is at
 * least 1 if and only if f >= 1, whatever the s that suits the table. */
bool step_function(lowering *l, const form *f, uint32_t *tensor, mica_status *st);

/* log2 of the steps that a function's value takes: bits[v], more for a value that is only shown. */
unsigned result_bits(const lowering *l, uint32_t v);

/* The output of node n as the activation of its first input: in the table of the requantisation where that
 * input is pending, in a table of its own otherwise. ops/lower_activation.c */
bool lower_activation(lowering *l, const graph_node *n, const activation *act, mica_status *st);

#endif
