/* --memory: sizes, and what is chosen for a limit. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "circuit_samples.h"
#include "cli/memory_limit.h"
#include "suite.h"

START_TEST(sizes_are_read) {
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"1", 1}, {"500M", 500000000}, {"2G", 2000000000}, {"1.5k", 1500}, {"0.25G", 250000000}};
    static const char *const bad[] = {"",    "M",    "-1",   "+1",  "2T",  "2GB",
                                      "1 G", "0x10", "1e30", "nan", "inf", "1,5G"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        mica_status st = {0};
        uint64_t bytes = 0;
        ck_assert_msg(memory_parse(&bytes, good[i].text, &st), "%s", st.message);
        ck_assert_uint_eq(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mica_status st = {0};
        uint64_t bytes;
        ck_assert_msg(!memory_parse(&bytes, bad[i], &st), "%s", bad[i]);
        ck_assert_int_eq(st.code, MICA_ERR_USAGE);
        ck_assert_ptr_nonnull(strstr(st.message, bad[i]));
    }
}
END_TEST

/* A limit that a proof of `resident` bytes fits just so, and `less` bytes below it. */
static const char *limit_for(size_t resident, size_t less) {
    static char text[32];
    (void)snprintf(text, sizeof text, "%zu", resident + resident / 20 - less);
    return text;
}

START_TEST(limits_choose) {
    kit k;
    mica_memory plain, lean, m;
    mica_status st = {0};
    bool frugal = true;
    samples[0].build(&k);
    ck_assert(kit_finish(&k, 100));
    const proof_kind kind = {&k.vk, 2, false}, verified = {&k.vk, 2, true};
    ck_assert(mica_prover_memory(&k.vk, 2, false, &plain, &st));
    ck_assert(mica_prover_memory(&k.vk, 2, true, &lean, &st));
    ck_assert(memory_choose(limit_for(plain.resident, 0), &kind, &m, &frugal, &st));
    ck_assert(!frugal);
    ck_assert_uint_eq(m.resident, plain.resident);
    if (lean.resident < plain.resident) {
        ck_assert(memory_choose(limit_for(plain.resident, 1), &kind, &m, &frugal, &st));
        ck_assert(frugal);
        ck_assert_uint_eq(m.resident, lean.resident);
    }
    const size_t least = lean.resident < plain.resident ? lean.resident : plain.resident;
    ck_assert(!memory_choose(limit_for(least, 1), &kind, &m, &frugal, &st));
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(st.message, "--memory allows"));
    st = (mica_status){0};
    ck_assert(memory_choose(limit_for(least, 0), &kind, &m, &frugal, &st));
    ck_assert(memory_choose(limit_for(least + plain.verifying, 0), &verified, &m, &frugal, &st));
    ck_assert(!memory_choose(limit_for(least, 0), &verified, &m, &frugal, &st));
    st = (mica_status){0};
    ck_assert(memory_choose(NULL, &kind, &m, &frugal, &st));
    ck_assert_uint_gt(memory_available(), 0);
    ck_assert_uint_lt(memory_available(), 1ull << 50); /* it is what the system says */
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("cli_memory");
    TCase *t = tcase_create("limit");
    tcase_add_test(t, sizes_are_read);
    tcase_add_test(t, limits_choose);
    suite_add_tcase(s, t);
    return suite_run(s);
}
