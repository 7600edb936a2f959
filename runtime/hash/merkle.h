/* Merkle trees over columns. A leaf is a column of M31 words, hashed under its own key after its word count;
 * a node is H(left, right) under another key (docs/formats.md). Of a child only the first digest_bytes bytes
 * enter its parent, the rest are zeros there: the security target decides how many collision resistance takes
 * (soundness_digest_bytes). A root is whole. Multiproofs: those bytes of the siblings needed for a sorted
 * set of distinct leaves, level by level from the leaves, left to right, nothing more: one set of leaves has
 * exactly one valid byte string. */
#ifndef MICA_HASH_MERKLE_H
#define MICA_HASH_MERKLE_H

#include "base/arena.h"
#include "hash/channel.h"

#define MERKLE_DIGEST         32
#define MERKLE_MAX_LOG_LEAVES 26

/* Word i < 8 of the mask of the bits of a child that enter its parent. */
static inline uint32_t merkle_kept_bits(unsigned digest_bytes, unsigned i) {
    if (digest_bytes >= 4 * i + 4)
        return UINT32_MAX;
    return digest_bytes <= 4 * i ? 0 : (1u << 8 * (digest_bytes - 4 * i)) - 1; /* shifts by 8 to 24 */
}

/* Bytes counted in the states of merkle_leaf_state and merkle_node_state. */
#define MERKLE_LEAF_COUNTED 128
#define MERKLE_NODE_COUNTED 64

/* Heap order: node 1 is the root, node i has children 2i and 2i+1, leaf j is node 2^log_leaves + j; digest i
 * at node + 32 i; 2^(log_leaves+1) * 32 bytes. */
typedef struct merkle_tree {
    unsigned log_leaves, digest_bytes;
    uint8_t *node;
} merkle_tree;

/* --- prover (merkle_prove.c) --- */
/* Leaf j is the column (row[0][j], ..., row[n_rows-1][j]), n_rows >= 1. Uses all workers. */
void merkle_build(merkle_tree *t, const m31 *const *row, size_t n_rows);
/* Recomputes inner nodes from the leaf digests in place. */
void merkle_build_nodes(merkle_tree *t);
/* Appends the multiproof of n >= 1 sorted distinct leaves. False, with a status, if the workspace or the
 * channel is too small. */
bool merkle_open(const merkle_tree *t, const uint32_t *leaf, size_t n, mica_channel *ch, mica_arena *a,
                 mica_status *st);

/* --- verifier (merkle_verify.c) --- */
/* Blake2s states that every leaf of n_rows >= 1 words, and every node of a tree, starts from. */
void merkle_leaf_state(uint32_t h[8], size_t n_rows);
void merkle_node_state(uint32_t h[8], unsigned digest_bytes);
/* h0: merkle_leaf_state of n_rows. */
void merkle_leaf(const uint32_t h0[8], const m31 *column, size_t n_rows, uint8_t digest[MERKLE_DIGEST]);
/* Digests of n columns of n_rows words, one after another. */
void merkle_leaves(const uint32_t h0[8], const m31 *columns, size_t n_rows, size_t n, uint8_t *digest);
/* digest: n >= 1 leaf digests for sorted distinct leaves below 2^log_leaves (overwritten). digest_bytes: the
 * tree's. Reads the multiproof from ch and compares with root; false after a rejection (MICA_REJECT_MERKLE,
 * or MALFORMED for a short proof). scratch: n indices. 0 <= log_leaves <= MERKLE_MAX_LOG_LEAVES. */
bool merkle_check(unsigned log_leaves, unsigned digest_bytes, const uint32_t *leaf, size_t n, uint8_t *digest,
                  uint32_t *scratch, const uint8_t root[MERKLE_DIGEST], mica_channel *ch);

#endif
