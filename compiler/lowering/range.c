#include "lowering/range.h"

static bound product(bound a, bound b) {
    return bound_hull(bound_scale(a, b.lo), bound_scale(a, b.hi));
}

bound range_of_products(bound a, bound b, uint64_t count) {
    return bound_scale(bound_hull(product(a, b), (bound){0, 0}), (int64_t)count);
}

#define CHUNK 256 /* rows beside each other that are summed at once */

/* A walk over the positions of some axes, the first one fastest. */
typedef struct walk {
    unsigned n;
    size_t dim[MICA_MAX_RANK], stride[MICA_MAX_RANK], index[MICA_MAX_RANK], at;
} walk;

static bool walk_next(walk *k) {
    for (unsigned i = 0; i < k->n; i++) {
        k->at += k->stride[i];
        if (++k->index[i] < k->dim[i])
            return true;
        k->at -= k->stride[i] * k->dim[i];
        k->index[i] = 0;
    }
    return false;
}

/* Axes of w without the innermost run of axes that are all contracted or all not: those of rows and those of
 * sums, neighbours of one kind merged. Returns the length of the innermost run; *summed: it is contracted. */
static size_t split_axes(unsigned rank, const uint32_t *dim, unsigned contracted, walk *rows, walk *sums,
                         bool *summed) {
    size_t inner = 1, stride = 1;
    unsigned i = rank;
    *rows = *sums = (walk){.n = 0};
    *summed = rank > 0 && contracted >> (rank - 1) & 1u;
    for (; i > 0 && (bool)(contracted >> (i - 1) & 1u) == *summed; i--)
        inner *= dim[i - 1];
    stride = inner;
    for (; i > 0; i--) {
        walk *k = contracted >> (i - 1) & 1u ? sums : rows;
        const unsigned last = k->n - 1;
        if (k->n > 0 && k->stride[last] * k->dim[last] == stride) {
            k->dim[last] *= dim[i - 1];
        } else {
            k->dim[k->n] = dim[i - 1];
            k->stride[k->n++] = stride;
        }
        stride *= dim[i - 1];
    }
    return inner;
}

/* Sums of positive and of negative weights; a tensor has fewer than 2^32 of them, below 2^31: no sum reaches
 * 2^63. */
typedef struct row_sums {
    int64_t positive, negative;
} row_sums;

static bound row_bound(row_sums s, bound x) {
    return bound_add(bound_scale(x, s.positive), bound_scale(x, s.negative));
}

/* Adds n cells to n sums. */
static void add_cells(int64_t *positive, int64_t *negative, const int32_t *w, size_t n) {
    for (size_t j = 0; j < n; j++) {
        positive[j] += w[j] > 0 ? w[j] : 0;
        negative[j] += w[j] < 0 ? w[j] : 0;
    }
}

bound range_of_rows(const int32_t *w, unsigned rank, const uint32_t *dim, unsigned contracted, bound x) {
    walk rows, sums;
    bool summed;
    const size_t inner = split_axes(rank, dim, contracted, &rows, &sums, &summed);
    bound r = {0, 0};
    do {
        row_sums all = {0, 0};
        for (size_t first = 0; first < inner; first += CHUNK) {
            const size_t n = inner - first < CHUNK ? inner - first : CHUNK;
            int64_t positive[CHUNK] = {0}, negative[CHUNK] = {0};
            do {
                add_cells(positive, negative, w + rows.at + sums.at + first, n);
            } while (walk_next(&sums)); /* ends where it began */
            for (size_t j = 0; j < n; j++) {
                all.positive += positive[j];
                all.negative += negative[j];
                if (!summed)
                    r = bound_hull(r, row_bound((row_sums){positive[j], negative[j]}, x));
            }
        }
        if (summed)
            r = bound_hull(r, row_bound(all, x));
    } while (walk_next(&rows));
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
