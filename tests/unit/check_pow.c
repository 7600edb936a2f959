/* Grinding finds the smallest nonce, whatever the number of workers and the instruction set. */
#include <check.h>

#include "base/cpu.h"
#include "base/parallel.h"
#include "hash/pow_prove.h"
#include "suite.h"

static uint64_t smallest(const transcript *t, unsigned bits) {
    uint64_t nonce = 0;
    while (!transcript_pow_holds(t, bits, nonce))
        nonce++;
    return nonce;
}

START_TEST(finds_the_smallest) {
    static const unsigned workers[] = {1, 2, 3, 7};
    const mica_cpu_level best = mica_cpu_level_get();
    for (uint8_t seed = 0; seed < 6; seed++) {
        transcript t;
        transcript_init(&t);
        transcript_absorb(&t, TAG_VK, &seed, 1);
        for (unsigned bits = 0; bits <= 16; bits += bits < 12 ? 3 : 4) {
            const uint64_t expected = smallest(&t, bits);
            const transcript before = t;
            for (size_t w = 0; w < sizeof workers / sizeof *workers; w++) {
                parallel_set_workers(workers[w]);
                for (int level = MICA_CPU_PORTABLE; level <= (int)best; level++) {
                    mica_cpu_limit((mica_cpu_level)level);
                    const uint64_t got = pow_grind(&t, bits);
                    ck_assert_msg(got == expected, "seed %u, %u bits, %u workers, %s: %llu, expected %llu",
                                  seed, bits, workers[w], mica_cpu_level_name((mica_cpu_level)level),
                                  (unsigned long long)got, (unsigned long long)expected);
                }
            }
            ck_assert_mem_eq(t.state, before.state, 32);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pow");
    TCase *tc = tcase_create("pow");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, finds_the_smallest);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
