/* Field elements as signed limbs of LIMB_BITS bits, so that inner products of field elements become products
 * of 16-bit matrices (simd/products.h). One text for every instruction set: each table of kernels compiles it
 * with its own flags.
 */
#ifndef MICA_SIMD_LIMBS_H
#define MICA_SIMD_LIMBS_H

#include <stddef.h>

#include "field/m31.h"

#define LIMB_BITS 11
#define LIMBS     3 /* 3 * 11 >= 31 bits */

/* The representative of least magnitude: |c| <= (p - 1) / 2 < 2^30. */
static inline int32_t limbs_centre(m31 v) {
    return (int32_t)v - (v > M31_P / 2 ? (int32_t)M31_P : 0);
}

/* The lowest limb of c, in [-2^10, 2^10), and what is left of c above it. */
static inline int32_t limbs_cut(int32_t *c) {
    const int32_t half = 1 << (LIMB_BITS - 1);
    const int32_t low = ((*c + half) & ((1 << LIMB_BITS) - 1)) - half; /* |c| + 2^10 < 2^31 */
    *c = (*c - low) >> LIMB_BITS;                                      /* exact */
    return low;
}

/* See mica_kernels.limbs_split. */
static inline unsigned limbs_split_row(int16_t *limb, size_t stride, const m31 *v, size_t n) {
    uint32_t any = 0; /* 0 for zeros only; any < 2^k: all c lie in [-2^k, 2^k) */
    for (size_t i = 0; i < n; i++) {
        const int32_t c = limbs_centre(v[i]);
        any |= (uint32_t)(c ^ (c >> 31)) | (uint32_t)(c & 1);
        limb[i] = (int16_t)c; /* right where one limb is enough */
    }
    if (any < 1u << LIMB_BITS)
        return any != 0;
    const unsigned limbs =
        any < 1u << (2 * LIMB_BITS - 1) ? 2 : LIMBS; /* |c| <= 2^21: the second within +-2^10 */
    for (size_t i = 0; i < n; i++) {
        int32_t c = limbs_centre(v[i]);
        limb[i] = (int16_t)limbs_cut(&c);
        limb[stride + i] = limbs == 2 ? (int16_t)c : (int16_t)limbs_cut(&c);
        limb[2 * stride + i] = limbs == 2 ? 0 : (int16_t)c; /* |c| <= 2^8 */
    }
    return limbs;
}

/* See mica_kernels.limbs_join. */
static inline void limbs_join_row(m31 *acc, size_t acc_stride, const int32_t *sum, size_t stride,
                                  const m31 *scale, size_t scale_stride, size_t n_scales, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0; /* < 2^31 + 2^42 + 2^53 */
        for (unsigned j = 0; j < LIMBS; j++) {
            const int32_t s = sum[j * stride + i];
            v += (uint64_t)(uint32_t)(s + (s < 0 ? (int32_t)M31_P : 0)) << (j * LIMB_BITS);
        }
        v = (v & M31_P) + (v >> 31); /* < 2^31 + 2^23: the products are below 2^63 */
        for (size_t k = 0; k < n_scales; k++)
            acc[k * acc_stride + i] = m31_reduce64(v * scale[k * scale_stride + i] + acc[k * acc_stride + i]);
    }
}

#endif
