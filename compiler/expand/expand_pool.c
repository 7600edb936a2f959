/* Pools that are made of simpler operators. */
#include "expand/expand.h"
#include "ops/window.h"

#define MOST_NORM 4096 /* of counts that differ from window to window: what the weights of a sum can hold */

static int64_t norm_order(const expander *x) {
    return graph_attr_int(&x->node, "p", 2);
}

static void keep_window(expander *x) {
    static const char *const kept[] = {"auto_pad",     "ceil_mode", "dilations",
                                       "kernel_shape", "pads",      "strides"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        expand_attr(x, kept[i]);
}

/* The sums of v's windows. */
static uint32_t window_sums(expander *x, uint32_t v) {
    keep_window(x);
    expand_int(x, "mica_sum", 1);
    return expand_op1(x, "AveragePool", v);
}

/* The index of each window's maximum, which the pool itself, equal to the node of the first output, finds. */
static uint32_t expand_max_index(expander *x) {
    x->n_attrs = 0;
    for (uint32_t i = 2; i < x->node.n_attrs; i++) /* after mica_part and mica_parts */
        expand_attr(x, x->node.attr[i].name);
    const uint32_t top = expand_op1(x, "MaxPool", x->node.in[0]);
    keep_window(x);
    expand_attr(x, "storage_order");
    expand_last(x);
    return expand_op2(x, "mica.MaxPoolIndex", x->node.in[0], top);
}

/* --- maxima one axis after the other --- */

#define WORTH_SEPARATING 4096 /* lookups that are saved, from which on one more layer costs less */

static double padded_size(int64_t n) {
    double size = 1;
    while (size < (double)n)
        size *= 2;
    return size;
}

/* Comparisons of the windows over the axes of the mask, the others being as they are in the input, where
 * `done` does not have them, or in the output. */
static double comparisons(const op_window *w, uint32_t axes, uint32_t done) {
    double taps = 1, windows = 1;
    for (uint32_t d = 0; d < w->n; d++) {
        taps *= axes & 1u << d ? (double)w->kernel[d] : 1;
        windows *= padded_size((axes | done) & 1u << d ? w->out[d] : w->in[d]);
    }
    return (taps - 1) * windows;
}

/* The axis whose maxima are taken first, so that those of the others need fewest comparisons; false if all at
 * once need about as few. */
static bool first_axis(const graph *g, const graph_node *n, op_window *w, uint32_t *axis) {
    const graph_value *x = &g->value[n->in[0]];
    mica_status unresolved = {0};
    if (op_part(n) != 0 || !op_window_resolve(w, g, n, &unresolved))
        return false;
    *axis = 0;
    const uint32_t all = (1u << w->n) - 1;
    const double at_once = comparisons(w, all, 0);
    double least = at_once;
    for (uint32_t d = 0; d < w->n; d++) {
        const double cost = comparisons(w, 1u << d, 0) + comparisons(w, all & ~(1u << d), 1u << d);
        if (w->kernel[d] > 1 && cost < least) {
            least = cost;
            *axis = d;
        }
    }
    return (at_once - least) * (double)x->dim[1] >= WORTH_SEPARATING;
}

/* The node's pool over the axes of the mask only. Padding at the end is what the last window reaches, so that
 * sizes need no ceil_mode. */
static uint32_t pool_axes(expander *x, const op_window *w, uint32_t axes, uint32_t v) {
    int64_t kernel[GRAPH_MAX_RANK], stride[GRAPH_MAX_RANK], dilation[GRAPH_MAX_RANK],
        pads[2 * GRAPH_MAX_RANK];
    for (uint32_t d = 0; d < w->n; d++) {
        const bool has = axes & 1u << d;
        const int64_t reach = (w->out[d] - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d] + 1;
        const int64_t end = reach - w->in[d] - w->pad_begin[d];
        kernel[d] = has ? w->kernel[d] : 1;
        stride[d] = has ? w->stride[d] : 1;
        dilation[d] = has ? w->dilation[d] : 1;
        pads[d] = has ? w->pad_begin[d] : 0;
        pads[w->n + d] = has && end > 0 ? end : 0;
    }
    expand_ints(x, "kernel_shape", w->n, kernel);
    expand_ints(x, "strides", w->n, stride);
    expand_ints(x, "dilations", w->n, dilation);
    expand_ints(x, "pads", (size_t)2 * w->n, pads);
    return expand_op1(x, "MaxPool", v);
}

bool expand_maxpool_applies(const graph *g, const graph_node *n) {
    op_window w;
    uint32_t axis;
    return op_part(n) == 1 || first_axis(g, n, &w, &axis);
}

uint32_t expand_maxpool(expander *x) {
    op_window w;
    uint32_t axis;
    if (!first_axis(x->g, &x->node, &w, &axis))
        return expand_max_index(x);
    const uint32_t first = pool_axes(x, &w, 1u << axis, x->node.in[0]);
    expand_last(x);
    return pool_axes(x, &w, ((1u << w.n) - 1) & ~(1u << axis), first);
}

/* --- norms --- */

/* |x|^p as a product of two powers: what is summed is an accumulator, exact in its factors. */
static uint32_t power(expander *x, uint32_t v, int64_t p) {
    if (p == 1)
        return expand_op1(x, "Abs", v);
    if (p == 2)
        return expand_op2(x, "Mul", v, v);
    const uint32_t low = power(x, v, p / 2);
    return expand_op2(x, "Mul", low, p % 2 ? power(x, v, p - p / 2) : low);
}

/* The p-th root, p > 2, as a power of the exact square root, which has more bits than a table has keys. */
static uint32_t high_root(expander *x, uint32_t v, int64_t p) {
    return expand_op2(x, "Pow", expand_op1(x, "mica.Root", v), expand_number(x, 2 / (double)p));
}

/* A norm is no less than the largest magnitude, which is exact where high powers of small values vanish. */
static uint32_t at_least(expander *x, uint32_t norm, uint32_t largest) {
    expand_last(x);
    return expand_op2(x, "Max", norm, largest);
}

uint32_t expand_lp_pool(expander *x) {
    const int64_t p = norm_order(x);
    mica_status uncovered = {0};
    op_window w;
    const uint32_t sums = window_sums(x, power(x, x->node.in[0], p));
    if (p <= 2) {
        expand_last(x);
        return expand_op1(x, p == 2 ? "mica.Root" : "Identity", sums);
    }
    const uint32_t norm = high_root(x, sums, p);
    if (!op_window_resolve(&w, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    if (!op_window_covers_input(&w, x->g, &x->node, &uncovered)) { /* some window has no maximum */
        expand_last(x);
        return expand_op1(x, "Identity", norm);
    }
    const uint32_t magnitude = expand_op1(x, "Abs", x->node.in[0]);
    keep_window(x);
    return at_least(x, norm, expand_op1(x, "MaxPool", magnitude));
}

uint32_t expand_global_pool(expander *x) {
    const op_kind kind = (op_kind)x->node.kind;
    const int64_t p = norm_order(x);
    const uint32_t rank = op_in(x->g, &x->node, 0)->rank, axes = ((1u << rank) - 1) & ~3u;
    if (kind == OP_GLOBAL_LPPOOL && p > 2) {
        const uint32_t powers = power(x, x->node.in[0], p);
        expand_axes(x, axes, true);
        const uint32_t norm = high_root(x, expand_op1(x, "ReduceSum", powers), p);
        const uint32_t magnitude = expand_op1(x, "Abs", x->node.in[0]);
        expand_axes(x, axes, true);
        return at_least(x, norm, expand_op1(x, "ReduceMax", magnitude));
    }
    expand_axes(x, axes, true);
    expand_last(x);
    return expand_op1(x,
                      kind == OP_GLOBAL_MAXPOOL ? "ReduceMax"
                      : p == 2                  ? "ReduceL2"
                                                : "ReduceL1",
                      x->node.in[0]);
}

/* --- averages whose counts have no small common multiple --- */

/* Cells that the average of window o divides by, along axis d. */
static int64_t counted(const op_window *w, uint32_t d, int64_t o, bool padding) {
    const int64_t lo = padding ? -w->pad_begin[d] : 0, hi = w->in[d] + (padding ? w->pad_end[d] : 0);
    int64_t count = 0;
    for (int64_t k = 0; k < w->kernel[d]; k++) {
        const int64_t at = o * w->stride[d] + k * w->dilation[d] - w->pad_begin[d];
        count += at >= lo && at < hi;
    }
    return count;
}

static bool counts_padding(const graph_node *n) {
    return graph_attr_int(n, "count_include_pad", 0) != 0;
}

/* The least common multiple of a and b, or one more than MOST_NORM if it is larger than that. */
static int64_t common_multiple(int64_t a, int64_t b) {
    int64_t x = a, y = b;
    while (y) {
        const int64_t r = x % y;
        x = y;
        y = r;
    }
    return b > MOST_NORM || a / x * b > MOST_NORM ? MOST_NORM + 1 : a / x * b;
}

/* Whether the lowering's own sum, in which every cell has the weight norm / count, would be too wide. */
bool expand_avgpool_applies(const graph *g, const graph_node *n) {
    mica_status ignored = {0};
    op_window w;
    int64_t norm = 1;
    if (graph_attr_int(n, "mica_sum", 0) || !op_window_resolve(&w, g, n, &ignored))
        return false;
    for (uint32_t d = 0; d < w.n; d++) {
        int64_t own = 1;
        for (int64_t o = 0; o < w.out[d]; o++) {
            const int64_t count = counted(&w, d, o, counts_padding(n));
            own = count > 0 ? common_multiple(own, count) : own;
        }
        norm = norm > MOST_NORM / own ? MOST_NORM + 1 : norm * own;
    }
    return norm > MOST_NORM;
}

/* Sums times 1 / count. */
uint32_t expand_avgpool(expander *x) {
    const graph_value y = *op_out(x->g, &x->node, 0);
    int64_t dim[GRAPH_MAX_RANK] = {1}, o[GRAPH_MAX_RANK] = {0};
    op_window w;
    if (!op_window_resolve(&w, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    for (uint32_t d = 0; d < w.n; d++)
        dim[1 + d] = w.out[d];
    const size_t cells = (size_t)(graph_elements(&y) / (uint64_t)(y.dim[0] * y.dim[1]));
    double *share = graph_alloc(x->g, cells, sizeof *share, x->st);
    if (!share)
        return GRAPH_NO_VALUE;
    for (size_t i = 0; i < cells; i++) {
        double count = 1;
        for (uint32_t d = 0; d < w.n; d++)
            count *= (double)counted(&w, d, o[d], counts_padding(&x->node));
        share[i] = 1 / count;
        (void)op_next_index(o, w.out, w.n);
    }
    const uint32_t sums = window_sums(x, x->node.in[0]), shares = expand_reals(x, w.n + 1, dim, share);
    expand_last(x);
    return expand_op2(x, "Mul", sums, shares);
}
