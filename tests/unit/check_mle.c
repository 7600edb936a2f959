/* poly/: every function against the sum or product over the hypercube that defines it. */
#include <check.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/parallel.h"
#include "poly/eq_prove.h"
#include "poly/mle.h"
#include "random_field.h"
#include "suite.h"

#define MAX_VARS 10

static void assert_qm31(qm31 got, qm31 expected, const char *what, unsigned n, uint64_t at) {
    if (!qm31_eq(got, expected))
        ck_abort_msg("%s differs: n = %u, index %llu", what, n, (unsigned long long)at);
}

static void random_point(qm31 *z, unsigned n, uint64_t seed) {
    for (unsigned i = 0; i < n; i++)
        z[i] = random_qm31(&seed);
}

/* prod_i (a_i b_i + (1 - a_i)(1 - b_i)), as written. */
static qm31 slow_eq(const qm31 *a, const qm31 *b, unsigned n) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < n; i++) {
        const qm31 both = qm31_mul(a[i], b[i]);
        const qm31 none = qm31_mul(qm31_sub(qm31_one(), a[i]), qm31_sub(qm31_one(), b[i]));
        product = qm31_mul(product, qm31_add(both, none));
    }
    return product;
}

static qm31 slow_eq_index(const qm31 *z, unsigned n, uint64_t index) {
    qm31 bits[64];
    for (unsigned i = 0; i < n; i++)
        bits[i] = qm31_from_m31((m31)(index >> i & 1));
    return slow_eq(z, bits, n);
}

START_TEST(eq) {
    for (unsigned n = 0; n <= MAX_VARS; n++) {
        qm31 a[MAX_VARS], b[MAX_VARS], table[1 << MAX_VARS], sum = qm31_zero();
        random_point(a, n, 100 + n);
        random_point(b, n, 200 + n);
        assert_qm31(mle_eq(a, b, n), slow_eq(a, b, n), "mle_eq", n, 0);
        mle_eq_table(a, n, table);
        for (uint64_t i = 0; i < 1u << n; i++) {
            assert_qm31(table[i], slow_eq_index(a, n, i), "mle_eq_table", n, i);
            assert_qm31(mle_eq_index(a, n, i), table[i], "mle_eq_index", n, i);
            sum = qm31_add(sum, table[i]);
        }
        assert_qm31(sum, qm31_one(), "sum of eq", n, 0);
    }
}
END_TEST

START_TEST(less_than) {
    for (unsigned n = 0; n <= 8; n++) {
        qm31 z[8], sum = qm31_zero();
        random_point(z, n, 300 + n);
        for (uint64_t bound = 0; bound <= 1u << n; bound++) {
            assert_qm31(mle_less_than(z, n, bound), sum, "mle_less_than", n, bound);
            if (bound < 1u << n)
                sum = qm31_add(sum, slow_eq_index(z, n, bound));
        }
    }
}
END_TEST

/* Wide points, where the table cannot be written down: on the hypercube the value is the indicator. */
START_TEST(less_than_wide) {
    uint64_t seed = 9;
    for (unsigned n = 30; n <= 63; n++) {
        const uint64_t mask = ((uint64_t)1 << n) - 1;
        for (unsigned round = 0; round < 20; round++) {
            const uint64_t index = random_u64(&seed) & mask;
            const uint64_t bounds[] = {index, index + 1, random_u64(&seed) & mask, mask, mask + 1, 0};
            qm31 z[63];
            for (unsigned i = 0; i < n; i++)
                z[i] = qm31_from_m31((m31)(index >> i & 1));
            for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
                assert_qm31(mle_less_than(z, n, bounds[b]), qm31_from_m31(index < bounds[b]), "mle_less_than",
                            n, bounds[b]);
        }
    }
}
END_TEST

START_TEST(identity_below) {
    for (unsigned n = 0; n <= 8; n++) {
        qm31 z[8], sum = qm31_zero();
        random_point(z, n, 350 + n);
        for (uint32_t bound = 0; bound <= 1u << n; bound++) {
            assert_qm31(mle_identity_below(z, n, bound), sum, "mle_identity_below", n, bound);
            if (bound < 1u << n)
                sum = qm31_add(sum, qm31_mul_m31(slow_eq_index(z, n, bound), bound));
        }
    }
    uint64_t seed = 11; /* wide points: the index itself on the hypercube, or 0 */
    for (unsigned n = 9; n <= 31; n++) {
        const uint32_t index = (uint32_t)(random_u64(&seed) & (((uint64_t)1 << n) - 1));
        const uint32_t bounds[] = {index, index + 1, (uint32_t)(((uint64_t)1 << n) - 1), (uint32_t)1 << n, 0};
        qm31 z[31];
        for (unsigned i = 0; i < n; i++)
            z[i] = qm31_from_m31((m31)(index >> i & 1));
        for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
            assert_qm31(mle_identity_below(z, n, bounds[b]),
                        qm31_from_m31(index < bounds[b] ? index % M31_P : 0), "mle_identity_below", n,
                        bounds[b]);
    }
}
END_TEST

