/* The model's C file: one function per layer of the circuit, headed by its node, shapes and proven ranges. */
#include "emit/emit.h"
#include "emit/emitter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void emit_identifier(const char *name, char out[MICA_NAME_BYTES]) {
    size_t n = 0;
    if (!isalpha((unsigned char)*name))
        out[n++] = 'm';
    for (; *name && n + 1 < MICA_NAME_BYTES; name++)
        out[n++] = isalnum((unsigned char)*name) ? *name : '_';
    out[n] = 0;
}

/* Words for a comment: names come from the model file and could end the comment or continue the line. */
static void comment_words(const char *words, char *out, size_t size) {
    size_t n = 0;
    for (; *words && n + 1 < size; words++)
        out[n++] = isalnum((unsigned char)*words) || strchr(" _.,:;()[]+*-><=/'", *words) ? *words : '_';
    out[n] = 0;
    for (char *c = out; *c; c++) {
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*'))
            c[0] = '_';
    }
}

static void shape_words(const mica_tensor *t, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "[");
    for (unsigned i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, i ? ",%u" : "%u", t->dim[i]);
    if (n < size)
        (void)snprintf(out + n, size - n, "]");
}

static const char *kind_word(const mica_tensor *t) {
    switch (t->kind) {
    case MICA_TENSOR_INPUT:
        return "input";
    case MICA_TENSOR_WEIGHT:
        return "weight";
    case MICA_TENSOR_WITNESS:
        return "witness";
    case MICA_TENSOR_LINEAR:
        return "linear";
    case MICA_TENSOR_CONTRACT:
        return "contract";
    case MICA_TENSOR_PLACEMENT:
        return "placement";
    }
    return "unknown";
}

