/* What a user should know about calibration, inputs and outputs before relying on the executable. */
#include "accuracy/guessed_ranges.h"
#include "driver.h"
#include "ops/op_rules.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMED_VALUES 6
#define LARGE_ERROR  0.01 /* mean error of an output, of its range */

static const char *name_of(const graph *g, uint32_t v) {
    return g->value[v].name ? g->value[v].name : "";
}

static void list_inputs(const compilation *c, const char *which) {
    const graph *g = &c->graph;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        (void)fprintf(stderr, "         input '%s': %s [%.6g, %.6g]\n", name_of(g, g->input[i]), which,
                      c->calibration.lo[g->input[i]], c->calibration.hi[g->input[i]]);
}

/* The first of them by name, the others by their number. */
static void list_guesses(const compilation *c) {
    uint32_t n, *list = guessed_ranges(&c->calibration, &c->graph, &n);
    if (list && n > 0)
        (void)fprintf(stderr, "         ranges that are guesses: %u of values", n);
    for (uint32_t i = 0; list && i < n && i < NAMED_VALUES; i++)
        (void)fprintf(stderr, "%s '%.60s'", i ? "," : "", name_of(&c->graph, list[i]));
    if (list && n > NAMED_VALUES)
        (void)fprintf(stderr, " and %u more, all in %s.report.html", n - NAMED_VALUES, c->request->output);
    if (list && n > 0)
        (void)fprintf(stderr, "\n");
    free(list);
}

void warn_calibration(const compilation *c) {
    if (c->n_samples == 0) {
        (void)fprintf(
            stderr, "warning: no calibration samples: the ranges of all inputs, and so of all values behind "
                    "them, are guesses\n");
        list_inputs(c, "taken to lie in");
        list_guesses(c);
        (void)fprintf(stderr, "         What lies outside is saturated; --calibration DIR gives samples.\n");
        if (c->request->ranges)
            (void)fprintf(stderr, "note: --ranges %.40s has no effect without samples\n", c->request->ranges);
    } else if (c->n_samples < FEW_SAMPLES) {
        (void)fprintf(stderr,
                      "warning: %u calibration sample%s, fewer than %d: ranges beyond what they reach are "
                      "guesses\n",
                      c->n_samples, c->n_samples == 1 ? "" : "s", FEW_SAMPLES);
        list_inputs(c, "the samples reach");
        list_guesses(c);
    }
}

void warn_accuracy(const compilation *c) {
    for (uint32_t i = 0; i < c->accuracy.n_outputs; i++) {
        const value_error *e = &c->accuracy.output[i];
        if (e->mean > LARGE_ERROR)
            (void)fprintf(
                stderr,
                "warning: output '%s': the integers err by %.3g %% of its range on average; the summary "
                "and the report say where, --max-error bounds it\n",
                name_of(&c->graph, e->value), 100 * e->mean);
    }
}

void warn_ports(const compilation *c) {
    const graph *g = &c->graph;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        if (!op_value_used(g, g->input[i]))
            (void)fprintf(stderr,
                          "note: no output depends on input '%s': proofs show it and say nothing of it\n",
                          g->value[g->input[i]].name);
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        if (graph_is_const(&g->value[g->output[i]]))
            (void)fprintf(stderr, "note: output '%s' is a constant\n", g->value[g->output[i]].name);
    }
    if (g->n_empty_inputs)
        (void)fprintf(stderr,
                      "note: %u input%s without elements: constants, which the prover does not take\n",
                      g->n_empty_inputs, g->n_empty_inputs == 1 ? "" : "s");
    for (uint32_t i = 0; i < g->n_empty_outputs; i++)
        (void)fprintf(stderr, "note: output '%s' has no elements: proofs do not show it\n",
                      g->value[g->empty_output[i]].name);
}
