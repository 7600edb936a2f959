/* ScatterElements and ScatterND that replace or add: with constant indices elements move; otherwise the
 * updates are multiplied with rows of zeros and ones. mica.Put, of which the other reductions are made
 * (expand_scatter.c), keeps the updates apart along a further axis. */
#include "lowering/lowering_select.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_move.h"
#include "lowering/requantise.h"
#include "ops/ops.h"

#define UPDATE 30 /* label of the axis along which updates follow one another */
#define LATER  31

/* A node's updates: update k goes where put[k, ...] is 1. */
typedef struct scattering {
    labelled data, updates, put;
    int8_t of_data[GRAPH_MAX_RANK];
    uint32_t count; /* updates that may meet */
    double scale;
} scattering;

static bool adds(const graph_node *n) {
    return !strcmp(graph_attr_string(n, "reduction", "none"), "add");
}

/* One scale for data and updates: the coarser one of those that are not constant. */
static bool common_scale(lowering *l, const graph_node *n, double *scale, mica_status *st) {
    double s[2];
    if (!select_scale(l, n->in[0], &s[0], st) || !select_scale(l, n->in[2], &s[1], st))
        return false;
    const bool fixed = lowering_is_constant(l, n->in[0]), fixed_updates = lowering_is_constant(l, n->in[2]);
    if (fixed != fixed_updates)
        *scale = fixed ? s[1] : s[0];
    else
        *scale = s[0] > s[1] ? s[0] : s[1];
    return true;
}

/* --- the last update of a cell counts --- */

/* upper[k, j] = [j >= k] as a tensor. */
static bool upper_triangle(lowering *l, uint32_t count, labelled *t, mica_status *st) {
    const uint32_t dim[2] = {count, count};
    int32_t *q = calloc((size_t)count * count, sizeof *q);
    if (!q)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t j = k; j < count; j++)
            q[(size_t)k * count + j] = 1;
    *t = (labelled){.tensor = builder_weight(&l->b, 2, dim, q), .label = {UPDATE, LATER}};
    free(q);
    return t->tensor != NO_INDEX;
}

/* put[k] := 1 only where update k is the last one; *any := where there is one. */
static bool keep_last(lowering *l, const graph_node *n, scattering *s, labelled *any, mica_status *st) {
    labelled later = s->put, upper, sum, here, next;
    *any = s->put;
    if (s->count == 1)
        return true;
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        later.label[i] = later.label[i] == UPDATE ? LATER : later.label[i];
    if (!upper_triangle(l, s->count, &upper, st) ||
        !select_contract(l, n, &upper, &later, 1u << LATER, &sum, st))
        return false;
    const form f = select_form(l, &sum);
    here = sum;
    if (!step_function(l, &f, &here.tensor, st)) /* whether update k or a later one goes there */
        return false;
    next = here;
    if (!select_resize(l, n, &next, UPDATE, s->count, 1, st))
        return false;
    form last = select_form(l, &here);
    if (!form_add_tensor(&last, lowering_tensors(l), next.tensor, -1))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    s->put = here;
    s->put.tensor = builder_sum(&l->b, &last);
    *any = here;
    for (unsigned i = 0; i < MICA_MAX_RANK; i++) /* the first update's row */
        any->label[i] = any->label[i] == UPDATE ? NO_LABEL : any->label[i];
    return s->put.tensor != NO_INDEX;
}

/* --- data + change --- */

/* The part of the data that x covers, entry by entry from the first on. */
static bool covered_data(lowering *l, const graph_node *n, const scattering *s, const labelled *x,
                         labelled *data, mica_status *st) {
    *data = s->data;
    for (int8_t label = 0; label < GRAPH_MAX_RANK; label++) {
        const uint32_t size = select_size(l, x, label);
        if (size > 1 && size != select_size(l, data, label) && !select_resize(l, n, data, label, size, 0, st))
            return false;
        for (unsigned j = 0; size == 1 && j < MICA_MAX_RANK; j++)
            data->label[j] = data->label[j] == label ? NO_LABEL : data->label[j];
    }
    return true;
}

/* a - b as a tensor; b has no other axes than a. */
static bool subtract(lowering *l, const graph_node *n, const labelled *a, const labelled *b, labelled *out,
                     mica_status *st) {
    selection difference = {.f = select_form(l, a)};
    unsigned rank = 0;
    memset(difference.label, NO_LABEL, sizeof difference.label);
    for (unsigned i = 0; i < lowering_tensors(l)[a->tensor].rank; i++)
        if (a->label[i] != NO_LABEL)
            difference.label[rank++] = a->label[i];
    if (!select_add(l, n, &difference, b, -1, st))
        return false;
    memcpy(out->label, difference.label, sizeof out->label);
    out->tensor = builder_sum(&l->b, &difference.f);
    return out->tensor != NO_INDEX;
}

/* *out := what is added to the data where the updates reach, which may be a corner of it: updates - data, or
 * the updates alone. */
