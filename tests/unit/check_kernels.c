/* simd/: every kernel at every level of this CPU equals the portable one on random and extreme values, at odd
 * lengths and offsets, and writes nowhere else; the portable ones equal the formulas of simd/kernels.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "random_field.h"
#include "simd/kernels.h"
#include "suite.h"

#define MAX_N  200
#define STRIDE (MAX_N + 24)
#define VECS   11

/* Operands of one call: vectors 0..VECS-1, each of four planes, and scalars. */
typedef struct operands {
    m31 plane[VECS][4 * STRIDE];
    m31 row[STRIDE];
    qm31 scalar, out[3];
} operands;

typedef enum fill { FILL_RANDOM, FILL_TOP, FILL_ZERO_TOP, FILLS } fill;

/* Padding between the planes is random too: a kernel that touches it is found by comparing everything. */
static void fill_operands(operands *o, fill how, uint64_t *seed) {
    m31 *all[VECS + 1];
    for (unsigned v = 0; v < VECS; v++)
        all[v] = o->plane[v];
    all[VECS] = o->row;
    for (unsigned v = 0; v <= VECS; v++) {
        for (size_t i = 0; i < (v == VECS ? STRIDE : 4 * STRIDE); i++) {
            const m31 top = how == FILL_TOP || random_u64(seed) & 1 ? M31_P - 1 : 0;
            all[v][i] = how == FILL_RANDOM ? random_m31(seed) : top;
        }
    }
    o->scalar = random_qm31(seed);
    if (how != FILL_RANDOM)
        o->scalar = (qm31){{M31_P - 1, M31_P - 1, M31_P - 1, M31_P - 1}};
    memset(o->out, 0xee, sizeof o->out);
}

/* Vector v from an offset that differs between vectors, so that no two are aligned alike. */
static qvec vec_at(operands *o, unsigned v, unsigned offset) {
    return (qvec){o->plane[v] + (offset + 3 * v) % 17, STRIDE};
}

typedef void (*call_fn)(const mica_kernels *k, operands *o, unsigned offset, size_t n);

#define V(i) vec_at(o, i, offset)
#define ROW  (o->row + offset % 17)

static void call_dot_m31(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    o->out[0] = k->dot_m31(ROW, V(0), n);
}
static void call_dot(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    o->out[0] = k->dot(V(0), V(1), n);
}
static void call_axpy_m31(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->axpy_m31(V(0), o->scalar, ROW, n);
}
static void call_axpy(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->axpy(V(0), o->scalar, V(1), n);
}
static void call_eq_extend(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->eq_extend(V(0), V(1), o->scalar, n);
}
static void call_fold(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->fold(V(0), V(1), o->scalar, n);
}
static void call_round_product(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->round_product(V(0), V(1), V(2), V(3), n, o->out);
}
static void call_round_eq_product(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->round_eq_product(V(0), V(1), V(2), V(3), V(4), V(5), n, o->out);
}
static void call_fraction_add(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->fraction_add(V(0), V(1), V(2), V(3), V(4), V(5), n);
}
static void call_round_fraction(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    const qvec t[4][2] = {{V(1), V(2)}, {V(3), V(4)}, {V(5), V(6)}, {V(7), V(8)}};
    k->round_fraction(V(0), t, o->scalar, n, o->out);
}
static void call_fraction_add_ones(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->fraction_add_ones(V(1), V(3), V(4), V(5), n);
}
/* Shifts that differ, without one more scalar: c and 2c. */
static void call_round_shifted(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    const qvec t[2][2] = {{V(1), V(2)}, {V(3), V(4)}};
    const qm31 s[2] = {o->scalar, qm31_add(o->scalar, o->scalar)};
    k->round_shifted(V(0), t, s, n, o->out);
}
static void call_butterfly(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->butterfly(V(0).p, V(1).p, ROW, 0, n);
}
static void call_butterfly_broadcast(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->butterfly(V(0).p, V(1).p, ROW, 1, n);
}
/* The planes of vector 0 are the quarters. */
static void call_butterflies(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->butterflies(V(0).p, STRIDE, V(1).p, V(2).p, ROW, 0, n);
}
static void call_butterflies_broadcast(const mica_kernels *k, operands *o, unsigned offset, size_t n) {
    k->butterflies(V(0).p, STRIDE, V(1).p, V(2).p, ROW, 1, n);
}

