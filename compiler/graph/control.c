#include "graph/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/control_body.h"
#include "graph/onnx_types.h"
#include "ops/op_rules.h"

#define MAX_ITERATIONS 4096
#define MAX_UNROLLED   (1 << 16) /* nodes of one graph */
#define MAX_PORTS      4096      /* inputs or outputs of one node of control flow */

bool control_is_flow(const graph_node *n) {
    return n->kind == OP_IF || n->kind == OP_LOOP || n->kind == OP_SCAN;
}

bool control_any(const graph *g) {
    bool any = false;
    for (uint32_t j = 0; j < g->n_nodes; j++)
        any |= control_is_flow(&g->node[j]);
    return any;
}

/* Axes in the way of the model's opset. */
static uint32_t unsqueeze(flow *f, uint32_t v, int64_t axis) {
    graph_attr *a;
    int64_t *list;
    if (f->g->opset >= 13) {
        const uint32_t in[2] = {v, flow_list(f, 1, &axis)};
        return flow_op(f, "Unsqueeze", 2, in, GRAPH_NO_VALUE, NULL, 0);
    }
    const uint32_t out = flow_op(f, "Unsqueeze", 1, &v, GRAPH_NO_VALUE, "axes", 0);
    list = graph_alloc(f->g, 1, sizeof *list, f->st);
    if (out == GRAPH_NO_VALUE || !list)
        return GRAPH_NO_VALUE;
    *list = axis;
    a = f->made[f->n_made - 1].attr;
    *a = (graph_attr){.name = "axes", .type = ATTR_INTS, .n = 1, .ints = list, .tensor = GRAPH_NO_VALUE};
    return out;
}

/* --- If --- */

/* Both branches are computed, and the condition selects. */
static bool inline_both(flow *f, const uint32_t *then_out, const uint32_t *else_out) {
    uint32_t condition = f->node.in[0];
    if (graph_elements(op_in(f->g, &f->node, 0)) != 1)
        return flow_fail(f, MICA_ERR_FORMAT, "the condition is not one truth value");
    if (op_in(f->g, &f->node, 0)->rank > 0) {
        const uint32_t in[2] = {condition, flow_list(f, 0, NULL)};
        condition = flow_op(f, "Reshape", 2, in, GRAPH_NO_VALUE, NULL, 0);
    }
    for (uint32_t i = 0; i < f->node.n_out; i++) {
        const uint32_t in[3] = {condition, then_out[i], else_out[i]};
        if (f->node.out[i] != GRAPH_NO_VALUE &&
            flow_op(f, "Where", 3, in, f->node.out[i], "mica_branches", 1) == GRAPH_NO_VALUE)
            return false;
    }
    return true;
}

static bool inline_if(flow *f) {
    const uint32_t n = f->node.n_out;
    int64_t taken = -1;
    const bool known = flow_known(f, 0, &taken);
    const graph_body *branch[2] = {flow_body(f, "else_branch", 0, n), flow_body(f, "then_branch", 0, n)};
    uint32_t *out[2] = {calloc(n + 1u, sizeof **out), calloc(n + 1u, sizeof **out)};
    bool ok = branch[0] && branch[1] && out[0] && out[1];
    for (int k = 1; ok && k >= 0; k--)
        if (!known || (taken != 0) == k)
            ok = flow_copy(f, branch[k], NULL, k ? "then" : "else", out[k]);
    if (!known)
        ok = ok && inline_both(f, out[1], out[0]);
    for (uint32_t i = 0; known && ok && i < n; i++)
        ok = flow_output(f, i, out[taken != 0][i]);
    free(out[0]);
    free(out[1]);
    return ok;
}

/* --- Loop: inputs are the trip count, the condition and the carried values; behind them, once iterations
 * have run, what each of them has put out for the scan outputs --- */

