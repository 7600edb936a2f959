/* NAME.report.html: one page without external resources. */
#include "accuracy/guessed_ranges.h"
#include "driver.h"
#include "report/html_words.h"
#include "report/layer_facts.h"
#include "report/report_graph.h"
#include "report/report_widths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The drawing of the network, in the units of its viewBox: 16 to a rem. */
enum { ROW_HEIGHT = 56, LANES_WIDTH = 144, LANE_WIDTH = 14, LANE_COLOURS = 6 };

/* What the page shows, beside the compilation. */
typedef struct report_page {
    const compilation *c;
    const layer_fact *fact;
    const report_graph *graph;
    scope *root;
} report_page;

/* --- inputs and outputs --- */

static void set_shape(scope *s, const char *name, const mica_port *p) {
    char shape[200]; /* 9 sizes of at most 11 bytes */
    size_t n = (size_t)snprintf(shape, sizeof shape, "[%s", p->onnx_batched ? "B" : "");
    for (unsigned i = 0; i < p->onnx_rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%u", i || p->onnx_batched ? "," : "",
                              p->onnx_dim[i]);
    (void)snprintf(shape + n, sizeof shape - n, "]");
    scope_set(s, name, "%s", shape);
}

static void bind_port(const report_page *page, const mica_port *p, const char *role) {
    const mica_tensor *t = &page->c->vk.circuit.tensor[p->tensor];
    const double scale = ldexp(p->mantissa, p->exponent);
    scope *s = scope_item(page->root, "port");
    scope_set(s, "PORT_ROLE", "%s", role);
    scope_set(s, "PORT_VISIBILITY", "%s", mica_visibility_name(p->visibility));
    html_set_words(s, "PORT_NAME", p->name);
    set_shape(s, "PORT_SHAPE", p);
    scope_set(s, "PORT_VALUES", "%.6g to %.6g", t->lo * scale, t->hi * scale);
    scope_set(s, "PORT_RANGE", "%d to %d", t->lo, t->hi);
    scope_set(s, "PORT_BITS", "%u", layer_facts_bits(t->lo, t->hi));
    scope_set(s, "PORT_SCALE", "%.9g", scale);
}

static void bind_ports(const report_page *page) {
    const mica_circuit *k = &page->c->vk.circuit;
    for (uint32_t i = 0; i < k->n_inputs; i++)
        bind_port(page, &k->input[i], "input");
    for (uint32_t i = 0; i < k->n_outputs; i++)
        bind_port(page, &k->output[i], "output");
}

/* --- accuracy --- */

static void bind_output_error(scope *list, const compilation *c, const value_error *e) {
    scope *s = scope_item(list, "value");
    html_set_words(s, "VALUE_NAME", c->graph.value[e->value].name);
    html_set_percent(s, "MEAN_ERROR", e->mean);
    html_set_percent(s, "MAX_ERROR", e->max);
    scope_set(s, "REFERENCE_RANGE", "%.4g to %.4g", e->lo, e->hi);
    if (e->has_top1)
        scope_set(s, "TOP1", "%u of %u", e->top1_agree, c->accuracy.n_samples);
    else
        scope_set(s, "TOP1", "&ndash;");
}

static void bind_accuracy(const report_page *page) {
    const compilation *c = page->c;
    scope *s = scope_item(page->root, "measured");
    scope_set(s, "SAMPLES", "%u %s", c->accuracy.n_samples,
              c->calibration.guessed
                  ? "pseudo-random inputs, for want of calibration samples: the ranges of all "
                    "values are guesses"
                  : "calibration samples");
    html_set_count(s, "SATURATED", c->accuracy.saturated);
    for (uint32_t i = 0; i < c->accuracy.n_outputs; i++)
        bind_output_error(s, c, &c->accuracy.output[i]);
}

/* --- the network --- */

