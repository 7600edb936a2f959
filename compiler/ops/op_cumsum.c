/* CumSum. */
#include "ops/op_move.h"

static bool cumsum_axis(const graph *g, const graph_node *n, uint32_t *axis, mica_status *st) {
    const uint32_t rank = op_in(g, n, 0)->rank;
    op_ints list;
    if (!op_int_list(g, n, 1, NULL, &list, st))
        return false;
    if (list.n != 1 || list.v[0] < -(int64_t)rank || list.v[0] >= (int64_t)rank)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the axis is not one of %u dimensions", rank);
    *axis = (uint32_t)(list.v[0] < 0 ? list.v[0] + rank : list.v[0]);
    return true;
}

bool infer_cumsum(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t axis = 0;
    if (!cumsum_axis(c->g, n, &axis, st))
        return false;
    if (x->batched && axis == 0)
        return op_mixes_batch(c);
    return op_set_output_like(c, n, x, st);
}

bool eval_cumsum(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const bool exclusive = graph_attr_int(a->n, "exclusive", 0) != 0,
               reverse = graph_attr_int(a->n, "reverse", 0) != 0;
    uint32_t axis = 0;
    if (!cumsum_axis(a->g, a->n, &axis, st))
        return false;
    const int64_t dim = x->dim[axis], step = op_product(x->dim + axis + 1, x->rank - axis - 1),
                  rows = dim ? (int64_t)graph_elements(x) / dim : 0;
    for (int64_t row = 0; row < rows; row++) {
        double sum = 0;
        for (int64_t i = 0; i < dim; i++) {
            const int64_t at = row / step * dim * step + row % step + (reverse ? dim - 1 - i : i) * step;
            a->out[0][at] = exclusive ? sum : sum + a->in[0][at];
            sum += a->in[0][at];
        }
    }
    return true;
}
