#include "accuracy/accuracy_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy/accuracy_changes.h"
#include "accuracy/accuracy_losses.h"
#include "accuracy/accuracy_refine.h"

/* From the cheapest upwards. Fine rungs give no resolution up for smaller tables; split ones give weights
 * whose accumulators would break a bound two limbs. */
static const lowering_widths ladder[ACCURACY_RUNGS] = {
    {.activation_bits = 0, .weight_bits = 0},
    {.activation_bits = 11, .weight_bits = 10},
    {.activation_bits = 12, .weight_bits = 12},
    {.activation_bits = 12, .weight_bits = 12, .fine = true},
    {.activation_bits = 14, .weight_bits = 14, .fine = true, .split = true},
    {.activation_bits = 15, .weight_bits = 16, .fine = true, .split = true}};

lowering_widths accuracy_rung_widths(uint32_t rung, bool clipped) {
    lowering_widths w = ladder[rung];
    w.clipped = clipped;
    return w;
}

/* One search. */
typedef struct search {
    const accuracy_request *q;
    accuracy_request clipping; /* the same with clipping, where the request has none */
    float_runs runs;
    accuracy_search_report *report;
    accuracy_trial best; /* of what was measured on all samples */
    bool have;
    accuracy seen[ACCURACY_RUNGS]; /* of each rung, perhaps on some samples only */
    lowering_widths *widths;
    mica_status first; /* why the first of the rungs that have no circuit has none */
} search;

static bool better(const accuracy_figures *a, const accuracy_figures *b, const accuracy_target *t) {
    const bool agrees = a->agreement >= t->min_agreement;
    if (agrees != (b->agreement >= t->min_agreement))
        return agrees;
    return agrees || t->max_error < 1 ? a->mean_error < b->mean_error : a->agreement > b->agreement;
}

/* --- the ladder --- */

/* Keeps the trial of rung i, if it is complete and better than what there is; frees it otherwise. */
static void keep_better(search *s, accuracy_trial *t, uint32_t i) {
    const accuracy_target *target = &s->q->target;
    const bool met = accuracy_meets(&t->figures, target);
    const bool worse = s->have && !met && (s->report->met || !better(&t->figures, &s->best.figures, target));
    if (!t->figures.complete || worse) {
        accuracy_trial_free(t);
        return;
    }
    if (s->have)
        accuracy_trial_free(&s->best);
    s->best = *t;
    s->have = true;
    s->report->chosen = i;
    s->report->met = met;
}

/* What was measured of rung i, for the choice of single values later. */
static bool note_seen(search *s, uint32_t i, const accuracy *a) {
    accuracy *seen = &s->seen[i];
    accuracy_free(seen);
    *seen = *a;
    seen->output = NULL;
    seen->inner = malloc((a->n_values + 1u) * sizeof *seen->inner);
    if (seen->inner)
        memcpy(seen->inner, a->inner, a->n_values * sizeof *seen->inner);
    else
        seen->n_values = 0;
    return seen->inner != NULL;
}

/* Lowers and measures rung i as far as `stop` asks for. A rung without a circuit, too wide for a table or a
 * bound, is no failure: there are others. False if memory is short. */
static bool try_rung(search *s, const accuracy_request *q, uint32_t i, const accuracy_target *stop) {
    accuracy_rung *rung = &s->report->rung[i];
    accuracy_trial t;
    mica_status tried = {0};
    const lowering_widths w = accuracy_rung_widths(i, q->clip);
    *rung = (accuracy_rung){.widths = w};
    for (uint32_t v = 0; v < q->g->n_values; v++)
        s->widths[v] = w;
    if (accuracy_trial_lower(&t, q, s->widths, &tried) &&
        accuracy_trial_measure(&t, q, &s->runs, stop, &tried)) {
        rung->is = t.figures;
        s->report->n_trials++;
        const bool noted = note_seen(s, i, &t.accuracy);
        keep_better(s, &t, i);
        return noted;
    }
    s->first = s->first.code == MICA_OK ? tried : s->first;
    return tried.code != MICA_ERR_MEMORY;
}

