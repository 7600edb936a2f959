/* Shared by the prover's files of the commitment scheme. */
#ifndef MICA_PCS_PCS_PROVE_H
#define MICA_PCS_PCS_PROVE_H

#include "code/line_code.h"
#include "pcs/pcs.h"

/* What an arena takes for count elements. */
static inline size_t pcs_block_bytes(size_t count, size_t element) {
    return (count * element + 63) / 64 * 64;
}
static inline size_t pcs_qvec_bytes(size_t n) {
    return pcs_block_bytes((n + 15) / 16 * 16 * QM31_DEGREE, sizeof(m31));
}
static inline size_t pcs_tree_bytes(unsigned log_leaves) {
    return pcs_block_bytes((size_t)2 << log_leaves, MERKLE_DIGEST);
}

/* A tree of 2^log_leaves leaves, not filled; node is NULL on failure. */
merkle_tree pcs_tree_alloc(unsigned log_leaves, unsigned digest_bytes, mica_arena *arena, mica_status *st);

/* Encodes row[i] of 2^b values into codeword + (i << (b + r)), i < n_rows, and hashes the columns into tree.
 * On return row[i] points to the encoded row. */
void pcs_encode_and_hash(const line_twiddles *twiddles, const m31 **row, size_t n_rows, unsigned b,
                         unsigned r, m31 *codeword, merkle_tree *tree);

#endif
