#include "lowering/limbs.h"

#include <string.h>

#include "lowering/range.h"

#define MOST_LIMB_BITS                                                                                       \
    16 /* of a limb that is only checked to be in range: verifiers know such tables at any size */

/* Rows that a new range table of this many bits would add. */
static uint64_t range_table_rows(const lowering *l, unsigned bits) {
    const mica_circuit *c = &l->b.p.circuit;
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (c->table[i].def.kind == MICA_TABLE_RANGE && c->table[i].def.bits == bits)
            return 0;
    return UINT64_C(1) << bits;
}

/* n limbs of together exactly `bits` bits, as equal as possible. */
static limb_list equal_limbs(unsigned bits, unsigned n) {
    limb_list list = {.n = n};
    for (unsigned i = 0; i < n; i++)
        list.bits[i] = (uint8_t)(bits / n + (i < bits % n));
    return list;
}

limb_list limbs_choose(const lowering *l, unsigned bits, uint64_t cells) {
    limb_list best = {0};
    uint64_t least = UINT64_MAX;
    for (unsigned n = 1; n <= LIMBS && n <= bits; n++) {
        const limb_list list = equal_limbs(bits, n);
        if (list.bits[0] > MOST_LIMB_BITS)
            continue;
        uint64_t cost = n * cells + range_table_rows(l, list.bits[0]);
        if (list.bits[n - 1] != list.bits[0])
            cost += range_table_rows(l, list.bits[n - 1]);
        if (cost < least) {
            least = cost;
            best = list;
        }
    }
    return best;
}

bool limbs_too_many_terms(const lowering *l, mica_status *st) {
    return mica_fail(st, MICA_ERR_LIMIT, "layer '%s': too many terms in one sum",
                     l->b.p.circuit.layer[l->b.layer].name);
}

/* A committed integer of [0, 2^bits). */
static uint32_t limb(lowering *l, bool batched, unsigned rank, const uint32_t *dim, unsigned bits) {
    const bound range = {0, (INT64_C(1) << bits) - 1};
    const uint32_t t = builder_witness(&l->b, batched, rank, dim, range);
    const bool ok = t != NO_INDEX && builder_lookup(&l->b, builder_range_table(&l->b, bits), t, NO_INDEX);
    return ok ? t : NO_INDEX;
}

bool limbs_emit(lowering *l, form *f, const limb_list *list, step *s, mica_status *st) {
    unsigned offset = 0;
    for (unsigned i = 0; i < s->n_limbs; i++) {
        const uint32_t t = limb(l, f->batched, f->rank, f->dim, list->bits[i]);
        if (t == NO_INDEX)
            return false;
        if (!form_add_tensor(f, lowering_tensors(l), t, -(INT64_C(1) << offset)))
            return limbs_too_many_terms(l, st);
        s->tensor[2 + i] = t;
        offset += list->bits[i];
    }
    return true;
}

uint32_t digits_tensor(lowering *l, unsigned rank, const uint32_t *dim, unsigned bits, int64_t least,
                       mica_status *st) {
    form x;
    form_create(&x, true, rank, dim);
    const limb_list list = limbs_choose(l, bits, form_padded_cells(&x));
    bool fits = true;
    for (unsigned i = 0, at = 0; i < list.n; i++) {
        const uint32_t digit = limb(l, true, rank, dim, list.bits[i]);
        if (digit == NO_INDEX)
            return NO_INDEX;
        fits = fits && form_add_tensor(&x, lowering_tensors(l), digit, INT64_C(1) << at);
        at += list.bits[i];
    }
    fits = fits && (least == 0 || form_add_constant(&x, least));
    return fits || limbs_too_many_terms(l, st) ? builder_linear(&l->b, &x, 0) : NO_INDEX;
}

/* *value := the sum of 2^offset * limb over the limbs from `first` on of a range check by step s; the last
 * one is the step's LINEAR. */