static const struct {
    const char *name;
    call_fn call;
} calls[] = {
    {"dot_m31", call_dot_m31},
    {"dot", call_dot},
    {"axpy_m31", call_axpy_m31},
    {"axpy", call_axpy},
    {"eq_extend", call_eq_extend},
    {"fold", call_fold},
    {"round_product", call_round_product},
    {"round_eq_product", call_round_eq_product},
    {"fraction_add", call_fraction_add},
    {"fraction_add_ones", call_fraction_add_ones},
    {"round_fraction", call_round_fraction},
    {"round_shifted", call_round_shifted},
    {"butterfly", call_butterfly},
    {"butterfly, broadcast", call_butterfly_broadcast},
    {"butterflies", call_butterflies},
    {"butterflies, broadcast", call_butterflies_broadcast},
};
#define CALLS (sizeof calls / sizeof *calls)

static void check_equal(size_t c, mica_cpu_level level, fill how, unsigned offset, size_t n) {
    static operands expected, got;
    uint64_t seed = 1000 * n + 10 * offset + (uint64_t)how;
    fill_operands(&expected, how, &seed);
    got = expected;
    calls[c].call(kernels_of(MICA_CPU_PORTABLE), &expected, offset, n);
    calls[c].call(kernels_of(level), &got, offset, n);
    if (memcmp(&expected, &got, sizeof got) != 0)
        ck_abort_msg("%s at level %s differs: n = %zu, offset %u, fill %d", calls[c].name,
                     mica_cpu_level_name(level), n, offset, (int)how);
}

START_TEST(levels_agree) {
    for (mica_cpu_level level = MICA_CPU_AVX2; level <= mica_cpu_level_get(); level++) {
        ck_assert_msg(kernels_of(level) != NULL, "this build has no kernels for %s",
                      mica_cpu_level_name(level));
        for (size_t n = 0; n <= 70; n++) {
            for (unsigned offset = 0; offset < 3; offset++) {
                for (fill how = FILL_RANDOM; how < FILLS; how++)
                    check_equal((size_t)_i, level, how, offset * 5, n);
            }
        }
        for (size_t n = 128; n <= MAX_N; n += 9)
            check_equal((size_t)_i, level, FILL_RANDOM, (unsigned)n, n);
    }
}
END_TEST

/* Long sums of the largest products: the unreduced accumulators must hold them. sum = n x^2, x = (p-1)(1 + i
 * + u + iu).
 */
START_TEST(long_sums) {
    enum { N = 1 << 20 };
    static m31 plane[4 * N];
    const qm31 x = {{M31_P - 1, M31_P - 1, M31_P - 1, M31_P - 1}};
    for (size_t i = 0; i < 4 * (size_t)N; i++)
        plane[i] = M31_P - 1;
    const qvec all = {plane, N};
    const qvec t[4][2] = {{all, all}, {all, all}, {all, all}, {all, all}};
    const qm31 square = qm31_mul(x, x), cube = qm31_mul(square, x);
    for (mica_cpu_level level = MICA_CPU_PORTABLE; level <= mica_cpu_level_get(); level++) {
        const mica_kernels *k = kernels_of(level);
        qm31 out[3];
        ck_assert(qm31_eq(k->dot_m31(plane, all, N), qm31_mul_m31(qm31_mul_m31(x, M31_P - 1), N)));
        ck_assert(qm31_eq(k->dot(all, all, N), qm31_mul_m31(square, N)));
        k->round_product(all, all, all, all, N, out);
        ck_assert(qm31_eq(out[0], qm31_mul_m31(square, N)) && qm31_is_zero(out[1]));
        k->round_eq_product(all, all, all, all, all, all, N, out);
        ck_assert(qm31_eq(out[0], qm31_mul_m31(cube, N)) && qm31_is_zero(out[1]) && qm31_eq(out[2], out[0]));
        k->round_fraction(all, t, qm31_one(), N, out); /* x (x^2 + x^2 + x^2) */
        ck_assert(qm31_eq(out[0], qm31_mul_m31(cube, 3u << 20)) && qm31_is_zero(out[1]));
        const qm31 shift[2] = {qm31_zero(), x};
        k->round_shifted(all, t, shift, N, out);
        ck_assert(qm31_eq(out[0], qm31_mul_m31(cube, N)) && qm31_eq(out[1], out[0]));
    }
}
END_TEST

