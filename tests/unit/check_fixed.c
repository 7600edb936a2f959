/* The fixed-point primitives of tables, and dyadic numbers. */
#include <float.h>

#include "circuit/fixed.h"
#include "table_kit.h"

/* The primitives of the text at random and extreme arguments, against long double. */
START_TEST(primitives_are_accurate) {
#if LDBL_MANT_DIG >= 64
    random_state = 350;
    for (int trial = 0; trial < 20000; trial++) {
        const fixed_float z = {FIXED_ONE + (int64_t)(random_u64() >> 4), random_in(-180, 180)};
        const long double log = logl(ldexpl((long double)z.mantissa, z.exponent - 60));
        ck_assert_msg(fabsl(ldexpl((long double)fixed_log(z), -60) - log) < 0x1p-51L, "log, trial %d", trial);
        const i128 u = (i128)(int64_t)random_u64() * (1 << 17) / ((i128)1 << random_in(0, 60));
        const long double x = ldexpl((long double)u, -60);
        ck_assert_msg(fabsl(ldexpl((long double)fixed_sin(u, 0), -60) - sinl(x)) < 0x1p-39L, "sin %Lg", x);
        ck_assert_msg(fabsl(ldexpl((long double)fixed_sin(u, 1), -60) - cosl(x)) < 0x1p-39L, "cos %Lg", x);
        const int64_t a = (int64_t)(random_u64() >> 1) >> random_in(20, 62);
        const int64_t y = fixed_erf(a);
        ck_assert_msg(fabsl(ldexpl((long double)y, -60) - erfl(ldexpl((long double)a, -40))) < 0x1p-34L &&
                          y >= 0 && y <= FIXED_ONE,
                      "erf of %lld", (long long)a);
    }
#endif
}
END_TEST

START_TEST(ties_round_up) {
    const mica_dyadic one = dyadic(1);
    for (int a = -9; a <= 9; a++) {
        const int expected = (int)floor(a / 2.0 + 0.5);
        ck_assert_int_eq(fixed_round_ratio((i128)a * one.mantissa, -1, one.mantissa), expected);
        ck_assert_int_eq(fixed_round_ratio((i128)a * 16, 26, 1 << 30), a); /* 16 * 2^26 = 2^30 */
    }
    ck_assert_int_eq(fixed_round_ratio(0, 1000, 1 << 30), 0);
    ck_assert_int_eq(fixed_round_ratio(1, 1000, 1 << 30), INT32_MAX);
    ck_assert_int_eq(fixed_round_ratio(-1, 1000, 1 << 30), INT32_MIN);
    ck_assert_int_eq(fixed_round_ratio(-(((i128)1 << 112) - 1), -1000, 1 << 30), 0);
    ck_assert_int_eq(fixed_round_ratio(((i128)1 << 112) - 1, 0, 1 << 30), INT32_MAX);
    ck_assert_int_eq(fixed_round_ratio(-(((i128)1 << 112) - 1), 0, 1 << 30), INT32_MIN);
}
END_TEST

/* Against the compiler's division, at all sizes. */
START_TEST(division_rounds_down) {
    random_state = 250;
    for (int trial = 0; trial < 100000; trial++) {
        const i128 any = ((i128)(int64_t)random_u64() * ((i128)1 << 63) + (int64_t)(random_u64() >> 1)) / 2;
        i128 a = any >> random_in(0, 126);
        const int64_t b = (int64_t)(random_u64() >> random_in(2, 63)) + (trial % 2);
        if (b == 0)
            continue;
        if (trial % 3 == 0)
            a -= a % b; /* an exact multiple */
        const i128 expected = a / b - (a % b < 0);
        ck_assert_msg(fixed_floor_div(a, b) == expected, "trial %d", trial);
    }
    const i128 top = (i128)(((unsigned __int128)1 << 127) - 1);
    ck_assert(fixed_floor_div(top, 1) == top && fixed_floor_div(-top, 1) == -top);
    ck_assert(fixed_floor_div(0, 3) == 0 && fixed_floor_div(-1, INT64_MAX / 2) == -1);
}
END_TEST

