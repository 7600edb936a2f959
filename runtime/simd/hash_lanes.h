/* Template of the hash kernels: Blake2s on LANES messages at once, lane i of every vector belonging to
 * message i.
 *
 * The including file defines LANES, LEVEL(name) (the name with its suffix) and, over its vector type `vec` of
 * LANES 32-bit words: vec_load, vec_store (unaligned), vec_set1, vec_add, vec_xor, vec_and, vec_or,
 * vec_ror16, vec_ror12, vec_ror8, vec_ror7, vec_zero_mask (bit i: word i is zero), and store_digests(h, out)
 * lane i of h[0..8) to the 32 bytes at out + 32 i load_children(m, child)  the 64 bytes at child + 64 i to
 * lane i of m[0..16) It is included once per file; x86 only, so that words in memory are little-endian as
 * they stand.
 */
#include <string.h>

#include "hash/blake2s_schedule.h"

/* Columns whose state is kept at hand while one block of 16 rows is absorbed: each row is then read in runs
 * of 1 KiB. One column group after another would touch 16 rows per 64 bytes, and rows a power of two apart
 * share a cache set. */
#define TILE 512

#define G(a, b, c, d, x, y)                                                                                  \
    do {                                                                                                     \
        a = vec_add(vec_add(a, x), b);                                                                       \
        d = vec_ror16(vec_xor(d, a));                                                                        \
        c = vec_add(c, d);                                                                                   \
        b = vec_ror12(vec_xor(b, c));                                                                        \
        a = vec_add(vec_add(a, y), b);                                                                       \
        d = vec_ror8(vec_xor(d, a));                                                                         \
        c = vec_add(c, d);                                                                                   \
        b = vec_ror7(vec_xor(b, c));                                                                         \
    } while (0)

__attribute__((always_inline)) static inline void compress_lanes(vec h[8], const vec m[16], uint64_t counted,
                                                                 int last) {
    vec v[16];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = vec_set1(blake2s_iv[i]);
    }
    v[12] = vec_xor(v[12], vec_set1((uint32_t)counted));
    v[13] = vec_xor(v[13], vec_set1((uint32_t)(counted >> 32)));
    v[14] = vec_xor(v[14], vec_set1(last ? UINT32_MAX : 0));
    BLAKE2S_ROUNDS(BLAKE2S_ROUND)
    for (unsigned i = 0; i < 8; i++)
        h[i] = vec_xor(h[i], vec_xor(v[i], v[8 + i]));
}

/* Absorbs one block, rows row[0..16), into the states of `columns` columns (a multiple of LANES). */
static void absorb_block(uint32_t state[8][TILE], const uint32_t *const row[16], size_t columns,
                         uint64_t counted, int last) {
    for (size_t c = 0; c < columns; c += LANES) {
        vec h[8], m[16];
        for (unsigned i = 0; i < 8; i++)
            h[i] = vec_load(&state[i][c]);
        for (unsigned i = 0; i < 16; i++)
            m[i] = vec_load(row[i] + c);
        compress_lanes(h, m, counted, last);
        for (unsigned i = 0; i < 8; i++)
            vec_store(&state[i][c], h[i]);
    }
}

/* Hashes `columns` columns from `first` on, a multiple of LANES and at most TILE. */
static void hash_tile(const uint32_t h0[8], uint64_t counted, const m31 *const *word, size_t n_words,
                      size_t first, size_t columns, uint8_t *digest) {
    static const uint32_t zeros[TILE];
    uint32_t state[8][TILE];
    for (unsigned i = 0; i < 8; i++) {
        for (size_t c = 0; c < columns; c += LANES)
            vec_store(&state[i][c], vec_set1(h0[i]));
    }
    for (size_t w = 0; w < n_words; w += 16) {
        const size_t take = n_words - w < 16 ? n_words - w : 16;
        const uint32_t *row[16];
        for (size_t i = 0; i < 16; i++)
            row[i] = i < take ? word[w + i] + first : zeros;
        absorb_block(state, row, columns, counted + 4 * (w + take), w + take == n_words);
    }
    for (size_t c = 0; c < columns; c += LANES) {
        vec h[8];
        for (unsigned i = 0; i < 8; i++)
            h[i] = vec_load(&state[i][c]);
        store_digests(h, digest + 32 * c);
    }
}

void LEVEL(hash_columns)(const uint32_t h0[8], uint64_t counted, const m31 *const *word, size_t n_words,
                         size_t first, size_t n, uint8_t *digest) {
    if (n < LANES) {
        hash_columns_portable(h0, counted, word, n_words, first, n, digest);
        return;
    }
    const size_t whole = n - n % LANES;
    for (size_t at = 0; at < whole; at += TILE)
        hash_tile(h0, counted, word, n_words, first + at, whole - at < TILE ? whole - at : TILE,
                  digest + 32 * at);
    if (whole < n) /* the last group overlaps the one before */
        hash_tile(h0, counted, word, n_words, first + n - LANES, LANES, digest + 32 * (n - LANES));
}

static void hash_node_group(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8],
                            const uint8_t *child, uint8_t *parent) {
    vec h[8], m[16];
    for (unsigned i = 0; i < 8; i++)
        h[i] = vec_set1(h0[i]);
    load_children(m, child);
    for (unsigned i = 0; i < 16; i++)
        m[i] = vec_and(m[i], vec_set1(kept[i % 8]));
    compress_lanes(h, m, counted + 64, 1);
    store_digests(h, parent);
}

void LEVEL(hash_nodes)(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8], const uint8_t *child,
                       size_t n, uint8_t *parent) {
    if (n < LANES) {
        hash_nodes_portable(h0, counted, kept, child, n, parent);
        return;
    }
    for (size_t i = 0; i + LANES <= n; i += LANES)
        hash_node_group(h0, counted, kept, child + 64 * i, parent + 32 * i);
    if (n % LANES) /* the last group overlaps the one before */
        hash_node_group(h0, counted, kept, child + 64 * (n - LANES), parent + 32 * (n - LANES));
}

uint64_t LEVEL(grind)(const uint32_t h0[8], uint64_t counted, const uint8_t state[32], unsigned bits,
                      uint64_t first, uint64_t count) {
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    const vec mask_low = vec_set1((uint32_t)mask), mask_high = vec_set1((uint32_t)(mask >> 32));
    uint32_t word[8];
    vec m[16];
    memcpy(word, state, sizeof word);
    for (unsigned i = 0; i < 16; i++)
        m[i] = vec_set1(i < 8 ? word[i] : 0);
    for (uint64_t done = 0; done < count; done += LANES) {
        uint32_t low[LANES], high[LANES];
        vec h[8];
        for (unsigned i = 0; i < LANES; i++) {
            low[i] = (uint32_t)(first + done + i);
            high[i] = (uint32_t)((first + done + i) >> 32);
        }
        for (unsigned i = 0; i < 8; i++)
            h[i] = vec_set1(h0[i]);
        m[8] = vec_load(low);
        m[9] = vec_load(high);
        compress_lanes(h, m, counted + 40, 1);
        const uint32_t hits = vec_zero_mask(vec_or(vec_and(h[0], mask_low), vec_and(h[1], mask_high)));
        if (hits) {
            /* The lowest hit decides: if it lies beyond the range, so do the others. */
            const uint64_t at = done + (unsigned)__builtin_ctz(hits);
            return at < count ? first + at : UINT64_MAX;
        }
    }
    return UINT64_MAX;
}

#undef G
