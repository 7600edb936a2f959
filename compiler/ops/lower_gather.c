/* GatherElements and GatherND: with constant indices elements move; otherwise every coordinate becomes a row
 * of zeros and a one, and the result is a product with it, one coordinate after the other. */
#include "lowering/lowering_domain.h"
#include "lowering/lowering_move.h"
#include "lowering/lowering_select.h"
#include "ops/ops.h"

static bool finish(lowering *l, const graph_node *n, const labelled *y, const int8_t *output_label,
                   double scale, mica_status *st) {
    selection s;
    select_result(l, n, output_label, &s);
    return select_add(l, n, &s, y, 1, st) && lowering_set_sum(l, n, &s.f, &s.axes, scale, st);
}

/* Labels: the data's axes have their numbers, the positions along the axis are the label `rank`. */
bool lower_gatherelements(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *x = &l->g->value[n->in[0]], *k = &l->g->value[n->in[1]];
    int8_t of_data[GRAPH_MAX_RANK], of_index[GRAPH_MAX_RANK];
    labelled data, hot, y;
    double scale;
    if (lowering_is_constant(l, n->in[1]))
        return lowering_move(l, n, 1u << 0, st);
    int64_t axis = graph_attr_int(n, "axis", 0);
    axis += axis < 0 ? (int64_t)x->rank : 0;
    for (unsigned i = 0; i < x->rank; i++)
        of_data[i] = of_index[i] = (int8_t)i;
    of_index[axis] = (int8_t)x->rank;
    if (!select_scale(l, n->in[0], &scale, st) || !lowering_layer(l, n, st) ||
        !select_operand(l, n, n->in[0], of_data, scale, &data, st) ||
        !select_hot(l, n, n->in[1], of_index, -1, x->dim[axis], (int8_t)axis, &hot, st))
        return false;
    for (unsigned i = 0; i < x->rank; i++) { /* the indices may name fewer entries of the other axes */
        if (i == axis || k->dim[i] == x->dim[i])
            continue;
        for (unsigned j = 0; k->dim[i] == 1 && j < MICA_MAX_RANK; j++)
            data.label[j] = data.label[j] == (int8_t)i ? NO_LABEL : data.label[j];
        if (k->dim[i] > 1 && !select_resize(l, n, &data, (int8_t)i, (uint32_t)k->dim[i], 0, st))
            return false;
    }
    const uint32_t summed = x->dim[axis] > 1 ? 1u << axis : 0;
    return select_contract(l, n, &hot, &data, summed, &y, st) && finish(l, n, &y, of_index, scale, st);
}

/* Labels: the indices' axes have their numbers, which the leading batch dimensions of the data share; the
 * data's other axes have the labels `from` on. */
bool lower_gathernd(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *x = &l->g->value[n->in[0]], *k = &l->g->value[n->in[1]];
    const unsigned shared = (unsigned)graph_attr_int(n, "batch_dims", 0), rows = k->rank - 1,
                   depth = (unsigned)k->dim[rows];
    int8_t of_data[GRAPH_MAX_RANK] = {0}, of_index[GRAPH_MAX_RANK], of_output[2 * GRAPH_MAX_RANK];
    labelled y, hot;
    double scale;
    if (lowering_is_constant(l, n->in[1]))
        return lowering_move(l, n, 1u << 0, st);
    for (unsigned i = 0; i < k->rank; i++)
        of_index[i] = of_output[i] = (int8_t)i;
    for (unsigned i = 0; i < x->rank; i++)
        of_data[i] = (int8_t)(i < shared ? i : GRAPH_MAX_RANK + i);
    for (unsigned i = shared + depth; i < x->rank; i++)
        of_output[rows + i - shared - depth] = of_data[i];
    if (!select_scale(l, n->in[0], &scale, st) || !lowering_layer(l, n, st) ||
        !select_operand(l, n, n->in[0], of_data, scale, &y, st))
        return false;
    for (unsigned d = 0; d < depth; d++) {
        const unsigned axis = shared + d;
        const uint32_t summed = x->dim[axis] > 1 ? 1u << of_data[axis] : 0;
        if (!select_hot(l, n, n->in[1], of_index, d, x->dim[axis], of_data[axis], &hot, st) ||
            !select_contract(l, n, &hot, &y, summed, &y, st))
            return false;
    }
    return finish(l, n, &y, of_output, scale, st);
}