/* exp to 2^-50 of its size, against long double arithmetic with 64 bits. */
START_TEST(exp_is_accurate) {
#if LDBL_MANT_DIG >= 64
    random_state = 300;
    for (int trial = 0; trial < 20000; trial++) {
        const i128 any = (i128)((int64_t)random_u64() >> random_in(0, 63)) * (1 << random_in(0, 4));
        const i128 u = trial < 2 ? (i128)(1 - 2 * trial) * ((i128)1 << 67) : any;
        const fixed_float e = fixed_exp(u);
        ck_assert(e.mantissa >= FIXED_ONE && e.mantissa >> 1 < FIXED_ONE);
        const long double expected = expl(ldexpl((long double)u, -60));
        const long double got = ldexpl((long double)e.mantissa, e.exponent - 60);
        ck_assert_msg(fabsl(got - expected) <= ldexpl(expected, -50), "trial %d: u = %Lg", trial,
                      (long double)u);
    }
#endif
}
END_TEST

START_TEST(dyadic_from_double) {
    static const struct {
        double x;
        bool ok;
        mica_dyadic expected;
    } cases[] = {
        {0.0, true, {0, 0}},
        {-0.0, true, {0, 0}},
        {1.0, true, {1 << 30, -30}},
        {-1.0, true, {-(1 << 30), -30}},
        {0x1.fffffffcp0, true, {0x7fffffff, -30}},
        {0x1.fffffffep0, true, {1 << 30, -29}}, /* a tie: up to even, into the next binade */
        {0x1.fffffffdp0, true, {0x7fffffff, -30}},
        {0x1.00000002p0, true, {1 << 30, -30}}, /* a tie: down to even */
        {0x1.00000006p0, true, {(1 << 30) + 2, -30}},
        {0x1.0000000200001p0, true, {(1 << 30) + 1, -30}},
        {0x1p-66, true, {1 << 30, -96}},
        {0x1.ffffffffffffep-67, true, {1 << 30, -96}},
        {0x1.8p-67, false, {0, 0}},
        {0x1.fffffffcp126, true, {0x7fffffff, 96}},
        {0x1.fffffffep126, false, {0, 0}},
        {0x1p127, false, {0, 0}},
        {DBL_MIN, false, {0, 0}},
        {DBL_MAX, false, {0, 0}},
        {0x1p-1074, false, {0, 0}},
        {INFINITY, false, {0, 0}},
        {-INFINITY, false, {0, 0}},
        {NAN, false, {0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_dyadic d = {7, 7};
        ck_assert_msg(mica_dyadic_from_double(&d, cases[i].x) == cases[i].ok, "case %zu", i);
        ck_assert_msg(d.mantissa == cases[i].expected.mantissa && d.exponent == cases[i].expected.exponent,
                      "case %zu: %d * 2^%d", i, d.mantissa, d.exponent);
    }
    random_state = 400;
    for (int trial = 0; trial < 20000; trial++) {
        const double x = ldexp((double)(int64_t)random_u64(), random_in(-120, 60));
        mica_dyadic d, again;
        ck_assert(mica_dyadic_from_double(&d, x));
        const double y = mica_dyadic_to_double(d);
        ck_assert(fabs(y - x) <= ldexp(fabs(x), -31));
        ck_assert(mica_dyadic_from_double(&again, y));
        ck_assert(again.mantissa == d.mantissa && again.exponent == d.exponent);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("fixed");
    TCase *t = tcase_create("fixed");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, primitives_are_accurate);
    tcase_add_test(t, ties_round_up);
    tcase_add_test(t, division_rounds_down);
    tcase_add_test(t, exp_is_accurate);
    tcase_add_test(t, dyadic_from_double);
    suite_add_tcase(s, t);
    return suite_run(s);
}