/* Every length up to two blocks of four and more, values at their extremes. */
START_TEST(dot_i32) {
    uint64_t seed = 12;
    for (unsigned n = 0; n <= 37; n++) {
        qm31 x[37], sum = qm31_zero();
        int32_t value[37];
        random_point(x, n, 500 + n);
        for (unsigned i = 0; i < n; i++) {
            static const int32_t extreme[] = {INT32_MAX, -INT32_MAX, 0, -1, INT32_MAX - 1, 1};
            value[i] =
                n % 2 ? extreme[random_u64(&seed) % 6] : (int32_t)(random_u64(&seed) >> 33) - (1 << 30);
            if (n % 3 == 0)
                x[i] = (qm31){{M31_P - 1, M31_P - 1, M31_P - 1, 0}};
            sum = qm31_add(sum, qm31_mul_i32(x[i], value[i]));
        }
        assert_qm31(mle_dot_i32(x, value, n), sum, "mle_dot_i32", n, 0);
    }
}
END_TEST

START_TEST(identity) {
    for (unsigned n = 0; n <= MAX_VARS; n++) {
        qm31 z[MAX_VARS], sum = qm31_zero();
        random_point(z, n, 400 + n);
        for (uint32_t i = 0; i < 1u << n; i++)
            sum = qm31_add(sum, qm31_mul_m31(slow_eq_index(z, n, i), i));
        assert_qm31(mle_identity(z, n), sum, "mle_identity", n, 0);
    }
    uint64_t seed = 10;
    for (unsigned n = 31; n <= 63; n++) {
        const uint64_t index = random_u64(&seed) & (((uint64_t)1 << n) - 1);
        qm31 z[63];
        for (unsigned i = 0; i < n; i++)
            z[i] = qm31_from_m31((m31)(index >> i & 1));
        assert_qm31(mle_identity(z, n), qm31_from_m31((m31)(index % M31_P)), "mle_identity", n, index);
    }
}
END_TEST

START_TEST(eval_i32) {
    static int32_t value[1 << MAX_VARS];
    static qm31 scratch[1 << MAX_VARS];
    uint64_t seed = 11;
    for (size_t i = 0; i < 1 << MAX_VARS; i++)
        value[i] = (int32_t)(random_u64(&seed) >> 33) - (1 << 30);
    value[0] = -INT32_MAX;
    value[1] = INT32_MAX;
    for (unsigned n = 0; n <= MAX_VARS; n++) {
        qm31 z[MAX_VARS];
        random_point(z, n, 500 + n);
        const uint64_t counts[] = {0, 1, (1u << n) / 2, (1u << n) - 1, 1u << n};
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            qm31 sum = qm31_zero();
            for (uint64_t i = 0; i < counts[c]; i++)
                sum = qm31_add(sum, qm31_mul_i32(slow_eq_index(z, n, i), value[i]));
            assert_qm31(mle_eval_i32(value, counts[c], z, n, scratch), sum, "mle_eval_i32", n, counts[c]);
        }
    }
}
END_TEST

/* The parallel table equals the serial one at every CPU level; 2^15 elements are more than one range. */
START_TEST(eq_table) {
    enum { VARS = 15 };
    static m31 planes[4 << VARS];
    static qm31 table[1 << VARS];
    const qvec out = {planes, 1 << VARS};
    uint64_t seed = 12;
    const qm31 scale = random_qm31(&seed);
    mica_cpu_limit((mica_cpu_level)_i);
    parallel_set_workers(3);
    for (unsigned n = 0; n <= VARS; n++) {
        qm31 z[VARS];
        random_point(z, n, 600 + n);
        eq_table_build(out, z, n, scale);
        mle_eq_table(z, n, table);
        for (size_t i = 0; i < (size_t)1 << n; i++)
            assert_qm31(qvec_get(out, i), qm31_mul(scale, table[i]), "eq_table_build", n, i);
    }
    parallel_set_workers(0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("mle");
    TCase *t = tcase_create("mle");
    tcase_add_test(t, eq);
    tcase_add_test(t, less_than);
    tcase_add_test(t, less_than_wide);
    tcase_add_test(t, identity);
    tcase_add_test(t, identity_below);
    tcase_add_test(t, dot_i32);
    tcase_add_test(t, eval_i32);
    tcase_add_loop_test(t, eq_table, MICA_CPU_PORTABLE, MICA_CPU_AVX512 + 1);
    suite_add_tcase(s, t);
    return suite_run(s);
}
