/* Products of 16-bit matrices: the inner loop of generated layers (mica_products in mica/layer.h), one
 * function per instruction set. The portable one is the oracle.
 *
 *     out[r * columns + c] = sum over k < depth of
 *         left[r * stride + k] * right[(k / 2 * columns + c) * 2 + k % 2]
 *
 * The right matrix holds pairs of rows interleaved, as the instructions want them that multiply and add
 * pairs. rows >= 1; columns a multiple of PRODUCTS_COLUMNS; depth even. Sums are taken modulo 2^32, so the
 * order of additions does not matter. Nothing aliases; pointers need no more than their type's alignment.
 */
#ifndef MICA_SIMD_PRODUCTS_H
#define MICA_SIMD_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

#define PRODUCTS_COLUMNS 16

typedef void products_fn(int32_t *out, const int16_t *left, size_t stride, const int16_t *right, size_t rows,
                         size_t columns, size_t depth);

/* Weighted sums of rows:
 *
 *     out[j * stride + i] = sum over r < rows of left[(r / 2 * COMBINE_SUMS + j) * 2 + r % 2] * row[r][i]
 *
 * for j < COMBINE_SUMS and i < n <= stride. rows even. Sums modulo 2^32, aliasing and alignment as above. */
#define COMBINE_SUMS 12

typedef void combine_fn(int32_t *out, size_t stride, const int16_t *left, const int16_t *const *row,
                        size_t rows, size_t n);

products_fn products_portable;
combine_fn combine_portable;
#if defined(__x86_64__)
products_fn products_avx2, products_avx512;
products_fn products_avx512vnni; /* where the CPU has multiply-add of pairs in one instruction */
combine_fn combine_avx2, combine_avx512, combine_avx512vnni;
#endif

/* Columns [first, n) of combine_fn, in unsigned arithmetic, which wraps as the instructions do. */
static inline void combine_columns(int32_t *out, size_t stride, const int16_t *left,
                                   const int16_t *const *row, size_t rows, size_t first, size_t n) {
    for (size_t j = 0; j < COMBINE_SUMS; j++) {
        int32_t *to = out + j * stride;
        for (size_t i = first; i < n; i++)
            to[i] = 0;
        for (size_t r = 0; r < rows; r += 2) {
            const int32_t a = left[(r / 2 * COMBINE_SUMS + j) * 2],
                          b = left[(r / 2 * COMBINE_SUMS + j) * 2 + 1];
            for (size_t i = first; i < n; i++) /* |product| <= 2^30 */
                to[i] =
                    (int32_t)((uint32_t)to[i] + (uint32_t)(a * row[r][i]) + (uint32_t)(b * row[r + 1][i]));
        }
    }
}

#endif
