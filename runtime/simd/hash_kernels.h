/* Blake2s over many short messages: one message per SIMD lane.
 *
 * The contracts are those of simd/kernels.h. The portable functions go through hash/blake2s.h one message at
 * a time and are the oracle of the others, which all come from the one template simd/hash_lanes.h.
 */
#ifndef MICA_SIMD_HASH_KERNELS_H
#define MICA_SIMD_HASH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "field/m31.h"

#define HASH_KERNELS(level)                                                                                  \
    void hash_columns_##level(const uint32_t h0[8], uint64_t counted, const m31 *const *word,                \
                              size_t n_words, size_t first, size_t n, uint8_t *digest);                      \
    void hash_nodes_##level(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8],                  \
                            const uint8_t *child, size_t n, uint8_t *parent);                                \
    uint64_t grind_##level(const uint32_t h0[8], uint64_t counted, const uint8_t state[32], unsigned bits,   \
                           uint64_t first, uint64_t count);

HASH_KERNELS(portable)
#if defined(__x86_64__)
HASH_KERNELS(avx2)
HASH_KERNELS(avx512)
#endif

#undef HASH_KERNELS

#endif
