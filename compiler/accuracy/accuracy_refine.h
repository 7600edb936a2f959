/* Widths of single values: those that do not need the widths of the rung that meets the target get those of
 * rungs below. */
#ifndef MICA_COMPILER_ACCURACY_REFINE_H
#define MICA_COMPILER_ACCURACY_REFINE_H

#include "accuracy/accuracy_search.h"

/* The values that have a tensor, and which of them every other value goes with: the first that is computed
 * from it. */
typedef struct accuracy_units {
    uint32_t n;
    uint32_t *unit;  /* per graph value: position in `value`; UINT32_MAX: none */
    uint32_t *value; /* [n] of the graph */
    uint64_t *cells; /* [n] padded */
    double *need;    /* [n] by how much the error grows at the value with coarse widths, per cell */
    uint32_t *order; /* [n] positions, those that need fine widths most first */
    uint8_t *level;  /* [n] rung */
} accuracy_units;

bool accuracy_units_create(accuracy_units *u, const graph *g, const program *p, const value_map *map,
                           uint32_t level, mica_status *st);
void accuracy_units_free(accuracy_units *u);

/* widths[v] of every value of the graph by its unit's level. */
void accuracy_units_widths(const accuracy_units *u, const graph *g, bool clipped, lowering_widths *widths);

/* *best is what met `target` with level `top` for all of u's values; it is replaced by whatever costs less
 * and meets it too. coarse[i]: what was measured, perhaps on some samples only, with rung i for all values;
 * n_values = 0 where nothing was. */
bool accuracy_refine(accuracy_trial *best, accuracy_units *u, const accuracy_request *q,
                     const float_runs *runs, const accuracy_target *target, uint32_t top,
                     const accuracy *coarse, bool clipped, uint32_t *n_trials, mica_status *st);

#endif
