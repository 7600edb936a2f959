#include "lowering/lowering_index.h"

#include <string.h>

#include "lowering/requantise.h"

/* The index, `size` more where it is negative. */
static bool counted_from_start(lowering *l, const graph_node *n, const form *index, int64_t size, form *f,
                               mica_status *st) {
    uint32_t is_positive;
    *f = *index;
    if (form_range(index, lowering_tensors(l)).lo >= 0)
        return true;
    form above = *index; /* index + 1 >= 1 */
    if (!form_add_constant(&above, 1) || !step_function(l, &above, &is_positive, st) ||
        !form_add_constant(f, size) || !form_add_tensor(f, lowering_tensors(l), is_positive, -size))
        return st->code == MICA_OK ? lowering_too_many_terms(l, n, st) : false;
    return true;
}

/* steps[..., k] := [start >= k] for k in 0 .. count - 1. */
static bool position_steps(lowering *l, const graph_node *n, const form *start, uint32_t count,
                           uint32_t *steps, mica_status *st) {
    uint32_t dim[MICA_MAX_RANK];
    uint8_t map[MICA_MAX_RANK];
    form f;
    for (uint8_t i = 0; i < start->rank; i++) {
        map[i] = i;
        dim[i] = start->dim[i];
    }
    dim[start->rank] = count;
    form_create(&f, start->batched, start->rank + 1u, dim);
    const uint32_t positions = builder_counter(&l->b, count);
    const mica_view last = {{start->rank}};
    if (positions == NO_INDEX)
        return false;
    if (!form_add_form(&f, lowering_tensors(l), start, 1, map) ||
        !form_add_term(&f, lowering_tensors(l), positions, -1, &last) || !form_add_constant(&f, 1))
        return lowering_too_many_terms(l, n, st);
    return step_function(l, &f, steps, st);
}

/* Proves [start >= 0] - [start >= size] = 1, steps having size + 1 positions: minus the difference would be
 * outside [0, 2). */
static bool check_inside(lowering *l, const graph_node *n, const form *start, uint32_t steps, int64_t size,
                         mica_status *st) {
    mica_view first = {{0}}, last;
    form f;
    for (unsigned i = 0; i < start->rank; i++)
        first.axis[i] = (int32_t)i;
    last = first;
    first.axis[start->rank] = MICA_VIEW_AT(0);
    last.axis[start->rank] = MICA_VIEW_AT(size);
    form_create(&f, start->batched, start->rank, start->dim);
    if (!form_add_term(&f, lowering_tensors(l), steps, 1, &first) ||
        !form_add_term(&f, lowering_tensors(l), steps, -1, &last) || !form_add_constant(&f, -1))
        return lowering_too_many_terms(l, n, st);
    return range_check(l, &f, 1, st);
}

bool lowering_one_hot(lowering *l, const graph_node *n, const form *index, int64_t size, bool inside,
                      uint32_t *tensor, mica_status *st) {
    const bound r = form_range(index, lowering_tensors(l));
    /* No index lies beyond the last position: the step there is 0. */
    const bool known = r.lo >= -size && r.hi < size;
    uint32_t dim[MICA_MAX_RANK], steps = NO_INDEX, here;
    form start, f;
    if (index->rank == MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    if (!counted_from_start(l, n, index, size, &start, st) ||
        !position_steps(l, n, &start, (uint32_t)size + !known, &steps, st) ||
        (inside && !known && !check_inside(l, n, &start, steps, size, st)))
        return false;
    /* The difference of two neighbours is 1 at the index only. */
    here = known ? steps : builder_cut(&l->b, steps, (uint32_t)size, 0);
    const uint32_t next = here == NO_INDEX ? NO_INDEX : builder_cut(&l->b, steps, (uint32_t)size, 1);
    if (next == NO_INDEX)
        return false;
    memcpy(dim, index->dim, sizeof dim);
    dim[index->rank] = (uint32_t)size;
    form_create(&f, index->batched, index->rank + 1u, dim);
    if (!form_add_tensor(&f, lowering_tensors(l), here, 1) ||
        !form_add_tensor(&f, lowering_tensors(l), next, -1))
        return lowering_too_many_terms(l, n, st);
    *tensor = builder_sum(&l->b, &f);
    return *tensor != NO_INDEX;
}
