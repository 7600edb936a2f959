/* The portable hash kernels: one message at a time, the oracle of the others. */
#include "simd/hash_kernels.h"

#include <string.h>

#include "base/bytes.h"
#include "hash/blake2s.h"

static void store_digest(const uint32_t h[8], uint8_t *digest) {
    for (size_t i = 0; i < 8; i++)
        store_u32(digest + 4 * i, h[i]);
}

void hash_columns_portable(const uint32_t h0[8], uint64_t counted, const m31 *const *word, size_t n_words,
                           size_t first, size_t n, uint8_t *digest) {
    for (size_t i = 0; i < n; i++) {
        uint32_t h[8];
        memcpy(h, h0, sizeof h);
        for (size_t w = 0; w < n_words; w += 16) {
            const size_t take = n_words - w < 16 ? n_words - w : 16;
            uint32_t block[16] = {0};
            for (size_t j = 0; j < take; j++)
                block[j] = word[w + j][first + i];
            blake2s_compress(h, block, counted + 4 * (w + take), w + take == n_words);
        }
        store_digest(h, digest + BLAKE2S_BYTES * i);
    }
}

void hash_nodes_portable(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8], const uint8_t *child,
                         size_t n, uint8_t *parent) {
    for (size_t i = 0; i < n; i++) {
        uint32_t h[8], block[16];
        memcpy(h, h0, sizeof h);
        for (size_t j = 0; j < 16; j++)
            block[j] = load_u32(child + BLAKE2S_BLOCK * i + 4 * j) & kept[j % 8];
        blake2s_compress(h, block, counted + BLAKE2S_BLOCK, 1);
        store_digest(h, parent + BLAKE2S_BYTES * i);
    }
}

uint64_t grind_portable(const uint32_t h0[8], uint64_t counted, const uint8_t state[32], unsigned bits,
                        uint64_t first, uint64_t count) {
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    uint32_t block[16] = {0};
    for (size_t j = 0; j < 8; j++)
        block[j] = load_u32(state + 4 * j);
    for (uint64_t nonce = first; nonce != first + count; nonce++) {
        uint32_t h[8];
        memcpy(h, h0, sizeof h);
        block[8] = (uint32_t)nonce;
        block[9] = (uint32_t)(nonce >> 32);
        blake2s_compress(h, block, counted + 40, 1);
        if ((((uint64_t)h[1] << 32 | h[0]) & mask) == 0)
            return nonce;
    }
    return UINT64_MAX;
}