/* No rung meets the target: measures the rest of those that may be the best, the widest first. */
static bool find_best(search *s) {
    for (uint32_t i = s->report->n; i-- > 0;) {
        const accuracy_figures *f = &s->report->rung[i].is;
        if (f->lowered && !f->complete && (!s->have || better(f, &s->best.figures, &s->q->target)) &&
            !try_rung(s, s->q, i, NULL))
            return false;
    }
    return true;
}

/* The best rung with values clipped where that errs least, if it is better. */
static bool try_clipped(search *s) {
    const uint32_t i = s->report->chosen;
    const accuracy_rung rung = s->report->rung[i];
    const double before = s->best.figures.mean_error;
    if (s->q->clip || !s->q->may_clip || !s->have)
        return true;
    s->clipping = *s->q;
    s->clipping.clip = true;
    s->clipping.options.clipping.kind = CLIP_ERROR;
    const bool ok = try_rung(s, &s->clipping, i, NULL);
    if (s->best.figures.mean_error < before) {
        s->report->clipped = true;
        s->q = &s->clipping;
    } else {
        s->report->rung[i] = rung;
    }
    return ok;
}

/* Finer weights can ask for less of a circuit: rungs above the one that meets the target are taken if they
 * cost less and meet it too. */
static bool try_cheaper(search *s) {
    for (uint32_t i = s->report->chosen + 1; i < ACCURACY_RUNGS; i++) {
        accuracy_trial t;
        mica_status tried = {0};
        const lowering_widths w = accuracy_rung_widths(i, s->q->clip);
        for (uint32_t v = 0; v < s->q->g->n_values; v++)
            s->widths[v] = w;
        if (!accuracy_trial_lower(&t, s->q, s->widths, &tried))
            continue;
        const bool cheaper = t.figures.cost.seconds < s->best.figures.cost.seconds;
        accuracy_trial_free(&t);
        if (!cheaper)
            continue;
        s->report->n = i + 1;
        if (!try_rung(s, s->q, i, &s->q->target))
            return false;
    }
    return true;
}

static bool climb(search *s) {
    bool go_on = true;
    for (uint32_t i = 0; i < ACCURACY_RUNGS && !s->report->met && go_on; i++) {
        s->report->n = i + 1;
        go_on = try_rung(s, s->q, i, &s->q->target);
    }
    return go_on && (s->report->met ? try_cheaper(s) : find_best(s) && try_clipped(s));
}

/* --- single values --- */

/* What the user asked for; of the compiler's own target no more than half is used up beyond what the rung
 * does, and no agreement is given up. */
static accuracy_target refined_target(const search *s) {
    const accuracy_figures *f = &s->best.figures;
    accuracy_target t = s->q->target;
    if (t.required)
        return t;
    t.max_error = f->mean_error > t.max_error / 2 ? f->mean_error : t.max_error / 2;
    t.max_largest = f->largest_error > t.max_largest / 2 ? f->largest_error : t.max_largest / 2;
    t.min_agreement = f->agreement;
    return t;
}

static bool refine(search *s, mica_status *st) {
    const accuracy_target target = refined_target(s);
    accuracy_search_report *report = s->report;
    accuracy_units u;
    if (!accuracy_units_create(&u, s->q->g, &s->best.program, &s->best.map, report->chosen, st))
        return false;
    bool ok = true;
    if (report->met)
        ok = accuracy_refine(&s->best, &u, s->q, &s->runs, &target, report->chosen, s->seen, s->q->clip,
                             &report->n_trials, st);
    report->n_values = u.n;
    for (uint32_t i = 0; i < u.n; i++)
        report->n_coarse += u.level[i] < report->chosen;
    report->taken = s->best.figures;
    ok = ok && (!s->q->explain || accuracy_find_changes(report, &s->best, &u, s->q, &s->runs, st));
    accuracy_units_free(&u);
    return ok;
}

/* --- results --- */

