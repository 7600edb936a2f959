/* The transcript against an independent model (golden/make_transcript_vectors.py) and the properties that
 * keep different histories apart. */
#include <check.h>
#include <string.h>

#include "../golden/transcript_vectors.h"
#include "base/bytes.h"
#include "hash/transcript.h"
#include "suite.h"

static void check_words(const uint32_t *got, const uint32_t *expected, size_t n) {
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(got[i] == expected[i], "word %zu: %08x, expected %08x", i, got[i], expected[i]);
}

static void check_challenges(transcript *t, transcript_tag tag, const uint32_t *expected, size_t n) {
    qm31 x[4];
    transcript_challenge(t, tag, x, n);
    for (size_t i = 0; i < n; i++)
        check_words(x[i].v, expected + 4 * i, 4);
}

START_TEST(golden) {
    transcript t;
    uint8_t digest[32], nonce[8];
    uint32_t index[9];
    qm31 element[3];
    for (size_t i = 0; i < 32; i++)
        digest[i] = (uint8_t)i;
    for (uint32_t i = 0; i < 12; i++)
        element[i / 4].v[i % 4] = i * 178956970;
    transcript_init(&t);
    transcript_absorb(&t, TAG_VK, digest, 32);
    transcript_absorb(&t, TAG_STATEMENT, NULL, 0);
    transcript_absorb_qm31(&t, TAG_GKR_ROOT, element, 3);
    check_challenges(&t, TAG_LOOKUP, golden_challenge_3, 3);
    transcript_challenge(&t, TAG_CLAIMS, NULL, 0);
    transcript_indices(&t, TAG_OPEN_QUERY, 7, index, 9);
    check_words(index, golden_indices_7, 9);
    transcript_indices(&t, TAG_OPEN_QUERY, 31, index, 2);
    check_words(index, golden_indices_31, 2);
    transcript_indices(&t, TAG_OPEN_QUERY, 0, index, 3);
    check_words(index, golden_indices_0, 3);
    for (uint64_t i = 0; i <= golden_nonce_11; i++)
        ck_assert_msg(transcript_pow_holds(&t, 11, i) == (i == golden_nonce_11), "nonce %llu",
                      (unsigned long long)i);
    store_u64(nonce, golden_nonce_11);
    transcript_absorb(&t, TAG_POW, nonce, 8);
    check_challenges(&t, TAG_LOOKUP, golden_challenge_1, 1);
    ck_assert_mem_eq(t.state, golden_state, 32);
}
END_TEST

/* The first word squeezed is p: a challenge skips it, an index does not. */
START_TEST(rejection_of_p) {
    transcript t, u;
    uint32_t index;
    transcript_init(&t);
    store_u32(t.state, golden_rejecting);
    u = t;
    transcript_indices(&u, TAG_LOOKUP, 31, &index, 1);
    ck_assert_uint_eq(index, M31_P);
    check_challenges(&t, TAG_LOOKUP, golden_after_rejection, 4);
}
END_TEST

/* Different histories, each from the same start: no two may end in the same state. */
#define N_HISTORIES 22

