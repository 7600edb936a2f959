#include "report/summary_search.h"

#include "accuracy/accuracy_losses.h"
#include "accuracy/guessed_ranges.h"

#include "cli/show.h"

enum { SHOWN_LOSSES = 16 };

static json_t *count(uint64_t n) {
    return json_integer((json_int_t)n);
}

static json_t *name_json(const compilation *c, uint32_t v) {
    const char *name = v == GRAPH_NO_VALUE ? NULL : c->graph.value[v].name;
    return v == GRAPH_NO_VALUE ? json_null() : show_text_json(name ? name : "");
}

/* Errors are null where nothing was measured, lower bounds where not everything was. */
static json_t *figures_json(const accuracy_figures *f) {
    json_t *o =
        json_pack("{s:b, s:b, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "lowered", f->lowered, "complete",
                  f->complete, "mean_error", f->mean_error, "largest_error", f->largest_error, "agreement",
                  f->agreement, "prove_seconds", f->cost.seconds, "witness_cells", count(f->cost.witness),
                  "lookups", count(f->cost.lookups), "table_rows", count(f->cost.table_rows));
    return o;
}

static json_t *rungs_json(const accuracy_search_report *r) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < r->n; i++) {
        json_t *o = figures_json(&r->rung[i].is);
        const lowering_widths *w = &r->rung[i].widths;
        (void)json_object_set_new(o, "activation_bits", count(w->activation_bits));
        (void)json_object_set_new(o, "weight_bits", count(w->weight_bits));
        (void)json_object_set_new(o, "fine", json_boolean(w->fine));
        (void)json_object_set_new(o, "two_limbs", json_boolean(w->split));
        (void)json_array_append_new(list, o);
    }
    return list;
}

static json_t *changes_json(const compilation *c) {
    const accuracy_search_report *r = &c->search;
    json_t *list = json_array();
    for (uint32_t i = 0; i < r->n_changes; i++) {
        const accuracy_change *x = &r->change[i];
        json_t *o = figures_json(&x->would_be);
        (void)json_object_set_new(o, "value", name_json(c, x->value));
        (void)json_object_set_new(o, "added_prove_seconds",
                                  json_real(x->would_be.cost.seconds - r->taken.cost.seconds));
        (void)json_array_append_new(list, o);
    }
    return list;
}

json_t *summary_search_json(const compilation *c) {
    const accuracy_search_report *r = &c->search;
    const accuracy_target *t = &r->target;
    return json_pack("{s:{s:f, s:f, s:f, s:b}, s:b, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "target",
                     "max_mean_error", t->max_error, "max_largest_error", t->max_largest, "min_agreement",
                     t->min_agreement, "required", t->required, "met", r->met, "measurements",
                     count(r->n_trials), "rungs", rungs_json(r), "chosen_rung", count(r->chosen), "clipped",
                     r->clipped || c->request->clipping.kind != CLIP_NEVER, "values", count(r->n_values),
                     "coarser_values", count(r->n_coarse), "taken", figures_json(&r->taken), "finer",
                     changes_json(c));
}

json_t *summary_losses_json(const compilation *c) {
    accuracy_loss worst[SHOWN_LOSSES];
    const uint32_t n = accuracy_losses(&c->accuracy, &c->graph, worst, SHOWN_LOSSES);
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_pack("{s:o, s:o, s:f, s:f}", "value",
                                                    name_json(c, worst[i].at->value), "layer",
                                                    show_text_json(c->program.note[worst[i].at->layer].node),
                                                    "mean", worst[i].at->mean, "added", worst[i].added));
    return list;
}

static void append_range(json_t *list, const compilation *c, uint32_t v) {
    const calibration *k = &c->calibration;
    (void)json_array_append_new(list,
                                json_pack("{s:o, s:f, s:f, s:b}", "value", name_json(c, v), "lo", k->lo[v],
                                          "hi", k->hi[v], "guess", guessed_range(k, &c->graph, v)));
}

json_t *summary_ranges_json(const compilation *c) {
    const graph *g = &c->graph;
    json_t *list = json_array();
    for (uint32_t i = 0; i < g->n_inputs; i++)
        append_range(list, c, g->input[i]);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->node[i].removed && !graph_is_const(&g->value[g->node[i].out[0]]))
            append_range(list, c, g->node[i].out[0]);
    return list;
}
