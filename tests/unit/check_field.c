/* field/: M31 against 128-bit integers, QM31 against products of polynomials in i and u reduced by
 * definition. */
#include <check.h>
#include <stdlib.h>

#include "field/qm31.h"
#include "field/qvec.h"
#include "random_field.h"
#include "suite.h"

static const m31 extremes[] = {
    0, 1, 2, 3, 0xffff, 0x10000, M31_HALF - 1, M31_HALF, M31_HALF + 1, M31_P - 2, M31_P - 1};
#define N_EXTREMES (sizeof extremes / sizeof *extremes)
#define ROUNDS     20000

static m31 residue(__int128 x) {
    const __int128 r = x % (__int128)M31_P;
    return (m31)(r < 0 ? r + M31_P : r);
}

static void check_m31_pair(m31 a, m31 b) {
    const __int128 x = a, y = b;
    ck_assert_msg(m31_add(a, b) == residue(x + y), "%u + %u", a, b);
    ck_assert_msg(m31_sub(a, b) == residue(x - y), "%u - %u", a, b);
    ck_assert_msg(m31_mul(a, b) == residue(x * y), "%u * %u", a, b);
    ck_assert_msg(m31_neg(a) == residue(-x), "-%u", a);
    ck_assert_msg(m31_mul(a, m31_inv(a)) == (a != 0), "1/%u", a);
}

START_TEST(m31_operations) {
    uint64_t seed = 1;
    for (size_t i = 0; i < N_EXTREMES; i++) {
        for (size_t j = 0; j < N_EXTREMES; j++)
            check_m31_pair(extremes[i], extremes[j]);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        const m31 a = random_m31(&seed), b = random_m31(&seed);
        check_m31_pair(a, b);
    }
}
END_TEST

START_TEST(m31_reductions) {
    static const uint64_t edge[] = {0,
                                    1,
                                    M31_P - 1,
                                    M31_P,
                                    M31_P + 1,
                                    2ull * M31_P,
                                    1ull << 31,
                                    1ull << 32,
                                    1ull << 62,
                                    (uint64_t)M31_P * M31_P,
                                    UINT64_MAX,
                                    UINT64_MAX - 1,
                                    1ull << 63,
                                    UINT64_MAX - M31_P,
                                    ((1ull << 33) - 1) << 31};
    uint64_t seed = 2;
    for (size_t i = 0; i < ROUNDS + sizeof edge / sizeof *edge; i++) {
        const uint64_t x = i < sizeof edge / sizeof *edge ? edge[i] : random_u64(&seed) >> (i % 64);
        ck_assert_msg(m31_reduce64(x) == residue((__int128)x), "reduce %llu", (unsigned long long)x);
        ck_assert_msg(m31_from_i64((int64_t)x) == residue((int64_t)x), "from_i64 %lld", (long long)x);
        ck_assert_msg(m31_from_i32((int32_t)x) == residue((int32_t)x), "from_i32 %d", (int32_t)x);
        ck_assert(m31_is_canonical((uint32_t)x) == ((uint32_t)x < 2147483647u));
    }
    ck_assert_uint_eq(m31_from_i32(INT32_MIN), M31_P - 1);
    ck_assert_uint_eq(m31_add(M31_HALF, M31_HALF), 1);
}
END_TEST

START_TEST(m31_powers) {
    uint64_t seed = 3;
    for (unsigned round = 0; round < 50; round++) {
        const m31 a = random_m31(&seed);
        m31 expected = 1;
        for (uint32_t e = 0; e < 40; e++, expected = residue((__int128)expected * a))
            ck_assert_uint_eq(m31_pow(a, e), expected);
    }
}
END_TEST

/* The coefficient of i^s u^t times c, added to out by i^2 = -1 and u^2 = 2 + i, one step at a time. */
static void add_monomial(m31 out[4], unsigned s, unsigned t, m31 c) {
    if (t >= 2) {
        add_monomial(out, s, t - 2, residue((__int128)2 * c));
        add_monomial(out, s + 1, t - 2, c);
    } else if (s >= 2) {
        add_monomial(out, s - 2, t, residue(-(__int128)c));
    } else {
        out[2 * t + s] = residue((__int128)out[2 * t + s] + c);
    }
}

static qm31 slow_mul(qm31 x, qm31 y) {
    qm31 r = {{0, 0, 0, 0}};
    for (unsigned a = 0; a < 4; a++) {
        for (unsigned b = 0; b < 4; b++)
            add_monomial(r.v, a % 2 + b % 2, a / 2 + b / 2, residue((__int128)x.v[a] * y.v[b]));
    }
    return r;
}

static void assert_qm31(qm31 got, qm31 expected, const char *what, uint64_t seed) {
    for (unsigned j = 0; j < 4; j++) {
        if (got.v[j] != expected.v[j])
            ck_abort_msg("%s: coordinate %u is %u, not %u (seed %llu)", what, j, got.v[j], expected.v[j],
                         (unsigned long long)seed);
    }
}

