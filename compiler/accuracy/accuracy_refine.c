#include "accuracy/accuracy_refine.h"

#include "accuracy/accuracy_losses.h"

#include <stdlib.h>
#include <string.h>

#define GRAIN 16 /* the boundary between fine and coarse values is found to 1 / GRAIN of them */

void accuracy_units_free(accuracy_units *u) {
    free(u->unit);
    free(u->value);
    free(u->cells);
    free(u->need);
    free(u->order);
    free(u->level);
    memset(u, 0, sizeof *u);
}

/* Values without a tensor go with what is computed from them: nodes are in topological order. */
static void assign_units(accuracy_units *u, const graph *g) {
    for (uint32_t i = g->n_nodes; i-- > 0;) {
        const graph_node *n = &g->node[i];
        for (uint32_t k = 0; !n->removed && k < n->n_in; k++)
            if (n->in[k] != GRAPH_NO_VALUE && u->unit[n->in[k]] == UINT32_MAX)
                u->unit[n->in[k]] = u->unit[n->out[0]];
    }
}

bool accuracy_units_create(accuracy_units *u, const graph *g, const program *p, const value_map *map,
                           uint32_t level, mica_status *st) {
    const size_t n = map->n + 1u;
    *u = (accuracy_units){.n = map->n,
                          .unit = malloc((g->n_values + 1u) * sizeof *u->unit),
                          .value = malloc(n * sizeof *u->value),
                          .cells = malloc(n * sizeof *u->cells),
                          .need = calloc(n, sizeof *u->need),
                          .order = malloc(n * sizeof *u->order),
                          .level = malloc(n)};
    if (!u->unit || !u->value || !u->cells || !u->need || !u->order || !u->level) {
        accuracy_units_free(u);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the search of widths");
    }
    memset(u->unit, 0xff, (g->n_values + 1u) * sizeof *u->unit);
    for (uint32_t i = 0; i < map->n; i++) {
        u->value[i] = map->value[i];
        u->unit[map->value[i]] = i;
        u->cells[i] = UINT64_C(1) << mica_item_bits(&p->circuit.tensor[map->port[i].tensor]);
        u->level[i] = (uint8_t)level;
        u->order[i] = i;
    }
    assign_units(u, g);
    return true;
}

void accuracy_units_widths(const accuracy_units *u, const graph *g, bool clipped, lowering_widths *widths) {
    uint32_t top = 0;
    for (uint32_t i = 0; i < u->n; i++)
        top = u->level[i] > top ? u->level[i] : top;
    for (uint32_t v = 0; v < g->n_values; v++)
        widths[v] = accuracy_rung_widths(u->unit[v] == UINT32_MAX ? top : u->level[u->unit[v]], clipped);
}

/* --- which values need fine widths --- */

static void measure_need(accuracy_units *u, const graph *g, const accuracy *coarse) {
    for (uint32_t i = 0; i < u->n; i++)
        u->need[i] = 0;
    for (uint32_t i = 0; i < coarse->n_values; i++) {
        const uint32_t unit = u->unit[coarse->inner[i].value];
        const double more = accuracy_increase(coarse, g, i);
        if (unit != UINT32_MAX && more / (double)u->cells[unit] > u->need[unit])
            u->need[unit] = more / (double)u->cells[unit];
    }
}

/* By insertion, so that the order of equals is that of the network on every machine. */
static void sort_by_need(accuracy_units *u) {
    for (uint32_t i = 0; i < u->n; i++) {
        uint32_t at = i;
        for (; at > 0 && u->need[u->order[at - 1]] < u->need[i]; at--)
            u->order[at] = u->order[at - 1];
        u->order[at] = i;
    }
}

/* --- passes --- */

typedef struct refinement {
    accuracy_trial *best;
    accuracy_units *u;
    const accuracy_request *q;
    const float_runs *runs;
    const accuracy_target *target;
    lowering_widths *widths;
    bool clipped;
    uint32_t *n_trials;
} refinement;

/* Of the values at `level` those behind the first `keep`, in the order of need, get the rung below. */
static void lower_levels(const accuracy_units *u, uint8_t *next, uint32_t level, uint32_t keep) {
    memcpy(next, u->level, u->n);
    for (uint32_t i = 0, seen = 0; i < u->n; i++)
        if (u->level[u->order[i]] == level && seen++ >= keep)
            next[u->order[i]] = (uint8_t)(level - 1);
}

/* Whether `levels` cost less than the best and meet the target: they are the best then. */
static bool try_levels(refinement *r, const uint8_t *levels) {
    accuracy_units as = *r->u;
    accuracy_trial t;
    mica_status tried = {0};
    as.level = (uint8_t *)levels;
    accuracy_units_widths(&as, r->q->g, r->clipped, r->widths);
    if (!accuracy_trial_lower(&t, r->q, r->widths, &tried))
        return false;
    if (t.figures.cost.seconds >= r->best->figures.cost.seconds) {
        accuracy_trial_free(&t);
        return false;
    }
    ++*r->n_trials;
    if (!accuracy_trial_measure(&t, r->q, r->runs, r->target, &tried))
        return false;
    if (!accuracy_meets(&t.figures, r->target)) {
        accuracy_trial_free(&t);
        return false;
    }
    accuracy_trial_free(r->best);
    *r->best = t;
    memcpy(r->u->level, levels, r->u->n);
    return true;
}

/* The fewest values that stay at `level`, by bisection: it is taken that fewer fine values err more. */
static bool refine_level(refinement *r, uint32_t level, mica_status *st) {
    uint32_t at_level = 0;
    for (uint32_t i = 0; i < r->u->n; i++)
        at_level += r->u->level[i] == level;
    uint8_t *before = malloc(r->u->n + 1u), *next = malloc(r->u->n + 1u);
    if (!before || !next) {
        free(before);
        free(next);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the search of widths");
    }
    memcpy(before, r->u->level, r->u->n);
    accuracy_units from = *r->u;
    from.level = before;
    uint32_t few = 0, enough = at_level; /* `enough` meets the target, fewer than `few` do not */
    while (few < enough && enough - few > at_level / GRAIN && *r->n_trials < r->q->most_trials) {
        const uint32_t keep = few + (enough - few) / 2;
        lower_levels(&from, next, level, keep);
        if (try_levels(r, next))
            enough = keep;
        else
            few = keep + 1;
    }
    free(before);
    free(next);
    return true;
}

bool accuracy_refine(accuracy_trial *best, accuracy_units *u, const accuracy_request *q,
                     const float_runs *runs, const accuracy_target *target, uint32_t top,
                     const accuracy *coarse, bool clipped, uint32_t *n_trials, mica_status *st) {
    refinement r = {.best = best,
                    .u = u,
                    .q = q,
                    .runs = runs,
                    .target = target,
                    .widths = malloc((q->g->n_values + 1u) * sizeof *r.widths),
                    .clipped = clipped,
                    .n_trials = n_trials};
    bool ok = r.widths || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the search of widths");
    for (uint32_t level = top; ok && level > 0 && *n_trials < q->most_trials; level--) {
        if (coarse[level - 1].n_values == 0) /* no circuit has these widths throughout */
            break;
        measure_need(u, q->g, &coarse[level - 1]);
        sort_by_need(u);
        ok = refine_level(&r, level, st);
    }
    free(r.widths);
    return ok;
}
