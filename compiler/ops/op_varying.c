/* Refusals of inputs that must be constants: which graph input stands behind them, and what a user can do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_rules.h"

#define MOST_NAMED 3 /* graph inputs that a message names */

/* Marks what value v is computed from. Nodes are in topological order. */
static void mark_sources(const graph *g, bool *needed) {
    for (uint32_t j = g->n_nodes; j-- > 0;) {
        const graph_node *n = &g->node[j];
        bool wanted = false;
        for (uint32_t i = 0; !n->removed && i < n->n_out; i++)
            wanted |= n->out[i] != GRAPH_NO_VALUE && needed[n->out[i]];
        for (uint32_t i = 0; wanted && i < n->n_in; i++)
            if (n->in[i] != GRAPH_NO_VALUE && op_reads_elements(n, i))
                needed[n->in[i]] = true;
    }
}

/* Sizes, axes and steps: integers, or single numbers. */
static bool may_be_frozen(const graph_value *v) {
    return v->dtype == DTYPE_INT || graph_elements(v) == 1;
}

/* The first source to make a constant of: the input that has to be one, or one that may be. NULL if there is
 * none. */
static const graph_value *source_to_freeze(const graph *g, const bool *needed, uint32_t value) {
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        if (needed[g->input[i]] && (g->input[i] == value || may_be_frozen(v)))
            return v;
    }
    return NULL;
}

static void describe_sources(const graph *g, const bool *needed, uint32_t value, char *buffer, size_t size) {
    const graph_value *freeze = source_to_freeze(g, needed, value);
    size_t used = 0;
    unsigned named = 0;
    for (uint32_t i = 0; i < g->n_inputs && used < size; i++) {
        if (needed[g->input[i]] && g->input[i] != value && named < MOST_NAMED)
            used += (size_t)snprintf(buffer + used, size - used, "%s'%.60s'",
                                     named++ ? ", " : "; it is computed from ", g->value[g->input[i]].name);
    }
    if (freeze && used < size)
        (void)snprintf(buffer + used, size - used, "; --const %.100s=FILE makes it a constant", freeze->name);
}

const char *op_freeze_hint(const graph *g, uint32_t value, char *buffer, size_t size) {
    bool *needed = calloc((size_t)g->n_values + 1, sizeof *needed);
    buffer[0] = 0;
    if (needed) { /* without memory the message is shorter */
        needed[value] = true;
        mark_sources(g, needed);
        describe_sources(g, needed, value, buffer, size);
    }
    free(needed);
    return buffer;
}

bool op_fail_varying(const graph *g, const graph_node *n, uint32_t input, const char *why, mica_status *st) {
    const graph_value *v = &g->value[n->in[input]];
    char hint[400];
    return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "input %u ('%.60s') %s%s", input, v->name ? v->name : "",
                   why, op_freeze_hint(g, n->in[input], hint, sizeof hint));
}