static double lane_pitch(const report_graph *g) {
    const double widest = (double)(LANES_WIDTH - LANE_WIDTH) / (g->n_lanes > 1 ? g->n_lanes - 1 : 1);
    return widest < LANE_WIDTH ? widest : LANE_WIDTH;
}

static double row_x(const report_graph *g, uint32_t r) {
    return LANE_WIDTH / 2.0 + lane_pitch(g) * g->row[r].lane;
}

static double row_y(uint32_t r) {
    return ROW_HEIGHT * (r + 0.5);
}

/* Down the lane of the row that is read, and over into the reader's lane on the last stretch. */
static void bind_edge(const report_page *page, const report_edge *e) {
    const report_graph *g = page->graph;
    const double bend = row_y(e->to) - 0.8 * ROW_HEIGHT;
    scope *s = scope_item(page->root, "edge");
    scope_set(s, "EDGE_COLOUR", "l%u", g->row[e->from].lane % LANE_COLOURS);
    scope_set(s, "EDGE_X0", "%.1f", row_x(g, e->from));
    scope_set(s, "EDGE_Y0", "%.1f", row_y(e->from));
    scope_set(s, "EDGE_BEND", "%.1f", bend);
    scope_set(s, "EDGE_MIDDLE", "%.1f", bend + 0.4 * ROW_HEIGHT);
    scope_set(s, "EDGE_X1", "%.1f", row_x(g, e->to));
    scope_set(s, "EDGE_Y1", "%.1f", row_y(e->to));
}

static const char *row_name(const compilation *c, const report_row *row) {
    if (row->is_output)
        return c->vk.circuit.output[row->index].name;
    const layer_note *note = &c->program.note[row->index];
    return note->node[0] ? note->node : c->vk.circuit.layer[row->index].name;
}

static const char *layer_op(const compilation *c, uint32_t i) {
    return c->program.note[i].op[0] ? c->program.note[i].op : c->vk.circuit.layer[i].op;
}

/* The shape of what the layer computes: the part of its heading behind the arrow. */
static const char *result_shape(const layer_note *note) {
    const char *shape = note->shapes;
    for (const char *arrow = strstr(shape, "-> "); arrow; arrow = strstr(arrow + 1, "-> "))
        shape = arrow + 3;
    return shape;
}

static void set_row_shape(scope *s, const compilation *c, const report_row *row) {
    const mica_circuit *k = &c->vk.circuit;
    if (row->is_output) {
        set_shape(s, "ROW_SHAPE", &k->output[row->index]);
        return;
    }
    for (uint32_t i = 0; i < k->n_inputs; i++) {
        if (k->tensor[k->input[i].tensor].layer == row->index) {
            set_shape(s, "ROW_SHAPE", &k->input[i]);
            return;
        }
    }
    html_set_words(s, "ROW_SHAPE", result_shape(&c->program.note[row->index]));
}

static void bind_row_facts(scope *s, const layer_fact *f) {
    if (f->activation_bits > 0)
        scope_set(scope_item(s, "row_bits"), "ROW_BITS", "%u", f->activation_bits);
    if (f->first_stratum > 0) {
        scope *strata = scope_item(s, "row_strata");
        if (f->first_stratum == f->last_stratum)
            scope_set(strata, "ROW_STRATA", "stratum %u", f->first_stratum);
        else
            scope_set(strata, "ROW_STRATA", "strata %u&ndash;%u", f->first_stratum, f->last_stratum);
    }
    if (f->error)
        html_set_percent(scope_item(s, "row_error"), "ROW_ERROR", f->error->mean);
}

