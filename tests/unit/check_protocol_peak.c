/* The workspace of a proof, predicted before the proof is made, and met; without stored codewords the proof
 * is the same. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"
#include "suite.h"

#define SLACK ((size_t)4096) /* bytes: how many queries are distinct is known on average only */

static void ck_near(const char *name, uint32_t batch, size_t predicted, size_t measured) {
    const size_t distance = predicted > measured ? predicted - measured : measured - predicted;
    ck_assert_msg(distance <= measured / 10 + SLACK, "%s, batch %u: %zu bytes predicted, %zu measured", name,
                  batch, predicted, measured);
}

START_TEST(workspace_is_as_predicted) {
    kit k;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 100));
    for (uint32_t batch = 1; batch <= k.c.max_batch; batch++) {
        uint8_t *file[2];
        size_t size[2];
        for (int frugal = 0; frugal < 2; frugal++) {
            mica_status st = {0};
            mica_memory m;
            mica_prove_stats stats;
            ck_assert_msg(mica_prover_memory(&k.vk, batch, frugal, &m, &st), "%s", st.message);
            ck_assert_uint_eq(m.resident, m.loaded + m.workspace);
            ck_assert_msg(kit_prove_as(&k, batch, 7, frugal, &file[frugal], &size[frugal], &stats, &st), "%s",
                          st.message);
            ck_near(samples[_i].name, batch, m.workspace, stats.workspace_peak);
        }
        ck_assert_uint_eq(size[0], size[1]);
        ck_assert_mem_eq(file[0], file[1], size[0]);
        free(file[0]);
        free(file[1]);
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
