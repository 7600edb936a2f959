#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_prove.h"

merkle_tree pcs_tree_alloc(unsigned log_leaves, unsigned digest_bytes, mica_arena *arena, mica_status *st) {
    return (merkle_tree){log_leaves, digest_bytes,
                         arena_alloc(arena, (size_t)2 << log_leaves, MERKLE_DIGEST, st)};
}

typedef struct encode_job {
    const line_twiddles *twiddles;
    const m31 *const *row;
    unsigned b, r;
    m31 *codeword;
} encode_job;

static void encode_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const encode_job *job = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        line_encode(job->twiddles, job->row[i], job->b, job->r, job->codeword + (i << (job->b + job->r)));
}

void pcs_encode_and_hash(const line_twiddles *twiddles, const m31 **row, size_t n_rows, unsigned b,
                         unsigned r, m31 *codeword, merkle_tree *tree) {
    encode_job job = {twiddles, row, b, r, codeword};
    parallel_for(n_rows, 1, encode_range, &job);
    for (size_t i = 0; i < n_rows; i++)
        row[i] = codeword + (i << (b + r));
    merkle_build(tree, row, n_rows);
}

size_t pcs_commit_workspace(const pcs_shape *shape, bool keep_codeword) {
    const unsigned k = shape->col_vars + shape->rate_bits;
    (void)keep_codeword; /* encoding needs the room either way; without keeping it is free again afterwards */
    return pcs_tree_bytes(k) + pcs_block_bytes((size_t)shape->n_present << k, sizeof(m31)) +
           pcs_block_bytes(shape->n_present, sizeof(m31 *));
}

bool pcs_commit(pcs_committed *c, const pcs_shape *shape, const m31 *matrix, bool keep_codeword,
                mica_arena *arena, uint8_t root[MERKLE_DIGEST], mica_status *st) {
    const unsigned k = shape->col_vars + shape->rate_bits;
    const line_twiddles *twiddles = line_twiddles_get(k, st);
    *c = (pcs_committed){
        .shape = *shape, .matrix = matrix, .tree = pcs_tree_alloc(k, shape->digest_bytes, arena, st)};
    const size_t without = arena_mark(arena);
    m31 *codeword = arena_alloc(arena, (size_t)shape->n_present << k, sizeof *codeword, st);
    const size_t with = arena_mark(arena);
    const m31 **row = arena_alloc(arena, shape->n_present, sizeof *row, st);
    if (!twiddles || !c->tree.node || !codeword || !row)
        return false;
    for (uint32_t i = 0; i < shape->n_present; i++)
        row[i] = matrix + ((size_t)shape->present[i] << shape->col_vars);
    pcs_encode_and_hash(twiddles, row, shape->n_present, shape->col_vars, shape->rate_bits, codeword,
                        &c->tree);
    memcpy(root, c->tree.node + MERKLE_DIGEST, MERKLE_DIGEST); /* heap order: the root is node 1 */
    if (keep_codeword)
        c->codeword = codeword;
    arena_reset(arena, keep_codeword ? with : without);
    return true;
}