static void bind_row(const report_page *page, uint32_t r, uint32_t *edge) {
    const report_graph *g = page->graph;
    const report_row *row = &g->row[r];
    scope *dot = scope_item(page->root, "dot"), *s = scope_item(page->root, "row");
    scope_set(dot, "DOT_COLOUR", "l%u", row->lane % LANE_COLOURS);
    scope_set(dot, "DOT_X", "%.1f", row_x(g, r));
    scope_set(dot, "DOT_Y", "%.1f", row_y(r));
    html_set_words(s, "ROW_OP", row->is_output ? "Output" : layer_op(page->c, row->index));
    html_set_words(s, "ROW_NAME", row_name(page->c, row));
    set_row_shape(s, page->c, row);
    if (!row->is_output)
        bind_row_facts(s, &page->fact[row->index]);
    for (; *edge < g->n_edges && g->edge[*edge].to == r; ++*edge) {
        scope *reads = scope_item(s, "reads");
        html_set_words(reads, "READS_NAME", row_name(page->c, &g->row[g->edge[*edge].from]));
    }
}

static void bind_graph(const report_page *page) {
    const report_graph *g = page->graph;
    const double width = LANE_WIDTH + lane_pitch(g) * (g->n_lanes > 0 ? g->n_lanes - 1 : 0);
    uint32_t edge = 0;
    scope_set(page->root, "GRAPH_ROWS", "%u", g->n_rows);
    scope_set(page->root, "GRAPH_WIDTH", "%.1f", width);
    scope_set(page->root, "GRAPH_HEIGHT", "%u", g->n_rows * ROW_HEIGHT);
    scope_set(page->root, "GRAPH_WIDTH_REM", "%.3f", width / 16);
    scope_set(page->root, "GRAPH_HEIGHT_REM", "%.3f", g->n_rows * ROW_HEIGHT / 16.0);
    scope_set(page->root, "ROW_HEIGHT_REM", "%.3f", ROW_HEIGHT / 16.0);
    for (uint32_t e = 0; e < g->n_edges; e++)
        bind_edge(page, &g->edge[e]);
    for (uint32_t r = 0; r < g->n_rows; r++)
        bind_row(page, r, &edge);
}

/* --- layers --- */

