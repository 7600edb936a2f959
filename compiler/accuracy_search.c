#include "accuracy_search.h"

#include <string.h>

/* From the cheapest upwards. Fine rungs give no resolution up for smaller tables. */
static const struct {
    uint8_t activation_bits, weight_bits;
    bool fine;
} ladder[ACCURACY_RUNGS] = {{0, 0, false},  {11, 10, false}, {12, 12, false},
                            {12, 12, true}, {14, 14, true},  {15, 16, true}};

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

/* Lowers and measures one rung; *lowered says whether a circuit exists for it. */
static bool try_rung(accuracy_result *r, const accuracy_request *q, uint32_t i, mica_status *tried) {
    accuracy_rung *rung = &r->report.rung[i];
    lowering_options options = q->options;
    options.activation_bits = ladder[i].activation_bits;
    options.weight_bits = ladder[i].weight_bits;
    options.fine = ladder[i].fine;
    rung->activation_bits = ladder[i].activation_bits;
    rung->weight_bits = ladder[i].weight_bits;
    if (!lower_graph(&r->program, &r->map, q->g, q->cal, &options, tried))
        return false;
    rung->cost = program_cost_of(&r->program);
    if (!accuracy_measure(&r->accuracy, &r->program, &r->map, q->g, q->sample, q->n_samples, q->progress,
                          q->progress_ctx, tried)) {
        program_free(&r->program);
        value_map_free(&r->map);
        return false;
    }
    rung->lowered = true;
    judge(rung, &r->accuracy);
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

bool accuracy_search(accuracy_result *r, const accuracy_request *q, mica_status *st) {
    mica_status first = {0};
    bool have = false;
    memset(r, 0, sizeof *r);
    for (uint32_t i = 0; i < ACCURACY_RUNGS && !r->report.met; i++) {
        accuracy_result next = {.report = r->report};
        mica_status tried = {0};
        next.report.n = i + 1;
        if (!try_rung(&next, q, i, &tried)) { /* too wide for a table or a bound: there are other rungs */
            r->report = next.report;
            first = first.code == MICA_OK ? tried : first;
            if (tried.code == MICA_ERR_MEMORY)
                break;
            continue;
        }
        next.report.met = meets(&next.report.rung[i], &q->target);
        const bool take = !have || next.report.met ||
                          better(&next.report.rung[i], &r->report.rung[r->report.chosen], &q->target);
        if (take) {
            next.report.chosen = i;
            if (have)
                result_free(r);
            *r = next;
        } else {
            r->report = next.report;
            result_free(&next);
        }
        have = true;
    }
    if (!have) {
        *st = first;
        return false;
    }
    if (r->report.met || !q->target.required)
        return true;
    (void)fail_target(r, q, st);
    result_free(r);
    return false;
}
