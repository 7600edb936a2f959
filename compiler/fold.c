#include "fold.h"

#include <stdlib.h>

#include "ops/op_rules.h"
#include "passes.h"
#include "reference.h"

#define FOLD_MAX_ELEMENTS (INT64_C(1) << 28) /* a few lines of a file can broadcast to any size */

bool fold_applies(const graph *g, const graph_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && !graph_is_const(&g->value[n->in[i]]))
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

bool fold_node(graph *g, graph_node *n, mica_status *st) {
    graph_value *out = &g->value[n->out[0]];
    uint64_t elements = graph_elements(out);
    if (!graph_is_const(out)) { /* Constant's is, by its shape rule */
        if (elements > FOLD_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_LIMIT,
                           "a constant of %llu elements; at most 2^28 are supported",
                           (unsigned long long)elements);
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
