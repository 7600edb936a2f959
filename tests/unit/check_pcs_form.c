/* Terms of the opening's linear form on a message, against their definition as sums over all indices. */
#include <check.h>
#include <stdlib.h>

#include "pcs/pcs_form.h"
#include "random_field.h"
#include "suite.h"

#define MAX_VARS 11

static qm31 message[3 << MAX_VARS], scratch[1 << MAX_VARS];

static void fill_message(uint64_t *seed) {
    for (size_t i = 0; i < sizeof message / sizeof *message; i++)
        message[i] = random_qm31(seed);
}

/* sum over i of message[offset + i] prod_j t_j^{i_j} */
START_TEST(powers) {
    uint64_t seed = 1;
    fill_message(&seed);
    for (unsigned vars = 0; vars <= MAX_VARS; vars++) {
        for (size_t offset = 0; offset < 3u << vars; offset += (size_t)1 << vars) {
            m31 t[MAX_VARS + 1] = {0};
            for (unsigned j = 0; j < vars; j++)
                t[j] = offset ? (m31)(random_u64(&seed) % M31_P) : M31_P - 1 - j % 2;
            qm31 sum = qm31_zero();
            for (size_t i = 0; i < (size_t)1 << vars; i++) {
                m31 weight = 1;
                for (unsigned j = 0; j < vars; j++)
                    weight = i >> j & 1 ? m31_mul(weight, t[j]) : weight;
                sum = qm31_add(sum, qm31_mul_m31(message[offset + i], weight));
            }
            const pcs_term term = {.offset = offset, .vars = vars, .t = t};
            ck_assert_msg(qm31_eq(pcs_term_at(&term, message, scratch), sum), "%u variables at %zu", vars,
                          offset);
        }
    }
}
END_TEST

/* sum over i of message[offset + i] eq(z, i) */
START_TEST(points) {
    uint64_t seed = 2;
    fill_message(&seed);
    for (unsigned vars = 0; vars <= MAX_VARS; vars++) {
        for (size_t offset = 0; offset < 3u << vars; offset += (size_t)1 << vars) {
            qm31 z[MAX_VARS + 1], sum = qm31_zero();
            for (unsigned j = 0; j < vars; j++)
                z[j] = random_qm31(&seed);
            for (size_t i = 0; i < (size_t)1 << vars; i++) {
                qm31 weight = qm31_one();
                for (unsigned j = 0; j < vars; j++)
                    weight = qm31_mul(weight, i >> j & 1 ? z[j] : qm31_sub(qm31_one(), z[j]));
                sum = qm31_add(sum, qm31_mul(message[offset + i], weight));
            }
            const pcs_term term = {.offset = offset, .vars = vars, .z = z};
            ck_assert_msg(qm31_eq(pcs_term_at(&term, message, scratch), sum), "%u variables at %zu", vars,
                          offset);
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("pcs_form");
    TCase *t = tcase_create("pcs_form");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, powers);
    tcase_add_test(t, points);
    suite_add_tcase(s, t);
    return suite_run(s);
}