/* Whether a further iteration runs. */
static bool loop_goes_on(flow *f, int64_t iteration, bool *on) {
    int64_t most = INT64_MAX, condition = 1;
    const bool counted = op_in(f->g, &f->node, 0) != NULL, asked = op_in(f->g, &f->node, 1) != NULL;
    if (counted && !flow_known(f, 0, &most))
        return op_fail_varying(f->g, &f->node, 0,
                               "depends on the network's inputs; the number of iterations must be a constant",
                               f->st);
    if (asked && !flow_known(f, 1, &condition))
        return flow_fail(
            f, MICA_ERR_UNSUPPORTED,
            "whether iteration %lld runs depends on the network's inputs; conditions must be known "
            "when the model is compiled",
            (long long)iteration);
    *on = iteration < most && condition != 0;
    if (*on && iteration == MAX_ITERATIONS)
        return flow_fail(f, MICA_ERR_LIMIT, "more than %d iterations", MAX_ITERATIONS);
    return true;
}

static bool too_many(flow *f) {
    return flow_fail(f, MICA_ERR_LIMIT, "control flow becomes more than %d nodes", MAX_UNROLLED);
}

/* Whether the nodes that put `iterations` entries of the scan outputs together are too many: told before the
 * entries are made. */
static bool gathers_too_much(const flow *f, uint32_t carried, uint32_t scans, uint32_t iterations) {
    uint64_t used = 0;
    for (uint32_t k = carried; k < carried + scans && k < f->node.n_out; k++)
        used += f->node.out[k] != GRAPH_NO_VALUE;
    return used * iterations > MAX_UNROLLED;
}

/* Outputs: the carried values, and the scan outputs with one entry per iteration. */
static bool end_loop(flow *f, uint32_t carried, uint32_t scans, uint32_t iterations) {
    const uint32_t *in = f->node.in + (f->node.n_in < 2 ? f->node.n_in : 2);
    uint32_t *part = calloc((size_t)iterations + 1, sizeof *part);
    bool ok = part || mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; ok && i < carried; i++)
        ok = flow_output(f, i, in[i]);
    for (uint32_t k = 0; ok && k < scans; k++) {
        const uint32_t out = carried + k < f->node.n_out ? f->node.out[carried + k] : GRAPH_NO_VALUE;
        if (out == GRAPH_NO_VALUE)
            continue;
        if (iterations == 0)
            ok = flow_fail(f, MICA_ERR_UNSUPPORTED,
                           "it runs no iteration, so that the shape of its output %u is "
                           "unknown",
                           carried + k);
        for (uint32_t i = 0; ok && i < iterations; i++) {
            part[i] = unsqueeze(f, in[carried + i * scans + k], 0);
            ok = part[i] != GRAPH_NO_VALUE;
        }
        ok = ok && flow_op(f, "Concat", iterations, part, out, "axis", 0) != GRAPH_NO_VALUE;
    }
    free(part);
    return ok;
}

/* The iteration's nodes, and a Loop of those that follow. */
static bool step_loop(flow *f, const graph_body *b, uint32_t carried, uint32_t scans, uint32_t iteration) {
    const uint32_t values = carried + iteration * scans, total = 2 + values + scans;
    uint32_t *in = calloc(total + b->n_in + b->n_out, sizeof *in), *body_in = in + total,
             *body_out = body_in + b->n_in;
    graph_attr *attr = calloc(f->node.n_attrs + 1u, sizeof *attr);
    char run[24];
    bool ok = (in && attr) || mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    if (ok) {
        (void)snprintf(run, sizeof run, "%u", iteration);
        body_in[0] = flow_number(f, iteration, ONNX_INT64);
        body_in[1] = flow_number(f, 1, ONNX_BOOL);
        for (uint32_t i = 0; i < carried; i++)
            body_in[2 + i] = f->node.in[2 + i];
        ok = body_in[0] != GRAPH_NO_VALUE && body_in[1] != GRAPH_NO_VALUE &&
             flow_copy(f, b, body_in, run, body_out);
    }
    if (ok) {
        in[0] = f->node.n_in ? f->node.in[0] : GRAPH_NO_VALUE;
        in[1] = body_out[0];
        for (uint32_t i = 0; i < values; i++)
            in[2 + i] = i < carried ? body_out[1 + i] : f->node.in[2 + i];
        for (uint32_t k = 0; k < scans; k++)
            in[2 + values + k] = body_out[1 + carried + k];
        const bool first = graph_attr_find(&f->node, "mica_iteration") == NULL;
        attr[0] = (graph_attr){.name = "mica_iteration",
                               .type = ATTR_INT,
                               .i = (int64_t)iteration + 1,
                               .tensor = GRAPH_NO_VALUE};
        memcpy(attr + 1, f->node.attr + !first, (f->node.n_attrs - !first) * sizeof *attr);
        ok = flow_again(f, !first, total, in, f->node.n_attrs + first, attr);
    }
    free(in);
    free(attr);
    return ok;
}