/* An error's bar: its logarithm between 0.001 % and 100 %. */
static double error_share(double error) {
    const double share = error > 0 ? (log10(error) + 5) / 5 : 0;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static uint64_t layer_cost(const layer_fact *f) {
    return f->witness_cells + f->lookups;
}

static void bind_layer(const report_page *page, uint32_t i, uint64_t dearest) {
    const layer_note *note = &page->c->program.note[i];
    const layer_fact *f = &page->fact[i];
    const report_row row = {false, i, 0};
    scope *s = scope_item(page->root, "layer");
    html_set_words(s, "NODE_NAME", row_name(page->c, &row));
    html_set_words(s, "OP_NAME", layer_op(page->c, i));
    html_set_words(s, "SHAPE_WORDS", note->shapes);
    html_set_count(s, "LAYER_MACS", note->macs);
    html_set_count(s, "LAYER_CELLS", f->witness_cells);
    html_set_count(s, "LAYER_LOOKUPS", f->lookups);
    scope_set(s, "COST_BAR", "%.1f", dearest ? 100.0 * (double)layer_cost(f) / (double)dearest : 0.0);
    if (f->weight_bits > 0)
        scope_set(s, "WEIGHT_BITS", "%u", f->weight_bits);
    else
        scope_set(s, "WEIGHT_BITS", "&ndash;");
    if (note->acc_lo != 0 || note->acc_hi != 0)
        scope_set(s, "ACC_RANGE", "%lld to %lld", (long long)note->acc_lo, (long long)note->acc_hi);
    else
        scope_set(s, "ACC_RANGE", "&ndash;");
    if (!f->error) {
        (void)scope_item(s, "no_error");
        return;
    }
    scope *error = scope_item(s, "layer_error");
    html_set_percent(error, "LAYER_MEAN", f->error->mean);
    html_set_percent(error, "LAYER_MAX", f->error->max);
    html_set_percent(error, "LAYER_ADDED", f->added_error);
    scope_set(error, "ERROR_BAR", "%.1f", 100 * error_share(f->error->mean));
}

static void bind_layers(const report_page *page) {
    uint64_t dearest = 0;
    for (uint32_t i = 0; i < page->c->vk.circuit.n_layers; i++)
        dearest = layer_cost(&page->fact[i]) > dearest ? layer_cost(&page->fact[i]) : dearest;
    for (uint32_t i = 0; i < page->c->vk.circuit.n_layers; i++)
        bind_layer(page, i, dearest);
}

/* --- cost, soundness, record --- */

static void bind_phases(const report_page *page) {
    const self_test_result *t = &page->c->tested;
    double total = 0;
    if (!t->ran) {
        (void)scope_item(page->root, "untested");
        return;
    }
    for (int i = 0; i < MICA_PHASES; i++)
        total += t->phase[i];
    scope *s = scope_item(page->root, "tested");
    html_set_seconds(s, "TESTED_SECONDS", t->seconds);
    html_set_size(s, "TESTED_BYTES", (double)t->proof_bytes);
    for (int i = 0; i < MICA_PHASES; i++) {
        scope *phase = scope_item(s, "phase");
        scope_set(phase, "PHASE_NAME", "%s", mica_phase_name((mica_phase)i));
        html_set_seconds(phase, "PHASE_SECONDS", t->phase[i]);
        scope_set(phase, "PHASE_BAR", "%.1f", total > 0 ? 100 * t->phase[i] / total : 0);
    }
}

static void bind_budget(const report_page *page) {
    const mica_report *r = &page->c->report;
    double most = 1;
    for (unsigned i = 0; i < r->n_lines; i++)
        most = r->line[i].bits > most ? r->line[i].bits : most;
    for (unsigned i = 0; i < r->n_lines; i++) {
        scope *line = scope_item(page->root, "budget");
        html_set_words(line, "BUDGET_WHAT", r->line[i].what);
        scope_set(line, "BUDGET_BITS", "%.1f", r->line[i].bits);
        scope_set(line, "BUDGET_BAR", "%.1f", 100 * r->line[i].bits / most);
    }
}

static void bind_certificate(const report_page *page) {
    const certificate_result *r = &page->c->certificate;
    scope *s = scope_item(page->root, r->bytes ? "certified" : "uncertified");
    if (!r->bytes)
        return;
    html_set_count(s, "CERTIFICATE_WEIGHTS", r->report.weights);
    html_set_count(s, "CERTIFICATE_ROWS", r->report.rows);
    html_set_size(s, "CERTIFICATE_SIZE", (double)r->size);
    html_set_seconds(s, "CERTIFICATE_SECONDS", r->seconds);
}

/* Calibrated ranges are a list of their own: there is one per value. */
static void bind_record(const report_page *page) {
    mica_record_line line;
    size_t at = 0;
    while (mica_record_next(&page->c->vk.record, &at, &line)) {
        if (strcmp(line.key, "range") == 0 || strcmp(line.key, "input") == 0)
            continue;
        scope *s = scope_item(page->root, "record");
        html_set_words(s, "RECORD_KEY", line.key);
        html_set_bytes(s, "RECORD_VALUE", line.value, line.size);
    }
}

static void bind_range(const report_page *page, uint32_t v) {
    const calibration *k = &page->c->calibration;
    const char *name = page->c->graph.value[v].name;
    char words[1200];
    (void)snprintf(words, sizeof words, "%.9g %.9g %.1000s%s", k->lo[v], k->hi[v], name ? name : "",
                   guessed_range(k, &page->c->graph, v) ? " (a guess)" : "");
    html_set_words(scope_item(page->root, "range"), "RANGE_WORDS", words);
}

static void bind_ranges(const report_page *page) {
    const graph *g = &page->c->graph;
    size_t ranges = g->n_inputs;
    uint32_t guesses;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        bind_range(page, g->input[i]);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (g->node[i].removed || graph_is_const(&g->value[g->node[i].out[0]]))
            continue;
        bind_range(page, g->node[i].out[0]);
        ranges++;
    }
    free(guessed_ranges(&page->c->calibration, g, &guesses));
    html_set_count(page->root, "RANGES", ranges);
    html_set_count(page->root, "GUESSES", guesses);
}

