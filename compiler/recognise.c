/* Statistics written out in simple operators, as exporters do: what is proven is the same function in the
 * form that loses least (docs/integers.md).
 *
 *   mean(x * x) - mean(x) * mean(x)     the mean of (x - mean(x))^2: no difference of two large numbers
 *   Sqrt of a sum or mean of squares    the exact root, as in LayerNormalization, instead of a table
 */
#include "ops/reduce.h"
#include "passes.h"

#define DEEPEST 16 /* nodes between a square root and the reduction whose root it is */

static const graph_node *node_of(const graph *g, uint32_t v) {
    const uint32_t p = g->value[v].producer;
    return p == UINT32_MAX || g->node[p].removed ? NULL : &g->node[p];
}

/* The value that v is a copy of, casts between floats included. */
static uint32_t original(const graph *g, uint32_t v) {
    for (const graph_node *n = node_of(g, v); n; n = node_of(g, v)) {
        const bool floats = g->value[v].dtype == DTYPE_FLOAT && g->value[n->in[0]].dtype == DTYPE_FLOAT;
        if (n->kind != OP_IDENTITY && !(n->kind == OP_CAST && floats))
            break;
        v = n->in[0];
    }
    return v;
}

/* The node that computes v, behind copies; NULL if there is none. */
static const graph_node *producer(const graph *g, uint32_t v) {
    return node_of(g, original(g, v));
}

/* Whether every element of constant v satisfies lo <= x <= hi. */
static bool constant_within(const graph_value *v, double lo, double hi) {
    for (uint64_t i = 0; v->real && i < graph_elements(v); i++)
        if (!(v->real[i] >= lo && v->real[i] <= hi))
            return false;
    return v->real && graph_elements(v) > 0;
}

/* Whether node n is the square of a value, *of. */
static bool is_square(const graph *g, const graph_node *n, uint32_t *of) {
    if (!n || (n->kind != OP_MUL && n->kind != OP_POW))
        return false;
    *of = original(g, n->in[0]);
    return n->kind == OP_MUL ? *of == original(g, n->in[1]) : constant_within(op_in(g, n, 1), 2, 2);
}

/* Whether node n is a mean that keeps its axes. */
static bool is_mean(const graph *g, const graph_node *n, uint32_t *axes) {
    mica_status ignored = {0};
    bool keep;
    return n && n->kind == OP_REDUCE_MEAN && reduce_resolve(g, n, axes, &keep, &ignored) && keep && *axes;
}

/* Sub that is a variance becomes mica.Variance(x, mean). */
static bool recognise_variance(graph *g, graph_node *n, mica_status *st) {
    const graph_node *squares = producer(g, n->in[0]), *square = producer(g, n->in[1]), *mean;
    uint32_t x, m, axes, own;
    if (!is_mean(g, squares, &axes) || !is_square(g, producer(g, squares->in[0]), &x) ||
        !is_square(g, square, &m))
        return true;
    mean = producer(g, m);
    if (!is_mean(g, mean, &own) || own != axes || original(g, mean->in[0]) != x ||
        g->value[x].dtype != DTYPE_FLOAT || graph_elements(&g->value[x]) <= graph_elements(&g->value[m]))
        return true;
    uint32_t *in = graph_alloc(g, 2, sizeof *in, st);
    if (!in)
        return false;
    in[0] = x;
    in[1] = m;
    n->in = in;
    n->kind = OP_VARIANCE;
    n->op = op_rules[OP_VARIANCE].name;
    n->n_attrs = 0;
    return true;
}

/* Whether v is a sum or mean of squares, but for positive factors and what is added to it. */
static bool is_statistic(const graph *g, uint32_t v, int depth) {
    const graph_node *n = depth < DEEPEST ? producer(g, v) : NULL;
    uint32_t of;
    if (!n)
        return false;
    switch (n->kind) {
    case OP_VARIANCE:
    case OP_REDUCE_SUM_SQUARE:
        return true;
    case OP_REDUCE_SUM:
    case OP_REDUCE_MEAN:
    case OP_GLOBAL_AVGPOOL:
        return is_square(g, producer(g, n->in[0]), &of) || is_statistic(g, n->in[0], depth + 1);
    case OP_ADD:
    case OP_MUL:
        for (uint32_t i = 0; i < 2; i++)
            if (constant_within(op_in(g, n, i), n->kind == OP_ADD ? 0 : 0x1p-60, 0x1p60))
                return is_statistic(g, n->in[1 - i], depth + 1);
        return false;
    case OP_DIV:
        return constant_within(op_in(g, n, 1), 0x1p-60, 0x1p60) && is_statistic(g, n->in[0], depth + 1);
    case OP_RESHAPE:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE:
        return is_statistic(g, n->in[0], depth + 1);
    default:
        return false;
    }
}

bool graph_recognise(graph *g, mica_status *st) {
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        graph_node *n = &g->node[j];
        if (n->removed)
            continue;
        if (n->kind == OP_SUB && !recognise_variance(g, n, st))
            return false;
        if (n->kind == OP_SQRT && is_statistic(g, n->in[0], 0)) {
            n->kind = OP_ROOT;
            n->op = op_rules[OP_ROOT].name;
        }
    }
    return true;
}
