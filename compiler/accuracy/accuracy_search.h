/* Choosing widths by the error that they cause: the cheapest that reach a target on the calibration samples,
 * first for all values alike, by a ladder, then for single values. */
#ifndef MICA_COMPILER_ACCURACY_SEARCH_H
#define MICA_COMPILER_ACCURACY_SEARCH_H

#include "accuracy/accuracy_trial.h"

#define ACCURACY_DEFAULT_ERROR   0.005
#define ACCURACY_DEFAULT_LARGEST 0.02 /* scores near a threshold should fall on the same side */

/* One rung that was tried. */
typedef struct accuracy_rung {
    lowering_widths widths; /* at most; 0 bits: by the size of the network */
    accuracy_figures is;
} accuracy_rung;

/* What finer widths would give: those of the next rung above, of one value or of all. */
typedef struct accuracy_change {
    uint32_t value; /* of the graph; GRAPH_NO_VALUE: all */
    accuracy_figures would_be;
} accuracy_change;

enum { ACCURACY_RUNGS = 6, ACCURACY_CHANGES = 4 };

typedef struct accuracy_search_report {
    uint32_t n, chosen; /* rungs tried; the one taken, or refined */
    accuracy_rung rung[ACCURACY_RUNGS];
    accuracy_target target;
    accuracy_figures taken;
    bool met;
    bool clipped; /* taken with values clipped, though it was not asked for */
    uint32_t n_values,
        n_coarse;      /* values that have a tensor; those with widths of rungs below the chosen one */
    uint32_t n_trials; /* measurements */
    uint32_t n_changes;
    accuracy_change change[ACCURACY_CHANGES];
} accuracy_search_report;

typedef struct accuracy_result {
    program program;
    value_map map;
    accuracy accuracy;
    accuracy_search_report report;
} accuracy_result;

/* Lowers and measures rung after rung, from the cheapest, until the target is met; a rung is measured until
 * it is known to miss. Then values that do not need it get the widths of rungs below (accuracy_refine.h).
 * Where no rung meets the target, the one with the least error is taken, or the call fails if the target is
 * required. A function of the request, whatever the machine. Results as those of lower_graph and
 * accuracy_measure, freed by the caller on success. n_samples >= 1. */
bool accuracy_search(accuracy_result *r, const accuracy_request *request, mica_status *st);

/* "values 12, weights 12", with what else the rung has. Returns buffer. */
const char *accuracy_rung_words(char *buffer, size_t size, const accuracy_rung *rung);

/* The widths of a rung. */
lowering_widths accuracy_rung_widths(uint32_t rung, bool clipped);

#endif