/* layer_007_conv1: unique by the number, readable by the name. */
static void function_name(const emitter *e, uint32_t layer, char *out, size_t size) {
    char node[MICA_NAME_BYTES];
    emit_identifier(e->circuit->layer[layer].name, node);
    for (char *c = node; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    (void)snprintf(out, size, "layer_%03u_%.40s", layer, node);
}

static bool emit_step(emitter *e, const step *s) {
    switch (s->kind) {
    case STEP_EVALUATE:
        switch (e->circuit->tensor[s->tensor[0]].kind) {
        case MICA_TENSOR_LINEAR:
            return emit_linear(e, s);
        case MICA_TENSOR_CONTRACT:
            return emit_contract(e, s);
        case MICA_TENSOR_PLACEMENT:
            return emit_placement(e, s);
        default:
            break;
        }
        break;
    case STEP_REQUANTISE:
        return emit_requantise(e, s);
    case STEP_LOOKUP:
        return emit_lookup(e, s);
    case STEP_MAX:
        return emit_max(e, s);
    case STEP_DIVIDE:
        return emit_divide(e, s);
    case STEP_QUOTIENT:
        return emit_quotient(e, s);
    case STEP_ROOT:
        return emit_root(e, s);
    case STEP_TOP:
        return emit_top(e, s);
    }
    return mica_fail(e->status, MICA_ERR_INTERNAL, "step %zu cannot be emitted",
                     (size_t)(s - e->program->step));
}

/* One heading line per tensor that a step of the layer computes. */
static void bind_heading_tensors(emitter *e, scope *root, uint32_t layer) {
    for (uint32_t i = 0; i < e->program->n_steps; i++) {
        const step *s = &e->program->step[i];
        for (unsigned k = 0; s->layer == layer && k < STEP_MAX_TENSORS; k++) {
            const uint32_t t = s->tensor[k];
            const bool is_result =
                t != UINT32_MAX && !(s->kind == STEP_LOOKUP && k == 0) && !(program_step_reads(s) && k > 0);
            if (!is_result)
                continue;
            const mica_tensor *x = &e->circuit->tensor[t];
            char shape[160];
            shape_words(x, shape, sizeof shape);
            scope *item = scope_item(root, "tensor");
            scope_set(item, "TENSOR", "t%u", t);
            scope_set(item, "KIND", "%s", kind_word(x));
            scope_set(item, "SHAPE", "%s", shape);
            scope_set(item, "TENSOR_LO", "%d", x->lo);
            scope_set(item, "TENSOR_HI", "%d", x->hi);
            if (e->fused[t])
                (void)scope_item(item, "fused");
        }
    }
}

static void bind_note(emitter *e, scope *root, uint32_t layer) {
    const layer_note *note = e->program->note ? &e->program->note[layer] : NULL;
    char node[2 * MICA_NAME_BYTES], op[2 * MICA_NAME_BYTES], shapes[200];
    const bool noted = note && note->node[0];
    comment_words(noted ? note->node : e->circuit->layer[layer].name, node, sizeof node);
    comment_words(note && note->op[0] ? note->op : e->circuit->layer[layer].op, op, sizeof op);
    scope_set(root, "NODE_NAME", "%s", node);
    scope_set(root, "OP_NAME", "%s", op);
    if (note && note->shapes[0]) {
        comment_words(note->shapes, shapes, sizeof shapes);
        scope_set(scope_item(root, "shapes"), "SHAPES", "%s", shapes);
    }
    if (note && (note->acc_lo != 0 || note->acc_hi != 0)) {
        scope *acc = scope_item(root, "accumulator");
        scope_set(acc, "ACC_LO", "%lld", (long long)note->acc_lo);
        scope_set(acc, "ACC_HI", "%lld", (long long)note->acc_hi);
        scope_set(acc, "MACS", "%llu", (unsigned long long)note->macs);
    }
}

static bool emit_layer(emitter *e, uint32_t layer, text *out) {
    char function[MICA_NAME_BYTES];
    bool any = false;
    text_free(&e->steps);
    text_puts(&e->steps, "");
    for (uint32_t i = 0; i < e->program->n_steps; i++) {
        if (e->program->step[i].layer != layer)
            continue;
        if (!emit_step(e, &e->program->step[i]))
            return false;
        any = e->steps.size > 0;
    }
    scope *root = scope_create(&e->pool);
    function_name(e, layer, function, sizeof function);
    scope_set(root, "FUNCTION", "%s", function);
    scope_set(root, "LAYER_INDEX", "%u", layer);
    bind_note(e, root, layer);
    bind_heading_tensors(e, root, layer);
    if (!any)
        (void)scope_item(root, "empty");
    scope_insert(root, "steps", e->steps.bytes);
    return template_render(&e->templates, "layer.c", root, out, e->status);
}

/* A layer is one function, so its steps must follow each other. */
static bool check_order(emitter *e) {
    for (uint32_t i = 1; i < e->program->n_steps; i++) {
        if (e->program->step[i].layer < e->program->step[i - 1].layer)
            return mica_fail(e->status, MICA_ERR_INTERNAL,
                             "steps %u and %u are not in the order of their layers", i - 1, i);
    }
    return true;
}

static void bind_workspace(emitter *e, scope *root) {
    for (uint32_t t = 0; t < e->circuit->n_tensors; t++) {
        if (e->offset[t] == NO_OFFSET)
            continue;
        const mica_tensor *x = &e->circuit->tensor[t];
        char shape[160];
        shape_words(x, shape, sizeof shape);
        scope *item = scope_item(root, "slot");
        scope_set(item, "TENSOR", "t%u", t);
        scope_set(item, "KIND", "%s", kind_word(x));
        scope_set(item, "SHAPE", "%s", shape);
        scope_set(item, "FIRST_CELL", "%zu", e->offset[t]);
        scope_set(item, "LAST_CELL", "%zu", e->offset[t] + ((size_t)1 << mica_item_bits(x)) - 1);
        scope_set(item, "FROM_LAYER", "%u", e->program->step[e->first[t]].layer);
        scope_set(item, "TO_LAYER", "%u", e->program->step[e->last[t]].layer);
    }
}

static bool emit_file(emitter *e, const char *name, text *out) {
    char model[MICA_NAME_BYTES], function[MICA_NAME_BYTES];
    text layers, raw;
    bool ok = true;
    text_create(&layers, e->status);
    text_create(&raw, e->status);
    scope *root = scope_create(&e->pool);
    emit_identifier(name, model);
    scope_set(root, "RUN_MODEL", "%s_run", model);
    scope_set(root, "HEADER_FILE", "\"%s.h\"", name);
    scope_set(root, "SCRATCH_CELLS", "%zu", e->scratch_cells);
    scope_set(root, "COMPILER_VERSION", "%s", MICA_VERSION);
    bind_workspace(e, root);
    for (uint32_t i = 0; ok && i < e->circuit->n_layers; i++) {
        ok = emit_layer(e, i, &layers);
        function_name(e, i, function, sizeof function);
        scope_set(scope_item(root, "call"), "FUNCTION", "%s", function);
    }
    scope_insert(root, "layers", layers.bytes);
    ok = ok && template_render(&e->templates, "model.c", root, &raw, e->status);
    if (ok)
        template_tidy(raw.bytes, out);
    text_free(&layers);
    text_free(&raw);
    return ok && e->status->code == MICA_OK;
}

bool emit_model_c(const emit_request *r, text *out, size_t *scratch_bytes, mica_status *st) {
    emitter e;
    memset(&e, 0, sizeof e);
    e.program = r->program;
    e.circuit = &r->program->circuit;
    e.status = st;
    pool_create(&e.pool, st);
    e.templates = (template_set){.directory = r->templates, .pool = &e.pool};
    text_create(&e.steps, st);
    const bool ok = check_order(&e) && emit_plan(&e) && emit_file(&e, r->name, out);
    *scratch_bytes = e.scratch_cells * sizeof(int32_t);
    text_free(&e.steps);
    pool_free(&e.pool);
    return ok;
}
