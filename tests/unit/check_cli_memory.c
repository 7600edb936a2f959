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
    (void)snprintf(text, sizeof text, "%llu",
                   (unsigned long long)memory_at_most(&(mica_memory){.resident = resident}) - less);
    return text;
}

static mica_memory memory_of(const kit *k, unsigned savings) {
    mica_status st = {0};
    mica_memory m;
    ck_assert_msg(mica_prover_memory(&k->vk, 2, savings, &m, &st), "%s", st.message);
    return m;
}

/* Each limit is met by what it makes of the savings, and no saving is chosen that a limit does not ask for.
 */
START_TEST(limits_choose) {
    kit k;
    mica_memory m;
    mica_status st = {0};
    unsigned savings = 1;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 100));
    const proof_kind kind = {&k.vk, 2, 0, false}, verified = {&k.vk, 2, 0, true};
    const mica_memory plain = memory_of(&k, 0);
    ck_assert(memory_choose(limit_for(plain.resident, 0), &kind, &m, &savings, &st));
    ck_assert_uint_eq(savings, 0);
    ck_assert_uint_eq(m.resident, plain.resident);
    const proof_kind once = {&k.vk, 2, MICA_SAVE_FOR_ONE, false};
    ck_assert(memory_choose(limit_for(plain.resident, 0), &once, &m, &savings, &st));
    ck_assert_uint_eq(savings, MICA_SAVE_FOR_ONE);
    ck_assert_uint_eq(m.resident, memory_of(&k, MICA_SAVE_FOR_ONE).resident);
    size_t least = plain.resident;
    while (memory_choose(limit_for(least, 1), &kind, &m, &savings, &st)) {
        ck_assert_uint_ne(savings, 0);
        ck_assert_uint_lt(m.resident, least);
        ck_assert_uint_eq(m.resident, memory_of(&k, savings).resident);
        least = m.resident;
    }
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(st.message, "--memory allows"));
    for (unsigned all = 0; all < 1u << MICA_SAVINGS; all++)
        ck_assert_uint_ge(memory_of(&k, all).resident, least);
    st = (mica_status){0};
    ck_assert(memory_choose(limit_for(least, 0), &kind, &m, &savings, &st));
    ck_assert(memory_choose(limit_for(least + m.verifying, 0), &verified, &m, &savings, &st));
    ck_assert(!memory_choose(limit_for(least, 0), &verified, &m, &savings, &st));
    st = (mica_status){0};
    ck_assert(memory_choose(NULL, &kind, &m, &savings, &st));
    kit_free(&k);
}
END_TEST

START_TEST(the_system_says) {
    ck_assert_uint_gt(memory_available(), 0);
    ck_assert_uint_lt(memory_available(), 1ull << 50);
    ck_assert_uint_gt(memory_peak(), 1u << 16);
    ck_assert_uint_lt(memory_peak(), 1ull << 50);
    json_t *names = memory_savings_json(1u << MICA_SAVE_LEAVES);
    ck_assert_uint_eq(json_array_size(names), 1);
    ck_assert_str_eq(json_string_value(json_array_get(names, 0)), "leaves");
    json_decref(names);
}
END_TEST

int main(void) {
    Suite *s = suite_create("cli_memory");
    TCase *t = tcase_create("limit");
    tcase_add_test(t, sizes_are_read);
    tcase_add_loop_test(t, limits_choose, 0, SAMPLES);
    tcase_add_test(t, the_system_says);
    suite_add_tcase(s, t);
    return suite_run(s);
}
