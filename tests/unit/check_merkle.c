/* Merkle trees against a naive tree, multiproofs against hostile changes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../golden/transcript_vectors.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/parallel.h"
#include "hash/blake2s.h"
#include "hash/merkle.h"
#include "suite.h"

#define MAX_PROOF 65536

#define DIGEST 26 /* bytes of a child that enter its parent */

/* --- the oracle: one message at a time, level by level --- */

static void naive_leaf(const m31 *const *row, size_t n_rows, size_t column, uint8_t out[32]) {
    uint8_t head[64] = {0}, word[4];
    blake2s s;
    store_u32(head, (uint32_t)n_rows);
    blake2s_init(&s, "mica leaf v1");
    blake2s_update(&s, head, sizeof head);
    for (size_t r = 0; r < n_rows; r++) {
        store_u32(word, row[r][column]);
        blake2s_update(&s, word, 4);
    }
    blake2s_final(&s, out);
}

static void naive_node(const uint8_t *left, const uint8_t *right, unsigned digest_bytes, uint8_t out[32]) {
    uint8_t child[2][32] = {{0}};
    blake2s s;
    memcpy(child[0], left, digest_bytes);
    memcpy(child[1], right, digest_bytes);
    blake2s_init(&s, digest_bytes == 32 ? "mica node v1" : "mica node v2");
    blake2s_update(&s, child[0], 32);
    blake2s_update(&s, child[1], 32);
    blake2s_final(&s, out);
}

static uint8_t *naive_tree(unsigned log_leaves, unsigned digest_bytes, const m31 *const *row, size_t n_rows) {
    const size_t leaves = (size_t)1 << log_leaves;
    uint8_t *node = calloc(2 * leaves, 32);
    ck_assert_ptr_nonnull(node);
    for (size_t j = 0; j < leaves; j++)
        naive_leaf(row, n_rows, j, node + 32 * (leaves + j));
    for (size_t i = leaves - 1; i >= 1; i--)
        naive_node(node + 64 * i, node + 64 * i + 32, digest_bytes, node + 32 * i);
    return node;
}

/* Marks what the verifier knows in the heap and collects the siblings it lacks. */
static size_t naive_multiproof(unsigned log_leaves, const uint8_t *node, const uint32_t *leaf, size_t n,
                               uint8_t *out) {
    const size_t leaves = (size_t)1 << log_leaves;
    bool *known = calloc(2 * leaves, sizeof *known);
    size_t size = 0;
    ck_assert_ptr_nonnull(known);
    for (size_t i = 0; i < n; i++) {
        for (size_t at = leaves + leaf[i]; at >= 1; at /= 2)
            known[at] = true;
    }
    for (size_t width = leaves; width >= 2; width /= 2) {
        for (size_t at = width; at < 2 * width; at++) {
            if (known[at ^ 1] && !known[at]) {
                memcpy(out + size, node + 32 * at, DIGEST);
                size += DIGEST;
            }
        }
    }
    free(known);
    return size;
}

/* --- a matrix and its tree --- */

typedef struct fixture {
    unsigned log_leaves;
    size_t n_rows;
    m31 *cells;
    const m31 **row;
    merkle_tree tree;
    mica_arena arena;
} fixture;

static fixture make_fixture_of(unsigned log_leaves, size_t n_rows, unsigned digest_bytes) {
    const size_t leaves = (size_t)1 << log_leaves;
    fixture f = {.log_leaves = log_leaves, .n_rows = n_rows};
    mica_status st = {0};
    f.cells = malloc(leaves * n_rows * sizeof *f.cells);
    f.row = malloc(n_rows * sizeof *f.row);
    f.tree = (merkle_tree){log_leaves, digest_bytes, malloc(2 * leaves * MERKLE_DIGEST)};
    ck_assert(f.cells && f.row && f.tree.node && arena_create(&f.arena, 1 << 16, &st));
    for (size_t r = 0; r < n_rows; r++) {
        f.row[r] = f.cells + r * leaves;
        for (size_t c = 0; c < leaves; c++)
            f.cells[r * leaves + c] = (m31)((1000003 * r + 7919 * c * c) % M31_P);
    }
    merkle_build(&f.tree, f.row, n_rows);
    return f;
}

static fixture make_fixture(unsigned log_leaves, size_t n_rows) {
    return make_fixture_of(log_leaves, n_rows, DIGEST);
}

static void free_fixture(fixture *f) {
    free(f->cells);
    free(f->row);
    free(f->tree.node);
    arena_destroy(&f->arena);
}

