/* TopK: rows of zeros and a one, which values and indices share, and what these select. */
#include "expand/expand.h"

/* The numbers 0 .. n - 1. */
static uint32_t count_to(expander *x, int64_t n) {
    int64_t *place = graph_alloc(x->g, (size_t)n, sizeof *place, x->st);
    for (int64_t i = 0; place && i < n; i++)
        place[i] = i;
    return place ? expand_list(x, (size_t)n, place) : GRAPH_NO_VALUE;
}

/* The only element of its axis. */
static uint32_t only_element(expander *x, bool index) {
    if (index)
        expand_attr(x, "axis");
    if (index && !graph_attr_find(&x->node, "axis"))
        expand_int(x, "axis", -1);
    expand_last(x);
    return expand_op1(x, index ? "ArgMax" : "Identity", x->node.in[0]);
}

uint32_t expand_topk(expander *x) {
    const graph_value *in = op_in(x->g, &x->node, 0);
    const bool index = op_part(&x->node) == 1;
    uint32_t axis;
    if (!op_axis(x->g, &x->node, "axis", -1, in->rank, 0, &axis, x->st))
        return GRAPH_NO_VALUE;
    const int64_t length = in->dim[axis];
    if (length == 1)
        return only_element(x, index);
    expand_int(x, "axis", axis);
    expand_int(x, "k", x->g->value[x->node.out[0]].dim[axis]);
    expand_int(x, "largest", graph_attr_int(&x->node, "largest", 1) != 0);
    const uint32_t rows = expand_op1(x, "mica.Top", x->node.in[0]);
    const uint32_t data = index ? count_to(x, length) : x->node.in[0];
    expand_int(x, "axis", index ? 0 : axis);
    expand_last(x);
    return expand_op2(x, "mica.Pick", data, rows);
}