static void check_qm31_pair(qm31 x, qm31 y, uint64_t seed) {
    qm31 sum, difference, negative;
    for (unsigned j = 0; j < 4; j++) {
        sum.v[j] = residue((__int128)x.v[j] + y.v[j]);
        difference.v[j] = residue((__int128)x.v[j] - y.v[j]);
        negative.v[j] = residue(-(__int128)x.v[j]);
    }
    assert_qm31(qm31_add(x, y), sum, "add", seed);
    assert_qm31(qm31_sub(x, y), difference, "sub", seed);
    assert_qm31(qm31_neg(x), negative, "neg", seed);
    assert_qm31(qm31_mul(x, y), slow_mul(x, y), "mul", seed);
    assert_qm31(qm31_mul_m31(x, y.v[1]), slow_mul(x, qm31_from_m31(y.v[1])), "mul_m31", seed);
    assert_qm31(qm31_mul_i32(x, -5), slow_mul(x, qm31_from_m31(M31_P - 5)), "mul_i32", seed);
    assert_qm31(slow_mul(x, qm31_inv(x)), qm31_is_zero(x) ? qm31_zero() : qm31_one(), "inv", seed);
    ck_assert(qm31_eq(x, y) == qm31_is_zero(qm31_sub(x, y)));
}

START_TEST(qm31_operations) {
    uint64_t seed = 4;
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        const uint64_t at = seed;
        const qm31 x = random_qm31(&seed), y = random_qm31(&seed);
        check_qm31_pair(x, y, at);
        check_qm31_pair(x, x, at);
    }
}
END_TEST

/* All 4^8 operands over {0, 1, p - 2, p - 1}: the extremes of the unreduced sums in qm31_mul. */
START_TEST(qm31_extremes) {
    static const m31 v[4] = {0, 1, M31_P - 2, M31_P - 1};
    for (unsigned code = 0; code < 1u << 16; code++) {
        qm31 x, y;
        for (unsigned j = 0; j < 4; j++) {
            x.v[j] = v[code >> 2 * j & 3];
            y.v[j] = v[code >> (8 + 2 * j) & 3];
        }
        assert_qm31(qm31_mul(x, y), slow_mul(x, y), "mul", code);
    }
}
END_TEST

/* QM31 is a field: -1 has no root in M31, and 2 + i has none in CM31, being no square by Euler's criterion.
 */
START_TEST(qm31_is_a_field) {
    const uint64_t p = M31_P;
    const qm31 non_square = {{2, 1, 0, 0}};
    ck_assert_uint_eq(p % 4, 3);
    assert_qm31(qm31_pow(non_square, (p * p - 1) / 2), qm31_neg(qm31_one()), "Euler", 0);
}
END_TEST

START_TEST(qm31_powers) {
    uint64_t seed = 5;
    for (unsigned round = 0; round < 20; round++) {
        const qm31 a = random_qm31(&seed);
        qm31 expected = qm31_one();
        for (uint64_t e = 0; e < 40; e++, expected = slow_mul(expected, a))
            assert_qm31(qm31_pow(a, e), expected, "pow", e);
    }
}
END_TEST

START_TEST(qvec_views) {
    mica_arena arena;
    mica_status st = {0};
    uint64_t seed = 6;
    ck_assert(arena_create(&arena, 1 << 16, &st));
    for (size_t n = 1; n <= 40; n++) {
        const qvec v = qvec_alloc(&arena, n, &st);
        ck_assert_ptr_nonnull(v.p);
        ck_assert(v.stride >= n && v.stride % 16 == 0 && (uintptr_t)v.p % 64 == 0);
        qm31 kept[40];
        for (size_t i = 0; i < n; i++)
            qvec_set(v, i, kept[i] = random_qm31(&seed));
        for (size_t i = 0; i < n; i++)
            assert_qm31(qvec_get(qvec_from(v, i), 0), kept[i], "qvec", i);
    }
    arena_destroy(&arena);
}
END_TEST

START_TEST(arena_limits) {
    mica_arena arena;
    mica_status st = {0};
    ck_assert(arena_create(&arena, 1024, &st));
    uint8_t *a = arena_alloc(&arena, 100, 1, &st);
    const size_t mark = arena_mark(&arena);
    uint8_t *b = arena_alloc(&arena, 25, 4, &st);
    ck_assert(a && b && (uintptr_t)b % 64 == 0 && b >= a + 100);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(a[i] == 0 && b[i] == 0);
    arena_reset(&arena, mark);
    ck_assert_ptr_eq(arena_alloc(&arena, 1, 1, &st), b);
    ck_assert(arena.peak >= 200 && arena.peak <= 256);
    ck_assert_int_eq(st.code, MICA_OK);
    ck_assert_ptr_null(arena_alloc(&arena, 1025, 1, &st));
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX / 2, 4, &st));
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX, 1, &st));
    arena_destroy(&arena);

    st = (mica_status){0};
    ck_assert(!arena_create(&arena, SIZE_MAX, &st));
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    arena_destroy(&arena);
}
END_TEST

int main(void) {
    Suite *s = suite_create("field");
    TCase *t = tcase_create("field");
    tcase_add_test(t, m31_operations);
    tcase_add_test(t, m31_reductions);
    tcase_add_test(t, m31_powers);
    tcase_add_test(t, qm31_operations);
    tcase_add_test(t, qm31_extremes);
    tcase_add_test(t, qm31_is_a_field);
    tcase_add_test(t, qm31_powers);
    tcase_add_test(t, qvec_views);
    tcase_add_test(t, arena_limits);
    suite_add_tcase(s, t);
    return suite_run(s);
}
