#include "accuracy_search.h"

#include <string.h>

/* From the cheapest upwards. Fine rungs give no resolution up for smaller tables; split ones give weights
 * whose accumulators would break a bound two limbs. */
static const struct {
    uint8_t activation_bits, weight_bits;
    bool fine, split;
} ladder[ACCURACY_RUNGS] = {{0, 0, false, false},  {11, 10, false, false}, {12, 12, false, false},
                            {12, 12, true, false}, {14, 14, true, true},   {15, 16, true, true}};

static void result_free(accuracy_result *r) {
    program_free(&r->program);
    value_map_free(&r->map);
    accuracy_free(&r->accuracy);
}

static void judge(accuracy_rung *rung, const accuracy *a) {
    rung->agreement = 1;
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const value_error *e = &a->output[i];
        rung->mean_error = e->mean > rung->mean_error ? e->mean : rung->mean_error;
        rung->largest_error = e->max > rung->largest_error ? e->max : rung->largest_error;
        if (e->has_top1 && e->top1_agree < rung->agreement * a->n_samples)
            rung->agreement = (double)e->top1_agree / a->n_samples;
    }
}

static bool meets(const accuracy_rung *rung, const accuracy_target *t) {
    return rung->mean_error <= t->max_error && rung->agreement >= t->min_agreement &&
           (t->max_largest <= 0 || rung->largest_error <= t->max_largest);
}

static bool better(const accuracy_rung *a, const accuracy_rung *b, const accuracy_target *t) {
    const bool agrees = a->agreement >= t->min_agreement;
    if (agrees != (b->agreement >= t->min_agreement))
        return agrees;
    return agrees || t->max_error < 1 ? a->mean_error < b->mean_error : a->agreement > b->agreement;
}

/* One search. */
typedef struct search {
    const accuracy_request *q;
    float_runs runs;
    accuracy_result *r; /* the best that was measured on all samples, if there is one */
    bool have;
    mica_status first; /* why the first of the rungs that have no circuit has none */
} search;

/* Lowers and measures rung i, as far as `stop` asks for; false if it has no circuit. */
static bool try_rung(search *s, accuracy_result *next, uint32_t i, const accuracy_target *stop,
                     mica_status *tried) {
    const accuracy_request *q = s->q;
    accuracy_rung *rung = &s->r->report.rung[i];
    lowering_options options = q->options;
    options.activation_bits = ladder[i].activation_bits;
    options.weight_bits = ladder[i].weight_bits;
    options.fine = ladder[i].fine;
    options.split = ladder[i].split;
    *rung =
        (accuracy_rung){.activation_bits = ladder[i].activation_bits, .weight_bits = ladder[i].weight_bits};
    if (!lower_graph(&next->program, &next->map, q->g, q->cal, &options, tried))
        return false;
    rung->cost = program_cost_of(&next->program);
    if (!accuracy_measure(&next->accuracy, &next->program, &next->map, &s->runs, stop, q->progress,
                          q->progress_ctx, tried)) {
        program_free(&next->program);
        value_map_free(&next->map);
        return false;
    }
    rung->lowered = true;
    rung->complete = !next->accuracy.stopped;
    judge(rung, &next->accuracy);
    return true;
}

/* Keeps *next, which is of rung i, if it is complete and better than what there is; frees it otherwise. */
static void keep_better(search *s, accuracy_result *next, uint32_t i) {
    accuracy_search_report *report = &s->r->report;
    const accuracy_rung *rung = &report->rung[i];
    const bool met = rung->complete && meets(rung, &s->q->target);
    if (!rung->complete || (s->have && !met && !better(rung, &report->rung[report->chosen], &s->q->target))) {
        result_free(next);
        return;
    }
    if (s->have)
        result_free(s->r);
    s->r->program = next->program;
    s->r->map = next->map;
    s->r->accuracy = next->accuracy;
    report->chosen = i;
    report->met = met;
    s->have = true;
}

