#include "graph/fold.h"

#include <stdlib.h>

#include "graph/passes.h"
#include "ops/op_rules.h"
#include "reference/reference.h"

/* A few lines of a file can broadcast, pad or multiply to any size. */
#define FOLD_MAX_ELEMENTS (UINT64_C(1) << 27) /* of all constants that folding makes */
#define FOLD_MAX_WORK     (UINT64_C(1) << 34) /* of one node, in multiplications or comparisons */

bool fold_applies(const graph *g, const graph_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && op_reads_elements(n, i) && !graph_is_const(&g->value[n->in[i]]))
            return false;
    return true;
}

static bool fold_integers(graph *g, const graph_node *n, size_t elements, graph_value *out, mica_status *st) {
    int64_t *integer = graph_alloc(g, elements, sizeof *integer, st);
    double *real = malloc((elements ? elements : 1) * sizeof *real);
    bool ok = integer && (real || mica_fail(st, MICA_ERR_MEMORY, "out of memory")) &&
              reference_eval_node(g, n, NULL, real, st);
    for (size_t i = 0; ok && i < elements; i++) {
        if (real[i] > 0x1p53 || real[i] < -0x1p53)
            ok = op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "an integer exceeds 2^53");
        else
            integer[i] = (int64_t)real[i];
    }
    free(real);
    if (ok)
        out->integer = integer;
    return ok;
}

static bool fold_reals(graph *g, const graph_node *n, size_t elements, graph_value *out, mica_status *st) {
    double *real = graph_alloc(g, elements, sizeof *real, st);
    if (!real || !reference_eval_node(g, n, NULL, real, st))
        return false;
    out->real = real;
    return true;
}

/* At least the operations of the reference; < 2^62. */
static uint64_t fold_work(const graph *g, const graph_node *n, uint64_t elements) {
    const uint64_t macs = op_macs(g, n);
    if (n->kind != OP_MAXPOOL && n->kind != OP_AVGPOOL)
        return macs;
    const graph_value *x = op_in(g, n, 0);
    const uint64_t planes = (uint64_t)(x->dim[0] * x->dim[1]); /* a window covers at most one */
    return planes ? elements * (graph_elements(x) / planes) : 0;
}

static bool fold_admits(graph *g, const graph_node *n, uint64_t elements, mica_status *st) {
    const uint64_t held =
        g->value[n->out[0]].dtype == DTYPE_INT ? 2 * elements : elements; /* as doubles first */
    if (held > FOLD_MAX_ELEMENTS - g->folded)
        return op_fail(g, n, st, MICA_ERR_LIMIT,
                       "constants computed from constants have more than 2^27 elements");
    if (fold_work(g, n, elements) > FOLD_MAX_WORK)
        return op_fail(g, n, st, MICA_ERR_LIMIT,
                       "a constant that takes more than 2^34 operations to compute");
    g->folded += held;
    return true;
}

static bool fold_empty(graph *g, graph_node *n, graph_value *out, mica_status *st) {
    void *nothing = graph_alloc(g, 1, sizeof(double), st);
    if (!nothing)
        return false;
    if (out->dtype == DTYPE_INT)
        out->integer = nothing;
    else
        out->real = nothing;
    out->producer = UINT32_MAX;
    out->batched = false;
    n->removed = true;
    return true;
}

bool fold_node(graph *g, graph_node *n, mica_status *st) {
    graph_value *out = &g->value[n->out[0]];
    uint64_t elements = graph_elements(out);
    if (!graph_is_const(out)) { /* Constant's is, by its shape rule */
        if (elements == 0)      /* nothing to compute, whatever it depends on */
            return fold_empty(g, n, out, st);
        if (!fold_admits(g, n, elements, st))
            return false;
        if (!(out->dtype == DTYPE_INT ? fold_integers : fold_reals)(g, n, (size_t)elements, out, st))
            return false;
    }
    out->producer = UINT32_MAX;
    out->batched = false;
    n->removed = true;
    return true;
}

bool graph_fold_constants(graph *g, mica_status *st) {
    for (uint32_t j = 0; j < g->n_nodes; j++)
        if (!g->node[j].removed && fold_applies(g, &g->node[j]) && !fold_node(g, &g->node[j], st))
            return false;
    return true;
}