static size_t open_leaves(fixture *f, const uint32_t *leaf, size_t n, uint8_t *proof, size_t capacity) {
    mica_channel ch;
    mica_status st = {0};
    channel_init_write(&ch, proof, capacity);
    const transcript before = ch.transcript;
    ck_assert_msg(merkle_open(&f->tree, leaf, n, &ch, &f->arena, &st), "%s", st.message);
    ck_assert_uint_eq(f->arena.used, 0);
    ck_assert_mem_eq(before.state, ch.transcript.state, 32); /* the root binds it already */
    return ch.out_size;
}

/* The verifier's side, from leaf digests: accepts only if the check passes and nothing is left over. The
 * proof is copied to memory of its exact size for sanitizers. */
static mica_verdict_code check_digests(unsigned log_leaves, const uint32_t *leaf, size_t n,
                                       const uint8_t *digest, const uint8_t *root, const uint8_t *proof,
                                       size_t size) {
    uint8_t *exact = malloc(size ? size : 1), *work = malloc(n * MERKLE_DIGEST);
    uint32_t *scratch = malloc(n * sizeof *scratch);
    mica_verdict v = {0};
    mica_channel ch;
    ck_assert(exact && work && scratch);
    memcpy(exact, proof, size);
    memcpy(work, digest, n * MERKLE_DIGEST);
    channel_init_read(&ch, exact, size, &v);
    const bool ok = merkle_check(log_leaves, DIGEST, leaf, n, work, scratch, root, &ch) && channel_end(&ch);
    ck_assert_int_eq(ok, v.code == MICA_VERDICT_UNSET);
    free(exact);
    free(work);
    free(scratch);
    return v.code;
}

static void leaf_digests(const fixture *f, const uint32_t *leaf, size_t n, uint8_t *digest) {
    m31 *column = malloc(f->n_rows * sizeof *column);
    ck_assert_ptr_nonnull(column);
    for (size_t i = 0; i < n; i++) {
        for (size_t r = 0; r < f->n_rows; r++)
            column[r] = f->row[r][leaf[i]];
        uint32_t h0[8];
        merkle_leaf_state(h0, f->n_rows);
        merkle_leaf(h0, column, f->n_rows, digest + MERKLE_DIGEST * i);
    }
    free(column);
}

static const uint8_t *root_of(const fixture *f) {
    return f->tree.node + MERKLE_DIGEST;
}

/* --- tests --- */

START_TEST(golden) {
    fixture f = make_fixture(3, 21);
    const uint32_t leaf[3] = {1, 4, 5};
    uint8_t proof[MAX_PROOF];
    ck_assert_mem_eq(root_of(&f), golden_merkle_root, 32);
    const size_t size = open_leaves(&f, leaf, 3, proof, sizeof proof);
    ck_assert_uint_eq(size, sizeof golden_multiproof_1_4_5);
    ck_assert_mem_eq(proof, golden_multiproof_1_4_5, size);
    free_fixture(&f);
}
END_TEST

START_TEST(build_equals_naive) {
    static const size_t row_counts[] = {1, 2, 15, 16, 17, 33};
    static const unsigned logs[] = {0, 1, 2, 3, 4, 5, 6, 12}, digests[] = {26, 32, 25, 21, 3};
    for (unsigned workers = 1; workers <= 3; workers++) {
        parallel_set_workers(workers);
        for (size_t l = 0; l < sizeof logs / sizeof *logs; l++) {
            for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++) {
                const size_t leaves = (size_t)1 << logs[l];
                const unsigned kept = digests[(l + r) % (sizeof digests / sizeof *digests)];
                fixture f = make_fixture_of(logs[l], row_counts[r], kept);
                uint8_t *node = naive_tree(logs[l], kept, f.row, f.n_rows);
                ck_assert_msg(memcmp(f.tree.node + 32, node + 32, 32 * (2 * leaves - 1)) == 0,
                              "2^%u leaves of %zu words, %u bytes, %u workers", logs[l], f.n_rows, kept,
                              workers);
                memset(f.tree.node, 0, 32 * leaves); /* inner nodes again from the leaves */
                merkle_build_nodes(&f.tree);
                ck_assert(memcmp(f.tree.node + 32, node + 32, 32 * (2 * leaves - 1)) == 0);
                free(node);
                free_fixture(&f);
            }
        }
    }
}
END_TEST