/* axpys_m31 is axpy_m31 of one row after the other, also of many rows of the largest elements. */
START_TEST(rows_add_up) {
    enum { ROWS = 41, N = 70, GAP = 3 };
    static m31 row[ROWS * (N + GAP) + 1], want[4 * STRIDE], got[4 * STRIDE];
    qm31 c[ROWS];
    uint64_t seed = 5;
    for (unsigned extreme = 0; extreme < 2; extreme++) {
        for (size_t i = 0; i < sizeof row / sizeof *row; i++)
            row[i] = extreme ? M31_P - 1 : random_m31(&seed);
        for (size_t k = 0; k < ROWS; k++)
            c[k] = extreme ? (qm31){{M31_P - 1, M31_P - 1, 0, M31_P - 1}} : random_qm31(&seed);
        for (size_t n = 0; n <= N; n += n < 18 ? 1 : 13) {
            for (size_t rows = 0; rows <= ROWS; rows += rows < 9 ? 1 : 8) {
                for (size_t i = 0; i < 4 * STRIDE; i++)
                    want[i] = random_m31(&seed);
                memcpy(got, want, sizeof got);
                for (size_t k = 0; k < rows; k++)
                    kernels_of(MICA_CPU_PORTABLE)
                        ->axpy_m31((qvec){want + 1, STRIDE}, c[k], row + 1 + k * (N + GAP), n);
                for (mica_cpu_level level = MICA_CPU_PORTABLE; level <= mica_cpu_level_get(); level++) {
                    static m31 y[4 * STRIDE];
                    memcpy(y, got, sizeof y);
                    kernels_of(level)->axpys_m31((qvec){y + 1, STRIDE}, c, row + 1, N + GAP, rows, n);
                    ck_assert_msg(memcmp(y, want, sizeof y) == 0, "%zu rows of %zu, %s", rows, n,
                                  mica_cpu_level_name(level));
                }
            }
        }
    }
}
END_TEST

/* --- the portable kernels against their formulas, element by element --- */

typedef struct at_i {
    qm31 v[VECS];
    m31 row;
} at_i;

static at_i elements(operands *o, size_t i) {
    at_i e;
    for (unsigned v = 0; v < VECS; v++)
        e.v[v] = qvec_get(vec_at(o, v, 0), i);
    e.row = o->row[i];
    return e;
}

static qm31 add3(qm31 a, qm31 b, qm31 c) {
    return qm31_add(a, qm31_add(b, c));
}

/* lo + X (hi - lo); X = UINT32_MAX stands for infinity, the leading coefficient. */
static qm31 line(qm31 lo, qm31 hi, uint32_t x) {
    const qm31 slope = qm31_sub(hi, lo);
    return x == UINT32_MAX ? slope : qm31_add(lo, qm31_mul_m31(slope, x));
}

static qm31 fraction_at(const qm31 *v, qm31 lambda, uint32_t x) {
    const qm31 p0 = line(v[1], v[2], x), q0 = line(v[3], v[4], x), p1 = line(v[5], v[6], x),
               q1 = line(v[7], v[8], x);
    return qm31_mul(v[0], add3(qm31_mul(p0, q1), qm31_mul(p1, q0), qm31_mul(lambda, qm31_mul(q0, q1))));
}

static qm31 shifted_at(const qm31 *v, qm31 shift, uint32_t x) {
    return qm31_mul(v[0],
                    qm31_mul(qm31_add(line(v[1], v[2], x), shift), qm31_add(line(v[3], v[4], x), shift)));
}

static qm31 eq_product_at(const qm31 *v, uint32_t x) {
    return qm31_mul(line(v[0], v[1], x), qm31_mul(line(v[2], v[3], x), line(v[4], v[5], x)));
}

START_TEST(portable_sums) {
    static operands o;
    uint64_t seed = 77;
    const mica_kernels *k = kernels_of(MICA_CPU_PORTABLE);
    for (size_t n = 0; n <= 40; n++) {
        qm31 sum[11] = {{{0}}};
        fill_operands(&o, FILL_RANDOM, &seed);
        for (size_t i = 0; i < n; i++) {
            const at_i e = elements(&o, i);
            const qm31 *v = e.v;
            const qm31 term[11] = {qm31_mul_m31(v[0], e.row),
                                   qm31_mul(v[0], v[1]),
                                   qm31_mul(v[0], v[2]),
                                   qm31_mul(line(v[0], v[1], UINT32_MAX), line(v[2], v[3], UINT32_MAX)),
                                   eq_product_at(v, 0),
                                   eq_product_at(v, UINT32_MAX),
                                   eq_product_at(v, M31_P - 1),
                                   fraction_at(v, o.scalar, 0),
                                   fraction_at(v, o.scalar, UINT32_MAX),
                                   shifted_at(v, o.scalar, 0),
                                   shifted_at(v, qm31_add(o.scalar, o.scalar), UINT32_MAX)};
            for (unsigned j = 0; j < 11; j++)
                sum[j] = qm31_add(sum[j], term[j]);
        }
        call_dot_m31(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[0]));
        call_dot(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[1]));
        call_round_product(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[2]) && qm31_eq(o.out[1], sum[3]));
        call_round_eq_product(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[4]) && qm31_eq(o.out[1], sum[5]) && qm31_eq(o.out[2], sum[6]));
        call_round_fraction(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[7]) && qm31_eq(o.out[1], sum[8]));
        call_round_shifted(k, &o, 0, n);
        ck_assert(qm31_eq(o.out[0], sum[9]) && qm31_eq(o.out[1], sum[10]));
    }
}
END_TEST

