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
#endif
