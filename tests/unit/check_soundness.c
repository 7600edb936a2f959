/* The soundness calculator against exact vectors: never above the true value, at most 0.01 bit below. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../golden/soundness_vectors.h"
#include "soundness/soundness.h"
#include "suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define HUNDREDTH ((1LL << 32) / 100)

/* Units of 2^-32 below the true value. */
static int64_t below(int64_t truth, bits16 computed) {
    return truth - computed * 65536;
}

START_TEST(logarithms) {
    for (size_t i = 0; i < COUNT(vector_log); i++) {
        const int64_t low = below(vector_log[i].bits, soundness_log2_floor(vector_log[i].n));
        const int64_t high = below(vector_log[i].bits, soundness_log2_ceil(vector_log[i].n));
        ck_assert_msg(low >= 0 && low < 1 << 20, "floor of %llu: %lld", (unsigned long long)vector_log[i].n,
                      (long long)low);
        /* The vector is rounded down, hence the one unit. */
        ck_assert_msg(high <= 0 && high > -(1 << 20), "ceil of %llu: %lld",
                      (unsigned long long)vector_log[i].n, (long long)high);
        ck_assert(high < 0 || (vector_log[i].n & (vector_log[i].n - 1)) == 0);
    }
}
END_TEST

START_TEST(logarithm_is_monotone_and_tight) {
    for (uint64_t n = 1; n < 5000; n++) {
        ck_assert(soundness_log2_floor(n) <= soundness_log2_floor(n + 1));
        ck_assert(soundness_log2_floor(n) <= soundness_log2_ceil(n));
        ck_assert(soundness_log2_ceil(n) <= soundness_log2_floor(n) + 2);
    }
}
END_TEST

static void check_conservative(const char *what, size_t i, int64_t truth, bits16 computed) {
    const int64_t d = below(truth, computed);
    ck_assert_msg(d >= 0 && d < HUNDREDTH, "%s %zu: %lld", what, i, (long long)d);
}

START_TEST(terms) {
    check_conservative("field", 0, vector_field, soundness_field_bits());
    for (size_t i = 0; i < COUNT(vector_fold); i++) {
        check_conservative("fold", i, vector_fold[i].bits, soundness_fold(vector_fold[i].total));
        check_conservative("over field", i, vector_fold[i].bits, soundness_over_field(vector_fold[i].total));
    }
    for (size_t i = 0; i < COUNT(vector_query); i++)
        check_conservative(
            "query", i, vector_query[i].bits,
            soundness_query(vector_query[i].rate_bits, vector_query[i].queries, vector_query[i].pow_bits));
    for (size_t i = 0; i < COUNT(vector_logup); i++)
        check_conservative(
            "logup", i, vector_logup[i].bits,
            soundness_logup(vector_logup[i].n, vector_logup[i].tuple_length, vector_logup[i].pow_bits));
}
END_TEST

START_TEST(query_counts) {
    for (size_t i = 0; i < COUNT(vector_count); i++) {
        const unsigned t = soundness_queries(vector_count[i].rate_bits, vector_count[i].target_bits,
                                             vector_count[i].pow_bits);
        ck_assert_msg(t == vector_count[i].queries, "count %zu: %u, expected %u", i, t,
                      vector_count[i].queries);
        /* The count meets the target by the calculator's own terms, and one fewer does not. */
        const bits16 target = (bits16)vector_count[i].target_bits << 16;
        ck_assert(soundness_query(vector_count[i].rate_bits, t, vector_count[i].pow_bits) >= target);
        ck_assert(soundness_query(vector_count[i].rate_bits, t - 1, vector_count[i].pow_bits) < target);
    }
}
END_TEST

START_TEST(limits) {
    ck_assert_uint_eq(soundness_queries(0, 100, 20), UINT32_MAX); /* rate 1 has no distance */
    ck_assert_int_eq(soundness_query(0, 1000, 0), 0);
    ck_assert_uint_eq(soundness_queries(2, 20, 20), 1);
    ck_assert_uint_eq(soundness_queries(2, 0, 20), 1);
    ck_assert_int_eq(soundness_over_field(0), soundness_field_bits());
    ck_assert(soundness_over_field(UINT64_MAX) <= soundness_field_bits() - (64 << 16));
}
END_TEST

/* The bytes of a target are enough, one fewer is not; 4 Q^2 / 2^(8n) <= Q / 2^bits at Q = 2^bits. */
START_TEST(digests) {
    for (unsigned target = 1; target <= 127; target++) {
        const unsigned n = soundness_digest_bytes(target);
        ck_assert(n <= 32 && soundness_digest(n) >= (bits16)target << 16);
        ck_assert(n == 1 || soundness_digest(n - 1) < (bits16)target << 16);
    }
    for (unsigned n = 1; n <= 32; n++) {
        const int bits = (int)(soundness_digest(n) >> 16);
        ck_assert_int_le(2 + 2 * bits - 8 * (int)n, 0);
        ck_assert_int_gt(2 + 2 * (bits + 1) - 8 * (int)n, 0);
    }
    ck_assert_uint_eq(soundness_digest_bytes(100), 26);
    ck_assert_uint_eq(soundness_digest_bytes(1000), 32);
}
END_TEST

START_TEST(budget_minimum) {
    soundness_budget *b = calloc(1, sizeof *b);
    ck_assert_int_eq(soundness_min(b), 0);
    soundness_add(b, 7 << 16, "first of %u", 3u);
    soundness_add(b, 5 << 16, "second");
    soundness_add(b, 6 << 16, "third");
    ck_assert_uint_eq(b->n, 3);
    ck_assert_str_eq(b->line[0].what, "first of 3");
    ck_assert_int_eq(soundness_min(b), 5 << 16);
    for (unsigned i = 0; i < 100; i++)
        soundness_add(b, (200 - (bits16)i) << 16, "%0200u", i); /* longer than a line, more than fit */
    ck_assert_uint_eq(b->n, 64);
    ck_assert_int_eq(soundness_min(b), 5 << 16);
    soundness_add(b, 4 << 16, "too late to get a line, still counted");
    ck_assert_int_eq(soundness_min(b), 4 << 16);
    free(b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("soundness");
    TCase *c = tcase_create("soundness");
    tcase_add_test(c, logarithms);
    tcase_add_test(c, logarithm_is_monotone_and_tight);
    tcase_add_test(c, terms);
    tcase_add_test(c, query_counts);
    tcase_add_test(c, limits);
    tcase_add_test(c, digests);
    tcase_add_test(c, budget_minimum);
    suite_add_tcase(s, c);
    return suite_run(s);
}