START_TEST(random_multiproofs) {
    uint64_t seed = 11;
    uint8_t *proof = malloc(MAX_PROOF), *naive = malloc(MAX_PROOF), *digest = malloc(1024 * 32);
    uint32_t *leaf = malloc(1024 * sizeof *leaf);
    ck_assert(proof && naive && digest && leaf);
    for (unsigned log_leaves = 0; log_leaves <= 10; log_leaves++) {
        fixture f = make_fixture(log_leaves, 5);
        for (unsigned round = 0; round < 12; round++) {
            size_t n = 0;
            for (uint32_t j = 0; j < (uint32_t)1 << log_leaves; j++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                if ((seed >> 40) % (1u << round) == 0)
                    leaf[n++] = j;
            }
            if (n == 0)
                leaf[n++] = ((uint32_t)1 << log_leaves) - 1;
            const size_t size = open_leaves(&f, leaf, n, proof, MAX_PROOF);
            ck_assert_uint_eq(size, naive_multiproof(log_leaves, f.tree.node, leaf, n, naive));
            ck_assert_mem_eq(proof, naive, size);
            leaf_digests(&f, leaf, n, digest);
            ck_assert_int_eq(check_digests(log_leaves, leaf, n, digest, root_of(&f), proof, size),
                             MICA_VERDICT_UNSET);
        }
        free_fixture(&f);
    }
    free(proof);
    free(naive);
    free(digest);
    free(leaf);
}
END_TEST

static size_t subset(unsigned mask, uint32_t leaf[8]) {
    size_t n = 0;
    for (uint32_t j = 0; j < 8; j++) {
        if (mask >> j & 1)
            leaf[n++] = j;
    }
    return n;
}

/* Every non-empty set of 8 leaves: accepted as it is, rejected after any change. */
START_TEST(all_subsets_and_their_corruptions) {
    fixture f = make_fixture(3, 3);
    for (unsigned mask = 1; mask < 256; mask++) {
        uint32_t leaf[8];
        uint8_t proof[8 * 32 + 1] = {0}, digest[8 * 32], root[32];
        const size_t n = subset(mask, leaf);
        const size_t size = open_leaves(&f, leaf, n, proof, sizeof proof - 1);
        memcpy(root, root_of(&f), 32);
        leaf_digests(&f, leaf, n, digest);
        ck_assert_int_eq(check_digests(3, leaf, n, digest, root, proof, size), MICA_VERDICT_UNSET);
        for (size_t i = 0; i < size; i++) {
            proof[i] ^= 0x10;
            ck_assert_msg(check_digests(3, leaf, n, digest, root, proof, size) == MICA_REJECT_MERKLE,
                          "mask %02x: byte %zu of the proof changed", mask, i);
            proof[i] ^= 0x10;
            ck_assert_int_eq(check_digests(3, leaf, n, digest, root, proof, i), MICA_REJECT_MALFORMED);
        }
        for (size_t i = 0; i < 32 * n; i++) {
            digest[i] ^= 1; /* what does not enter a parent changes nothing */
            ck_assert_int_eq(check_digests(3, leaf, n, digest, root, proof, size),
                             i % 32 < DIGEST ? MICA_REJECT_MERKLE : MICA_VERDICT_UNSET);
            digest[i] ^= 1;
        }
        for (size_t i = 0; i < 32; i++) {
            root[i] ^= 0x80;
            ck_assert_int_eq(check_digests(3, leaf, n, digest, root, proof, size), MICA_REJECT_MERKLE);
            root[i] ^= 0x80;
        }
        ck_assert_int_eq(check_digests(3, leaf, n, digest, root, proof, size + 1), MICA_REJECT_MALFORMED);
    }
    free_fixture(&f);
}
END_TEST

/* The proof of one set never passes for another set of as many leaves with the same digests. */
START_TEST(wrong_indices) {
    fixture f = make_fixture(3, 3);
    for (unsigned mask = 1; mask < 256; mask++) {
        uint32_t leaf[8], other[8];
        uint8_t proof[8 * 32], digest[8 * 32];
        const size_t n = subset(mask, leaf), size = open_leaves(&f, leaf, n, proof, sizeof proof);
        leaf_digests(&f, leaf, n, digest);
        for (unsigned claim = 1; claim < 256; claim++) {
            if (claim != mask && subset(claim, other) == n)
                ck_assert_msg(check_digests(3, other, n, digest, root_of(&f), proof, size) !=
                                  MICA_VERDICT_UNSET,
                              "leaves %02x pass for %02x", mask, claim);
        }
    }
    free_fixture(&f);
}
END_TEST

