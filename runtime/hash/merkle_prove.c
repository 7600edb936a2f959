#include <string.h>

#include "base/parallel.h"
#include "base/require.h"
#include "hash/merkle.h"
#include "simd/kernels.h"

/* Columns or nodes per piece of parallel work: some tens of microseconds. */
#define GRAIN 256

static uint8_t *node_at(const merkle_tree *t, size_t i) {
    return t->node + MERKLE_DIGEST * i;
}

typedef struct leaf_job {
    const m31 *const *row;
    size_t n_rows;
    uint32_t h0[8];
    uint8_t *leaf;
} leaf_job;

static void hash_leaves(void *ctx, size_t begin, size_t end, unsigned worker) {
    const leaf_job *job = ctx;
    (void)worker;
    kernels()->hash_columns(job->h0, MERKLE_LEAF_COUNTED, job->row, job->n_rows, begin, end - begin,
                            job->leaf + MERKLE_DIGEST * begin);
}

void merkle_build(merkle_tree *t, const m31 *const *row, size_t n_rows) {
    MICA_REQUIRE(t->log_leaves <= MERKLE_MAX_LOG_LEAVES);
    const size_t leaves = (size_t)1 << t->log_leaves;
    leaf_job job = {.row = row, .n_rows = n_rows, .leaf = node_at(t, leaves)};
    merkle_leaf_state(job.h0, n_rows);
    parallel_for(leaves, GRAIN, hash_leaves, &job);
    merkle_build_nodes(t);
}

typedef struct node_job {
    const uint8_t *child;
    uint8_t *parent;
    uint32_t h0[8], kept[8];
} node_job;

static void hash_level(void *ctx, size_t begin, size_t end, unsigned worker) {
    const node_job *job = ctx;
    (void)worker;
    kernels()->hash_nodes(job->h0, MERKLE_NODE_COUNTED, job->kept, job->child + begin * 2 * MERKLE_DIGEST,
                          end - begin, job->parent + MERKLE_DIGEST * begin);
}

void merkle_build_nodes(merkle_tree *t) {
    node_job job;
    merkle_node_state(job.h0, t->digest_bytes);
    for (unsigned i = 0; i < 8; i++)
        job.kept[i] = merkle_kept_bits(t->digest_bytes, i);
    /* Level of n parents: heap entries n to 2n - 1, their children 2n to 4n - 1. */
    for (size_t n = ((size_t)1 << t->log_leaves) / 2; n >= 1; n /= 2) {
        job.parent = node_at(t, n);
        job.child = node_at(t, 2 * n);
        parallel_for(n, GRAIN, hash_level, &job);
    }
}

bool merkle_open(const merkle_tree *t, const uint32_t *leaf, size_t n, mica_channel *ch, mica_arena *a,
                 mica_status *st) {
    const size_t mark = arena_mark(a);
    uint32_t *index = arena_alloc(a, n, sizeof *index, st);
    if (!index)
        return false;
    MICA_REQUIRE(n >= 1);
    for (size_t i = 0; i < n; i++) {
        MICA_REQUIRE(leaf[i] < (uint32_t)1 << t->log_leaves && (i == 0 || leaf[i - 1] < leaf[i]));
        index[i] = leaf[i] + ((uint32_t)1 << t->log_leaves); /* heap index, < 2^27 */
    }
    for (unsigned level = 0; level < t->log_leaves; level++) {
        size_t parents = 0;
        for (size_t i = 0; i < n; parents++) {
            const uint32_t at = index[i];
            if (at % 2 == 0 && i + 1 < n && index[i + 1] == at + 1) {
                i += 2;
            } else {
                channel_raw_bytes(ch, node_at(t, at ^ 1), t->digest_bytes);
                i += 1;
            }
            index[parents] = at / 2;
        }
        n = parents;
    }
    arena_reset(a, mark);
    return ch->overflow
               ? mica_fail(st, MICA_ERR_MEMORY, "proof buffer of %zu bytes is too small", ch->out_capacity)
               : true;
}
