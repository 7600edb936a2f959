#include "simd/kernels_levels.h"

const mica_kernels *kernels_avx512(void) {
    return NULL;
}
