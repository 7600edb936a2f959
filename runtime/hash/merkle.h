/* Merkle trees over columns. A leaf is a column of M31 words, hashed under its own key with its word count; a node is
 * H(left, right) under another key. Multiproofs: the siblings needed for a sorted set of distinct leaves, level by
 * level from the leaves, left to right, nothing more: one set of leaves has exactly one valid byte string. */
#ifndef MICA_HASH_MERKLE_H
#define MICA_HASH_MERKLE_H

#include "base/arena.h"
#include "hash/channel.h"

#define MERKLE_DIGEST 32

/* Heap order: node 1 is the root, node i has children 2i and 2i+1, leaf j is node 2^log_leaves + j; digest i at
 * node + 32 i; 2^(log_leaves+1) * 32 bytes. */
typedef struct merkle_tree {
    unsigned log_leaves;
    uint8_t *node;
} merkle_tree;

/* --- prover (merkle_prove.c) --- */
/* Leaf j is the column (row[0][j], ..., row[n_rows-1][j]). Uses all workers. */
void merkle_build(merkle_tree *t, const m31 *const *row, size_t n_rows);
/* Recomputes inner nodes from the leaf digests in place. */
void merkle_build_nodes(merkle_tree *t);
/* Appends the multiproof of sorted distinct leaves. */
bool merkle_open(const merkle_tree *t, const uint32_t *leaf, size_t n, mica_channel *ch, mica_arena *a, mica_status *st);

/* --- verifier (merkle_verify.c) --- */
void merkle_leaf(const m31 *column, size_t n_rows, uint8_t digest[MERKLE_DIGEST]);
/* digest: n leaf digests for sorted distinct leaves (overwritten). Reads the multiproof from ch and compares with
 * root. scratch: n indices. */
bool merkle_check(unsigned log_leaves, const uint32_t *leaf, size_t n, uint8_t *digest, uint32_t *scratch,
                  const uint8_t root[MERKLE_DIGEST], mica_channel *ch);

#endif