static bool inline_loop(flow *f) {
    const graph_attr *a = graph_attr_find(&f->node, "body");
    const uint32_t iteration = (uint32_t)graph_attr_int(&f->node, "mica_iteration", 0);
    bool on = false;
    if (!a || a->type != ATTR_GRAPH || a->body->n_in < 2 || a->body->n_out < 1)
        return flow_fail(f, MICA_ERR_FORMAT,
                         "its body takes an iteration number and a condition, and gives one");
    const uint32_t carried = a->body->n_in - 2;
    if ((carried && f->node.n_in < 2 + carried) || (iteration == 0 && f->node.n_in > 2 + carried) ||
        a->body->n_out < 1 + carried || f->node.n_out > a->body->n_out - 1)
        return flow_fail(f, MICA_ERR_FORMAT,
                         "%u inputs and %u outputs do not fit a body of %u inputs and %u outputs",
                         f->node.n_in, f->node.n_out, a->body->n_in, a->body->n_out);
    for (uint32_t i = 0; i < carried; i++)
        if (f->node.in[2 + i] == GRAPH_NO_VALUE)
            return flow_fail(f, MICA_ERR_FORMAT, "input %u is absent", 2 + i);
    const uint32_t scans = a->body->n_out - 1 - carried;
    if (!loop_goes_on(f, iteration, &on))
        return false;
    if (on && gathers_too_much(f, carried, scans, iteration + 1))
        return too_many(f);
    return on ? step_loop(f, a->body, carried, scans, iteration) : end_loop(f, carried, scans, iteration);
}

/* --- Scan --- */

typedef struct scan {
    const graph_body *body;
    uint32_t states, inputs, outputs;
    int64_t length;
} scan;

/* Entry i of a list attribute; `otherwise` if the attribute is absent. */
static int64_t listed(const flow *f, const char *name, uint32_t i, int64_t otherwise) {
    const graph_attr *a = graph_attr_find(&f->node, name);
    return a && a->type == ATTR_INTS && i < a->n ? a->ints[i] : otherwise;
}

static bool scan_axis(const flow *f, const scan *s, uint32_t k, int64_t *axis) {
    const graph_value *x = op_in(f->g, &f->node, s->states + k);
    *axis = listed(f, "scan_input_axes", k, 0);
    *axis += *axis < 0 ? (int64_t)x->rank : 0;
    return *axis >= 0 && *axis < (int64_t)x->rank;
}

static bool read_scan(flow *f, scan *s) {
    const int64_t inputs = graph_attr_int(&f->node, "num_scan_inputs", 0);
    if (inputs < 1 || inputs > (int64_t)f->node.n_in)
        return flow_fail(f, MICA_ERR_FORMAT, "%lld of its %u inputs are scanned", (long long)inputs,
                         f->node.n_in);
    s->inputs = (uint32_t)inputs;
    s->states = f->node.n_in - s->inputs;
    if (f->node.n_out < s->states)
        return flow_fail(f, MICA_ERR_FORMAT, "it has fewer outputs than states");
    s->outputs = f->node.n_out - s->states;
    s->body = flow_body(f, "body", f->node.n_in, f->node.n_out);
    s->length = -1;
    for (uint32_t k = 0; s->body && k < s->inputs; k++) {
        int64_t axis;
        const graph_value *x = op_in(f->g, &f->node, s->states + k);
        if (!x || !scan_axis(f, s, k, &axis))
            return flow_fail(f, MICA_ERR_FORMAT, "scanned input %u has no such axis", k);
        if (s->length >= 0 && x->dim[axis] != s->length)
            return flow_fail(f, MICA_ERR_FORMAT, "the scanned inputs have different lengths");
        s->length = x->dim[axis];
    }
    for (uint32_t i = 0; s->body && i < s->states; i++)
        if (f->node.in[i] == GRAPH_NO_VALUE)
            return flow_fail(f, MICA_ERR_FORMAT, "input %u is absent", i);
    if (s->body && (s->length < 1 || s->length > MAX_ITERATIONS))
        return flow_fail(f, MICA_ERR_LIMIT, "it scans %lld entries; 1 to %d are supported",
                         (long long)s->length, MAX_ITERATIONS);
    return s->body != NULL;
}

