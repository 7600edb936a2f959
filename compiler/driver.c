#include "driver.h"

#include "commands/visibility.h"
#include "emit/check_generated.h"
#include "graph/control.h"
#include "interrupt.h"
#include "ops/ops.h"
#include "outputs.h"
#include "reference/float_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_BATCH = 256 };

/* --- progress --- */

static double seconds_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Says how far a long step is, with the time left, at most once a second. */
static void progress_share(void *ctx, uint32_t done, uint32_t total) {
    const compile_request *r = ctx;
    static double begun, said;
    const double t = seconds_now();
    if (done == 0)
        begun = said = t;
    if (r->quiet || done == 0 || t - said < 1)
        return;
    said = t;
    fprintf(stderr, "           %u of %u, %.0f s left\n", done, total, (t - begun) / done * (total - done));
}

static void progress(const compile_request *r, const char *what) {
    static double start;
    if (start == 0)
        start = seconds_now();
    if (!r->quiet)
        fprintf(stderr, "[%6.1f s] %s\n", seconds_now() - start, what);
}

/* --- dumps --- */

static bool dump_wanted(const compile_request *r, const char *pass) {
    return r->dump && strcmp(r->dump, pass) == 0;
}

static void dump_graph(const compilation *c, const char *pass) {
    char line[1024];
    if (!dump_wanted(c->request, pass))
        return;
    for (uint32_t i = 0; i < c->graph.n_nodes; i++) {
        if (!c->graph.node[i].removed)
            printf("%s\n", graph_describe(&c->graph, &c->graph.node[i], line, sizeof line));
    }
}

/* --- passes --- */

/* Elements of the file's floating-point constants. */
static uint64_t count_parameters(const graph *g) {
    uint64_t n = 0;
    for (uint32_t v = 0; v < g->n_values; v++)
        n += g->value[v].real ? graph_elements(&g->value[v]) : 0;
    return n;
}

/* A name that --dim binds and no input has is a slip that would change the network in silence. */
static bool check_dims(const compile_request *r, const graph *open, mica_status *st) {
    for (size_t i = 0; i < r->n_dims; i++) {
        bool known = false;
        for (uint32_t j = 0; j < open->n_free_dims; j++)
            known |= open->free_dim[j].name && strcmp(open->free_dim[j].name, r->dims[i].name) == 0;
        if (!known)
            return mica_fail(st, MICA_ERR_USAGE,
                             "--dim %s: no input of %s has a free dimension of that name; see mica inspect",
                             r->dims[i].name, r->model);
    }
    return true;
}

/* Imports the model once without bindings, only to see which names it has. */
static bool check_dim_names(const compile_request *r, mica_status *st) {
    graph open;
    if (r->n_dims == 0)
        return true;
    if (!onnx_import(&open, r->model, NULL, 0, st))
        return false;
    const bool ok = check_dims(r, &open, st);
    graph_free(&open);
    return ok;
}

/* A proof speaks of inputs and outputs. */
static bool check_network(const graph *g, const char *model, mica_status *st) {
    return !graph_is_settled(g) ||
           mica_fail(st, MICA_ERR_UNSUPPORTED, "%s: the model has no %s; there is nothing to prove", model,
                     g->n_outputs ? "inputs" : "outputs with elements");
}

static bool run_front_end(compilation *c, sample_set *samples, mica_status *st) {
    const compile_request *r = c->request;
    progress(r, "reading the model");
    if (!check_dim_names(r, st) || !onnx_import(&c->graph, r->model, r->dims, r->n_dims, st))
        return false;
    if (!constants_freeze(&r->constants, &c->graph, st) || !graph_freeze_empty_inputs(&c->graph, st))
        return false;
    c->parameters = count_parameters(&c->graph);
    dump_graph(c, "import");
    /* The float model is the graph as it was read, but for control flow, which the walk over shapes replaces.
     */
    const bool flow = control_any(&c->graph);
    if (!sample_set_read(samples, &c->graph, r->calibration, st) ||
        (!flow && !float_file_write(&c->graph, &c->float_bytes, &c->float_size, st)) ||
        !graph_infer_shapes(&c->graph, st) ||
        (flow && !float_file_write(&c->graph, &c->float_bytes, &c->float_size, st)))
        return false;
    c->n_samples = samples->n;
    dump_graph(c, "shapes");
    if (!graph_fold_constants(&c->graph, st))
        return false;
    dump_graph(c, "fold");
    if (!graph_canonicalise(&c->graph, st) || !check_network(&c->graph, r->model, st))
        return false;
    dump_graph(c, "canonical");
    c->input_visibility = visibility_choose(&r->input_visibility, &c->graph, true, st);
    c->output_visibility = visibility_choose(&r->output_visibility, &c->graph, false, st);
    if (!c->input_visibility || !c->output_visibility)
        return false;
    for (uint32_t i = 0; i < c->graph.n_nodes; i++) {
        if (!c->graph.node[i].removed)
            c->macs += op_macs(&c->graph, &c->graph.node[i]);
    }
    return true;
}

/* The largest batch up to `wanted` (0: up to DEFAULT_BATCH, halving) that the bounds on sizes and counts
 * admit. */
static bool set_max_batch(compilation *c, mica_status *st) {
    mica_circuit *circuit = &c->program.circuit;
    const uint32_t wanted = c->request->max_batch;
    for (circuit->max_batch = wanted ? wanted : DEFAULT_BATCH; !wanted && circuit->max_batch > 1;
         circuit->max_batch /= 2) {
        mica_status ignored = {0};
        if (mica_circuit_validate(circuit, &ignored))
            break;
    }
    return mica_circuit_validate(circuit, st);
}

