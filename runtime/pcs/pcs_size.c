/* Proof bytes of an opening: expectation and upper bound over the query sets. */
#include "pcs/pcs_schedule.h"

#include "base/require.h"

#define LARGE_DEPTH 20

/* (1 - 2^-d)^t in Q32, truncated. */
static uint64_t miss_power(unsigned d, unsigned t) {
    const uint64_t one = 1ull << 32;
    uint64_t base = one - (one >> d), power = one;
    for (; t; t >>= 1, base = base * base >> 32) { /* base < 2^32 unless d = 0, when it is 0 */
        if (t & 1)
            power = (power >> 1) * base >> 31; /* power <= 2^32, base < 2^32: product < 2^63 */
    }
    return power;
}

/* 2^d (1 - (1 - 2^-d)^t). Deep in a tree the power is too close to 1 for Q32 and the first two terms
 * t - t(t-1)/2^(d+1) are more accurate. */
uint64_t pcs_expected_distinct(unsigned d, unsigned t) {
    MICA_REQUIRE(t >= 1 && t <= PCS_MAX_QUERIES);
    const uint64_t pairs = (uint64_t)t * (t - 1) / 2;
    if (d >= LARGE_DEPTH || (pairs >> d) == 0)
        return (uint64_t)t * 256 - (pairs * 256 >> d);
    return ((1ull << 32) - miss_power(d, t)) >> (24 - d); /* d < 20 */
}

/* Digests of a multiproof: a node at depth d - 1 that is on a path has 2 children, of which those on paths
 * are known. */
static uint64_t expected_siblings(unsigned log_leaves, unsigned t) {
    uint64_t sum = 0;
    for (unsigned d = 1; d <= log_leaves; d++) {
        const uint64_t all = 2 * pcs_expected_distinct(d - 1, t), known = pcs_expected_distinct(d, t);
        sum += all > known ? all - known : 0;
    }
    return sum;
}

/* The same for n distinct leaves placed as badly as possible: every depth has min(n, 2^d) nodes on paths. */
static uint64_t most_siblings(unsigned log_leaves, uint64_t n) {
    uint64_t sum = 1;
    for (unsigned d = 0; d < log_leaves; d++)
        sum += n < (1ull << d) ? n : 1ull << d;
    return sum - n;
}

/* Fewer distinct leaves can need more siblings only down to half of all leaves; bytes are concave in their
 * number in between, so the maximum is at one of the two ends. */
static uint64_t most_bytes(const pcs_source *s) {
    const unsigned k = s->col_vars + s->rate_bits;
    const uint64_t leaves = 1ull << k, half = leaves / 2;
    const uint64_t end[2] = {s->queries < leaves ? s->queries : leaves,
                             s->queries < half ? s->queries : half};
    uint64_t most = 0;
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t bytes =
            end[i] * channel_m31_bytes(s->n_words) + most_siblings(k, end[i]) * s->digest_bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

size_t pcs_proof_bytes(const pcs_params *p, size_t *expected) {
    uint64_t rounds = pcs_row_vars(p), fixed = 0, mean = 0, most = 0;
    for (unsigned l = 0; l < p->n_levels; l++)
        rounds += p->level[l].row_vars;
    fixed += rounds * PCS_ROUND_VALUES * QM31_BYTES + (uint64_t)p->n_levels * MERKLE_DIGEST;
    fixed += (p->n_levels + 1) * (p->query_pow_bits ? sizeof(uint64_t) : 0);
    fixed += pcs_clear_size(p) * QM31_BYTES;
    for (unsigned step = 0; step <= p->n_levels; step++) {
        pcs_source source[PCS_MAX_GROUPS];
        const unsigned n = pcs_step_sources(p, step, source);
        for (unsigned i = 0; i < n; i++) {
            const pcs_source *s = &source[i];
            const unsigned k = s->col_vars + s->rate_bits;
            mean += (pcs_expected_distinct(k, s->queries) * channel_m31_bytes(s->n_words) +
                     expected_siblings(k, s->queries) * s->digest_bytes) >>
                    8;
            most += most_bytes(s);
        }
    }
    if (expected)
        *expected = (size_t)(fixed + mean);
    return (size_t)(fixed + most);
}
