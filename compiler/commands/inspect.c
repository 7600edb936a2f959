#include "commands/inspect.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/shapes.h"
#include "ops/ops.h"

/* --- Findings --- */

typedef struct op_line {
    const char *op;
    uint32_t nodes, failed, blocked;
    uint64_t macs;
} op_line;

typedef struct findings {
    const graph *g;
    const char *
        *reason; /* per node; NULL: supported, or blocked: an input comes from a node that is not supported */
    op_line *op; /* sorted by first appearance */
    uint32_t n_ops, n_failed, n_blocked;
    uint64_t parameters, macs;
} findings;

static op_line *line_of(findings *f, const char *op) {
    for (uint32_t i = 0; i < f->n_ops; i++)
        if (!strcmp(f->op[i].op, op))
            return &f->op[i];
    f->op[f->n_ops] = (op_line){.op = op};
    return &f->op[f->n_ops++];
}

/* Elements of the file's floating-point constants. */
static uint64_t count_parameters(const graph *g) {
    uint64_t n = 0;
    for (uint32_t v = 0; v < g->n_values; v++)
        if (g->value[v].real)
            n += graph_elements(&g->value[v]);
    return n;
}

/* Whether nothing is wrong with a node but that its inputs have no shape. */
static bool is_blocked(const graph *g, const graph_node *n) {
    for (uint32_t i = 0; n->kind != OP_UNSUPPORTED && i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && !g->value[n->in[i]].has_shape)
            return true;
    return false;
}

static void count_nodes(findings *f) {
    const graph *g = f->g;
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        const graph_node *n = &g->node[j];
        op_line *line = line_of(f, n->op);
        line->nodes++;
        if (f->reason[j] && is_blocked(g, n)) {
            f->reason[j] = NULL;
            line->blocked++;
            f->n_blocked++;
        } else if (f->reason[j]) {
            line->failed++;
            f->n_failed++;
        } else if (!n->removed) {
            line->macs += op_macs(g, n);
            f->macs += op_macs(g, n);
        }
    }
}

static bool collect(graph *g, findings *f, mica_status *st) {
    *f = (findings){.g = g, .parameters = count_parameters(g)};
    if (!graph_infer_report(g, st))
        return false;
    const size_t slots = g->n_nodes ? g->n_nodes : 1;
    f->reason = calloc(slots, sizeof *f->reason);
    f->op = calloc(slots, sizeof *f->op);
    if (!f->reason || !f->op)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t j = 0; j < g->n_nodes; j++)
        f->reason[j] = g->node[j].trouble;
    count_nodes(f);
    return true;
}

static void findings_free(findings *f) {
    free(f->reason);
    free(f->op);
}

/* --- Table --- */

/* "[B,3,32,32]": B is the batch axis. */
static const char *shape_text(const graph_value *v, char *buffer, size_t size) {
    size_t used = (size_t)snprintf(buffer, size, "[");
    if (!v->has_shape)
        return "unknown";
    for (uint32_t i = 0; i < v->rank && used < size; i++) {
        if (i == 0 && v->batched)
            used += (size_t)snprintf(buffer + used, size - used, "B");
        else
            used +=
                (size_t)snprintf(buffer + used, size - used, "%s%lld", i ? "," : "", (long long)v->dim[i]);
    }
    if (used < size)
        (void)snprintf(buffer + used, size - used, "]");
    return buffer;
}

static void print_ports(FILE *out, const char *heading, const graph *g, const uint32_t *port, uint32_t n) {
    char shape[200];
    fprintf(out, "\n%s\n", heading);
    for (uint32_t i = 0; i < n; i++) {
        const graph_value *v = &g->value[port[i]];
        const char *type = onnx_type_name(v->onnx_dtype);
        fprintf(out, "  %-32s %-9s %s\n", v->name, v->has_shape && type ? type : "-",
                shape_text(v, shape, sizeof shape));
    }
}

static const char *verdict(const op_line *o) {
    if (o->failed == o->nodes)
        return "no";
    if (o->failed)
        return "in part";
    return o->blocked == o->nodes ? "unknown" : "yes";
}

