/* Every level of the hash kernels equals the portable one, which check_blake2s ties to the standard. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cpu.h"
#include "hash/blake2s.h"
#include "simd/hash_kernels.h"
#include "suite.h"

typedef struct level {
    const char *name;
    mica_cpu_level needs;
    void (*columns)(const uint32_t h0[8], uint64_t counted, const m31 *const *word, size_t n_words,
                    size_t first, size_t n, uint8_t *digest);
    void (*nodes)(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8], const uint8_t *child,
                  size_t n, uint8_t *parent);
    uint64_t (*grind)(const uint32_t h0[8], uint64_t counted, const uint8_t state[32], unsigned bits,
                      uint64_t first, uint64_t count);
} level;

static const level levels[] = {
    {"portable", MICA_CPU_PORTABLE, hash_columns_portable, hash_nodes_portable, grind_portable},
#if defined(__x86_64__)
    {"avx2", MICA_CPU_AVX2, hash_columns_avx2, hash_nodes_avx2, grind_avx2},
    {"avx512", MICA_CPU_AVX512, hash_columns_avx512, hash_nodes_avx512, grind_avx512},
#endif
};
#define N_LEVELS (sizeof levels / sizeof *levels)

static bool offered(const level *l) {
    return l->needs <= mica_cpu_level_get();
}

#define MAX_WORDS 70
#define MAX_N     40
#define GUARD     32

static uint64_t next(uint64_t *s) {
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 29;
}

static void random_bytes(void *out, size_t size, uint64_t seed) {
    uint8_t *at = out;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)next(&seed);
}

/* The kernel must write exactly 32 n bytes. */
static void check_guard(const uint8_t *out, size_t n, const char *name) {
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(out[32 * n + i] == 0xa5, "%s wrote past %zu digests", name, n);
}

/* The message of one column by the streaming hash: independent of the portable kernel's own blocking. */
static void oracle_column(const char *key, const m31 *const *word, size_t n_words, size_t column,
                          uint8_t out[32]) {
    blake2s s;
    blake2s_init(&s, key);
    for (size_t w = 0; w < n_words; w++) {
        const m31 x = word[w][column];
        const uint8_t b[4] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)};
        blake2s_update(&s, b, 4);
    }
    blake2s_final(&s, out);
}

START_TEST(columns) {
    const size_t level_at = (size_t)_i;
    const level *l = &levels[level_at];
    static m31 cells[MAX_WORDS][MAX_N + 3];
    const m31 *word[MAX_WORDS];
    uint8_t expected[32 * MAX_N], out[32 * MAX_N + GUARD];
    uint32_t h0[8];
    if (!offered(l))
        return;
    random_bytes(cells, sizeof cells, 7);
    blake2s_keyed_state(h0, "columns");
    for (size_t w = 0; w < MAX_WORDS; w++)
        word[w] = cells[w];
    for (size_t n_words = 1; n_words <= MAX_WORDS; n_words++) {
        for (size_t n = 0; n <= MAX_N; n++) {
            const size_t first = (n + n_words) % 4;
            memset(out, 0xa5, sizeof out);
            for (size_t i = 0; i < n; i++)
                oracle_column("columns", word, n_words, first + i, expected + 32 * i);
            l->columns(h0, 64, word, n_words, first, n, out);
            ck_assert_msg(memcmp(out, expected, 32 * n) == 0, "%s: %zu words, %zu columns from %zu", l->name,
                          n_words, n, first);
            check_guard(out, n, l->name);
        }
    }
}
END_TEST

/* Lengths about the tile of the SIMD template, and a large prefix count. */
START_TEST(long_columns) {
    const level *l = &levels[_i];
    static const size_t lengths[] = {255, 256, 257, 271, 272, 511, 512, 513, 528, 1000};
    enum { WORDS = 33, N = 1000 };
    static m31 cells[WORDS][N];
    static uint8_t expected[32 * N], out[32 * N + GUARD];
    const m31 *word[WORDS];
    uint32_t h0[8];
    if (!offered(l))
        return;
    random_bytes(cells, sizeof cells, 8);
    random_bytes(h0, sizeof h0, 9);
    for (size_t w = 0; w < WORDS; w++)
        word[w] = cells[w];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t n = lengths[i];
        const uint64_t counted = 0xfffffffc0u; /* the count crosses a multiple of 2^32 */
        memset(out, 0xa5, sizeof out);
        hash_columns_portable(h0, counted, word, WORDS, 0, n, expected);
        l->columns(h0, counted, word, WORDS, 0, n, out);
        ck_assert_msg(memcmp(out, expected, 32 * n) == 0, "%s: %zu columns", l->name, n);
        check_guard(out, n, l->name);
    }
}
END_TEST

