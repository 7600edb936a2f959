/* Products of 16-bit matrices: the inner loop of generated layers (mica_products in mica/layer.h), one
 * function per instruction set. The portable one is the oracle.
 *
 *     out[r * columns + c] = sum over k < depth of left[r * depth + k] * right[(k / 2 * columns + c) * 2 + k
 * % 2]
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

typedef void products_fn(int32_t *out, const int16_t *left, const int16_t *right, size_t rows, size_t columns,
                         size_t depth);

products_fn products_portable;
#if defined(__x86_64__)
products_fn products_avx2, products_avx512;
products_fn products_avx512vnni; /* where the CPU has multiply-add of pairs in one instruction */
#endif

#endif
