#include <string.h>

#include "base/bytes.h"
#include "base/require.h"
#include "hash/blake2s.h"
#include "hash/blake2s_lanes.h"
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

void merkle_node_state(uint32_t h[8], unsigned digest_bytes) {
    blake2s_keyed_state(h, digest_bytes == MERKLE_DIGEST ? "mica node v1" : "mica node v2");
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

/* Word j of a[i] becomes word i of a[j]. */
static inline void transpose(blake2s_vec a[BLAKE2S_LANES]) {
    const blake2s_vec low01 = __builtin_shufflevector(a[0], a[1], 0, 4, 1, 5);
    const blake2s_vec low23 = __builtin_shufflevector(a[2], a[3], 0, 4, 1, 5);
    const blake2s_vec high01 = __builtin_shufflevector(a[0], a[1], 2, 6, 3, 7);
    const blake2s_vec high23 = __builtin_shufflevector(a[2], a[3], 2, 6, 3, 7);
    a[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    a[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    a[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    a[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* block[lane]: a block of each message. */
static void load_lanes(blake2s_vec m[16], uint32_t (*block)[16]) {
    for (size_t i = 0; i < 16; i += BLAKE2S_LANES) {
        for (size_t lane = 0; lane < BLAKE2S_LANES; lane++)
            memcpy(&m[i + lane], &block[lane][i], sizeof *m);
        transpose(m + i);
    }
}

static void start_lanes(blake2s_vec h[8], const uint32_t h0[8]) {
    for (size_t i = 0; i < 8; i++)
        h[i] = (blake2s_vec){0} + h0[i];
}

/* The digests of the first n messages. */
static void store_lanes(const blake2s_vec h[8], size_t n, uint8_t *const *digest) {
    blake2s_vec low[BLAKE2S_LANES] = {h[0], h[1], h[2], h[3]}, high[BLAKE2S_LANES] = {h[4], h[5], h[6], h[7]};
    transpose(low);
    transpose(high);
    for (size_t lane = 0; lane < n; lane++) {
        uint32_t words[8];
        memcpy(words, &low[lane], sizeof low[lane]);
        memcpy(words + 4, &high[lane], sizeof high[lane]);
        store_u32s(digest[lane], words, 8);
    }
}

static void four_leaves(const uint32_t h0[8], const m31 *columns, size_t n_rows, uint8_t *digest) {
    blake2s_vec h[8], m[16];
    uint8_t *out[BLAKE2S_LANES];
    start_lanes(h, h0);
    for (size_t row = 0; row < n_rows; row += 16) {
        const size_t take = n_rows - row < 16 ? n_rows - row : 16;
        uint32_t block[BLAKE2S_LANES][16] = {{0}};
        for (size_t lane = 0; lane < BLAKE2S_LANES; lane++)
            memcpy(block[lane], columns + lane * n_rows + row, take * sizeof *columns);
        load_lanes(m, block);
        blake2s_compress_lanes(h, m, MERKLE_LEAF_COUNTED + 4 * (row + take), row + take == n_rows);
    }
    for (size_t lane = 0; lane < BLAKE2S_LANES; lane++)
        out[lane] = digest + MERKLE_DIGEST * lane;
    store_lanes(h, BLAKE2S_LANES, out);
}

void merkle_leaves(const uint32_t h0[8], const m31 *columns, size_t n_rows, size_t n, uint8_t *digest) {
    size_t i = 0;
    for (; i + BLAKE2S_LANES <= n; i += BLAKE2S_LANES)
        four_leaves(h0, columns + i * n_rows, n_rows, digest + MERKLE_DIGEST * i);
    for (; i < n; i++)
        merkle_leaf(h0, columns + i * n_rows, n_rows, digest + MERKLE_DIGEST * i);
}

/* Parents that wait until four are known. Their children are copied, so that parents may be written over
 * digests that were read before. */
typedef struct pending_nodes {
    uint32_t h0[8], kept[8];
    uint32_t child[BLAKE2S_LANES][16];
    uint8_t *parent[BLAKE2S_LANES];
    unsigned n;
} pending_nodes;

static void flush_nodes(pending_nodes *p) {
    blake2s_vec h[8], m[16];
    start_lanes(h, p->h0);
    load_lanes(m, p->child);
    blake2s_compress_lanes(h, m, MERKLE_NODE_COUNTED + 2 * MERKLE_DIGEST, 1);
    store_lanes(h, p->n, p->parent);
    p->n = 0;
}

static void push_node(pending_nodes *p, const uint8_t *left, const uint8_t *right, uint8_t *parent) {
    load_u32s(p->child[p->n], left, 8);
    load_u32s(p->child[p->n] + 8, right, 8);
    for (size_t i = 0; i < 16; i++)
        p->child[p->n][i] &= p->kept[i % 8];
    p->parent[p->n++] = parent;
    if (p->n == BLAKE2S_LANES)
        flush_nodes(p);
}

/* Replaces the n known digests of one level, at sorted indices, by their parents' and returns how many those
 * are. Parent k is stored no later than the children it came from: k <= i. */
static size_t ascend(pending_nodes *pending, unsigned digest_bytes, uint32_t *index, size_t n,
                     uint8_t *digest, mica_channel *ch) {
    size_t parents = 0;
    for (size_t i = 0; i < n; parents++) {
        const uint32_t at = index[i];
        uint8_t *own = digest + MERKLE_DIGEST * i, *parent = digest + MERKLE_DIGEST * parents;
        if (at % 2 == 0 && i + 1 < n && index[i + 1] == at + 1) {
            push_node(pending, own, own + MERKLE_DIGEST, parent);
            i += 2;
        } else {
            uint8_t sibling[MERKLE_DIGEST] = {0};
            if (!channel_raw_bytes(ch, sibling, digest_bytes))
                return 0;
            push_node(pending, at % 2 ? sibling : own, at % 2 ? own : sibling, parent);
            i += 1;
        }
        index[parents] = at / 2;
    }
    if (pending->n)
        flush_nodes(pending);
    return parents;
}

bool merkle_check(unsigned log_leaves, unsigned digest_bytes, const uint32_t *leaf, size_t n, uint8_t *digest,
                  uint32_t *scratch, const uint8_t root[MERKLE_DIGEST], mica_channel *ch) {
    pending_nodes pending = {.n = 0};
    MICA_REQUIRE(log_leaves <= MERKLE_MAX_LOG_LEAVES && digest_bytes <= MERKLE_DIGEST && n >= 1);
    for (size_t i = 0; i < n; i++) {
        MICA_REQUIRE(leaf[i] < (uint32_t)1 << log_leaves && (i == 0 || leaf[i - 1] < leaf[i]));
        scratch[i] = leaf[i];
    }
    merkle_node_state(pending.h0, digest_bytes);
    for (unsigned i = 0; i < 8; i++)
        pending.kept[i] = merkle_kept_bits(digest_bytes, i);
    for (unsigned level = 0; level < log_leaves && n; level++)
        n = ascend(&pending, digest_bytes, scratch, n, digest, ch);
    if (ch->verdict->code != MICA_VERDICT_UNSET)
        return false;
    /* One digest at index 0 is left of any sorted, distinct leaves in range. */
    if (n != 1 || scratch[0] != 0 || memcmp(digest, root, MERKLE_DIGEST) != 0)
        return mica_reject(ch->verdict, MICA_REJECT_MERKLE, NOWHERE, NOWHERE,
                           "opened columns do not hash to their root");
    return true;
}
