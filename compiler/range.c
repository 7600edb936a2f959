#include "range.h"

static bound product(bound a, bound b) {
    return bound_hull(bound_scale(a, b.lo), bound_scale(a, b.hi));
}

bound range_of_products(bound a, bound b, uint64_t count) {
    return bound_scale(bound_hull(product(a, b), (bound){0, 0}), (int64_t)count);
}

/* Sum of one row, index[] giving the row's position along the axes that are not contracted. */
static bound row_range(const int32_t *w, unsigned rank, const uint32_t *dim, const size_t *stride,
                       unsigned contracted, size_t at, bound x) {
    uint32_t k[MICA_MAX_RANK] = {0};
    bound r = {0, 0};
    for (;;) {
        r = bound_add(r, bound_scale(x, w[at]));
        unsigned i = rank;
        while (i-- > 0) {
            if (!(contracted & 1u << i))
                continue;
            at += stride[i];
            if (++k[i] < dim[i])
                break;
            at -= stride[i] * dim[i];
            k[i] = 0;
        }
        if (i == UINT32_MAX)
            return r;
    }
}

bound range_of_rows(const int32_t *w, unsigned rank, const uint32_t *dim, unsigned contracted, bound x) {
    size_t stride[MICA_MAX_RANK] = {0}, n = 1;
    for (unsigned i = rank; i-- > 0;) {
        stride[i] = n;
        n *= dim[i];
    }
    bound r = {0, 0};
    for (size_t cell = 0; cell < n; cell++) {
        bool first = true; /* of its row: index 0 along every contracted axis */
        for (unsigned i = 0; i < rank; i++)
            first &= !(contracted & 1u << i) || cell / stride[i] % dim[i] == 0;
        if (first)
            r = bound_hull(r, row_range(w, rank, dim, stride, contracted, cell, x));
    }
    return r;
}

unsigned range_key_bits(bound r, unsigned shift) {
    /* Arithmetic shift of negative values: floor. */
    const int64_t lo = r.lo >> shift, hi = r.hi >> shift;
    unsigned c = 1;
    while (c < 63 && (lo < -(INT64_C(1) << (c - 1)) || hi >= INT64_C(1) << (c - 1)))
        c++;
    return c;
}
