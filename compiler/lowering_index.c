#include "lowering_index.h"

#include <stdlib.h>
#include <string.h>

#include "requantise.h"

static bool too_many_terms(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

/* The index, `size` more where it is negative. */
static bool counted_from_start(lowering *l, const graph_node *n, const qvalue *index, int64_t size, form *f,
                               mica_status *st) {
    const mica_tensor x = lowering_tensors(l)[index->tensor];
    uint32_t is_positive;
    form_create(f, x.batched, x.rank, x.dim);
    if (!form_add_tensor(f, lowering_tensors(l), index->tensor, 1))
        return too_many_terms(l, n, st);
    if (x.lo >= 0)
        return true;
    form above = *f; /* index + 1 >= 1 */
    if (!form_add_constant(&above, 1) || !step_function(l, &above, &is_positive, st) ||
        !form_add_constant(f, size) || !form_add_tensor(f, lowering_tensors(l), is_positive, -size))
        return st->code == MICA_OK ? too_many_terms(l, n, st) : false;
    return true;
}

/* The numbers 0 .. count - 1 as a weight. */
static uint32_t counter(lowering *l, uint32_t count, mica_status *st) {
    int32_t *q = malloc(count * sizeof *q);
    if (!q) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
        return NO_INDEX;
    }
    for (uint32_t i = 0; i < count; i++)
        q[i] = (int32_t)i;
    const uint32_t t = builder_weight(&l->b, 1, &count, q);
    free(q);
    return t;
}

/* The steps from position `first` on, `size` of them. */
static uint32_t cut(lowering *l, uint32_t steps, uint32_t size, int32_t first) {
    const mica_tensor x = lowering_tensors(l)[steps];
    mica_placement p = {.src = steps, .n_factors = x.rank};
    uint32_t dim[MICA_MAX_RANK];
    for (uint8_t i = 0; i < x.rank; i++) {
        mica_factor *f = &p.factor[i];
        f->n_out = f->n_src = 1;
        f->out_axis[0] = f->src_axis[0] = i;
        f->out_stride[0] = 1;
        dim[i] = x.dim[i];
    }
    p.factor[x.rank - 1].offset = first;
    dim[x.rank - 1] = size;
    return builder_placement(&l->b, &p, x.rank, dim);
}

bool lowering_one_hot(lowering *l, const graph_node *n, const qvalue *index, int64_t size, uint32_t *tensor,
                      mica_status *st) {
    const mica_tensor x = lowering_tensors(l)[index->tensor];
    uint32_t dim[MICA_MAX_RANK], steps;
    uint8_t map[MICA_MAX_RANK];
    form start, f;
    if (index->scale != 1)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "indices that are not integers");
    if (x.rank == MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    if (!counted_from_start(l, n, index, size, &start, st))
        return false;
    for (uint8_t i = 0; i < x.rank; i++) {
        map[i] = i;
        dim[i] = x.dim[i];
    }
    dim[x.rank] = (uint32_t)size + 1;
    form_create(&f, x.batched, x.rank + 1u, dim);
    const uint32_t positions = counter(l, (uint32_t)size + 1, st);
    const mica_view last = {{x.rank}};
    if (positions == NO_INDEX)
        return false;
    /* index >= position: the difference of two neighbours is 1 at the index only */
    if (!form_add_form(&f, lowering_tensors(l), &start, 1, map) ||
        !form_add_term(&f, lowering_tensors(l), positions, -1, &last) || !form_add_constant(&f, 1))
        return too_many_terms(l, n, st);
    if (!step_function(l, &f, &steps, st))
        return false;
    const uint32_t here = cut(l, steps, (uint32_t)size, 0),
                   next = here == NO_INDEX ? NO_INDEX : cut(l, steps, (uint32_t)size, 1);
    if (next == NO_INDEX)
        return false;
    dim[x.rank] = (uint32_t)size;
    form_create(&f, x.batched, x.rank + 1u, dim);
    if (!form_add_tensor(&f, lowering_tensors(l), here, 1) ||
        !form_add_tensor(&f, lowering_tensors(l), next, -1))
        return too_many_terms(l, n, st);
    *tensor = builder_sum(&l->b, &f);
    return *tensor != NO_INDEX;
}
