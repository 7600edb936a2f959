/* Inner products of rows with linear forms, against their definition, at every CPU level; and the limbs below
 * them. */
#include "poly/exact_depth_prove.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { MAX_BLOCKS = 70, MAX_FORMS = 70 };

static uint64_t rng_state;

static uint32_t next(void) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33);
}

/* Cells of one block: none, as many limbs as `kind`, or extremes of one, two and three limbs. */
static m31 cell(unsigned kind) {
    static const int32_t ends[] = {LIMB_MOST,        -LIMB_MOST,      (1 << 21) - 1,
                                   -((1 << 21) - 1), (M31_P - 1) / 2, -(int32_t)((M31_P - 1) / 2)};
    const int32_t most[] = {0, LIMB_MOST, (1 << 21) - 1};
    if (kind > 3)
        return m31_from_i32(ends[2 * (kind - 4) + next() % 2]);
    if (kind == 0)
        return 0;
    return kind == 3 ? m31_reduce64(next())
                     : m31_from_i32((int32_t)(next() % (2 * (uint32_t)most[kind] + 1)) - most[kind]);
}

static m31 *random_elements(size_t n) {
    m31 *v = malloc(n * sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++)
        v[i] = next() % 5 ? m31_reduce64(next()) : cell(4 + next() % 3);
    return v;
}

START_TEST(limbs_compose_to_the_cell) {
    enum { N = 67 };
    for (mica_cpu_level level = 0; level <= mica_cpu_level_get(); level++) {
        for (unsigned kind = 0; kind < 7; kind++) {
            m31 v[N];
            int16_t limb[LIMBS * N];
            unsigned want = kind > 3 ? kind - 3 : kind;
            for (size_t i = 0; i < N; i++)
                v[i] = cell(kind);
            const unsigned limbs = kernels_of(level)->limbs_split(limb, N, v, N);
            ck_assert_uint_eq(limbs, want);
            for (size_t i = 0; i < N; i++) {
                int64_t sum = 0;
                for (unsigned j = 0; j < limbs; j++) {
                    ck_assert_int_le(abs(limb[j * N + i]), LIMB_MOST);
                    sum += limb[j * N + i] * ((int64_t)1 << (j * LIMB_BITS));
                }
                ck_assert_uint_eq(m31_from_i64(sum), v[i]);
            }
        }
    }
}
END_TEST

START_TEST(a_single_minus_one_is_a_limb) {
    m31 v[40] = {0};
    int16_t limb[LIMBS * 40];
    for (size_t i = 0; i < 40; i++) {
        v[i] = M31_P - 1;
        ck_assert_uint_eq(kernels()->limbs_split(limb, 40, v, 40), 1);
        ck_assert_int_eq(limb[i], -1);
        v[i] = 0;
    }
    ck_assert_uint_eq(kernels()->limbs_split(limb, 40, v, 40), 0);
}
END_TEST

START_TEST(joined_limbs_are_the_sum) {
    enum { N = 37 };
    static const int32_t ends[4] = {1 << 30, -(1 << 30), 0, -1};
    for (mica_cpu_level level = 0; level <= mica_cpu_level_get(); level++) {
        m31 acc[N], want[N];
        int32_t sum[LIMBS * N];
        for (size_t i = 0; i < N; i++) {
            acc[i] = cell(3);
            int64_t v = 0;
            for (unsigned j = 0; j < LIMBS; j++) {
                sum[j * N + i] = i % 3 ? ends[next() % 4] : (int32_t)(next() % (1u << 31)) - (1 << 30);
                v += sum[j * N + i] * ((int64_t)1 << (j * LIMB_BITS));
            }
            want[i] = m31_add(acc[i], m31_from_i64(v));
        }
        kernels_of(level)->limbs_join(acc, sum, N, N);
        ck_assert_mem_eq(acc, want, sizeof acc);
    }
}
END_TEST

START_TEST(halves_compose_to_the_coefficient) {
    static const m31 ends[] = {0, 1, M31_P - 1, M31_P / 2, M31_P / 2 + 1, 1 << 15, (1 << 15) - 1, 1 << 16};
    for (size_t i = 0; i < 1000; i++) {
        const m31 v = i < sizeof ends / sizeof *ends ? ends[i] : m31_reduce64(next());
        int16_t half[HALVES];
        halves_of(v, half);
        ck_assert_int_le(abs(half[1]), 1 << 14);
        ck_assert_uint_eq(m31_from_i64(half[0] + half[1] * ((int64_t)1 << HALF_BITS)), v);
    }
}
END_TEST

