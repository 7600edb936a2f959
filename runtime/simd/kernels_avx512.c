#include "simd/kernels_levels.h"

#if defined(__x86_64__)

#include "simd/hash_kernels.h"
#include "simd/vec_avx512.h"

#include "simd/kernels_template.h"

#define TABLE(products_of_cpu, combine_of_cpu, per_butterfly)                                                \
    {                                                                                                        \
        .name = "avx512", KERNELS_OF_TEMPLATE, .products = products_of_cpu, .combine = combine_of_cpu,       \
        .products_per_butterfly = per_butterfly, .hash_columns = hash_columns_avx512,                        \
        .hash_nodes = hash_nodes_avx512, .grind = grind_avx512,                                              \
    }

static const mica_kernels table = TABLE(products_avx512, combine_avx512, 24),
                          table_vnni = TABLE(products_avx512vnni, combine_avx512vnni, 48);

const mica_kernels *kernels_avx512(void) {
    return __builtin_cpu_supports("avx512vnni") ? &table_vnni : &table;
}

#else

const mica_kernels *kernels_avx512(void) {
    return NULL;
}

#endif
