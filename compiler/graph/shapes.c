#include "graph/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/control.h"
#include "graph/fold.h"
#include "graph/passes.h"
#include "ops/op_refused.h"
#include "ops/op_rules.h"

/* --- Free dimensions and the batch axis --- */

bool graph_bind_free(graph *g, const graph_free_dim *d, int64_t size, mica_status *st) {
    for (uint32_t i = 0; i < g->n_free_dims; i++) {
        graph_free_dim *other = &g->free_dim[i];
        bool same = other == d || (d->name && other->name && !strcmp(d->name, other->name));
        if (same && other->size && other->size != size)
            return mica_fail(st, MICA_ERR_USAGE,
                             "dimension '%.100s' is %lld in one input and %lld in another",
                             d->name ? d->name : "?", (long long)other->size, (long long)size);
        if (same)
            other->size = size;
    }
    return true;
}

static const graph_free_dim *find_free(const graph *g, uint32_t value, uint32_t axis) {
    for (uint32_t i = 0; i < g->n_free_dims; i++)
        if (g->free_dim[i].value == value && g->free_dim[i].axis == axis)
            return &g->free_dim[i];
    return NULL;
}

bool graph_bind_input(graph *g, uint32_t index, uint32_t rank, const int64_t *dim, mica_status *st) {
    const graph_value *v = &g->value[g->input[index]];
    if (rank != v->rank)
        return mica_fail(st, MICA_ERR_USAGE, "input '%.200s' has %u dimensions, the data has %u", v->name,
                         v->rank, rank);
    for (uint32_t i = 0; i < rank; i++) {
        const graph_free_dim *d = find_free(g, g->input[index], i);
        if (dim[i] < 1 || dim[i] > GRAPH_MAX_ELEMENTS)
            return mica_fail(st, MICA_ERR_USAGE, "input '%.200s': dimension %u of the data is %lld", v->name,
                             i, (long long)dim[i]);
        if (d && !graph_bind_free(g, d, dim[i], st))
            return false;
        /* Data may bring many items where the file says one. */
        if (!d && v->dim[i] != dim[i] && !(g->batched && i == 0))
            return mica_fail(st, MICA_ERR_USAGE,
                             "input '%.200s': dimension %u is %lld, in the data it is %lld", v->name, i,
                             (long long)v->dim[i], (long long)dim[i]);
    }
    return true;
}

void graph_set_batched(graph *g, bool batched) {
    g->batched = batched;
    for (uint32_t v = 0; v < g->n_values; v++)
        g->value[v].batched = false;
    for (uint32_t i = 0; i < g->n_free_dims; i++) {
        const graph_free_dim *d = &g->free_dim[i];
        g->value[d->value].dim[d->axis] = (batched && d->axis == 0) || d->size == 0 ? 1 : d->size;
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        g->value[g->input[i]].batched = batched;
}

/* --- One node --- */

static bool check_inputs(const graph *g, const graph_node *n, mica_status *st) {
    const op_rule *rule = &op_rules[n->kind];
    if (n->n_in < rule->min_in || n->n_in > rule->max_in)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%u inputs; the operator takes %u to %u", n->n_in,
                       rule->min_in, rule->max_in);
    for (uint32_t i = 0; i < n->n_in; i++) {
        const graph_value *v = op_in(g, n, i);
        if (!v && i < rule->min_in)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "input %u is absent", i);
        if (v && !v->has_shape)
            return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "the shape of '%.100s' is unknown", v->name);
    }
    return true;
}

static bool fail_output(const graph *g, const graph_node *n, uint32_t i, uint32_t value, mica_status *st) {
    const uint32_t known = op_outputs(n->kind);
    return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "output %u ('%.100s') is used; supported: the first %u", i,
                   g->value[value].name, known);
}

static bool check_outputs(const graph *g, const graph_node *n, mica_status *st) {
    if (!op_out(g, n, 0))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the first output is absent");
    for (uint32_t i = 1; i < n->n_out; i++)
        if (n->out[i] != GRAPH_NO_VALUE && op_value_used(g, n->out[i]))
            return fail_output(g, n, i, n->out[i], st);
    return op_part(n) < op_outputs(n->kind) || fail_output(g, n, op_part(n), n->out[0], st);
}

#define FOLDED_EARLY 4096 /* reals of a constant that are folded with the shapes already */

