/* Statistics written out in simple operators, as exporters do: what is proven is the same function in the
 * form that loses least (docs/integers.md).
 *
 *   mean(x * x) - mean(x) * mean(x)     the mean of (x - mean(x))^2: no difference of two large numbers
 *   Max of a statistic and 0            the statistic
 *   Sqrt of a sum or mean of squares    the exact root, as in LayerNormalization, instead of a table
 *   Log of a sum of Exp                 ReduceLogSumExp: no table of a sum of numbers of any size
 */
#include "graph/passes.h"
#include "ops/reduce.h"

#define DEEPEST     16   /* nodes between a square root and the reduction whose root it is */
#define SHARE_ERROR 1e-6 /* of a factor 1 / n in single precision */

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

/* A mean: of `x` along `axes`, which stay with size 1 if `keep`. */
typedef struct mean_of {
    uint32_t x, axes;
    bool keep;
} mean_of;

static uint64_t cells_along(const graph_value *v, uint32_t axes) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->rank; i++)
        n *= axes & 1u << i ? (uint64_t)v->dim[i] : 1;
    return n;
}

/* Whether n is the reduction of kind `kind`. */
static bool is_reduction(const graph *g, const graph_node *n, uint32_t kind, mean_of *m) {
    mica_status ignored = {0};
    if (!n || n->kind != kind || !reduce_resolve(g, n, &m->axes, &m->keep, &ignored) || !m->axes)
        return false;
    m->x = original(g, n->in[0]);
    return true;
}

/* Whether n is a mean: ReduceMean, or ReduceSum times or over a constant. */
static bool is_mean(const graph *g, const graph_node *n, mean_of *m) {
    if (is_reduction(g, n, OP_REDUCE_MEAN, m))
        return true;
    if (!n || (n->kind != OP_MUL && n->kind != OP_DIV))
        return false;
    for (uint32_t i = 0; i < (n->kind == OP_MUL ? 2u : 1u); i++) {
        if (!is_reduction(g, producer(g, n->in[i]), OP_REDUCE_SUM, m))
            continue;
        const double count = (double)cells_along(&g->value[m->x], m->axes);
        const double factor = n->kind == OP_MUL ? 1 / count : count;
        if (constant_within(op_in(g, n, 1 - i), factor * (1 - SHARE_ERROR), factor * (1 + SHARE_ERROR)))
            return true;
    }
    return false;
}

static bool set_inputs(graph *g, graph_node *n, uint32_t count, const uint32_t *in, mica_status *st) {
    uint32_t *copy = graph_alloc(g, count, sizeof *copy, st);
    if (!copy)
        return false;
    for (uint32_t i = 0; i < count; i++)
        copy[i] = in[i];
    n->in = copy;
    n->n_in = count;
    return true;
}

static void set_kind(graph_node *n, op_kind kind) {
    n->kind = kind;
    n->op = op_rules[kind].name;
}

static bool set_axes(graph *g, graph_node *n, const graph_value *x, uint32_t axes, bool keep,
                     mica_status *st) {
    int64_t *list = graph_alloc(g, GRAPH_MAX_RANK, sizeof *list, st);
    n->attr = list ? graph_alloc(g, 2, sizeof *n->attr, st) : NULL;
    n->n_attrs = n->attr ? 2 : 0;
    if (!n->attr)
        return false;
    n->attr[0] = (graph_attr){.name = "axes", .type = ATTR_INTS, .ints = list};
    n->attr[1] = (graph_attr){.name = "keepdims", .type = ATTR_INT, .i = keep};
    for (uint32_t i = 0; i < x->rank; i++)
        if (axes & 1u << i)
            list[n->attr->n++] = i;
    return true;
}

/* Sub that is a variance becomes mica.Variance(x, mean). */
static bool recognise_variance(graph *g, graph_node *n, mica_status *st) {
    const graph_node *square = producer(g, n->in[1]);
    mean_of squares, mean;
    uint32_t x, m;
    if (!is_mean(g, producer(g, n->in[0]), &squares) || !is_square(g, producer(g, squares.x), &x) ||
        !is_square(g, square, &m) || !is_mean(g, producer(g, m), &mean))
        return true;
    if (mean.axes != squares.axes || mean.keep != squares.keep || mean.x != x ||
        g->value[x].dtype != DTYPE_FLOAT || cells_along(&g->value[x], mean.axes) < 2)
        return true;
    set_kind(n, OP_VARIANCE);
    return set_inputs(g, n, 2, (uint32_t[]){x, m}, st) &&
           set_axes(g, n, &g->value[x], mean.axes, mean.keep, st);
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
    case OP_EXPAND:
    case OP_RESHAPE:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE:
        return is_statistic(g, n->in[0], depth + 1);
    default:
        return false;
    }
}

/* The maximum of a statistic and a constant that is not positive is the statistic. */
static bool recognise_maximum(graph *g, graph_node *n, mica_status *st) {
    for (uint32_t i = 0; n->n_in == 2 && i < 2; i++) {
        const graph_value *v = &g->value[n->in[i]], *out = &g->value[n->out[0]];
        if (!constant_within(&g->value[n->in[1 - i]], -__builtin_inf(), 0) || v->rank != out->rank ||
            graph_elements(v) != graph_elements(out) || !is_statistic(g, n->in[i], 0))
            continue;
        set_kind(n, OP_IDENTITY);
        return set_inputs(g, n, 1, &n->in[i], st);
    }
    return true;
}

/* The logarithm of a sum of exponentials. */
static bool recognise_log_sum_exp(graph *g, graph_node *n, mica_status *st) {
    mean_of sum;
    const graph_node *exp = NULL;
    if (is_reduction(g, producer(g, n->in[0]), OP_REDUCE_SUM, &sum))
        exp = producer(g, sum.x);
    if (!exp || exp->kind != OP_EXP)
        return true;
    const uint32_t x = exp->in[0];
    set_kind(n, OP_REDUCE_LOG_SUM_EXP);
    return set_inputs(g, n, 1, &x, st) && set_axes(g, n, &g->value[x], sum.axes, sum.keep, st);
}

static bool recognise(graph *g, graph_node *n, mica_status *st) {
    switch (n->kind) {
    case OP_SUB:
        return recognise_variance(g, n, st);
    case OP_MAX:
        return recognise_maximum(g, n, st);
    case OP_LOG:
        return recognise_log_sum_exp(g, n, st);
    case OP_SQRT:
        if (is_statistic(g, n->in[0], 0))
            set_kind(n, OP_ROOT);
        return true;
    default:
        return true;
    }
}

bool graph_recognise(graph *g, mica_status *st) {
    for (uint32_t j = 0; j < g->n_nodes; j++)
        if (!g->node[j].removed && !recognise(g, &g->node[j], st))
            return false;
    return true;
}