/* Entry t of scanned input k, in its direction. */
static uint32_t scan_entry(flow *f, const scan *s, uint32_t k, uint32_t t) {
    int64_t axis = 0;
    const bool backward = listed(f, "scan_input_directions", k, 0) != 0;
    (void)scan_axis(f, s, k, &axis);
    const uint32_t in[2] = {f->node.in[s->states + k],
                            flow_number(f, backward ? s->length - 1 - t : t, ONNX_INT64)};
    return flow_op(f, "Gather", 2, in, GRAPH_NO_VALUE, "axis", axis);
}

/* part[t * outputs + k]: what iteration t puts out for scan output k. */
static bool end_scan(flow *f, const scan *s, const uint32_t *part) {
    const uint32_t length = (uint32_t)s->length;
    uint32_t *in = calloc((size_t)length + 1, sizeof *in);
    bool ok = in || mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t k = 0; ok && k < s->outputs; k++) {
        const int64_t axis = listed(f, "scan_output_axes", k, 0);
        const bool backward = listed(f, "scan_output_directions", k, 0) != 0;
        const uint32_t out = f->node.out[s->states + k];
        if (out == GRAPH_NO_VALUE)
            continue;
        for (uint32_t t = 0; ok && t < length; t++) {
            const uint32_t v = unsqueeze(f, part[(size_t)t * s->outputs + k], axis);
            in[backward ? length - 1 - t : t] = v;
            ok = v != GRAPH_NO_VALUE;
        }
        ok = ok && flow_op(f, "Concat", length, in, out, "axis", axis) != GRAPH_NO_VALUE;
    }
    free(in);
    return ok;
}

static bool unroll_scan(flow *f, const scan *s) {
    const size_t length = (size_t)s->length;
    uint32_t *in = calloc((size_t)f->node.n_in + f->node.n_out + 1, sizeof *in), *out = in + f->node.n_in;
    uint32_t *part = calloc(length * s->outputs + 1, sizeof *part);
    char run[24];
    bool ok = (in && part) || mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; ok && i < s->states; i++)
        in[i] = f->node.in[i];
    for (uint32_t t = 0; ok && t < length; t++) {
        (void)snprintf(run, sizeof run, "%u", t);
        for (uint32_t k = 0; ok && k < s->inputs; k++) {
            in[s->states + k] = scan_entry(f, s, k, t);
            ok = in[s->states + k] != GRAPH_NO_VALUE;
        }
        ok = ok && flow_copy(f, s->body, in, run, out);
        for (uint32_t i = 0; ok && i < s->states; i++)
            in[i] = out[i];
        for (uint32_t k = 0; ok && k < s->outputs; k++)
            part[(size_t)t * s->outputs + k] = out[s->states + k];
    }
    for (uint32_t i = 0; ok && i < s->states; i++)
        ok = flow_output(f, i, in[i]);
    ok = ok && end_scan(f, s, part);
    free(in);
    free(part);
    return ok;
}

static bool inline_scan(flow *f) {
    scan s = {0};
    return read_scan(f, &s) && unroll_scan(f, &s);
}

/* Before opset 9 every input and output has a batch axis in front, and axis 1 is scanned: one Scan of the
 * later kind per entry of the batch. */
