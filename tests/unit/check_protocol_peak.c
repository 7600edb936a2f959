/* The workspace of a proof, predicted before the proof is made, and met; the proof is the same whatever it
 * saves. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"
#include "suite.h"

#define SLACK ((size_t)16384) /* bytes: how many queries are distinct is known on average only */

static void ck_near(const char *name, uint32_t batch, unsigned savings, size_t predicted, size_t measured) {
    const size_t distance = predicted > measured ? predicted - measured : measured - predicted;
    ck_assert_msg(distance <= measured / 10 + SLACK,
                  "%s, batch %u, savings %u: %zu bytes predicted, %zu measured", name, batch, savings,
                  predicted, measured);
}

START_TEST(workspace_is_as_predicted) {
    kit k;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 100));
    for (uint32_t batch = 1; batch <= k.c.max_batch; batch++) {
        uint8_t *plain = NULL;
        size_t plain_size = 0;
        for (unsigned savings = 0; savings < 1u << MICA_SAVINGS; savings++) {
            mica_status st = {0};
            mica_memory m;
            mica_prove_stats stats;
            uint8_t *file;
            size_t size;
            ck_assert_msg(mica_prover_memory(&k.vk, batch, savings, &m, &st), "%s", st.message);
            ck_assert_uint_eq(m.resident, m.loaded + m.workspace);
            ck_assert_msg(kit_prove_as(&k, batch, 7, savings, &file, &size, &stats, &st), "%s", st.message);
            ck_near(samples[_i].name, batch, savings, m.workspace, stats.workspace_peak);
            if (savings == 0) {
                plain = file;
                plain_size = size;
                continue;
            }
            ck_assert_uint_eq(size, plain_size);
            ck_assert_mem_eq(file, plain, size);
            free(file);
        }
        free(plain);
    }
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("protocol_peak");
    TCase *t = tcase_create("workspace");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, workspace_is_as_predicted, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