static bool infer_node(op_context *c, uint32_t index, mica_status *st) {
    graph *g = c->g;
    graph_node *n = &g->node[index];
    if (n->kind == OP_UNSUPPORTED)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "%s",
                       op_refusal(n->op) ? op_refusal(n->op) : "the operator is not supported");
    if (n->n_out && op_part(n) > 0 && !op_value_used(g, n->out[0])) {
        n->removed = true; /* an output that nothing reads */
        return true;
    }
    if (!check_inputs(g, n, st) || !check_outputs(g, n, st) || !op_rules[n->kind].infer(c, n, st))
        return false;
    const graph_value *out = &g->value[n->out[0]];
    if (graph_is_const(out) || graph_elements(out) == 0)
        return fold_node(g, n, st);
    /* Shapes are often computed from constants by nodes of their own: those that follow need the integers,
     * and NonZero and Unique the reals. */
    bool shape_like =
        out->dtype == DTYPE_INT || n->kind == OP_CONSTANT || graph_elements(out) <= FOLDED_EARLY;
    return !shape_like || !fold_applies(g, n) || fold_node(g, n, st);
}

/* --- The graph --- */

static void forget_shapes(graph *g) {
    for (uint32_t j = 0; j < g->n_nodes; j++)
        for (uint32_t i = 0; !g->node[j].removed && i < g->node[j].n_out; i++)
            if (g->node[j].out[i] != GRAPH_NO_VALUE)
                g->value[g->node[j].out[i]].has_shape = false;
}

/* Undoes what the first walk has folded: Shape told sizes that hold for one item only. */
static void unfold(graph *g) {
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        graph_node *n = &g->node[j];
        if (!n->removed)
            continue;
        graph_value *v = &g->value[n->out[0]];
        n->removed = false;
        v->real = NULL;
        v->integer = NULL;
        v->producer = j;
    }
}

static const char *copy_text(graph *g, const char *s, mica_status *st) {
    const size_t size = strlen(s) + 1;
    char *copy = graph_alloc(g, size, 1, st);
    return copy ? memcpy(copy, s, size) : NULL;
}

/* The nodes before control flow is replaced: a second walk, in which sizes differ, starts from them. */
typedef struct first_nodes {
    graph_node *node; /* NULL: there is no control flow */
    uint32_t n;
} first_nodes;

/* Nodes from j on, those that control flow becomes on the way included. */
static bool infer_from(op_context *c, uint32_t j, bool report, mica_status *st) {
    graph *g = c->g;
    for (; j < g->n_nodes; j++) {
        mica_status own = {0};
        while (j < g->n_nodes && control_is_flow(&g->node[j]) && control_inline(g, j, &own))
            ; /* another node stands here now */
        if (j == g->n_nodes)
            break;
        if (g->node[j].removed || (own.code == MICA_OK && infer_node(c, j, &own)))
            continue;
        if (c->mixes_batch)
            return false;
        if (!report)
            return mica_fail(st, own.code, "%s", own.message);
        g->node[j].trouble = copy_text(g, own.message, st);
        if (!g->node[j].trouble)
            return false;
    }
    return true;
}

/* One walk over all nodes. Unless it is a `report`, the first failure ends it. Where there is control flow,
 * nodes join the graph one by one: those behind a Loop would move at each of its iterations. */
static bool infer_all(op_context *c, const first_nodes *nodes, bool report, mica_status *st) {
    graph *g = c->g;
    bool ok = true;
    forget_shapes(g);
    if (!nodes->node)
        return infer_from(c, 0, report, st);
    g->n_nodes = 0;
    for (uint32_t i = 0; i < nodes->n; i++) {
        const uint32_t j = graph_add_node(g, &nodes->node[i], st);
        if (j == UINT32_MAX)
            return false;
        graph_set_producers(g, j);
        ok = ok && infer_from(c, j, report, st);
    }
    return ok;
}

static bool keep_nodes(const graph *g, first_nodes *f, mica_status *st) {
    *f = (first_nodes){.n = g->n_nodes};
    if (!control_any(g))
        return true;
    f->node = malloc(g->n_nodes * sizeof *f->node);
    if (!f->node)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    memcpy(f->node, g->node, g->n_nodes * sizeof *f->node);
    return true;
}

static bool restore_nodes(graph *g, const first_nodes *f, mica_status *st) {
    if (!f->node)
        return true;
    for (uint32_t j = g->n_nodes; j < f->n; j++)
        if (graph_add_node(g, &f->node[0], st) == UINT32_MAX)
            return false;
    memcpy(g->node, f->node, f->n * sizeof *f->node);
    g->n_nodes = f->n;
    g->unrolled = 0;
    graph_set_producers(g, 0);
    return true;
}

