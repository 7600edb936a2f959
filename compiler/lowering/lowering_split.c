#include "lowering/lowering_split.h"

#include <stdlib.h>

#include "lowering/limbs.h"
#include "lowering/range.h"

/* The carry's range is that of its limbs, which end at powers of two. */
#define CARRY_SLACK (INT64_C(1) << LIMBS_MAX_BITS)

static size_t elements(const weighted *w) {
    size_t n = 1;
    for (unsigned i = 0; i < w->w_rank; i++)
        n *= w->w_dim[i];
    return n;
}

static int64_t magnitude(bound r) {
    return r.hi > -r.lo ? r.hi : -r.lo;
}

/* floor((q + 2^(k-1)) / 2^k); |q| < 2^30 */
static int32_t high_limb(int32_t q, unsigned k) {
    return (q + (INT32_C(1) << (k - 1))) >> k;
}

static void set_limbs(const int32_t *q, size_t n, unsigned k, int32_t *high, int32_t *low) {
    for (size_t i = 0; i < n; i++) {
        high[i] = high_limb(q[i], k);
        low[i] = q[i] - high[i] * (INT32_C(1) << k);
    }
}

/* Whether k low bits do. */
static bool try_bits(weight_split *s, const int32_t *q, const weighted *w, bound x, double bias,
                     int64_t limit, int32_t *high, unsigned k) {
    set_limbs(q, elements(w), k, high, s->low);
    s->high_acc = range_of_rows(high, w->w_rank, w->w_dim, w->contracted, x);
    s->low_acc = range_of_rows(s->low, w->w_rank, w->w_dim, w->contracted, x);
    const int64_t carry = (magnitude(s->low_acc) >> k) + 1 + CARRY_SLACK;
    return magnitude(s->low_acc) < limit &&
           (double)(magnitude(s->high_acc) + carry) + bias / (double)(INT64_C(1) << k) < (double)limit;
}

bool weight_split_find(weight_split *s, int32_t *q, const weighted *w, bound x, double bias, int64_t limit,
                       mica_status *st) {
    const size_t n = elements(w);
    int32_t *high = malloc(n * sizeof *high);
    *s = (weight_split){.low = malloc(n * sizeof *s->low)};
    if (!high || !s->low) {
        free(high);
        weight_split_free(s);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    }
    const bound whole = range_of_rows(q, w->w_rank, w->w_dim, w->contracted, x);
    unsigned k = 1;
    while (k < LIMBS_MAX_BITS && magnitude(whole) >> k >= limit)
        k++;
    while (k <= LIMBS_MAX_BITS && !try_bits(s, q, w, x, bias, limit, high, k))
        k++;
    if (k <= LIMBS_MAX_BITS) {
        s->bits = k;
        for (size_t i = 0; i < n; i++)
            q[i] = high[i];
    } else {
        weight_split_free(s);
    }
    free(high);
    return true;
}

void weight_split_free(weight_split *s) {
    free(s->low);
    *s = (weight_split){0};
}

bool lowering_add_split(lowering *l, const weight_split *s, uint32_t high, uint32_t low, form *f,
                        mica_status *st) {
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    const mica_tensor *out = &lowering_tensors(l)[high];
    form rest, carry;
    form_create(f, out->batched, out->rank, out->dim);
    form_create(&rest, out->batched, out->rank, out->dim);
    if (!form_add_tensor(f, lowering_tensors(l), high, 1) ||
        !form_add_tensor(&rest, lowering_tensors(l), low, 1) ||
        !form_add_constant(&rest, INT64_C(1) << (s->bits - 1)))
        return mica_fail(st, MICA_ERR_INTERNAL, "a sum of two terms is full");
    if (!limbs_quotient(l, &rest, s->bits, &carry, st))
        return false;
    return form_add_form(f, lowering_tensors(l), &carry, 1, same_axes) || limbs_too_many_terms(l, st);
}
