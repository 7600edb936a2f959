#include "simd/products.h"

#if defined(__x86_64__)

#include "simd/products_avx512.h"

static inline products_vec products_step(products_vec s, products_vec a, products_vec b) {
    return _mm512_dpwssd_epi32(s, a, b);
}

#define PRODUCTS_NAME products_avx512vnni
#include "simd/products_template.h"

#define COMBINE_NAME combine_avx512vnni
#include "simd/combine_template.h"

#endif
