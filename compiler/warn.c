/* What a user should know about the calibration before relying on the executable. */
#include "driver.h"

#include <stdio.h>

#define FEW_SAMPLES 8

static void list_ranges(const compilation *c, const char *which) {
    const graph *g = &c->graph;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const uint32_t v = g->input[i];
        (void)fprintf(stderr, "         input '%s': %s [%.6g, %.6g]\n",
                      g->value[v].name ? g->value[v].name : "", which, c->calibration.lo[v],
                      c->calibration.hi[v]);
    }
}

void warn_calibration(const compilation *c) {
    if (c->n_samples == 0) {
        (void)fprintf(
            stderr, "warning: no calibration samples: the ranges of all inputs, and so of all values behind "
                    "them, are guesses\n");
        list_ranges(c, "taken to lie in");
        (void)fprintf(stderr, "         What lies outside is saturated; --calibration DIR gives samples.\n");
    } else if (c->n_samples < FEW_SAMPLES) {
        (void)fprintf(stderr,
                      "warning: %u calibration sample%s, fewer than %d: ranges beyond what they reach are "
                      "guesses\n",
                      c->n_samples, c->n_samples == 1 ? "" : "s", FEW_SAMPLES);
        list_ranges(c, "the samples reach");
    }
}