static void history(unsigned which, transcript *t) {
    static const uint8_t zeros[64];
    const qm31 x[2] = {{{1, 2, 3, 4}}, {{5, 6, 7, 8}}};
    qm31 out[3];
    uint32_t index[3];
    transcript_init(t);
    switch (which) {
    case 0:
        break;
    case 1:
        transcript_absorb(t, TAG_VK, NULL, 0);
        break;
    case 2:
        transcript_absorb(t, TAG_STATEMENT, NULL, 0);
        break;
    case 3:
        transcript_absorb(t, TAG_VK, "abc", 3);
        break;
    case 4:
        transcript_absorb(t, TAG_VK, "ab", 2), transcript_absorb(t, TAG_VK, "c", 1);
        break;
    case 5:
        transcript_absorb(t, TAG_VK, "a", 1), transcript_absorb(t, TAG_VK, "bc", 2);
        break;
    case 6:
        transcript_absorb(t, TAG_VK, "abc", 3), transcript_absorb(t, TAG_VK, NULL, 0);
        break;
    case 7:
        transcript_absorb(t, TAG_VK, NULL, 0), transcript_absorb(t, TAG_VK, "abc", 3);
        break;
    case 8:
        transcript_absorb(t, TAG_STATEMENT, "abc", 3);
        break;
    case 9:
        transcript_absorb(t, TAG_VK, zeros, 1);
        break;
    case 10:
        transcript_absorb(t, TAG_VK, zeros, 16);
        break;
    case 11:
        transcript_absorb(t, TAG_VK, zeros, 64);
        break;
    case 12:
        transcript_absorb_qm31(t, TAG_VK, x, 1);
        break;
    case 13:
        transcript_absorb_qm31(t, TAG_VK, x, 2);
        break;
    case 14:
        transcript_absorb_qm31(t, TAG_VK, x, 1), transcript_absorb_qm31(t, TAG_VK, x + 1, 1);
        break;
    case 15:
        transcript_challenge(t, TAG_VK, out, 0);
        break;
    case 16:
        transcript_challenge(t, TAG_VK, out, 1);
        break;
    case 17:
        transcript_challenge(t, TAG_VK, out, 2);
        break;
    case 18:
        transcript_challenge(t, TAG_VK, out, 1), transcript_challenge(t, TAG_VK, out, 1);
        break;
    case 19:
        transcript_challenge(t, TAG_STATEMENT, out, 1);
        break;
    case 20:
        transcript_indices(t, TAG_VK, 5, index, 3);
        break;
    case 21:
        transcript_challenge(t, TAG_VK, out, 0), transcript_challenge(t, TAG_VK, out, 0);
        break;
    default:
        ck_abort();
    }
}

START_TEST(histories_differ) {
    transcript t[N_HISTORIES];
    for (unsigned i = 0; i < N_HISTORIES; i++) {
        history(i, &t[i]);
        for (unsigned j = 0; j < i; j++)
            ck_assert_msg(memcmp(t[i].state, t[j].state, 32) != 0, "histories %u and %u collide", j, i);
    }
}
END_TEST

/* Challenges depend on everything before: state, and tag. */
START_TEST(challenges_differ) {
    qm31 x[N_HISTORIES + 1][1];
    for (unsigned i = 0; i <= N_HISTORIES; i++) {
        transcript t;
        history(i % N_HISTORIES, &t);
        transcript_challenge(&t, i < N_HISTORIES ? TAG_LOOKUP : TAG_GKR_MERGE, x[i], 1);
        for (unsigned j = 0; j < i; j++)
            ck_assert_msg(!qm31_eq(x[i][0], x[j][0]), "histories %u and %u", j, i);
    }
}
END_TEST

START_TEST(qm31_is_its_bytes) {
    const qm31 x[2] = {{{1, M31_P - 1, 0x1234567, 0}}, {{5, 6, 7, 0x7f000001}}};
    uint8_t bytes[32];
    transcript t, u;
    for (size_t i = 0; i < 8; i++)
        store_u32(bytes + 4 * i, x[i / 4].v[i % 4]);
    transcript_init(&t);
    transcript_init(&u);
    transcript_absorb_qm31(&t, TAG_CLAIMS, x, 2);
    transcript_absorb(&u, TAG_CLAIMS, bytes, 32);
    ck_assert_mem_eq(t.state, u.state, 32);
}
END_TEST