START_TEST(joined_halves_are_the_sum) {
    enum { N = 37, PARTS = 32, STRIDE = N + 1, PART = 2 * STRIDE + 3 };
    static const int32_t ends[4] = {M31_P - 1, -(int32_t)(M31_P - 1), 0, -1};
    for (mica_cpu_level level = 0; level <= mica_cpu_level_get(); level++) {
        for (size_t parts = 1; parts <= PARTS; parts += parts < 3 ? 1 : 29) {
            static int32_t sum[PARTS * PART];
            m31 acc[N + 1], scale[N], want[N];
            for (size_t i = 0; i < parts * PART; i++)
                sum[i] = next() % 3 ? ends[next() % 4] : (int32_t)next();
            acc[N] = 7;
            for (size_t i = 0; i < N; i++) {
                acc[i] = cell(3);
                scale[i] = cell(i % 2 ? 3 : 6);
                int64_t v = 0;
                for (size_t q = 0; q < parts; q++)
                    v += sum[q * PART + i] + sum[q * PART + STRIDE + i] * ((int64_t)1 << HALF_BITS);
                want[i] = m31_add(acc[i], m31_mul(scale[i], m31_from_i64(v)));
            }
            kernels_of(level)->halves_join(acc, sum, STRIDE, parts, PART, scale, N);
            ck_assert_mem_eq(acc, want, sizeof want);
            ck_assert_uint_eq(acc[N], 7);
        }
    }
}
END_TEST

START_TEST(magnitudes_are_summed_by_windows) {
    int16_t v[5 * HALVES_WINDOW];
    for (size_t i = 0; i < 5 * HALVES_WINDOW; i++)
        v[i] = (int16_t)(next() % (2 * LIMB_MOST + 1)) - LIMB_MOST;
    for (mica_cpu_level level = 0; level <= mica_cpu_level_get(); level++) {
        for (size_t n = 1; n <= 5 * HALVES_WINDOW; n++) {
            uint32_t sum[6] = {0}, want[6] = {0};
            for (size_t i = 0; i < n; i++)
                want[i / HALVES_WINDOW] += (uint32_t)abs(v[i]);
            kernels_of(level)->abs_sums(sum, v, n);
            ck_assert_mem_eq(sum, want, sizeof want);
        }
    }
}
END_TEST

/* As deep as the magnitudes allow, and one cell more is too many. */
START_TEST(depth_follows_the_magnitudes) {
    static int16_t cell[2 * EXACT_DEPTH_MAX];
    static const struct {
        size_t depth, want;
        int16_t magnitude;
    } c[] = {{512, 512, 0},   {512, 512, 127},     {512, 256, 129}, {512, 32, LIMB_MOST},
             {288, 288, 227}, {288, 160, 228},     {288, 160, 409}, {288, 96, 410},
             {6, 6, 2047},    {34, 32, LIMB_MOST}, {32, 32, 2047},  {0, 0, 0}};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        for (size_t k = 0; k < 2 * c[i].depth; k++)
            cell[k] = (int16_t)(k < c[i].depth ? 0 : k % 2 ? c[i].magnitude : -c[i].magnitude);
        ck_assert_uint_eq(exact_depth(cell, 2, c[i].depth), c[i].want);
    }
}
END_TEST

