#include "reference/reference.h"

#include <stdlib.h>
#include <string.h>

#include "graph/passes.h"
#include "ops/op_rules.h"

/* A constant of integers as doubles; exact, or an error. Slice reads its integers itself: for it "to the end"
 * is 2^63 - 1. The caller frees it. */
static double *integers_as_doubles(const graph *g, const graph_node *n, const graph_value *v,
                                   mica_status *st) {
    size_t elements = (size_t)graph_elements(v);
    double *x = malloc((elements ? elements : 1) * sizeof *x);
    if (!x)
        mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (size_t i = 0; x && i < elements; i++) {
        x[i] = (double)v->integer[i];
        if (n->kind != OP_SLICE && (x[i] > 0x1p53 || x[i] < -0x1p53)) {
            op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "input '%.100s' holds an integer beyond 2^53", v->name);
            free(x);
            return NULL;
        }
    }
    return x;
}

/* in[i] for every input; converted[i] are the ones to free. */
static bool gather_inputs(const graph *g, const graph_node *n, double *const *value, const double **in,
                          double **converted, mica_status *st) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        const graph_value *v = op_in(g, n, i);
        if (!v || !op_reads_elements(n, i))
            continue;
        if (v->real) {
            in[i] = v->real;
        } else if (v->integer) {
            in[i] = converted[i] = integers_as_doubles(g, n, v, st);
        } else {
            in[i] = value ? value[n->in[i]] : NULL;
        }
        if (!in[i])
            return op_fail(g, n, st, MICA_ERR_INTERNAL, "input %u has no elements", i);
    }
    return true;
}

bool reference_eval_node(const graph *g, const graph_node *n, double *const *value, double *out,
                         mica_status *st) {
    size_t slots = n->n_in ? n->n_in : 1;
    if (n->kind == OP_UNSUPPORTED || n->kind >= OP_KINDS)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "the operator is not supported");
    const double **in = calloc(slots, sizeof *in);
    double **converted = calloc(slots, sizeof *converted);
    bool ok = in && converted ? true : mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    ok = ok && gather_inputs(g, n, value, in, converted, st) &&
         op_rules[n->kind].eval(&(op_args){g, n, in, &out}, st);
    for (size_t i = 0; converted && i < slots; i++)
        free(converted[i]);
    free(converted);
    free(in);
    return ok;
}

bool graph_evaluate(const graph *g, const double *const *input, double **value, mica_status *st) {
    for (uint32_t i = 0; i < g->n_inputs; i++)
        memcpy(value[g->input[i]], input[i], (size_t)graph_elements(&g->value[g->input[i]]) * sizeof(double));
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        const graph_node *n = &g->node[j];
        if (!n->removed && !reference_eval_node(g, n, value, value[n->out[0]], st))
            return false;
    }
    return true;
}

double **graph_buffers_create(const graph *g, mica_status *st) {
    double **value = calloc(g->n_values ? g->n_values : 1, sizeof *value);
    bool ok = value != NULL;
    for (uint32_t v = 0; ok && v < g->n_values; v++) {
        if (!g->value[v].has_shape || graph_is_const(&g->value[v]))
            continue;
        size_t elements = (size_t)graph_elements(&g->value[v]);
        value[v] = malloc((elements ? elements : 1) * sizeof **value);
        ok = value[v] != NULL;
    }
    if (!ok) {
        graph_buffers_free(g, value);
        mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        return NULL;
    }
    return value;
}

void graph_buffers_free(const graph *g, double **value) {
    for (uint32_t v = 0; value && v < g->n_values; v++)
        free(value[v]);
    free(value);
}
