#include "accuracy/accuracy_changes.h"

#include "accuracy/accuracy_losses.h"

#include <stdlib.h>
#include <string.h>

/* The widths with `unit`, or all of them if it is UINT32_MAX, one rung higher; false if there is none higher.
 */
static bool lift(const accuracy_units *u, uint32_t unit, uint8_t *level) {
    bool raised = false;
    memcpy(level, u->level, u->n);
    for (uint32_t i = 0; i < u->n; i++) {
        if ((unit != UINT32_MAX && unit != i) || level[i] + 1 >= ACCURACY_RUNGS)
            continue;
        level[i]++;
        raised = true;
    }
    return raised;
}

typedef struct changes {
    accuracy_search_report *report;
    const accuracy_units *u;
    const accuracy_request *q;
    const float_runs *runs;
    uint8_t *level;
    lowering_widths *widths;
} changes;

static void try_change(changes *c, uint32_t unit) {
    accuracy_search_report *report = c->report;
    accuracy_change *change = &report->change[report->n_changes];
    accuracy_units raised = *c->u;
    accuracy_trial t;
    mica_status tried = {0};
    if (!lift(c->u, unit, c->level))
        return;
    raised.level = c->level;
    accuracy_units_widths(&raised, c->q->g, c->q->clip, c->widths);
    if (!accuracy_trial_lower(&t, c->q, c->widths, &tried)) /* a bound admits no finer widths there */
        return;
    *change = (accuracy_change){unit == UINT32_MAX ? GRAPH_NO_VALUE : c->u->value[unit], t.figures};
    const bool measure = report->n_changes < c->q->most_trials;
    if (measure && !accuracy_trial_measure(&t, c->q, c->runs, NULL, &tried))
        return;
    change->would_be = t.figures;
    report->n_changes++;
    accuracy_trial_free(&t);
}

bool accuracy_find_changes(accuracy_search_report *report, const accuracy_trial *taken,
                           const accuracy_units *u, const accuracy_request *q, const float_runs *runs,
                           mica_status *st) {
    changes c = {report, u, q, runs, malloc(u->n + 1u), malloc((q->g->n_values + 1u) * sizeof *c.widths)};
    const bool ok = c.level && c.widths;
    if (ok)
        try_change(&c, UINT32_MAX);
    accuracy_loss worst[ACCURACY_CHANGES - 1];
    const uint32_t n = accuracy_losses(&taken->accuracy, q->g, worst, ACCURACY_CHANGES - 1);
    for (uint32_t i = 0; ok && i < n; i++)
        if (u->unit[worst[i].at->value] != UINT32_MAX)
            try_change(&c, u->unit[worst[i].at->value]);
    free(c.level);
    free(c.widths);
    return ok || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the report on widths");
}
