#include "simd/kernels_levels.h"

#if defined(__x86_64__)

#include "simd/hash_kernels.h"
#include "simd/vec_avx512.h"

#include "simd/kernels_template.h"

static const mica_kernels table = {
    .name = "avx512",
    KERNELS_OF_TEMPLATE,
    .hash_columns = hash_columns_avx512,
    .hash_nodes = hash_nodes_avx512,
    .grind = grind_avx512,
};

const mica_kernels *kernels_avx512(void) {
    return &table;
}

#else

const mica_kernels *kernels_avx512(void) {
    return NULL;
}

#endif