/* Whether some batch axis has another size than 1 once it is an ordinary axis. */
static bool batch_axis_bound(const graph *g) {
    for (uint32_t i = 0; i < g->n_free_dims; i++)
        if (g->free_dim[i].axis == 0 && g->free_dim[i].size > 1)
            return true;
    return false;
}

static bool check_inputs_size(const graph *g, mica_status *st) {
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        int64_t product = 1;
        for (uint32_t d = 0; d < v->rank; d++)
            if (v->dim[d] > 0 &&
                (__builtin_mul_overflow(product, v->dim[d], &product) || product > GRAPH_MAX_ELEMENTS))
                return mica_fail(st, MICA_ERR_LIMIT, "input '%.200s' has more than 2^31 elements", v->name);
    }
    return true;
}

static bool infer_twice(graph *g, const first_nodes *nodes, bool report, mica_status *st) {
    op_context c = {.g = g};
    mica_status first = {0};
    graph_set_batched(g, g->batched);
    if (!check_inputs_size(g, st))
        return false;
    if (infer_all(&c, nodes, report, &first))
        return true;
    if (!g->batched || !(c.mixes_batch || batch_axis_bound(g)))
        return mica_fail(st, first.code, "%s", first.message);
    c.mixes_batch = false;
    unfold(g);
    if (!restore_nodes(g, nodes, st))
        return false;
    for (uint32_t j = 0; j < g->n_nodes; j++)
        g->node[j].trouble = NULL;
    graph_set_batched(g, false);
    return check_inputs_size(g, st) && infer_all(&c, nodes, report, st);
}

static bool infer(graph *g, bool report, mica_status *st) {
    first_nodes nodes;
    if (!keep_nodes(g, &nodes, st))
        return false;
    const bool ok = infer_twice(g, &nodes, report, st);
    free(nodes.node);
    return ok;
}

bool graph_infer_report(graph *g, mica_status *st) {
    return infer(g, true, st);
}

/* Nodes of the operator of node j; 0 if an earlier node has the same one. */
static uint32_t count_unsupported(const graph *g, uint32_t j) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const bool same = g->node[i].kind == OP_UNSUPPORTED && !strcmp(g->node[i].op, g->node[j].op);
        if (same && i < j)
            return 0;
        count += same;
    }
    return count;
}

#define ONE_OPERATOR 280 /* characters, more than its two names of 60 and its reason */

/* "LSTM (2 nodes, first 'lstm_1'), NonMaxSuppression (1 node, 'nms': its output's shape ...), ..." */
static bool fail_unsupported(const graph *g, mica_status *st) {
    char list[960];
    const char *said = NULL; /* the last reason; equal ones are one string */
    size_t used = 0;
    for (uint32_t j = 0; j < g->n_nodes && used + ONE_OPERATOR < sizeof list; j++) {
        const graph_node *n = &g->node[j];
        const uint32_t count = n->kind == OP_UNSUPPORTED ? count_unsupported(g, j) : 0;
        if (count == 0)
            continue;
        const char *why = op_refusal(n->op);
        used += (size_t)snprintf(list + used, ONE_OPERATOR, "%s%.60s (%u node%s, %s'%.60s'%s%s)",
                                 used ? ", " : "", n->op, count, count > 1 ? "s" : "",
                                 count > 1 ? "first " : "", n->name, why ? ": " : "",
                                 !why          ? ""
                                 : why == said ? "the same"
                                               : why);
        said = why ? why : said;
    }
    if (used == 0)
        return true;
    return mica_fail(st, MICA_ERR_UNSUPPORTED, "unsupported operators: %s", list);
}

/* They have no cells that a circuit could show. */
static bool set_aside_empty_outputs(graph *g, mica_status *st) {
    uint32_t kept = 0;
    g->n_empty_outputs = 0;
    g->empty_output = graph_alloc(g, (size_t)g->n_outputs + 1, sizeof *g->empty_output, st);
    if (!g->empty_output)
        return false;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const uint32_t v = g->output[i];
        if (graph_elements(&g->value[v]) == 0)
            g->empty_output[g->n_empty_outputs++] = v;
        else
            g->output[kept++] = v;
    }
    g->n_outputs = kept;
    return true;
}

bool graph_infer_shapes(graph *g, mica_status *st) {
    return fail_unsupported(g, st) && infer(g, false, st) && set_aside_empty_outputs(g, st);
}
