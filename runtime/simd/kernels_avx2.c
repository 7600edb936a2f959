#include "simd/kernels_levels.h"

#if defined(__x86_64__)

#include "simd/hash_kernels.h"
#include "simd/vec_avx2.h"

#include "simd/kernels_template.h"

static const mica_kernels table = {
    .name = "avx2",
    KERNELS_OF_TEMPLATE,
    .products = products_avx2,
    .combine = combine_avx2,
    .products_per_butterfly = 20,
    .hash_columns = hash_columns_avx2,
    .hash_nodes = hash_nodes_avx2,
    .grind = grind_avx2,
};

const mica_kernels *kernels_avx2(void) {
    return &table;
}

#else

const mica_kernels *kernels_avx2(void) {
    return NULL;
}

#endif
