/* NAME.report.html: one page without external resources. */
#include "driver.h"

#include "emit/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sets a placeholder to text of the model file: markup and control characters are escaped. */
static void set_words(scope *s, const char *name, const char *words) {
    char out[480];
    size_t n = 0;
    for (; *words && n + 8 < sizeof out; words++) {
        const unsigned char c = (unsigned char)*words;
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
            n += (size_t)snprintf(out + n, sizeof out - n, "&#%u;", c);
        else
            out[n++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    out[n] = 0;
    scope_set(s, name, "%s", out);
}

static void set_size(scope *s, const char *name, double bytes) {
    if (bytes >= 1e9)
        scope_set(s, name, "%.1f GB", bytes / 1e9);
    else if (bytes >= 1e6)
        scope_set(s, name, "%.1f MB", bytes / 1e6);
    else
        scope_set(s, name, "%.1f kB", bytes / 1e3);
}

static void bind_port(scope *root, const compilation *c, const mica_port *p, const char *role) {
    const mica_tensor *t = &c->vk.circuit.tensor[p->tensor];
    scope *s = scope_item(root, "port");
    char shape[200];
    size_t n = (size_t)snprintf(shape, sizeof shape, "[%s", p->onnx_batched ? "B" : "");
    for (unsigned i = 0; i < p->onnx_rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%u", i || p->onnx_batched ? "," : "",
                              p->onnx_dim[i]);
    (void)snprintf(shape + n, sizeof shape - n, "]");
    scope_set(s, "PORT_ROLE", "%s", role);
    scope_set(s, "PORT_VISIBILITY", "%s", mica_visibility_name(p->visibility));
    set_words(s, "PORT_NAME", p->name);
    scope_set(s, "PORT_SHAPE", "%s", shape);
    const double scale = ldexp(p->mantissa, p->exponent);
    scope_set(s, "PORT_VALUES", "[%.6g, %.6g]", t->lo * scale, t->hi * scale);
    scope_set(s, "PORT_RANGE", "[%d, %d]", t->lo, t->hi);
    scope_set(s, "PORT_SCALE", "%.9g", scale);
}

static void bind_value(scope *list, const compilation *c, const value_error *e) {
    scope *s = scope_item(list, "value");
    const char *name = c->graph.value[e->value].name;
    set_words(s, "VALUE_NAME", name ? name : "");
    scope_set(s, "MEAN_ERROR", "%.4f", 100 * e->mean);
    scope_set(s, "MAX_ERROR", "%.4f", 100 * e->max);
    scope_set(s, "REFERENCE_RANGE", "[%.4g, %.4g]", e->lo, e->hi);
    if (e->has_top1)
        scope_set(s, "TOP1", "%u of %u", e->top1_agree, c->accuracy.n_samples);
    else
        scope_set(s, "TOP1", "&ndash;");
}

static void bind_accuracy(scope *root, const compilation *c) {
    if (c->calibration.guessed) {
        (void)scope_item(root, "unmeasured");
        return;
    }
    scope *measured = scope_item(root, "measured");
    for (uint32_t i = 0; i < c->accuracy.n_outputs; i++)
        bind_value(measured, c, &c->accuracy.output[i]);
    for (uint32_t i = 0; i < c->accuracy.n_values; i++)
        bind_value(measured, c, &c->accuracy.inner[i]);
}

static void bind_layers(scope *root, const compilation *c) {
    for (uint32_t i = 0; i < c->vk.circuit.n_layers; i++) {
        const layer_note *note = &c->program.note[i];
        scope *s = scope_item(root, "layer");
        scope_set(s, "LAYER_INDEX", "%u", i);
        set_words(s, "NODE_NAME", note->node[0] ? note->node : c->vk.circuit.layer[i].name);
        set_words(s, "OP_NAME", note->op[0] ? note->op : c->vk.circuit.layer[i].op);
        set_words(s, "SHAPE_WORDS", note->shapes);
        scope_set(s, "LAYER_MACS", "%llu", (unsigned long long)note->macs);
        if (note->acc_lo != 0 || note->acc_hi != 0)
            scope_set(s, "ACC_RANGE", "[%lld, %lld]", (long long)note->acc_lo, (long long)note->acc_hi);
        else
            scope_set(s, "ACC_RANGE", "&ndash;");
    }
}

static void bind_summary(scope *s, const compilation *c) {
    char digest[2 * MICA_DIGEST_BYTES + 1];
    for (unsigned i = 0; i < MICA_DIGEST_BYTES; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", c->vk.digest[i]);
    const char *slash = strrchr(c->request->model, '/');
    set_words(s, "MODEL_ID", c->vk.model_id);
    set_words(s, "MODEL_FILE", slash ? slash + 1 : c->request->model);
    scope_set(s, "COMPILER_VERSION", "%s", c->vk.compiler_version);
    scope_set(s, "VK_DIGEST", "%s", digest);
    scope_set(s, "PARAMETERS", "%llu", (unsigned long long)c->parameters);
    scope_set(s, "MACS", "%llu", (unsigned long long)c->macs);
    scope_set(s, "TENSORS", "%u", c->vk.circuit.n_tensors);
    scope_set(s, "LAYERS", "%u", c->vk.circuit.n_layers);
    scope_set(s, "LOOKUPS", "%llu", (unsigned long long)c->report.lookups);
    scope_set(s, "STRATA", "%u", c->report.strata);
    scope_set(s, "MAX_BATCH", "%u", c->vk.circuit.max_batch);
    scope_set(s, "TARGET_BITS", "%u", c->vk.security_bits);
    scope_set(s, "PROVEN_BITS", "%.1f", c->report.proven_bits);
    scope_set(s, "PROVE_SECONDS", "%.2g", c->report.prove_seconds);
    set_size(s, "PROVER_MEMORY", (double)c->report.prover_memory_bytes);
    set_size(s, "PROOF_SIZE", (double)c->report.proof_bytes_expected);
}

bool report_html_write(const compilation *c, const char *templates, const char *path, mica_status *st) {
    pool memory;
    text page;
    pool_create(&memory, st);
    text_create(&page, st);
    template_set set = {templates, NULL, &memory};
    scope *root = scope_create(&memory);
    bind_summary(root, c);
    for (uint32_t i = 0; i < c->vk.circuit.n_inputs; i++)
        bind_port(root, c, &c->vk.circuit.input[i], "input");
    for (uint32_t i = 0; i < c->vk.circuit.n_outputs; i++)
        bind_port(root, c, &c->vk.circuit.output[i], "output");
    bind_accuracy(root, c);
    bind_layers(root, c);
    for (unsigned i = 0; i < c->report.n_lines; i++) {
        scope *line = scope_item(root, "budget");
        set_words(line, "BUDGET_WHAT", c->report.line[i].what);
        scope_set(line, "BUDGET_BITS", "%.1f", c->report.line[i].bits);
    }
    const bool ok =
        template_render(&set, "report.html", root, &page, st) && file_write(path, page.bytes, page.size, st);
    text_free(&page);
    pool_free(&memory);
    return ok;
}
