#include "limbs.h"

#include <string.h>

#include "range.h"

#define MAX_LIMBS (STEP_MAX_TENSORS - 3) /* one more for the low limb of two stages */

/* Rows that a new range table of this many bits would add. */
static uint64_t range_table_rows(const lowering *l, unsigned bits) {
    const mica_circuit *c = &l->b.p.circuit;
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (c->table[i].def.kind == MICA_TABLE_RANGE && c->table[i].def.bits == bits)
            return 0;
    return UINT64_C(1) << bits;
}

unsigned limbs_width(unsigned shift, unsigned n, unsigned i) {
    return shift / n + (i < shift % n);
}

unsigned limbs_choose(const lowering *l, unsigned shift, uint64_t cells) {
    unsigned best = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned n = 1; n <= MAX_LIMBS && n <= shift; n++) {
        if (limbs_width(shift, n, 0) > LIMBS_MAX_BITS)
            continue;
        uint64_t cost = n * cells + range_table_rows(l, limbs_width(shift, n, 0));
        if (limbs_width(shift, n, n - 1) != limbs_width(shift, n, 0))
            cost += range_table_rows(l, limbs_width(shift, n, n - 1));
        if (cost < least) {
            least = cost;
            best = n;
        }
    }
    return best;
}

bool limbs_too_many_terms(const lowering *l, mica_status *st) {
    return mica_fail(st, MICA_ERR_LIMIT, "layer '%s': too many terms in one sum",
                     l->b.p.circuit.layer[l->b.layer].name);
}

bool limbs_emit(lowering *l, form *f, unsigned bits, unsigned pieces, step *s, mica_status *st) {
    unsigned offset = 0;
    for (unsigned i = 0; i < s->n_limbs; i++) {
        const unsigned width = limbs_width(bits, pieces, i);
        const bound range = {0, (INT64_C(1) << width) - 1};
        const uint32_t limb = builder_witness(&l->b, f->batched, f->rank, f->dim, range);
        if (limb == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, width), limb, NO_INDEX))
            return false;
        if (!form_add_tensor(f, lowering_tensors(l), limb, -(INT64_C(1) << offset)))
            return limbs_too_many_terms(l, st);
        s->tensor[2 + i] = limb;
        offset += width;
    }
    return true;
}

uint32_t digits_tensor(lowering *l, unsigned rank, const uint32_t *dim, unsigned bits, int64_t least,
                       mica_status *st) {
    form x;
    form_create(&x, true, rank, dim);
    const unsigned pieces = limbs_choose(l, bits, form_padded_cells(&x));
    bool fits = true;
    for (unsigned i = 0, at = 0; i < pieces; i++) {
        const unsigned width = limbs_width(bits, pieces, i);
        const bound range = {0, (INT64_C(1) << width) - 1};
        const uint32_t digit = builder_witness(&l->b, true, rank, dim, range);
        if (digit == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, width), digit, NO_INDEX))
            return NO_INDEX;
        fits = fits && form_add_tensor(&x, lowering_tensors(l), digit, INT64_C(1) << at);
        at += width;
    }
    fits = fits && (least == 0 || form_add_constant(&x, least));
    return fits || limbs_too_many_terms(l, st) ? builder_linear(&l->b, &x, 0) : NO_INDEX;
}

/* *value := the number that range check s found, as the sum of its limbs. */
static bool sum_of_limbs(lowering *l, const step *s, unsigned bits, unsigned pieces, form *value,
                         mica_status *st) {
    const mica_tensor *top = &lowering_tensors(l)[s->tensor[0]];
    form_create(value, top->batched, top->rank, top->dim);
    unsigned offset = 0;
    for (unsigned i = 0; i < pieces; i++) {
        const uint32_t limb = i < s->n_limbs ? s->tensor[2 + i] : s->tensor[0];
        if (!form_add_tensor(value, lowering_tensors(l), limb, INT64_C(1) << offset))
            return limbs_too_many_terms(l, st);
        offset += limbs_width(bits, pieces, i);
    }
    return true;
}

bool range_check_value(lowering *l, const form *f, unsigned bits, form *value, mica_status *st) {
    step s = {.kind = STEP_REQUANTISE, .layer = l->b.layer, .table = NO_INDEX};
    memset(s.tensor, 0xff, sizeof s.tensor);
    const unsigned pieces = limbs_choose(l, bits, form_padded_cells(f));
    form sum = *f;
    s.n_limbs = pieces - 1;
    if (!limbs_emit(l, &sum, bits, pieces, &s, st))
        return false;
    const unsigned top = limbs_width(bits, pieces, s.n_limbs);
    s.tensor[0] = builder_linear(&l->b, &sum, bits - top);
    if (s.tensor[0] == NO_INDEX ||
        !builder_lookup(&l->b, builder_range_table(&l->b, top), s.tensor[0], NO_INDEX) ||
        !builder_step(&l->b, &s))
        return false;
    /* The lookup says more than the definition: readers of the limb may rely on the table. */
    mica_tensor *limb = &l->b.p.circuit.tensor[s.tensor[0]];
    const int32_t most = (int32_t)((UINT32_C(1) << top) - 1); /* top <= MICA_MAX_TABLE_BITS */
    limb->lo = 0;
    limb->hi = limb->hi < most ? limb->hi : most;
    return !value || sum_of_limbs(l, &s, bits, pieces, value, st);
}

bool range_check(lowering *l, const form *f, unsigned bits, mica_status *st) {
    return range_check_value(l, f, bits, NULL, st);
}
