#include <string.h>

#include "base/bytes.h"
#include "base/require.h"
#include "hash/blake2s.h"
#include "hash/merkle.h"

#define NOWHERE UINT32_MAX

void merkle_leaf_state(uint32_t h[8], size_t n_rows) {
    /* One block for the count, so that the column's words stay aligned to blocks and the state is shared by
     * all leaves of a tree. */
    const uint32_t block[16] = {(uint32_t)n_rows};
    MICA_REQUIRE(n_rows >= 1 && n_rows <= UINT32_MAX);
    blake2s_keyed_state(h, "mica leaf v1");
    blake2s_compress(h, block, MERKLE_LEAF_COUNTED, 0);
}

void merkle_node_state(uint32_t h[8]) {
    blake2s_keyed_state(h, "mica node v1");
}

void merkle_leaf(const uint32_t h0[8], const m31 *column, size_t n_rows, uint8_t digest[MERKLE_DIGEST]) {
    uint32_t h[8];
    uint64_t counted = MERKLE_LEAF_COUNTED;
    memcpy(h, h0, sizeof h);
    while (n_rows) {
        uint32_t block[16] = {0};
        const size_t take = n_rows < 16 ? n_rows : 16;
        memcpy(block, column, take * sizeof *column);
        column += take;
        n_rows -= take;
        counted += 4 * take;
        blake2s_compress(h, block, counted, n_rows == 0);
    }
    for (size_t i = 0; i < 8; i++)
        store_u32(digest + 4 * i, h[i]);
}

static void node_hash(const uint32_t h0[8], const uint8_t *left, const uint8_t *right, uint8_t *parent) {
    uint32_t h[8], block[16];
    memcpy(h, h0, sizeof h);
    for (size_t i = 0; i < 8; i++) {
        block[i] = load_u32(left + 4 * i);
        block[8 + i] = load_u32(right + 4 * i);
    }
    blake2s_compress(h, block, MERKLE_NODE_COUNTED + 2 * MERKLE_DIGEST, 1);
    for (size_t i = 0; i < 8; i++)
        store_u32(parent + 4 * i, h[i]);
}

/* Replaces the n known digests of one level, at sorted indices, by their parents' and returns how many those
 * are. Parent k is stored no later than the children it came from: k <= i. */
static size_t ascend(const uint32_t h0[8], uint32_t *index, size_t n, uint8_t *digest, mica_channel *ch) {
    size_t parents = 0;
    for (size_t i = 0; i < n; parents++) {
        const uint32_t at = index[i];
        uint8_t *own = digest + MERKLE_DIGEST * i, *parent = digest + MERKLE_DIGEST * parents;
        if (at % 2 == 0 && i + 1 < n && index[i + 1] == at + 1) {
            node_hash(h0, own, own + MERKLE_DIGEST, parent);
            i += 2;
        } else {
            uint8_t sibling[MERKLE_DIGEST];
            if (!channel_raw_bytes(ch, sibling, sizeof sibling))
                return 0;
            node_hash(h0, at % 2 ? sibling : own, at % 2 ? own : sibling, parent);
            i += 1;
        }
        index[parents] = at / 2;
    }
    return parents;
}

bool merkle_check(unsigned log_leaves, const uint32_t *leaf, size_t n, uint8_t *digest, uint32_t *scratch,
                  const uint8_t root[MERKLE_DIGEST], mica_channel *ch) {
    uint32_t h0[8];
    MICA_REQUIRE(log_leaves <= MERKLE_MAX_LOG_LEAVES && n >= 1);
    for (size_t i = 0; i < n; i++) {
        MICA_REQUIRE(leaf[i] < (uint32_t)1 << log_leaves && (i == 0 || leaf[i - 1] < leaf[i]));
        scratch[i] = leaf[i];
    }
    merkle_node_state(h0);
    for (unsigned level = 0; level < log_leaves && n; level++)
        n = ascend(h0, scratch, n, digest, ch);
    if (ch->verdict->code != MICA_VERDICT_UNSET)
        return false;
    /* One digest at index 0 is left of any sorted, distinct leaves in range. */
    if (n != 1 || scratch[0] != 0 || memcmp(digest, root, MERKLE_DIGEST) != 0)
        return mica_reject(ch->verdict, MICA_REJECT_MERKLE, NOWHERE, NOWHERE,
                           "opened columns do not hash to their root");
    return true;
}