const char *accuracy_rung_words(char *buffer, size_t size, const accuracy_rung *rung) {
    const lowering_widths *w = &rung->widths;
    if (w->activation_bits)
        (void)snprintf(buffer, size, "values %u, weights %u%s%s", w->activation_bits, w->weight_bits,
                       w->fine ? ", larger tables" : "", w->split ? ", two-part weights" : "");
    else
        (void)snprintf(buffer, size, "chosen by the number of weights");
    return buffer;
}

static const char *value_name(const graph *g, uint32_t v) {
    return g->value[v].name ? g->value[v].name : "?";
}

enum { BOUND_WORDS = 176 };

/* The bounds of the target, and what the best choice reaches of each; a bound that always holds was not asked
 * for. */
static void target_words(char *bounds, char *reached, const accuracy_request *q,
                         const accuracy_figures *best) {
    const bool agreement = q->target.min_agreement > 0, error = q->target.max_error < 1 || !agreement;
    const char *both = error && agreement ? ", " : "", *and = error && agreement ? " and " : "";
    char asked[2][BOUND_WORDS / 2] = {"", ""}, has[2][BOUND_WORDS / 2] = {"", ""};
    if (error) {
        (void)snprintf(asked[0], sizeof asked[0], "mean error of every output <= %g %% of its range",
                       100 * q->target.max_error);
        (void)snprintf(has[0], sizeof has[0], "has a mean error of %.4g %%", 100 * best->mean_error);
    }
    if (agreement) {
        (void)snprintf(asked[1], sizeof asked[1], "agreement >= %g %%", 100 * q->target.min_agreement);
        (void)snprintf(has[1], sizeof has[1], "agrees on %.4g %% of %u samples", 100 * best->agreement,
                       q->n_samples);
    }
    (void)snprintf(bounds, BOUND_WORDS, "%s%s%s", asked[0], both, asked[1]);
    (void)snprintf(reached, BOUND_WORDS, "%s%s%s", has[0], and, has[1]);
}

/* Fails with what was reached, and where most precision is lost. */
static bool fail_target(const search *s, mica_status *st) {
    const accuracy_request *q = s->q;
    char bounds[BOUND_WORDS], reached[BOUND_WORDS];
    accuracy_loss worst;
    const bool lost = accuracy_losses(&s->best.accuracy, q->g, &worst, 1) > 0;
    target_words(bounds, reached, q, &s->best.figures);
    return mica_fail(st, MICA_ERR_LIMIT,
                     "no choice of widths meets the target (%s): the best %s; most precision is lost at "
                     "value '%s' (%.4g %% of its range)",
                     bounds, reached, lost ? value_name(q->g, worst.at->value) : "?",
                     lost ? 100 * worst.added : 0.0);
}

static bool run(search *s, mica_status *st) {
    if (!climb(s) && s->first.code == MICA_OK)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the search of widths");
    if (!s->have || s->first.code == MICA_ERR_MEMORY) {
        *st = s->first;
        return false;
    }
    if (!s->report->met)
        s->report->met = accuracy_meets(&s->best.figures, &s->q->target); /* clipping may have done it */
    if (!s->report->met && s->q->target.required)
        return fail_target(s, st);
    return refine(s, st);
}

bool accuracy_search(accuracy_result *r, const accuracy_request *q, mica_status *st) {
    search s = {.q = q, .report = &r->report};
    memset(r, 0, sizeof *r);
    r->report.target = q->target;
    s.widths = malloc((q->g->n_values + 1u) * sizeof *s.widths);
    if (!s.widths)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the search of widths");
    const bool measured = float_runs_create(&s.runs, q->g, q->sample, q->n_samples, st);
    const bool ok = measured && run(&s, st);
    if (ok) {
        r->program = s.best.program;
        r->map = s.best.map;
        r->accuracy = s.best.accuracy;
    } else if (s.have) {
        accuracy_trial_free(&s.best);
    }
    for (uint32_t i = 0; i < ACCURACY_RUNGS; i++)
        accuracy_free(&s.seen[i]);
    if (measured)
        float_runs_free(&s.runs);
    free(s.widths);
    return ok;
}
