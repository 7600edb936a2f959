#include "simd/products.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define PRODUCTS_NAME    products_avx2
#define PRODUCTS_LANES   8
#define PRODUCTS_ROWS    4 /* 4 x 2 sums, 2 columns, 1 pair: 11 of 16 registers */
#define PRODUCTS_VECTORS 2

typedef __m256i products_vec;

static inline products_vec products_load(const int16_t *p) {
    return _mm256_loadu_si256((const void *)p);
}
static inline void products_store(int32_t *p, products_vec a) {
    _mm256_storeu_si256((void *)p, a);
}
static inline products_vec products_zero(void) {
    return _mm256_setzero_si256();
}
static inline products_vec products_pair(const int16_t *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}
static inline products_vec products_step(products_vec s, products_vec a, products_vec b) {
    return _mm256_add_epi32(s, _mm256_madd_epi16(a, b));
}

static inline products_vec combine_low(products_vec a, products_vec b) {
    return _mm256_unpacklo_epi16(a, b);
}
static inline products_vec combine_high(products_vec a, products_vec b) {
    return _mm256_unpackhi_epi16(a, b);
}
static inline products_vec combine_first(products_vec l, products_vec h) {
    return _mm256_permute2x128_si256(l, h, 0x20);
}
static inline products_vec combine_second(products_vec l, products_vec h) {
    return _mm256_permute2x128_si256(l, h, 0x31);
}

#include "simd/products_template.h"

#define COMBINE_NAME    combine_avx2
#define COMBINE_AT_ONCE 6 /* 6 x 2 sums, 2 cells, 1 pair: 15 of 16 registers */
#include "simd/combine_template.h"

#endif