static bool inline_batches(flow *f) {
    const uint32_t n = f->node.n_in - 1;
    const graph_value *first = n ? op_in(f->g, &f->node, 1) : NULL;
    if (f->node.in[0] != GRAPH_NO_VALUE)
        return flow_fail(f, MICA_ERR_UNSUPPORTED, "sequence lengths");
    if (!first || first->rank < 1 || first->dim[0] != 1)
        return flow_fail(f, MICA_ERR_UNSUPPORTED, "a batch of several entries before opset 9");
    uint32_t *in = calloc(n + 1u, sizeof *in);
    const graph_node whole = f->node;
    graph_node one = whole;
    bool ok = in || mica_fail(f->st, MICA_ERR_MEMORY, "out of memory");
    one.out = graph_alloc(f->g, whole.n_out, sizeof *one.out, f->st);
    one.attr = graph_alloc(f->g, whole.n_attrs, sizeof *one.attr, f->st);
    ok = ok && one.out && one.attr;
    for (uint32_t i = 0; ok && i < n; i++) {
        const uint32_t pick[2] = {whole.in[1 + i], flow_number(f, 0, ONNX_INT64)};
        in[i] = flow_op(f, "Gather", 2, pick, GRAPH_NO_VALUE, "axis", 0);
        ok = in[i] != GRAPH_NO_VALUE;
    }
    for (uint32_t i = 0; ok && i < whole.n_out; i++) {
        const graph_value v = {.name = f->node.name, .producer = UINT32_MAX};
        one.out[i] = graph_add_value(f->g, &v, f->st);
        ok = one.out[i] != UINT32_MAX;
    }
    if (ok) {
        memcpy(one.attr, whole.attr, whole.n_attrs * sizeof *one.attr);
        for (uint32_t i = 0; i < whole.n_attrs; i++)
            if (!strcmp(one.attr[i].name, "directions"))
                one.attr[i].name = "scan_input_directions";
        const graph_attr mark = {.name = "mica_entry", .type = ATTR_INT, .i = 1, .tensor = GRAPH_NO_VALUE};
        graph_attr *attr = graph_alloc(f->g, whole.n_attrs + 1u, sizeof *attr, f->st);
        ok = attr != NULL;
        if (ok) {
            attr[0] = mark;
            memcpy(attr + 1, one.attr, whole.n_attrs * sizeof *attr);
            f->node = one;
            ok = flow_again(f, false, n, in, whole.n_attrs + 1, attr);
            f->node = whole;
        }
    }
    for (uint32_t i = 0; ok && i < whole.n_out; i++)
        ok = flow_output(f, i, unsqueeze(f, one.out[i], 0));
    free(in);
    return ok;
}

/* --- in the place of the node --- */

static bool splice(flow *f, uint32_t j) {
    graph *g = f->g;
    const uint32_t after = g->n_nodes - j - 1;
    g->unrolled += f->n_made;
    if (g->unrolled > MAX_UNROLLED)
        return too_many(f);
    for (uint32_t i = 1; i < f->n_made; i++)
        if (graph_add_node(g, &f->node, f->st) == UINT32_MAX)
            return false;
    memmove(&g->node[j + f->n_made], &g->node[j + 1], after * sizeof *g->node);
    if (f->n_made)
        memcpy(&g->node[j], f->made, f->n_made * sizeof *g->node);
    g->n_nodes = j + f->n_made + after;
    graph_set_producers(g, j);
    return true;
}

bool control_inline(graph *g, uint32_t j, mica_status *st) {
    flow f = {.g = g, .node = g->node[j], .st = st};
    bool ok;
    if (f.node.n_in > MAX_PORTS * 64 || f.node.n_out > MAX_PORTS)
        return flow_fail(&f, MICA_ERR_LIMIT, "too many inputs or outputs");
    for (uint32_t i = 0; i < f.node.n_in; i++)
        if (f.node.in[i] != GRAPH_NO_VALUE && !g->value[f.node.in[i]].has_shape)
            return flow_fail(&f, MICA_ERR_UNSUPPORTED, "the shape of '%.100s' is unknown",
                             g->value[f.node.in[i]].name);
    if (f.node.kind == OP_IF)
        ok = (f.node.n_in == 1 && f.node.in[0] != GRAPH_NO_VALUE)
                 ? inline_if(&f)
                 : flow_fail(&f, MICA_ERR_FORMAT, "it takes one condition");
    else if (f.node.kind == OP_LOOP)
        ok = inline_loop(&f);
    else if (g->opset < 9 && !graph_attr_find(&f.node, "mica_entry"))
        ok = f.node.n_in > 0 ? inline_batches(&f) : flow_fail(&f, MICA_ERR_FORMAT, "it has no inputs");
    else
        ok = inline_scan(&f);
    ok = ok && splice(&f, j);
    free(f.made);
    return ok || (st->code == MICA_OK && mica_fail(st, MICA_ERR_MEMORY, "out of memory"));
}
