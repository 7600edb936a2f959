/* Inner products of rows with linear forms, against their definition, at every CPU level; and the limbs below
 * them. */
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { MAX_BLOCKS = 70, MAX_FORMS = 70, MAX_SCALES = 3 };

static uint64_t rng_state;

static uint32_t next(void) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33);
}

/* Cells of one block: none, as many limbs as `kind`, or extremes of one, two and three limbs. */
static m31 cell(unsigned kind) {
    static const int32_t ends[] = {2047,       -2048,           (1 << 21) - 1,
                                   -(1 << 21), (M31_P - 1) / 2, -(int32_t)((M31_P - 1) / 2)};
    const int32_t bits[] = {0, 12, 22, 31};
    if (kind > 3)
        return m31_from_i32(ends[2 * (kind - 4) + next() % 2]);
    if (kind == 0)
        return 0;
    return kind == 3 ? m31_reduce64(next())
                     : m31_from_i32((int32_t)(next() % (1u << bits[kind])) - (1 << (bits[kind] - 1)));
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
                    ck_assert_int_le(abs(limb[j * N + i]), 1 << LIMB_BITS);
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
        m31 acc[N], scale[N], want[N];
        int32_t sum[LIMBS * N];
        for (size_t i = 0; i < N; i++) {
            acc[i] = cell(3);
            scale[i] = cell(i % 2 ? 3 : 6);
            int64_t v = 0;
            for (unsigned j = 0; j < LIMBS; j++) {
                sum[j * N + i] = i % 3 ? ends[next() % 4] : (int32_t)(next() % (1u << 31)) - (1 << 30);
                v += sum[j * N + i] * ((int64_t)1 << (j * LIMB_BITS));
            }
            want[i] = m31_add(acc[i], m31_mul(scale[i], m31_from_i64(v)));
        }
        m31 twice[N + 3 + N], apart[N + 2 + N];
        memcpy(twice, scale, sizeof scale);
        memcpy(twice + N + 3, scale, sizeof scale);
        memcpy(apart, acc, sizeof acc);
        memcpy(apart + N + 2, acc, sizeof acc);
        apart[N] = apart[N + 1] = 7;
        kernels_of(level)->limbs_join(apart, N + 2, sum, N, twice, N + 3, 2, N);
        ck_assert_mem_eq(apart, want, sizeof want);
        ck_assert_mem_eq(apart + N + 2, want, sizeof want);
        ck_assert(apart[N] == 7 && apart[N + 1] == 7);
        kernels_of(level)->limbs_join(acc, 0, sum, N, scale, 0, 1, N);
        ck_assert_mem_eq(acc, want, sizeof acc);
    }
}
END_TEST

/* One shape, at every level. */
static void check_shape(unsigned low_vars, size_t n_blocks, size_t n, size_t n_scales) {
    const size_t size = (size_t)1 << low_vars;
    mica_arena arena;
    mica_status st = {0};
    row_forms f;
    ck_assert(arena_create(&arena, row_forms_bytes(low_vars, n) + ROW_FORMS_SCRATCH, &st));
    m31 *low = random_elements(n * size), *row = malloc(n_blocks * size * sizeof *row);
    for (size_t b = 0; b < n_blocks; b++) {
        const unsigned kind = next() % 7;
        for (size_t i = 0; i < size; i++)
            row[b * size + i] = cell(kind);
    }
    ck_assert(row_forms_make(&f, low_vars, low, n, &arena, &st));
    void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
    m31 *scale = random_elements(n_scales * n_blocks * f.padded), *acc = random_elements(n_scales * f.padded);
    m31 *want = malloc(n_scales * n * sizeof *want), *got = malloc(n_scales * f.padded * sizeof *got);
    ck_assert(scratch && want && got);
    for (size_t s = 0; s < n_scales; s++) {
        for (size_t i = 0; i < n; i++) {
            m31 sum = acc[s * f.padded + i];
            for (size_t k = 0; k < n_blocks * size; k++)
                sum = m31_add(sum, m31_mul(scale[(s * n_blocks + k / size) * f.padded + i],
                                           m31_mul(row[k], low[i * size + k % size])));
            want[s * n + i] = sum;
        }
    }
    const mica_cpu_level best = mica_cpu_level_get();
    for (mica_cpu_level level = 0; level <= best; level++) {
        mica_cpu_limit(level);
        memcpy(got, acc, n_scales * f.padded * sizeof *got);
        row_forms_add(&f, row, n_blocks, scale, n_scales, got, scratch);
        for (size_t s = 0; s < n_scales; s++)
            ck_assert_msg(memcmp(got + s * f.padded, want + s * n, n * sizeof *got) == 0,
                          "2^%u cells, %zu blocks, %zu forms, set %zu, %s", low_vars, n_blocks, n, s,
                          mica_cpu_level_name(level));
    }
    mica_cpu_limit(best);
    free(low), free(row), free(scale), free(acc), free(want), free(got);
    arena_destroy(&arena);
}

START_TEST(sums_follow_the_definition) {
    for (unsigned low_vars = ROW_FORMS_LOW_MIN; low_vars <= ROW_FORMS_LOW_MAX; low_vars++)
        check_shape(low_vars, 3, 5, 1);
    for (size_t n = 1; n <= MAX_FORMS; n += 11)
        check_shape(3, 9, n, 1 + n % MAX_SCALES);
    for (size_t blocks = 1; blocks <= MAX_BLOCKS; blocks += 23)
        check_shape(2, blocks, 33, 2);
}
END_TEST

/* The largest limbs in every place: sums reach 2^30. */
START_TEST(extreme_limbs_do_not_wrap) {
    const size_t size = (size_t)1 << ROW_FORMS_LOW_MAX;
    mica_arena arena;
    mica_status st = {0};
    row_forms f;
    m31 low[1 << ROW_FORMS_LOW_MAX], row[1 << ROW_FORMS_LOW_MAX], one[ROW_FORMS_COLUMNS];
    ck_assert(arena_create(&arena, row_forms_bytes(ROW_FORMS_LOW_MAX, 1) + ROW_FORMS_SCRATCH, &st));
    for (size_t i = 0; i < size; i++) {
        low[i] = m31_from_i32(-(1 << 10) - (1 << 21)); /* limbs -2^10, -2^10 */
        row[i] = m31_from_i32(-(1 << 11));
    }
    for (size_t i = 0; i < ROW_FORMS_COLUMNS; i++)
        one[i] = 1;
    ck_assert(row_forms_make(&f, ROW_FORMS_LOW_MAX, low, 1, &arena, &st));
    void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
    m31 acc[ROW_FORMS_COLUMNS] = {0};
    row_forms_add(&f, row, 1, one, 1, acc, scratch);
    ck_assert_uint_eq(acc[0], m31_mul((m31)size, m31_mul(low[0], row[0])));
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
    tcase_add_test(c, sums_follow_the_definition);
    tcase_add_test(c, extreme_limbs_do_not_wrap);
    suite_add_tcase(s, c);
    return suite_run(s);
}