/* A proof for a tree of another depth: an inner node is no leaf, and a leaf no inner node. */
START_TEST(wrong_depth) {
    fixture f = make_fixture(3, 3);
    const uint32_t leaf[1] = {0};
    uint8_t proof[8 * 32], digest[32];
    const size_t size = open_leaves(&f, leaf, 1, proof, sizeof proof);
    leaf_digests(&f, leaf, 1, digest);
    ck_assert_int_eq(check_digests(3, leaf, 1, digest, root_of(&f), proof, size), MICA_VERDICT_UNSET);
    ck_assert_int_eq(check_digests(2, leaf, 1, digest, root_of(&f), proof, size), MICA_REJECT_MERKLE);
    ck_assert_int_eq(check_digests(4, leaf, 1, digest, root_of(&f), proof, size), MICA_REJECT_MALFORMED);
    free_fixture(&f);
}
END_TEST

/* The row count is bound: zero rows added or a zero row removed give another leaf; so does node for leaf. */
START_TEST(leaf_binds_its_row_count) {
    const m31 column[40] = {1, 2, 3};
    uint8_t digest[40][32], node[32], whole[32];
    for (size_t n = 1; n < 40; n++) {
        uint32_t h0[8];
        merkle_leaf_state(h0, n);
        merkle_leaf(h0, column, n, digest[n]);
        for (size_t other = 1; other < n; other++)
            ck_assert_msg(memcmp(digest[n], digest[other], 32) != 0, "%zu and %zu rows", n, other);
    }
    uint8_t bytes[64];
    for (size_t i = 0; i < 16; i++)
        store_u32(bytes + 4 * i, column[i]);
    naive_node(bytes, bytes + 32, 32, node);
    ck_assert(memcmp(node, digest[16], 32) != 0);
    const m31 *row[3] = {column, column + 1, column + 2};
    naive_leaf(row, 3, 0, whole);
    ck_assert_mem_eq(whole, digest[3], 32);
}
END_TEST

START_TEST(proof_buffer_too_small) {
    fixture f = make_fixture(3, 3);
    const uint32_t leaf[1] = {6};
    uint8_t proof[3 * DIGEST];
    for (size_t capacity = 0; capacity < sizeof proof; capacity++) {
        mica_channel ch;
        mica_status st = {0};
        channel_init_write(&ch, proof, capacity);
        ck_assert(!merkle_open(&f.tree, leaf, 1, &ch, &f.arena, &st));
        ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    }
    free_fixture(&f);
}
END_TEST

START_TEST(workspace_too_small) {
    fixture f = make_fixture(3, 3);
    const uint32_t leaf[1] = {6};
    uint8_t proof[96];
    mica_channel ch;
    mica_status st = {0};
    channel_init_write(&ch, proof, sizeof proof);
    f.arena.used = f.arena.size;
    ck_assert(!merkle_open(&f.tree, leaf, 1, &ch, &f.arena, &st));
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    ck_assert_uint_eq(ch.out_size, 0);
    free_fixture(&f);
}
END_TEST

/* Several columns at once, whole groups of lanes and not, columns of less and more than a block. */
START_TEST(leaves_equal_single_leaves) {
    m31 columns[9 * 40];
    for (size_t i = 0; i < 9 * 40; i++)
        columns[i] = (m31)(i * 2654435761u % M31_P);
    for (size_t n_rows = 1; n_rows <= 40; n_rows++) {
        uint32_t h0[8];
        merkle_leaf_state(h0, n_rows);
        for (size_t n = 0; n <= 9; n++) {
            uint8_t digest[10][MERKLE_DIGEST], expected[MERKLE_DIGEST];
            memset(digest, 0xa5, sizeof digest);
            merkle_leaves(h0, columns, n_rows, n, digest[0]);
            for (size_t i = 0; i < n; i++) {
                merkle_leaf(h0, columns + i * n_rows, n_rows, expected);
                ck_assert_msg(memcmp(digest[i], expected, MERKLE_DIGEST) == 0, "%zu rows, leaf %zu of %zu",
                              n_rows, i, n);
            }
            ck_assert_msg(digest[n][0] == 0xa5 && digest[n][31] == 0xa5, "more than %zu digests", n);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("merkle");
    TCase *tc = tcase_create("merkle");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, golden);
    tcase_add_test(tc, build_equals_naive);
    tcase_add_test(tc, random_multiproofs);
    tcase_add_test(tc, all_subsets_and_their_corruptions);
    tcase_add_test(tc, wrong_indices);
    tcase_add_test(tc, wrong_depth);
    tcase_add_test(tc, leaf_binds_its_row_count);
    tcase_add_test(tc, leaves_equal_single_leaves);
    tcase_add_test(tc, proof_buffer_too_small);
    tcase_add_test(tc, workspace_too_small);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
