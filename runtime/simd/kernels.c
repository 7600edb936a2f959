#include "simd/kernels.h"

#include <stddef.h>

#include "simd/kernels_levels.h"

const mica_kernels *kernels_of(mica_cpu_level level) {
    switch (level) {
    case MICA_CPU_PORTABLE:
        return &kernels_portable;
    case MICA_CPU_AVX2:
        return kernels_avx2();
    case MICA_CPU_AVX512:
        return kernels_avx512();
    }
    return NULL;
}

const mica_kernels *kernels(void) {
    const mica_kernels *table = kernels_of(mica_cpu_level_get());
    return table ? table : &kernels_portable;
}
