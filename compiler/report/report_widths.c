#include "report/report_widths.h"

#include <math.h>
#include <string.h>

#include "accuracy/accuracy_losses.h"
#include "report/html_words.h"

enum { SHOWN_LOSSES = 8 };

static void set_error(scope *s, const char *name, const accuracy_figures *f, const char *remark) {
    char words[64];
    (void)snprintf(words, sizeof words, "%s%.2g %%%s", f->complete ? "" : "at least ", 100 * f->mean_error,
                   remark);
    html_set_words(s, name, words);
}

static void bind_choice(scope *root, const char *words, const accuracy_figures *f, bool taken) {
    scope *s = scope_item(root, "choice");
    html_set_words(s, "CHOICE_WORDS", words);
    html_set_words(s, "CHOICE_TAKEN", taken ? ", taken" : "");
    set_error(s, "CHOICE_ERROR", f, "");
    html_set_seconds(s, "CHOICE_SECONDS", f->cost.seconds);
}

static void bind_choices(scope *root, const accuracy_search_report *r) {
    char words[64];
    for (uint32_t i = 0; i < r->n; i++) {
        if (!r->rung[i].is.lowered)
            continue;
        bind_choice(root, accuracy_rung_words(words, sizeof words, &r->rung[i]), &r->rung[i].is,
                    i == r->chosen && r->n_coarse == 0);
    }
    if (r->n_coarse == 0)
        return;
    (void)accuracy_rung_words(words, sizeof words, &r->rung[r->chosen]);
    char refined[128];
    (void)snprintf(refined, sizeof refined, "%s; %u of %u values coarser", words, r->n_coarse, r->n_values);
    bind_choice(root, refined, &r->taken, true);
}

static void bind_losses(scope *root, const compilation *c) {
    accuracy_loss worst[SHOWN_LOSSES];
    const uint32_t n = accuracy_losses(&c->accuracy, &c->graph, worst, SHOWN_LOSSES);
    for (uint32_t i = 0; i < n; i++) {
        scope *s = scope_item(root, "loss");
        html_set_words(s, "LOSS_NAME", c->graph.value[worst[i].at->value].name);
        html_set_percent(s, "LOSS_MEAN", worst[i].at->mean);
        html_set_percent(s, "LOSS_ADDED", worst[i].added);
        scope_set(s, "LOSS_BAR", "%.1f", 100 * worst[i].added / worst[0].added);
    }
}

/* "+12 ms", "-3 ms" */
static void set_difference(scope *s, const char *name, double seconds) {
    char words[32];
    const double ms = 1000 * fabs(seconds);
    (void)snprintf(words, sizeof words, "%s%.3g ms", seconds < 0 ? "-" : "+", ms);
    html_set_words(s, name, words);
}

static void bind_changes(scope *root, const compilation *c) {
    const accuracy_search_report *r = &c->search;
    if (r->n_changes == 0)
        (void)scope_item(root, "no_change");
    for (uint32_t i = 0; i < r->n_changes; i++) {
        const accuracy_change *x = &r->change[i];
        scope *s = scope_item(root, "change");
        html_set_words(s, "CHANGE_NAME",
                       x->value == GRAPH_NO_VALUE ? "all values" : c->graph.value[x->value].name);
        set_difference(s, "CHANGE_COST", x->would_be.cost.seconds - r->taken.cost.seconds);
        if (x->would_be.complete)
            set_error(s, "CHANGE_ERROR", &x->would_be,
                      x->would_be.mean_error < r->taken.mean_error ? "" : ", no better");
        else
            html_set_words(s, "CHANGE_ERROR", "not measured");
    }
}

static void target_words(char *out, size_t size, const accuracy_target *t, bool met) {
    char largest[64] = "", agreement[80] = "";
    if (t->max_largest > 0)
        (void)snprintf(largest, sizeof largest, ", a largest one of %g %%", 100 * t->max_largest);
    if (t->min_agreement > 0)
        (void)snprintf(agreement, sizeof agreement, ", the same largest element in %g %% of the samples",
                       100 * t->min_agreement);
    (void)snprintf(out, size, "a mean error of %g %% at most%s%s: %s", 100 * t->max_error, largest, agreement,
                   met ? "reached" : "not reached");
}

void report_widths_bind(scope *root, const compilation *c) {
    const accuracy_search_report *r = &c->search;
    char words[200];
    target_words(words, sizeof words, &r->target, r->met);
    html_set_words(root, "TARGET_WORDS", words);
    html_set_count(root, "TRIALS", r->n_trials);
    bind_choices(root, r);
    bind_losses(root, c);
    bind_changes(root, c);
}