static bool change(lowering *l, const graph_node *n, scattering *s, labelled *out, mica_status *st) {
    labelled sum, any = s->put, old, data;
    const uint32_t summed = s->count > 1 && n->kind != OP_PUT ? 1u << UPDATE : 0;
    if (n->kind != OP_PUT && !adds(n) && !keep_last(l, n, s, &any, st))
        return false;
    if (!select_contract(l, n, &s->put, &s->updates, summed, &sum, st))
        return false;
    *out = sum;
    return adds(n) ||
           (covered_data(l, n, s, &sum, &data, st) && select_contract(l, n, &any, &data, 0, &old, st) &&
            subtract(l, n, &sum, &old, out, st));
}

/* data + change; for mica.Put once for every update. */
static bool scatter(lowering *l, const graph_node *n, scattering *s, mica_status *st) {
    const graph_value *x = &l->g->value[n->in[0]];
    int8_t of_output[GRAPH_MAX_RANK + 1];
    labelled y;
    selection result;
    if (!change(l, n, s, &y, st))
        return false;
    for (unsigned i = 0; i < x->rank; i++) { /* nothing is added elsewhere */
        if (select_size(l, &y, s->of_data[i]) != x->dim[i] &&
            !select_resize(l, n, &y, s->of_data[i], (uint32_t)x->dim[i], 0, st))
            return false;
    }
    memcpy(of_output, s->of_data, x->rank);
    of_output[x->rank] = UPDATE;
    select_result(l, n, of_output, &result);
    return select_add(l, n, &result, &s->data, 1, st) && select_add(l, n, &result, &y, 1, st) &&
           lowering_set_sum(l, n, &result.f, &result.axes, s->scale, st);
}

static bool scatter_elements(lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *x = &l->g->value[n->in[0]], *k = &l->g->value[n->in[1]];
    int8_t of_index[GRAPH_MAX_RANK];
    scattering s;
    int64_t axis = graph_attr_int(n, "axis", 0);
    axis += axis < 0 ? (int64_t)x->rank : 0;
    for (unsigned i = 0; i < x->rank; i++)
        s.of_data[i] = of_index[i] = (int8_t)i;
    of_index[axis] = UPDATE;
    s.count = (uint32_t)k->dim[axis];
    return common_scale(l, n, &s.scale, st) && lowering_layer(l, n, st) &&
           select_operand(l, n, n->in[0], s.of_data, s.scale, &s.data, st) &&
           select_operand(l, n, n->in[2], of_index, s.scale, &s.updates, st) &&
           select_hot(l, n, n->in[1], of_index, -1, x->dim[axis], (int8_t)axis, &s.put, st) &&
           scatter(l, n, &s, st);
}

/* The indices are a list of places: [count, depth]. */
static bool scatter_slices(lowering *l, const graph_node *n, mica_status *st) {
    static const int8_t of_index[2] = {UPDATE, NO_LABEL};
    const graph_value *x = &l->g->value[n->in[0]], *k = &l->g->value[n->in[1]];
    const unsigned depth = (unsigned)k->dim[k->rank - 1];
    int8_t of_updates[GRAPH_MAX_RANK] = {UPDATE};
    scattering s;
    if (k->rank != 2)
        return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "indices that are not a list of places");
    for (unsigned i = 0; i < x->rank; i++)
        s.of_data[i] = (int8_t)i;
    for (unsigned i = 1; i < GRAPH_MAX_RANK; i++)
        of_updates[i] = (int8_t)(depth + i - 1);
    s.count = (uint32_t)k->dim[0];
    if (!common_scale(l, n, &s.scale, st) || !lowering_layer(l, n, st) ||
        !select_operand(l, n, n->in[0], s.of_data, s.scale, &s.data, st) ||
        !select_operand(l, n, n->in[2], of_updates, s.scale, &s.updates, st))
        return false;
    for (unsigned d = 0; d < depth; d++) {
        labelled hot;
        if (!select_hot(l, n, n->in[1], of_index, d, x->dim[d], s.of_data[d], &hot, st) ||
            (d && !select_contract(l, n, &s.put, &hot, 0, &s.put, st)))
            return false;
        s.put = d ? s.put : hot;
    }
    return scatter(l, n, &s, st);
}

/* Replacement at constant places is a movement. */
static bool moves(const lowering *l, const graph_node *n) {
    return lowering_is_constant(l, n->in[1]) && !adds(n);
}

bool lower_scatterelements(struct lowering *l, const graph_node *n, mica_status *st) {
    return moves(l, n) ? lowering_move(l, n, 1u << 0 | 1u << 2, st) : scatter_elements(l, n, st);
}

bool lower_scatter(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_scatterelements(l, n, st);
}

bool lower_scatternd(struct lowering *l, const graph_node *n, mica_status *st) {
    return moves(l, n) ? lowering_move(l, n, 1u << 0 | 1u << 2, st) : scatter_slices(l, n, st);
}

bool lower_put(struct lowering *l, const graph_node *n, mica_status *st) {
    return graph_attr_int(n, "elements", 0) ? scatter_elements(l, n, st) : scatter_slices(l, n, st);
}
