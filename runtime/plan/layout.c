#include "plan/layout.h"

#include <stdlib.h>
#include <string.h>

#include "code/line_code.h"
#include "pcs/pcs_schedule.h"

static int compare_slots(const void *a, const void *b) {
    const layout_slot *x = a, *y = b;
    if (x->bits != y->bits)
        return x->bits > y->bits ? -1 : 1;
    return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

bool layout_place(layout *l, const mica_circuit *c, mica_tensor_kind kind, uint32_t batch, mica_status *st) {
    memset(l, 0, sizeof *l);
    for (uint32_t t = 0; t < c->n_tensors; t++)
        l->n_slots += c->tensor[t].kind == kind;
    l->slot = calloc((size_t)l->n_slots + 1, sizeof *l->slot);
    if (!l->slot)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the layout of a commitment");
    uint32_t n = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind == kind)
            l->slot[n++] = (layout_slot){t, mica_tensor_bits(&c->tensor[t], batch), 0};
    }
    qsort(l->slot, n, sizeof *l->slot, compare_slots);
    for (uint32_t i = 0; i < n; i++) { /* descending powers of two: every offset is aligned */
        l->slot[i].offset = l->cells;
        l->cells += 1ull << l->slot[i].bits;
    }
    return true;
}

/* Rows of 2^(n - floor(n / 3)) cells at rate 1/8: queried columns and the message of the opening grow alike.
 */
#define ITEM_RATE_BITS 3

bool layout_item(layout *l, const mica_circuit *c, uint32_t t, mica_status *st) {
    const unsigned n = mica_item_bits(&c->tensor[t]);
    memset(l, 0, sizeof *l);
    l->slot = calloc(1, sizeof *l->slot);
    if (!l->slot)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the layout of a commitment");
    l->slot[0] = (layout_slot){t, n, 0};
    l->n_slots = 1;
    l->cells = 1ull << n;
    return layout_shape(l, c, 1, n - n / 3, ITEM_RATE_BITS, MERKLE_DIGEST, st);
}

/* Whether the row of 2^b cells at `first` (relative to the tensor, first a multiple of 2^b) meets the valid
 * box: its smallest corner does, because the low bits of the indices run from zero. */
static bool row_is_present(const mica_tensor *x, uint32_t batch, uint64_t first) {
    for (unsigned i = x->rank; i-- > 0;) {
        const unsigned bits = mica_log2_ceil(x->dim[i]);
        if ((first & ((1ull << bits) - 1)) >= x->dim[i])
            return false;
        first >>= bits;
    }
    return !x->batched || first < batch;
}

bool layout_shape(layout *l, const mica_circuit *c, uint32_t batch, unsigned col_vars, unsigned rate_bits,
                  unsigned digest_bytes, mica_status *st) {
    const unsigned total = mica_log2_ceil(l->cells);
    const unsigned b = col_vars < total ? col_vars : total;
    const uint64_t rows = ((l->cells - 1) >> b) + 1;
    if (total - b > PCS_MAX_ROW_BITS)
        return mica_fail(st, MICA_ERR_LIMIT, "a commitment of %llu cells needs more than 2^%d rows",
                         (unsigned long long)l->cells, PCS_MAX_ROW_BITS);
    /* The weights' rate is read from the parameters. */
    if (rate_bits < 1 || rate_bits > PCS_MAX_RATE_BITS || b + rate_bits > LINE_CODE_MAX_LOG)
        return mica_fail(st, MICA_ERR_LIMIT, "a commitment with rows of 2^%u cells at rate 1/2^%u", b,
                         rate_bits);
    l->present = malloc(rows * sizeof *l->present);
    if (!l->present)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the layout of a commitment");
    uint32_t n = 0, slot = 0;
    for (uint64_t row = 0; row < rows; row++) {
        const uint64_t first = row << b;
        while (slot + 1 < l->n_slots && l->slot[slot + 1].offset <= first)
            slot++;
        const layout_slot *s = &l->slot[slot];
        if (s->bits < b || row_is_present(&c->tensor[s->tensor], batch, first - s->offset))
            l->present[n++] = (uint32_t)row;
    }
    l->shape = (pcs_shape){total - b, b, rate_bits, digest_bytes, n, l->present};
    return true;
}

void layout_free(layout *l) {
    free(l->slot);
    free(l->present);
    memset(l, 0, sizeof *l);
}

const layout_slot *layout_find(const layout *l, uint32_t tensor) {
    for (uint32_t i = 0; i < l->n_slots; i++) {
        if (l->slot[i].tensor == tensor)
            return &l->slot[i];
    }
    return NULL;
}