/* What vectors 0, 1, 4, 5 must hold after a call, given the element before it. */
static void expect_map(size_t call, const at_i *e, qm31 c, m31 row_0, qm31 want[VECS]) {
    const qm31 *v = e->v;
    memcpy(want, v, VECS * sizeof *want);
    if (calls[call].call == call_axpy_m31) {
        want[0] = qm31_add(v[0], qm31_mul_m31(c, e->row));
    } else if (calls[call].call == call_axpy) {
        want[0] = qm31_add(v[0], qm31_mul(c, v[1]));
    } else if (calls[call].call == call_eq_extend) {
        want[0] = qm31_mul(v[0], qm31_sub(qm31_one(), c));
        want[1] = qm31_mul(v[0], c);
    } else if (calls[call].call == call_fold) {
        want[0] = qm31_add(qm31_mul(qm31_sub(qm31_one(), c), v[0]), qm31_mul(c, v[1]));
    } else if (calls[call].call == call_fraction_add) {
        want[4] = qm31_add(qm31_mul(v[0], v[3]), qm31_mul(v[2], v[1]));
        want[5] = qm31_mul(v[1], v[3]);
    } else if (calls[call].call == call_fraction_add_ones) {
        want[4] = qm31_add(v[1], v[3]);
        want[5] = qm31_mul(v[1], v[3]);
    } else if (calls[call].call == call_butterflies) {
        const m31 a = v[0].v[0], b = m31_mul(v[1].v[0], v[0].v[1]), c2 = v[0].v[2],
                  d = m31_mul(v[1].v[0], v[0].v[3]), sums[2] = {m31_add(a, b), m31_sub(a, b)},
                  by[2] = {m31_mul(v[2].v[0], m31_add(c2, d)), m31_mul(e->row, m31_sub(c2, d))};
        for (unsigned q = 0; q < 2; q++) {
            want[0].v[q] = m31_add(sums[q], by[q]);
            want[0].v[2 + q] = m31_sub(sums[q], by[q]);
        }
    } else { /* a butterfly works on the first plane only */
        const m31 x = calls[call].call == call_butterfly ? e->row : row_0;
        want[0].v[0] = m31_add(v[0].v[0], m31_mul(x, v[1].v[0]));
        want[1].v[0] = m31_sub(v[0].v[0], m31_mul(x, v[1].v[0]));
    }
}

START_TEST(portable_maps) {
    static const call_fn maps[] = {
        call_axpy_m31,          call_axpy,      call_eq_extend,           call_fold,       call_fraction_add,
        call_fraction_add_ones, call_butterfly, call_butterfly_broadcast, call_butterflies};
    static operands before, after;
    uint64_t seed = 78;
    for (size_t c = 0; c < CALLS; c++) {
        bool is_map = false;
        for (size_t m = 0; m < sizeof maps / sizeof *maps; m++)
            is_map = is_map || maps[m] == calls[c].call;
        for (size_t n = 0; is_map && n <= 40; n++) {
            fill_operands(&before, FILL_RANDOM, &seed);
            after = before;
            calls[c].call(kernels_of(MICA_CPU_PORTABLE), &after, 0, n);
            for (size_t i = 0; i < n + 5; i++) {
                const at_i old = elements(&before, i), new = elements(&after, i);
                qm31 want[VECS];
                memcpy(want, old.v, sizeof want);
                if (i < n)
                    expect_map(c, &old, before.scalar, before.row[0], want);
                if (memcmp(want, new.v, sizeof want) != 0)
                    ck_abort_msg("%s: element %zu of %zu", calls[c].name, i, n);
            }
        }
    }
}
END_TEST

START_TEST(dispatch) {
    const mica_cpu_level best = mica_cpu_level_get();
    for (mica_cpu_level limit = MICA_CPU_PORTABLE; limit <= MICA_CPU_AVX512; limit++) {
        const mica_cpu_level level = limit < best ? limit : best;
        mica_cpu_limit(limit);
        ck_assert_int_eq(mica_cpu_level_get(), level);
        ck_assert_ptr_eq(kernels(), kernels_of(level));
        ck_assert_str_eq(kernels()->name, mica_cpu_level_name(level));
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("kernels");
    TCase *t = tcase_create("kernels");
    printf("level of this CPU: %s\n", mica_cpu_level_name(mica_cpu_level_get()));
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, levels_agree, 0, (int)CALLS);
    tcase_add_test(t, long_sums);
    tcase_add_test(t, rows_add_up);
    tcase_add_test(t, portable_sums);
    tcase_add_test(t, portable_maps);
    tcase_add_test(t, dispatch);
    suite_add_tcase(s, t);
    return suite_run(s);
}
