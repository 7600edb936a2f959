/* field/qm31_sum.h and qm31_bind.h against single products: a whole test, included by one file for each form.
 */
#ifndef MICA_TESTS_QM31_SUM_CASES_H
#define MICA_TESTS_QM31_SUM_CASES_H

#include <check.h>

#include "field/qm31_bind.h"
#include "random_field.h"
#include "suite.h"

/* Four products, then up to 1000 parts, of random and of the largest values. */
START_TEST(sums) {
    uint64_t seed = 1;
    for (unsigned parts = 0; parts < 1000; parts = parts * 3 / 2 + 1) {
        qm31_sum sum = qm31_sum_zero();
        qm31 expected = qm31_zero();
        for (unsigned i = 0; i < parts; i++) {
            const bool most = parts % 2;
            qm31 x[4];
            uint32_t w[4];
            for (unsigned j = 0; j < 4; j++) {
                x[j] = most ? (qm31){{M31_P - 1, M31_P - 1, M31_P - 1, M31_P - 1}} : random_qm31(&seed);
                w[j] = most || random_u64(&seed) % 5 == 0 ? M31_P : random_m31(&seed);
                expected = qm31_add(expected, qm31_mul_m31(x[j], w[j] % M31_P));
            }
            ck_assert(qm31_eq(qm31_sum_value(qm31_sum_four(x, w)),
                              qm31_sum_value(qm31_sum_part(qm31_sum_four(x, w)))));
            sum = qm31_sum_add_four(sum, x, w);
        }
        ck_assert_msg(qm31_eq(qm31_sum_value(sum), expected), "%u parts", parts);
    }
}
END_TEST

/* Values whose reduction passes through p and the largest ones. */
START_TEST(edges) {
    static const m31 word[] = {0, 1, 2, M31_HALF - 1, M31_HALF, M31_HALF + 1, M31_P - 2, M31_P - 1};
    const unsigned n = sizeof word / sizeof *word;
    for (unsigned i = 0; i < n; i++) {
        for (uint32_t w = 0; w < 2 * n; w++) {
            const uint32_t factor = w < n ? word[w] : M31_P - (w - n);
            const qm31 x = {{word[i], word[(i + 1) % n], word[(i + 3) % n], word[(i + 5) % n]}};
            const qm31_sum s = qm31_sum_product(&x, factor), twice = qm31_sum_plus(s, s);
            const qm31 product = qm31_mul_m31(x, factor % M31_P);
            ck_assert(qm31_eq(qm31_sum_value(s), product));
            ck_assert(qm31_eq(qm31_sum_value(qm31_sum_plus(twice, twice)), qm31_mul_m31(product, 4)));
        }
    }
}
END_TEST

START_TEST(bindings) {
    static const qm31 edge[] = {{{0, 0, 0, 0}},
                                {{1, 0, 0, 0}},
                                {{M31_P - 1, 0, 0, 0}},
                                {{M31_P - 1, M31_P - 1, M31_P - 1, M31_P - 1}},
                                {{0, 1, M31_P - 1, M31_HALF}}};
    const unsigned n = sizeof edge / sizeof *edge;
    uint64_t seed = 2;
    for (unsigned k = 0; k < 5000; k++) {
        const qm31 z = k < 125 ? edge[k % n] : random_qm31(&seed),
                   a = k < 125 ? edge[k / n % n] : random_qm31(&seed);
        const qm31 b = k < 125 ? edge[k / 25] : random_qm31(&seed);
        const qm31_factor factor = qm31_factor_of(z);
        qm31 low = a, high = b;
        ck_assert(qm31_eq(qm31_bind(&factor, &a, &b), qm31_add(a, qm31_mul(z, qm31_sub(b, a)))));
        qm31_split(&factor, &low, &high);
        ck_assert(qm31_eq(high, qm31_mul(a, z)) && qm31_eq(low, qm31_sub(a, qm31_mul(a, z))));
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("qm31_sum");
    TCase *t = tcase_create("qm31_sum");
    tcase_add_test(t, sums);
    tcase_add_test(t, edges);
    tcase_add_test(t, bindings);
    suite_add_tcase(s, t);
    return suite_run(s);
}

#endif
