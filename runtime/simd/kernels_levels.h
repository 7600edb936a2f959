/* The tables of simd/kernels.h, one function per instruction set. */
#ifndef MICA_SIMD_KERNELS_LEVELS_H
#define MICA_SIMD_KERNELS_LEVELS_H

#include "simd/kernels.h"

extern const mica_kernels kernels_portable;

/* NULL where the target is not x86-64. */
const mica_kernels *kernels_avx2(void);
const mica_kernels *kernels_avx512(void);

#endif