/* An item in pieces of any sizes is the item; numbers of elements around whole blocks. */
START_TEST(pieces_are_one_item) {
    uint8_t bytes[300];
    qm31 x[18];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 5);
    for (size_t size = 0; size <= sizeof bytes; size += 1 + size / 9) {
        for (size_t step = 1; step <= 130; step = step * 5 / 3 + 1) {
            transcript t, u;
            transcript_item item;
            transcript_init(&t);
            u = t;
            transcript_absorb(&t, TAG_STATEMENT, bytes, size);
            transcript_item_begin(&item, &u, TAG_STATEMENT, size);
            for (size_t i = 0; i < size; i += step)
                transcript_item_add(&item, bytes + i, size - i < step ? size - i : step);
            transcript_item_add(&item, NULL, 0);
            transcript_item_end(&item);
            ck_assert_mem_eq(t.state, u.state, 32);
        }
    }
    for (uint32_t i = 0; i < 72; i++)
        x[i / 4].v[i % 4] = i * 29826161;
    for (size_t n = 0; n <= 18; n++) {
        transcript t, u;
        transcript_init(&t);
        u = t;
        transcript_absorb_qm31(&t, TAG_CLAIMS, x, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < 4; j++)
                store_u32(bytes + 16 * i + 4 * j, x[i].v[j]);
        }
        transcript_absorb(&u, TAG_CLAIMS, bytes, 16 * n);
        ck_assert_mem_eq(t.state, u.state, 32);
    }
}
END_TEST

/* Counts of each bit over many coordinates: n/2 with standard deviation sqrt(n)/2; eight of them allowed. */
START_TEST(challenges_are_uniform) {
    enum { N = 4096 };
    static qm31 x[N];
    unsigned ones[31] = {0};
    transcript t;
    transcript_init(&t);
    transcript_challenge(&t, TAG_LOOKUP, x, N);
    for (size_t i = 0; i < N * 4; i++) {
        const m31 c = x[i / 4].v[i % 4];
        ck_assert_uint_lt(c, M31_P);
        for (unsigned b = 0; b < 31; b++)
            ones[b] += c >> b & 1;
    }
    for (unsigned b = 0; b < 31; b++)
        ck_assert_msg(ones[b] > N * 2 - 8 * 64 && ones[b] < N * 2 + 8 * 64, "bit %u: %u ones", b, ones[b]);
}
END_TEST

START_TEST(indices_are_uniform) {
    enum { N = 8192 };
    static uint32_t x[N];
    for (unsigned bits = 0; bits <= 31; bits++) {
        unsigned count[16] = {0};
        const unsigned top = bits < 4 ? bits : 4; /* buckets by the highest bits */
        const double mean = (double)N / (double)(1u << top);
        transcript t;
        transcript_init(&t);
        transcript_indices(&t, TAG_OPEN_QUERY, bits, x, N);
        for (size_t i = 0; i < N; i++) {
            ck_assert_msg((uint64_t)x[i] < (uint64_t)1 << bits, "%u bits: %u", bits, x[i]);
            count[x[i] >> (bits - top)]++;
        }
        /* standard deviation at most sqrt(mean) <= 91 */
        for (unsigned b = 0; b < 1u << top; b++)
            ck_assert_msg((count[b] - mean) * (count[b] - mean) <= 64 * mean, "%u bits, bucket %u: %u", bits,
                          b, count[b]);
    }
}
END_TEST

START_TEST(pow_depends_on_state) {
    transcript t, u;
    unsigned same = 0;
    transcript_init(&t);
    transcript_init(&u);
    transcript_absorb(&u, TAG_VK, NULL, 0);
    for (uint64_t nonce = 0; nonce < 64; nonce++) {
        const uint8_t *before = (uint8_t[32]){0};
        ck_assert(transcript_pow_holds(&t, 0, nonce));
        same += transcript_pow_holds(&t, 1, nonce) == transcript_pow_holds(&u, 1, nonce);
        ck_assert_mem_eq(t.state, before, 32); /* the check leaves the state alone */
    }
    ck_assert_uint_lt(same, 64);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("transcript");
    TCase *tc = tcase_create("transcript");
    tcase_add_test(tc, golden);
    tcase_add_test(tc, rejection_of_p);
    tcase_add_test(tc, histories_differ);
    tcase_add_test(tc, challenges_differ);
    tcase_add_test(tc, qm31_is_its_bytes);
    tcase_add_test(tc, pieces_are_one_item);
    tcase_add_test(tc, challenges_are_uniform);
    tcase_add_test(tc, indices_are_uniform);
    tcase_add_test(tc, pow_depends_on_state);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