static bool sum_of_limbs(lowering *l, const step *s, const limb_list *list, unsigned first, form *value,
                         mica_status *st) {
    const mica_tensor *top = &lowering_tensors(l)[s->tensor[0]];
    form_create(value, top->batched, top->rank, top->dim);
    unsigned offset = 0;
    for (unsigned i = first; i < list->n; i++) {
        const uint32_t t = i < s->n_limbs ? s->tensor[2 + i] : s->tensor[0];
        if (!form_add_tensor(value, lowering_tensors(l), t, INT64_C(1) << offset))
            return limbs_too_many_terms(l, st);
        offset += list->bits[i];
    }
    return true;
}

/* Proves that f is a number with these limbs: all but the highest are committed, and the rest is looked up as
 * the LINEAR that it is. */
static bool check_limbs(lowering *l, const form *f, const limb_list *list, step *s, mica_status *st) {
    form sum = *f;
    unsigned offset = 0;
    *s = (step){.kind = STEP_REQUANTISE, .layer = l->b.layer, .table = NO_INDEX};
    memset(s->tensor, 0xff, sizeof s->tensor);
    s->n_limbs = list->n - 1;
    if (!limbs_emit(l, &sum, list, s, st))
        return false;
    for (unsigned i = 0; i < s->n_limbs; i++)
        offset += list->bits[i];
    const unsigned top = list->bits[s->n_limbs];
    s->tensor[0] = builder_linear(&l->b, &sum, offset);
    if (s->tensor[0] == NO_INDEX ||
        !builder_lookup(&l->b, builder_range_table(&l->b, top), s->tensor[0], NO_INDEX) ||
        !builder_step(&l->b, s))
        return false;
    /* The lookup says more than the definition: readers of the limb may rely on the table. */
    mica_tensor *highest = &l->b.p.circuit.tensor[s->tensor[0]];
    const int32_t most = (int32_t)((UINT32_C(1) << top) - 1); /* top <= MICA_MAX_TABLE_BITS */
    highest->lo = 0;
    highest->hi = highest->hi < most ? highest->hi : most;
    return true;
}

bool range_check_value(lowering *l, const form *f, unsigned bits, form *value, mica_status *st) {
    const limb_list list = limbs_choose(l, bits, form_padded_cells(f));
    step s;
    return check_limbs(l, f, &list, &s, st) && (!value || sum_of_limbs(l, &s, &list, 0, value, st));
}

bool range_check(lowering *l, const form *f, unsigned bits, mica_status *st) {
    return range_check_value(l, f, bits, NULL, st);
}

bool limbs_quotient(lowering *l, const form *f, unsigned shift, form *quotient, mica_status *st) {
    const bound r = form_range(f, lowering_tensors(l));
    const int64_t least = r.lo >> shift; /* of the quotient: floor */
    const uint64_t size = (uint64_t)(r.hi - least * (INT64_C(1) << shift)) + 1;
    const unsigned bits = size > UINT64_C(2) << shift ? mica_log2_ceil(size) : shift + 1;
    if (bits > RANGE_REQUANTISE_BITS)
        return mica_fail(st, MICA_ERR_RANGE, "layer '%s': a part of a product in [%lld, %lld] has no limbs",
                         l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
    const limb_list upper = limbs_choose(l, bits - shift, form_padded_cells(f));
    limb_list list = {.n = 1 + upper.n, .bits = {(uint8_t)shift}};
    memcpy(list.bits + 1, upper.bits, upper.n); /* 1 + upper.n <= LIMBS + 1 */
    form sum = *f;
    step s;
    if (least && !form_add_constant(&sum, -least * (INT64_C(1) << shift)))
        return limbs_too_many_terms(l, st);
    if (!check_limbs(l, &sum, &list, &s, st) || !sum_of_limbs(l, &s, &list, 1, quotient, st))
        return false;
    return least == 0 || form_add_constant(quotient, least) || limbs_too_many_terms(l, st);
}
