/* The summary of a compilation for programs: one JSON object. */
#include "driver.h"
#include "report/layer_facts.h"
#include "report/summary_search.h"

#include "cli/show.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static json_t *count(uint64_t n) {
    return json_integer((json_int_t)n);
}

static json_t *ports_json(const compilation *c, const mica_port *port, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, show_port_json(&c->vk.circuit, &port[i]));
    return list;
}

static json_t *error_json(const compilation *c, const value_error *e) {
    const char *name = c->graph.value[e->value].name;
    json_t *o = json_pack("{s:o, s:f, s:f, s:[f, f]}", "name", show_text_json(name ? name : ""), "mean",
                          e->mean, "max", e->max, "range", e->lo, e->hi);
    if (e->has_top1)
        (void)json_object_set_new(o, "top1_agree", count(e->top1_agree));
    return o;
}

static json_t *accuracy_json(const compilation *c) {
    const accuracy *a = &c->accuracy;
    json_t *outputs = json_array();
    for (uint32_t i = 0; i < a->n_outputs; i++)
        (void)json_array_append_new(outputs, error_json(c, &a->output[i]));
    return json_pack("{s:b, s:o, s:o, s:o}", "guessed", c->calibration.guessed, "samples",
                     count(a->n_samples), "saturated", count(a->saturated), "outputs", outputs);
}

static json_t *layer_json(const compilation *c, uint32_t i, const layer_fact *f) {
    const layer_note *note = &c->program.note[i];
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:[i, i]}", "name",
                          show_text_json(note->node), "op", show_text_json(note->op), "shapes",
                          show_text_json(note->shapes), "macs", count(note->macs), "witness_cells",
                          count(f->witness_cells), "weights", count(f->weights), "lookups", count(f->lookups),
                          "activation_bits", count(f->activation_bits), "weight_bits", count(f->weight_bits),
                          "strata", (int)f->first_stratum, (int)f->last_stratum);
    if (f->error)
        (void)json_object_set_new(o, "error",
                                  json_pack("{s:f, s:f, s:f}", "mean", f->error->mean, "max", f->error->max,
                                            "added", f->added_error));
    return o;
}

static json_t *layers_json(const compilation *c, const layer_fact *facts) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->vk.circuit.n_layers; i++)
        (void)json_array_append_new(list, layer_json(c, i, &facts[i]));
    return list;
}

static json_t *circuit_json(const compilation *c) {
    const mica_report *r = &c->report;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tensors", count(c->vk.circuit.n_tensors),
                     "layers", count(c->vk.circuit.n_layers), "witness_cells", count(r->witness_cells),
                     "weight_cells", count(r->weight_cells), "lookups", count(r->lookups), "table_rows",
                     count(r->table_rows), "strata", count(r->strata), "max_batch",
                     count(c->vk.circuit.max_batch));
}

static json_t *self_test_json(const self_test_result *t) {
    if (!t->ran)
        return json_null();
    json_t *phases = json_object();
    for (int i = 0; i < MICA_PHASES; i++)
        (void)json_object_set_new(phases, mica_phase_name((mica_phase)i), json_real(t->phase[i]));
    return json_pack("{s:f, s:o, s:o}", "prove_seconds", t->seconds, "proof_bytes", count(t->proof_bytes),
                     "phases", phases);
}

/* null: not asked for, or refused. */
static json_t *certificate_json(const certificate_result *r) {
    if (!r->bytes)
        return json_null();
    return json_pack("{s:o, s:f, s:o, s:o, s:o, s:o}", "bytes", count(r->size), "seconds", r->seconds,
                     "parts", count(r->report.parts), "weights", count(r->report.weights), "rows",
                     count(r->report.rows), "memory_bytes", count(r->report.prover_memory_bytes));
}

/* Largest memory of the compiler so far, in bytes. */
static json_t *peak_memory(void) {
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return json_integer((json_int_t)used.ru_maxrss * 1024); /* Linux counts in units of 1024 bytes */
}

bool summary_print_json(const compilation *c, mica_status *st) {
    const mica_report *r = &c->report;
    const char *slash = strrchr(c->request->model, '/');
    char digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    layer_fact *facts;
    if (!layer_facts_make(&facts, c, st))
        return false;
    json_t *o = json_pack(
        "{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:f, s:o, s:o, s:f, s:o, s:o, s:o, s:o}",
        "model", show_text_json(slash ? slash + 1 : c->request->model), "model_id",
        show_text_json(c->vk.model_id), "compiler_version", c->vk.compiler_version, "vk_digest",
        show_hex(digest, c->vk.digest, MICA_DIGEST_BYTES), "parameters", count(c->parameters), "macs",
        count(c->macs), "circuit", circuit_json(c), "inputs",
        ports_json(c, c->vk.circuit.input, c->vk.circuit.n_inputs), "outputs",
        ports_json(c, c->vk.circuit.output, c->vk.circuit.n_outputs), "accuracy", accuracy_json(c),
        "security_target", (int)c->vk.security_bits, "proven_bits", r->proven_bits, "proof_bytes_expected",
        count(r->proof_bytes_expected), "prover_memory_bytes", count(r->prover_memory_bytes),
        "prove_seconds_expected", r->prove_seconds, "self_test", self_test_json(&c->tested), "certificate",
        certificate_json(&c->certificate), "peak_rss_bytes", peak_memory(), "layers", layers_json(c, facts));
    (void)json_object_set_new(o, "search", summary_search_json(c));
    (void)json_object_set_new(o, "losses", summary_losses_json(c));
    (void)json_object_set_new(o, "ranges", summary_ranges_json(c));
    free(facts);
    return show_json(stdout, o) || mica_fail(st, MICA_ERR_IO, "the summary could not be written");
}