START_TEST(nodes) {
    const level *l = &levels[_i];
    uint8_t child[64 * MAX_N], expected[32], out[32 * MAX_N + GUARD];
    uint32_t h0[8], kept[8];
    if (!offered(l))
        return;
    random_bytes(child, sizeof child, 10);
    blake2s_keyed_state(h0, "nodes");
    for (size_t n = 0; n <= MAX_N; n++) {
        memset(out, 0xa5, sizeof out);
        const size_t bytes = n % 33;
        uint8_t mask[32] = {0};
        memset(mask, 0xff, bytes);
        for (size_t i = 0; i < 8; i++)
            kept[i] = load_u32(mask + 4 * i);
        l->nodes(h0, 64, kept, child, n, out);
        for (size_t i = 0; i < n; i++) {
            blake2s s;
            blake2s_init(&s, "nodes");
            uint8_t pair[64] = {0};
            memcpy(pair, child + 64 * i, bytes);
            memcpy(pair + 32, child + 64 * i + 32, bytes);
            blake2s_update(&s, pair, 64);
            blake2s_final(&s, expected);
            ck_assert_msg(memcmp(out + 32 * i, expected, 32) == 0, "%s: node %zu of %zu", l->name, i, n);
        }
        check_guard(out, n, l->name);
    }
}
END_TEST

/* By definition: the first nonce whose digest has `bits` zero bits, by the streaming hash. */
static uint64_t oracle_grind(const uint8_t state[32], unsigned bits, uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        blake2s s;
        uint8_t digest[32], nonce[8];
        uint64_t low = 0;
        for (unsigned j = 0; j < 8; j++)
            nonce[j] = (uint8_t)((first + i) >> 8 * j);
        blake2s_init(&s, "grind");
        blake2s_update(&s, state, 32);
        blake2s_update(&s, nonce, 8);
        blake2s_final(&s, digest);
        for (unsigned j = 0; j < 8; j++)
            low |= (uint64_t)digest[j] << 8 * j;
        if (low % ((uint64_t)1 << bits) == 0)
            return first + i;
    }
    return UINT64_MAX;
}

START_TEST(grinding) {
    const level *l = &levels[_i];
    uint32_t h0[8];
    if (!offered(l))
        return;
    blake2s_keyed_state(h0, "grind");
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint8_t state[32];
        random_bytes(state, sizeof state, seed);
        for (unsigned bits = 0; bits <= 9; bits++) {
            for (uint64_t count = 0; count < 70; count += 1 + count / 4) {
                const uint64_t first = seed % 2 ? 0xfffffff0u + seed : seed * 1000; /* across 2^32 as well */
                const uint64_t expected = oracle_grind(state, bits, first, count);
                ck_assert_msg(l->grind(h0, 64, state, bits, first, count) == expected,
                              "%s: seed %llu, %u bits, %llu nonces", l->name, (unsigned long long)seed, bits,
                              (unsigned long long)count);
            }
        }
    }
}
END_TEST

/* More bits than the first word holds: the mask reaches into the second. No such nonce is within reach, so
 * the search must come back empty from a range where 10 bits have hits. */
START_TEST(grinding_high_bits) {
    const level *l = &levels[_i];
    const uint8_t state[32] = {1};
    uint32_t h0[8];
    if (!offered(l))
        return;
    blake2s_keyed_state(h0, "grind");
    ck_assert(l->grind(h0, 64, state, 10, 0, 100000) != UINT64_MAX);
    ck_assert(l->grind(h0, 64, state, 63, 0, 100000) == UINT64_MAX);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hash_kernels");
    TCase *tc = tcase_create("levels");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, columns, 0, N_LEVELS);
    tcase_add_loop_test(tc, long_columns, 0, N_LEVELS);
    tcase_add_loop_test(tc, nodes, 0, N_LEVELS);
    tcase_add_loop_test(tc, grinding, 0, N_LEVELS);
    tcase_add_loop_test(tc, grinding_high_bits, 0, N_LEVELS);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
