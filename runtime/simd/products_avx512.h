/* Sixteen lanes, for simd/products_template.h. */
#ifndef MICA_SIMD_PRODUCTS_AVX512_H
#define MICA_SIMD_PRODUCTS_AVX512_H

#include <immintrin.h>
#include <string.h>

#define PRODUCTS_LANES   16
#define PRODUCTS_ROWS    8 /* 8 x 2 sums, 2 columns, 1 pair: 19 of 32 registers */
#define PRODUCTS_VECTORS 2

typedef __m512i products_vec;

static inline products_vec products_load(const int16_t *p) {
    return _mm512_loadu_si512((const void *)p);
}
static inline void products_store(int32_t *p, products_vec a) {
    _mm512_storeu_si512((void *)p, a);
}
static inline products_vec products_zero(void) {
    return _mm512_setzero_si512();
}
static inline products_vec products_pair(const int16_t *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

#define COMBINE_AT_ONCE 12 /* 12 x 2 sums, 2 cells, 1 pair: 27 of 32 registers */

static inline products_vec combine_low(products_vec a, products_vec b) {
    return _mm512_unpacklo_epi16(a, b);
}
static inline products_vec combine_high(products_vec a, products_vec b) {
    return _mm512_unpackhi_epi16(a, b);
}
static inline products_vec combine_first(products_vec l, products_vec h) {
    const __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    return _mm512_permutex2var_epi32(l, at, h);
}
static inline products_vec combine_second(products_vec l, products_vec h) {
    const __m512i at = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    return _mm512_permutex2var_epi32(l, at, h);
}

#endif
