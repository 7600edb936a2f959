/* Arithmetic in M31, the field of integers modulo p = 2^31 - 1.
 *
 * An m31 is canonical: 0 <= a < p. Every function takes and returns canonical values.
 * Source: docs/protocol.md, "Field".
 */
#ifndef MICA_FIELD_M31_H
#define MICA_FIELD_M31_H

#include <stdbool.h>
#include <stdint.h>

#define M31_P    0x7fffffffu
#define M31_BITS 31u

typedef uint32_t m31;

/* a + b < 2p < 2^32: one conditional subtraction. */
static inline m31 m31_add(m31 a, m31 b) {
    uint32_t s = a + b;
    return s >= M31_P ? s - M31_P : s;
}

static inline m31 m31_sub(m31 a, m31 b) {
    return a >= b ? a - b : a + M31_P - b;
}

static inline m31 m31_neg(m31 a) {
    return a ? M31_P - a : 0;
}

/* Any 64-bit x: two foldings leave at most 2^31 + 3, hence less than 2p. */
static inline m31 m31_reduce64(uint64_t x) {
    uint64_t t = (x & M31_P) + (x >> 31);             /* < 2^31 + 2^33 */
    uint32_t u = (uint32_t)((t & M31_P) + (t >> 31)); /* < 2^31 + 2^3 */
    return u >= M31_P ? u - M31_P : u;
}

/* a*b <= (p-1)^2 < 2^62: one folding leaves less than 2p. */
static inline m31 m31_mul(m31 a, m31 b) {
    uint64_t x = (uint64_t)a * b;
    uint32_t s = (uint32_t)(x & M31_P) + (uint32_t)(x >> 31);
    return s >= M31_P ? s - M31_P : s;
}

/* The residue of a signed integer. */
static inline m31 m31_from_i32(int32_t v) {
    const uint32_t s = (uint32_t)v + (v < 0 ? M31_P : 0); /* from -1 = 2^32 - 1 for v = -2^31 to p */
    const uint32_t t = s == UINT32_MAX ? M31_P - 1 : s;
    return t == M31_P ? 0 : t;
}

static inline m31 m31_from_i64(int64_t v) {
    int64_t r = v % (int64_t)M31_P;
    return (m31)(r < 0 ? r + (int64_t)M31_P : r);
}

static inline m31 m31_pow(m31 a, uint32_t e) {
    m31 r = 1;
    for (; e; e >>= 1, a = m31_mul(a, a)) {
        if (e & 1)
            r = m31_mul(r, a);
    }
    return r;
}

/* Inverse of a != 0 by Fermat; 0 maps to 0. */
static inline m31 m31_inv(m31 a) {
    return m31_pow(a, M31_P - 2);
}

static inline bool m31_is_canonical(uint32_t a) {
    return a < M31_P;
}

#endif
