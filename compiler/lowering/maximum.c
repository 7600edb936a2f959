#include "lowering/maximum.h"

#include <string.h>

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static bool too_many_terms(const lowering *l, mica_status *st) {
    return mica_fail(st, MICA_ERR_LIMIT, "layer '%s': too many terms in a maximum",
                     l->b.p.circuit.layer[l->b.layer].name);
}

bool lowering_max(lowering *l, const form *a, const form *b, bound range, form *out, mica_status *st) {
    const unsigned bits = mica_log2_ceil((uint64_t)(range.hi - range.lo) + 1) + 1; /* of a - b, signed */
    if (bits > MICA_MAX_TABLE_BITS)
        return mica_fail(st, MICA_ERR_LIMIT,
                         "layer '%s': maxima of values wider than %d bits are not supported",
                         l->b.p.circuit.layer[l->b.layer].name, MICA_MAX_TABLE_BITS - 1);
    const mica_table_def def = {
        .kind = MICA_TABLE_RELU, .bits = (uint8_t)bits, .lo_key = -(INT32_C(1) << (bits - 1))};
    step s = {.kind = STEP_MAX, .layer = l->b.layer};
    memset(s.tensor, 0xff, sizeof s.tensor);
    form difference = *a, rest;
    if (!form_add_form(&difference, lowering_tensors(l), b, -1, same_axes))
        return too_many_terms(l, st);
    s.table = builder_table(&l->b, &def);
    s.tensor[1] = builder_linear(&l->b, &difference, 0);
    s.tensor[0] = builder_witness(&l->b, a->batched, a->rank, a->dim, range);
    if (s.table == NO_INDEX || s.tensor[1] == NO_INDEX || s.tensor[0] == NO_INDEX)
        return false;
    form_create(&rest, a->batched, a->rank, a->dim);
    if (!form_add_tensor(&rest, lowering_tensors(l), s.tensor[0], 1))
        return too_many_terms(l, st);
    const form top = rest;
    if (!form_add_form(&rest, lowering_tensors(l), b, -1, same_axes))
        return too_many_terms(l, st);
    s.tensor[2] = builder_linear(&l->b, &rest, 0);
    *out = top;
    return s.tensor[2] != NO_INDEX && builder_lookup(&l->b, s.table, s.tensor[1], s.tensor[2]) &&
           builder_step(&l->b, &s);
}

bool lowering_max_tree(lowering *l, form *level, uint32_t n, bound range, mica_status *st) {
    while (n > 1) {
        for (uint32_t i = 0; i + 1 < n; i += 2) {
            form top;
            if (!lowering_max(l, &level[i], &level[i + 1], range, &top, st))
                return false;
            level[i / 2] = top;
        }
        if (n & 1)
            level[n / 2] = level[n - 1];
        n = (n + 1) / 2;
    }
    return true;
}