static void print_table(const findings *f, FILE *out) {
    const graph *g = f->g;
    fprintf(out, "model       %s\n", g->file);
    fprintf(out, "graph       %s\n", g->name);
    fprintf(out, "opset       %lld\n", (long long)g->opset);
    fprintf(out, "batch axis  %s\n", g->batched ? "axis 0 (B below)" : "none");
    fprintf(out, "parameters  %llu\n", (unsigned long long)f->parameters);
    fprintf(out, "MACs        %llu%s\n", (unsigned long long)f->macs,
            f->n_failed ? " in the supported part" : "");
    print_ports(out, "inputs", g, g->input, g->n_inputs);
    print_ports(out, "outputs", g, g->output, g->n_outputs);
    fprintf(out, "\n%-34s %7s %15s  %s\n", "operators", "nodes", "MACs", "supported");
    for (uint32_t i = 0; i < f->n_ops; i++) {
        const op_line *o = &f->op[i];
        fprintf(out, "  %-32s %7u %15llu  %s\n", o->op, o->nodes, (unsigned long long)o->macs, verdict(o));
    }
    if (f->n_failed)
        fprintf(out, "\nnot supported: %u of %u nodes (%u more depend on them)\n", f->n_failed, g->n_nodes,
                f->n_blocked);
    for (uint32_t j = 0; j < g->n_nodes; j++)
        if (f->reason[j])
            fprintf(out, "  %s\n", f->reason[j]);
}

/* --- JSON --- */

/* Names are bytes of the file: those that are not UTF-8 have every byte beyond ASCII replaced. */
static json_t *text(const char *s) {
    json_t *j = json_string(s);
    if (j)
        return j;
    char *copy = strdup(s);
    for (char *p = copy; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = copy ? json_string(copy) : NULL;
    free(copy);
    return j;
}

static json_t *ports_json(const graph *g, const uint32_t *port, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const graph_value *v = &g->value[port[i]];
        const char *type = onnx_type_name(v->onnx_dtype);
        json_t *shape = v->has_shape ? json_array() : json_null();
        for (uint32_t d = 0; v->has_shape && d < v->rank; d++)
            json_array_append_new(shape, json_integer(v->dim[d]));
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b}", "name", text(v->name), "type",
                                              v->has_shape && type ? text(type) : json_null(), "shape", shape,
                                              "batched", (int)v->batched));
    }
    return list;
}

static json_t *operators_json(const findings *f) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < f->n_ops; i++) {
        const op_line *o = &f->op[i];
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I}", "type", text(o->op), "nodes",
                                              (json_int_t)o->nodes, "unsupported", (json_int_t)o->failed,
                                              "macs", (json_int_t)o->macs));
    }
    return list;
}

static json_t *unsupported_json(const findings *f) {
    json_t *list = json_array();
    for (uint32_t j = 0; j < f->g->n_nodes; j++)
        if (f->reason[j])
            json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "node", text(f->g->node[j].name), "type",
                                                  text(f->g->node[j].op), "reason", text(f->reason[j])));
    return list;
}

static bool print_json(const findings *f, FILE *out, mica_status *st) {
    const graph *g = f->g;
    json_t *root = json_pack("{s:s, s:o, s:o, s:I, s:b, s:I, s:I, s:b}", "version", MICA_VERSION, "model",
                             text(g->file), "graph", text(g->name), "opset", (json_int_t)g->opset, "batched",
                             (int)g->batched, "parameters", (json_int_t)f->parameters, "macs",
                             (json_int_t)f->macs, "supported", f->n_failed == 0);
    bool ok = root && !json_object_set_new(root, "inputs", ports_json(g, g->input, g->n_inputs)) &&
              !json_object_set_new(root, "outputs", ports_json(g, g->output, g->n_outputs)) &&
              !json_object_set_new(root, "operators", operators_json(f)) &&
              !json_object_set_new(root, "unsupported", unsupported_json(f)) &&
              !json_dumpf(root, out, JSON_INDENT(2)) && fputc('\n', out) != EOF;
    json_decref(root);
    return ok || mica_fail(st, MICA_ERR_IO, "the report could not be written");
}

bool mica_inspect(const char *path, const dim_binding *dims, size_t n_dims, bool json, FILE *out,
                  bool *supported, mica_status *st) {
    findings f = {0};
    graph g;
    if (!onnx_import(&g, path, dims, n_dims, st))
        return false;
    bool ok = collect(&g, &f, st);
    if (ok && json)
        ok = print_json(&f, out, st);
    else if (ok)
        print_table(&f, out);
    if (ok && (fflush(out) || ferror(out)))
        ok = mica_fail(st, MICA_ERR_IO, "the report could not be written");
    if (ok && supported)
        *supported = f.n_failed == 0;
    findings_free(&f);
    graph_free(&g);
    return ok;
}
