#include "simd/products.h"

#if defined(__x86_64__)

#include "simd/products_avx512.h"

static inline products_vec products_step(products_vec s, products_vec a, products_vec b) {
    return _mm512_add_epi32(s, _mm512_madd_epi16(a, b));
}

#define PRODUCTS_NAME products_avx512
#include "simd/products_template.h"

#define COMBINE_NAME combine_avx512
#include "simd/combine_template.h"

#endif
