/* Reproducible field elements for tests: mostly uniform, one in eight an extreme value. */
#ifndef MICA_TESTS_RANDOM_FIELD_H
#define MICA_TESTS_RANDOM_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "field/qm31.h"

/* splitmix64. */
static inline uint64_t random_u64(uint64_t *seed) {
    uint64_t x = *seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static inline m31 random_m31(uint64_t *seed) {
    static const m31 extreme[8] = {0, 1, 2, M31_P - 1, M31_P - 2, M31_HALF, M31_HALF - 1, 0x55555555};
    const uint64_t x = random_u64(seed);
    return x % 8 == 0 ? extreme[x >> 3 & 7] : (m31)((x >> 8) % M31_P);
}
static inline qm31 random_qm31(uint64_t *seed) {
    qm31 x;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        x.v[j] = random_m31(seed);
    return x;
}
static inline void random_m31s(m31 *out, size_t n, uint64_t *seed) {
    for (size_t i = 0; i < n; i++)
        out[i] = random_m31(seed);
}

#endif