static void bind_headline_error(const report_page *page) {
    const accuracy *a = &page->c->accuracy;
    double worst = 0;
    for (uint32_t i = 0; i < a->n_outputs; i++)
        worst = a->output[i].mean > worst ? a->output[i].mean : worst;
    html_set_percent(page->root, "WORST_MEAN", worst);
}

static void bind_summary(const report_page *page) {
    const compilation *c = page->c;
    scope *s = page->root;
    char digest[2 * MICA_DIGEST_BYTES + 1];
    for (size_t i = 0; i < MICA_DIGEST_BYTES; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", c->vk.digest[i]);
    const char *slash = strrchr(c->request->model, '/');
    html_set_words(s, "MODEL_ID", c->vk.model_id);
    html_set_words(s, "MODEL_FILE", slash ? slash + 1 : c->request->model);
    scope_set(s, "COMPILER_VERSION", "%s", c->vk.compiler_version);
    scope_set(s, "VK_DIGEST", "%s", digest);
    html_set_count(s, "PARAMETERS", c->parameters);
    html_set_count(s, "MACS", c->macs);
    html_set_count(s, "TENSORS", c->vk.circuit.n_tensors);
    html_set_count(s, "LAYERS", c->vk.circuit.n_layers);
    html_set_count(s, "WITNESS_CELLS", c->report.witness_cells);
    html_set_count(s, "WEIGHT_CELLS", c->report.weight_cells);
    html_set_count(s, "LOOKUPS", c->report.lookups);
    html_set_count(s, "TABLE_ROWS", c->report.table_rows);
    scope_set(s, "STRATA", "%u", c->report.strata);
    html_set_count(s, "MAX_BATCH", c->vk.circuit.max_batch);
    scope_set(s, "TARGET_BITS", "%u", c->vk.security_bits);
    scope_set(s, "PROVEN_BITS", "%.1f", c->report.proven_bits);
    html_set_seconds(s, "PROVE_SECONDS", c->report.prove_seconds);
    html_set_size(s, "PROVER_MEMORY", (double)c->report.prover_memory_bytes);
    html_set_size(s, "PROOF_SIZE", (double)c->report.proof_bytes_expected);
}

static void bind_page(const report_page *page) {
    bind_summary(page);
    bind_headline_error(page);
    bind_ports(page);
    bind_accuracy(page);
    report_widths_bind(page->root, page->c);
    bind_graph(page);
    bind_layers(page);
    bind_phases(page);
    bind_budget(page);
    bind_certificate(page);
    bind_record(page);
    bind_ranges(page);
}

static bool render(report_page *page, const char *templates, const char *path, mica_status *st) {
    pool memory;
    text bytes;
    pool_create(&memory, st);
    text_create(&bytes, st);
    template_set set = {.directory = templates, .pool = &memory};
    page->root = scope_create(&memory);
    if (page->root)
        bind_page(page);
    const bool ok = template_render(&set, "report.html", page->root, &bytes, st) &&
                    file_write(path, bytes.bytes, bytes.size, st);
    text_free(&bytes);
    pool_free(&memory);
    return ok;
}

bool report_html_write(const compilation *c, const char *templates, const char *path, mica_status *st) {
    layer_fact *facts;
    report_graph drawing = {0};
    if (!layer_facts_make(&facts, c, st))
        return false;
    report_page page = {.c = c, .fact = facts, .graph = &drawing};
    const bool ok = report_graph_make(&drawing, &c->program, st) && render(&page, templates, path, st);
    report_graph_free(&drawing);
    free(facts);
    return ok;
}