/* One shape, at every level. */
static void check_shape(unsigned low_vars, size_t n_blocks, size_t n) {
    const size_t size = (size_t)1 << low_vars, at = 3;
    mica_arena arena;
    mica_status st = {0};
    row_forms f;
    ck_assert(arena_create(&arena, row_forms_bytes(low_vars, n, false) + ROW_FORMS_SCRATCH, &st));
    m31 *low = random_elements(n * size), *row = malloc((at + n_blocks * size) * sizeof *row);
    for (size_t b = 0; b < n_blocks; b++) {
        const unsigned kind = next() % 7;
        for (size_t i = 0; i < size; i++)
            row[at + b * size + i] = cell(kind);
    }
    ck_assert(row_forms_make(&f, low_vars, low, n, NULL, &arena, &st));
    void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
    m31 *scale = random_elements(n_blocks * f.padded), *acc = random_elements(f.padded);
    m31 *want = calloc(n, sizeof *want), *block = calloc(n_blocks * n, sizeof *block),
        *got = malloc(f.padded * sizeof *got), *blocks = malloc(n_blocks * f.padded * sizeof *blocks);
    ck_assert(scratch && want && got && block && blocks);
    for (size_t i = 0; i < n; i++) {
        want[i] = acc[i];
        for (size_t b = 0; b < n_blocks; b++) {
            m31 *sum = &block[b * n + i];
            for (size_t k = 0; k < size; k++)
                *sum = m31_add(*sum, m31_mul(row[at + b * size + k], low[i * size + k]));
            want[i] = m31_add(want[i], m31_mul(scale[b * f.padded + i], *sum));
        }
    }
    const mica_cpu_level best = mica_cpu_level_get();
    for (mica_cpu_level level = 0; level <= best; level++) {
        mica_cpu_limit(level);
        memcpy(got, acc, f.padded * sizeof *got);
        row_forms_add(&f, row, at, n_blocks, scale, got, scratch);
        row_forms_blocks(&f, row, at, n_blocks, blocks, scratch);
        bool equal = memcmp(got, want, n * sizeof *got) == 0;
        for (size_t b = 0; b < n_blocks; b++)
            equal = equal && memcmp(blocks + b * f.padded, block + b * n, n * sizeof *block) == 0;
        ck_assert_msg(equal, "2^%u cells, %zu blocks, %zu forms, %s", low_vars, n_blocks, n,
                      mica_cpu_level_name(level));
    }
    mica_cpu_limit(best);
    free(low), free(row), free(scale), free(acc), free(want), free(got), free(block), free(blocks);
    arena_destroy(&arena);
}

START_TEST(sums_follow_the_definition) {
    for (unsigned low_vars = ROW_FORMS_LOW_MIN; low_vars <= ROW_FORMS_LOW_MAX; low_vars++)
        check_shape(low_vars, 3, 5);
    for (size_t n = 1; n <= MAX_FORMS; n += 11)
        check_shape(3, 9, n);
    for (size_t blocks = 1; blocks <= MAX_BLOCKS; blocks += 23)
        check_shape(2, blocks, 33);
}
END_TEST

/* The largest cells and halves in every place: no sum of a part may reach p. */
START_TEST(extremes_do_not_wrap) {
    const size_t size = (size_t)1 << ROW_FORMS_LOW_MAX;
    mica_arena arena;
    mica_status st = {0};
    row_forms f;
    m31 low[1 << ROW_FORMS_LOW_MAX], row[1 << ROW_FORMS_LOW_MAX], one[ROW_FORMS_COLUMNS];
    ck_assert(arena_create(&arena, row_forms_bytes(ROW_FORMS_LOW_MAX, 1, false) + ROW_FORMS_SCRATCH, &st));
    for (size_t i = 0; i < ROW_FORMS_COLUMNS; i++)
        one[i] = 1;
    for (size_t magnitude = 1; magnitude <= LIMB_MOST; magnitude += magnitude < 2000 ? 73 : 1) {
        const size_t mark = arena_mark(&arena);
        for (size_t i = 0; i < size; i++) {
            low[i] = m31_from_i32(-(1 << 15) - (1 << 30) + (1 << 16)); /* halves -2^15, -2^14 + 1 */
            row[i] = m31_from_i32(-(int32_t)magnitude);
        }
        ck_assert(row_forms_make(&f, ROW_FORMS_LOW_MAX, low, 1, NULL, &arena, &st));
        void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
        m31 acc[ROW_FORMS_COLUMNS] = {0};
        row_forms_add(&f, row, 0, 1, one, acc, scratch);
        ck_assert_uint_eq(acc[0], m31_mul((m31)size, m31_mul(low[0], row[0])));
        arena_reset(&arena, mark);
    }
    arena_destroy(&arena);
}
END_TEST

int main(void) {
    Suite *s = suite_create("row_forms");
    TCase *c = tcase_create("row_forms");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, limbs_compose_to_the_cell);
    tcase_add_test(c, a_single_minus_one_is_a_limb);
    tcase_add_test(c, joined_limbs_are_the_sum);
    tcase_add_test(c, halves_compose_to_the_coefficient);
    tcase_add_test(c, joined_halves_are_the_sum);
    tcase_add_test(c, magnitudes_are_summed_by_windows);
    tcase_add_test(c, depth_follows_the_magnitudes);
    tcase_add_test(c, sums_follow_the_definition);
    tcase_add_test(c, extremes_do_not_wrap);
    suite_add_tcase(s, c);
    return suite_run(s);
}