/* False if memory is short. */
static bool try_and_keep(search *s, uint32_t i, const accuracy_target *stop) {
    accuracy_result next = {0};
    mica_status tried = {0};
    if (try_rung(s, &next, i, stop,
                 &tried)) { /* otherwise too wide for a table or a bound: there are more rungs */
        keep_better(s, &next, i);
        return true;
    }
    s->first = s->first.code == MICA_OK ? tried : s->first;
    return tried.code != MICA_ERR_MEMORY;
}

/* No rung meets the target: measures the rest of those that may be the best, the widest first. */
static bool find_best(search *s) {
    accuracy_search_report *report = &s->r->report;
    for (uint32_t i = report->n; i-- > 0;) {
        const accuracy_rung *rung = &report->rung[i];
        if (rung->lowered && !rung->complete &&
            (!s->have || better(rung, &report->rung[report->chosen], &s->q->target)) &&
            !try_and_keep(s, i, NULL))
            return false;
    }
    return true;
}

static const char *value_name(const graph *g, uint32_t v) {
    return g->value[v].name ? g->value[v].name : "?";
}

static const value_error *inner_error(const accuracy *a, uint32_t v) {
    for (uint32_t i = 0; i < a->n_values; i++)
        if (a->inner[i].value == v)
            return &a->inner[i];
    return NULL;
}

double accuracy_increase(const accuracy *a, const graph *g, uint32_t i) {
    const value_error *e = &a->inner[i];
    const uint32_t producer = g->value[e->value].producer;
    double before = 0;
    for (uint32_t k = 0; producer != UINT32_MAX && k < g->node[producer].n_in; k++) {
        const value_error *x = inner_error(a, g->node[producer].in[k]);
        before = x && x->mean > before ? x->mean : before;
    }
    return e->mean > before ? e->mean - before : 0;
}

/* Fails with what was reached, and where most precision is lost. */
static bool fail_target(const accuracy_result *r, const accuracy_request *q, mica_status *st) {
    const accuracy_rung *best = &r->report.rung[r->report.chosen];
    uint32_t worst = 0;
    for (uint32_t i = 1; i < r->accuracy.n_values; i++)
        if (accuracy_increase(&r->accuracy, q->g, i) > accuracy_increase(&r->accuracy, q->g, worst))
            worst = i;
    const value_error *e = r->accuracy.n_values ? &r->accuracy.inner[worst] : NULL;
    return mica_fail(
        st, MICA_ERR_LIMIT,
        "no choice of widths meets the target (mean error of every output <= %g %% of its range, "
        "agreement >= %g %%): the best has a mean error of %.4g %% and agrees on %.4g %% of %u "
        "samples; most precision is lost at value '%s' (%.4g %% of its range)",
        100 * q->target.max_error, 100 * q->target.min_agreement, 100 * best->mean_error,
        100 * best->agreement, q->n_samples, e ? value_name(q->g, e->value) : "?",
        e ? 100 * accuracy_increase(&r->accuracy, q->g, worst) : 0.0);
}

/* Rung after rung; *s->r is empty or complete in any case. */
static bool climb(search *s, mica_status *st) {
    accuracy_result *r = s->r;
    bool go_on = true;
    for (uint32_t i = 0; i < ACCURACY_RUNGS && !r->report.met && go_on; i++) {
        r->report.n = i + 1;
        go_on = try_and_keep(s, i, &s->q->target);
    }
    if (go_on && !r->report.met)
        (void)find_best(s);
    if (!s->have) {
        *st = s->first;
        return false;
    }
    return r->report.met || !s->q->target.required || fail_target(r, s->q, st);
}

bool accuracy_search(accuracy_result *r, const accuracy_request *q, mica_status *st) {
    search s = {.q = q, .r = r};
    memset(r, 0, sizeof *r);
    if (!float_runs_create(&s.runs, q->g, q->sample, q->n_samples, st))
        return false;
    const bool ok = climb(&s, st);
    float_runs_free(&s.runs);
    if (!ok && s.have)
        result_free(r);
    return ok;
}