static bool run_lowering(compilation *c, const sample_set *samples, mica_status *st) {
    progress(c->request, "calibrating");
    if (!graph_bound_masks(&c->graph, samples->sample, samples->n, st) ||
        !graph_equalise(&c->graph, samples->sample, samples->n, st) ||
        !calibration_collect(&c->calibration, &c->graph, samples->sample, samples->n, st))
        return false;
    progress(c->request, "lowering to integers, measuring the accuracy");
    if (!choose_widths(c, samples, progress_share, st) || !set_max_batch(c, st))
        return false;
    return !dump_wanted(c->request, "program") || program_dump(&c->program, "/dev/stdout", st);
}

static bool run_commitment(compilation *c, const sample_set *samples, mica_status *st) {
    const compile_request *r = c->request;
    mica_memory memory;
    progress(r, "committing to the weights");
    c->vk.circuit = c->program.circuit;
    c->vk.security_bits = r->security_bits;
    (void)snprintf(c->vk.model_id, sizeof c->vk.model_id, "%s", r->model_id ? r->model_id : c->name);
    (void)snprintf(c->vk.compiler_version, sizeof c->vk.compiler_version, "%s", MICA_VERSION);
    if (!make_record(&c->vk.record, c, samples, st) ||
        !mica_weights_commit(&c->vk, (const int32_t *const *)c->program.weight, &c->weights, &c->weights_size,
                             st) ||
        !mica_vk_write(&c->vk, &c->vk_bytes, &c->vk_size, st) ||
        !mica_report_make(&c->vk, 1, &c->report, st) ||
        !mica_prover_memory(&c->vk, 1, MICA_SAVE_FOR_ONE, &memory, st))
        return false;
    c->report.prover_memory_bytes = memory.resident;
    if (c->report.proven_bits < (double)r->security_bits)
        return mica_fail(st, MICA_ERR_LIMIT, "the parameters prove %.1f bits of the %u asked for",
                         c->report.proven_bits, r->security_bits);
    return true;
}

static bool run_emission(compilation *c, const toolchain *t, const workplace *w, mica_status *st) {
    const emit_request request = {.program = &c->program,
                                  .name = c->name,
                                  .templates = t->templates,
                                  .vk = c->vk_bytes,
                                  .vk_size = c->vk_size,
                                  .weights = c->weights,
                                  .weights_size = c->weights_size,
                                  .embed_limit = c->request->embed_limit};
    progress(c->request, "generating code");
    return emit_sources(&request, w->directory, st) &&
           check_model_c(&c->program, w->directory, c->name, t->include, st) &&
           check_support_c(w->directory, "model_data.c", t->include, st) &&
           check_support_c(w->directory, "main.c", t->include, st);
}

static bool run_certificate(compilation *c, mica_status *st) {
    if (!c->request->no_certificate)
        progress(c->request, "certifying the weights");
    return certify(c, st);
}

static bool run_build(compilation *c, const toolchain *t, const workplace *w, const sample_set *samples,
                      mica_status *st) {
    char executable[PATH_BYTES];
    progress(c->request, "compiling the generated code");
    if (!workplace_path(w, OUTPUTS_EXECUTABLE, executable, st) ||
        !build_executable(t, c->name, w->directory, executable, !c->request->no_cache, &c->build, st))
        return false;
    progress(c->request, "self-test: proving and verifying one sample");
    if (!self_test(c, samples, w->directory, executable, &c->tested, st))
        return false;
    progress(c->request, "self-test passed");
    return true;
}

static bool go_on(mica_status *st) {
    return !interrupt_noted() || mica_fail(st, MICA_ERR_IO, "interrupted");
}

void compilation_free(compilation *c) {
    mica_record_free(&c->vk.record);
    free(c->vk_bytes);
    free(c->float_bytes);
    free(c->weights);
    free(c->certificate.bytes);
    free(c->input_visibility);
    free(c->output_visibility);
    accuracy_free(&c->accuracy);
    value_map_free(&c->map);
    program_free(&c->program); /* vk.circuit is the same circuit */
    calibration_free(&c->calibration);
    graph_free(&c->graph);
}

bool compile_parameters(compilation *c, sample_set *samples, mica_status *st) {
    return run_front_end(c, samples, st) && run_lowering(c, samples, st) && run_commitment(c, samples, st);
}

static bool compile_in(compilation *c, const toolchain *t, workplace *w, sample_set *samples,
                       mica_status *st) {
    if (!run_front_end(c, samples, st) || !run_lowering(c, samples, st))
        return false;
    if (!c->request->quiet) {
        warn_calibration(c);
        warn_accuracy(c);
        warn_ports(c);
    }
    if (!run_commitment(c, samples, st) || !outputs_begin(w, c, st))
        return false;
    if (!c->request->quiet && !c->request->json)
        summary_print(c);
    return run_emission(c, t, w, st) && go_on(st) && run_certificate(c, st) && go_on(st) &&
           (c->request->emit_only || run_build(c, t, w, samples, st)) && go_on(st) &&
           outputs_publish(c, t, w, st);
}

bool compile_model(const compile_request *request, mica_status *st) {
    compilation c;
    sample_set samples = {0};
    toolchain t;
    workplace w;
    memset(&c, 0, sizeof c);
    memset(&w, 0, sizeof w);
    c.request = request;
    c.explain = true;
    const char *slash = strrchr(request->output, '/');
    c.name = slash ? slash + 1 : request->output;
    bool ok = outputs_check(&c, st) && toolchain_find(&t, st) && compile_in(&c, &t, &w, &samples, st);
    if (ok)
        outputs_list(&c);
    ok = ok && (!request->json || summary_print_json(&c, st));
    workplace_close(&w);
    interrupt_release();
    sample_set_free(&samples);
    compilation_free(&c);
    return ok;
}
