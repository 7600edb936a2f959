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

/* Coefficients as two halves, so that sums of few products with cells stay exact:
 * c = low + 2^16 high,  -2^15 <= low < 2^15,  |high| <= 2^14 for |c| < 2^30. */
#define HALVES        2
#define HALF_BITS     16
#define HALVES_MOST   65535 /* sum of |cell| over a product: times 2^15 it is below p */
#define HALVES_WINDOW 32    /* cells of a limb, each at most LIMB_MOST, that are always few enough */
#define LIMB_MOST     2047

_Static_assert(HALVES_WINDOW *LIMB_MOST <= HALVES_MOST && (uint64_t)HALVES_MOST << (HALF_BITS - 1) < M31_P,
               "sums of halves are less than p");

static inline void halves_of(m31 v, int16_t half[HALVES]) {
    const int32_t c = limbs_centre(v), low = ((c + (1 << 15)) & 0xffff) - (1 << 15); /* |c| + 2^15 < 2^31 */
    half[0] = (int16_t)low;
    half[1] = (int16_t)((c - low) >> HALF_BITS); /* exact */
}

/* See mica_kernels.abs_sums. */
static inline void abs_sums_row(uint32_t *sum, const int16_t *v, size_t n) {
    for (size_t first = 0; first < n; first += HALVES_WINDOW) {
        const size_t end = n - first < HALVES_WINDOW ? n : first + HALVES_WINDOW;
        int32_t s = 0;
        for (size_t i = first; i < end; i++)
            s += v[i] < 0 ? -v[i] : v[i];
        sum[first / HALVES_WINDOW] = (uint32_t)s;
    }
}

/* See mica_kernels.halves_join. */
static inline void halves_join_row(m31 *acc, const int32_t *sum, size_t stride, size_t parts,
                                   size_t part_stride, const m31 *scale, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t half[HALVES] = {0};
        for (size_t q = 0; q < parts; q++) {
            for (size_t h = 0; h < HALVES; h++) {
                const int32_t s = sum[q * part_stride + h * stride + i]; /* |s| < p */
                half[h] += (uint32_t)(s + (s < 0 ? (int32_t)M31_P : 0));
            }
        }
        /* half < 2^31 parts: the sum is below 2^53 for 32 parts, its residue times scale below 2^62 */
        const m31 v = m31_reduce64(half[0] + (half[1] << HALF_BITS));
        acc[i] = m31_add(acc[i], m31_mul(v, scale[i]));
    }
}

/* See mica_kernels.limbs_split. */
static inline unsigned limbs_split_row(int16_t *limb, size_t stride, const m31 *v, size_t n) {
    uint32_t any = 0; /* 0 for zeros only; any < 2^k: all |c| < 2^k */
    for (size_t i = 0; i < n; i++) {
        const int32_t c = limbs_centre(v[i]);
        any |= (uint32_t)(c < 0 ? -c : c);
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
static inline void limbs_join_row(m31 *acc, const int32_t *sum, size_t stride, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t v = acc[i]; /* < 2^31 + 2^31 + 2^42 + 2^53 */
        for (unsigned j = 0; j < LIMBS; j++) {
            const int32_t s = sum[j * stride + i];
            v += (uint64_t)(uint32_t)(s + (s < 0 ? (int32_t)M31_P : 0)) << (j * LIMB_BITS);
        }
        acc[i] = m31_reduce64(v);
    }
}

#endif
