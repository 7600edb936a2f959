/* 16-bit matrix products and weighted sums of rows: the portable one against the definition, every other
 * level against the portable one, over odd numbers of rows and extreme cells, in order to write nothing else.
 */
#include "mica/layer.h"
#include "simd/kernels.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { MAX_ROWS = 19, MAX_COLUMNS = 80, MAX_DEPTH = 70, GUARD = 5 };

typedef struct matrices {
    int16_t left[MAX_ROWS * MAX_DEPTH + 1], right[MAX_DEPTH * MAX_COLUMNS + 1];
    int32_t out[MAX_ROWS * MAX_COLUMNS + GUARD];
} matrices;

static uint64_t rng_state;

static int16_t random_cell(bool extreme) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    static const int16_t ends[4] = {INT16_MIN, INT16_MAX, -INT16_MAX, 0};
    const uint32_t x = (uint32_t)(rng_state >> 33);
    return extreme ? ends[x & 3] : (int16_t)(x & 0xffff);
}

static void fill(matrices *m, bool extreme, uint64_t seed) {
    rng_state = seed;
    for (size_t i = 0; i < sizeof m->left / sizeof *m->left; i++)
        m->left[i] = random_cell(extreme);
    for (size_t i = 0; i < sizeof m->right / sizeof *m->right; i++)
        m->right[i] = random_cell(extreme);
    memset(m->out, 0x77, sizeof m->out);
}

/* The arrays start one cell in: no function may rely on alignment. */
static void call(products_fn *f, matrices *m, size_t stride, size_t rows, size_t columns, size_t depth) {
    f(m->out + 1, m->left + 1, stride, m->right + 1, rows, columns, depth);
}

START_TEST(portable_follows_the_definition) {
    static matrices m;
    for (size_t rows = 1; rows <= 3; rows++) {
        fill(&m, rows == 3, rows);
        const size_t columns = 48, depth = 2 * rows, stride = depth + rows - 1;
        call(products_portable, &m, stride, rows, columns, depth);
        for (size_t r = 0; r < rows; r++) {
            for (size_t c = 0; c < columns; c++) {
                int64_t sum = 0;
                for (size_t k = 0; k < depth; k++)
                    sum += (int64_t)m.left[1 + r * stride + k] *
                           m.right[1 + mica_pair((int32_t)k, (int32_t)c, (int32_t)columns)];
                ck_assert_int_eq(m.out[1 + r * columns + c], (int32_t)(uint32_t)(uint64_t)sum);
            }
        }
    }
}
END_TEST

static void check_level(const char *name, products_fn *f) {
    static matrices want, got;
    for (size_t rows = 1; rows <= MAX_ROWS; rows++) {
        for (size_t columns = 16; columns <= MAX_COLUMNS; columns += 16) {
            for (size_t depth = 2; depth <= MAX_DEPTH; depth += depth > 8 ? 16 : 2) {
                fill(&want, rows % 3 == 0, rows * 100 + columns);
                got = want;
                const size_t stride = rows % 2 ? depth : MAX_DEPTH;
                call(products_portable, &want, stride, rows, columns, depth);
                call(f, &got, stride, rows, columns, depth);
                if (memcmp(&want, &got, sizeof got) != 0)
                    ck_abort_msg("%s: %zu rows, %zu columns, depth %zu differ", name, rows, columns, depth);
            }
        }
    }
}

START_TEST(levels_agree) {
    for (mica_cpu_level level = MICA_CPU_AVX2; level <= mica_cpu_level_get(); level++)
        check_level(mica_cpu_level_name(level), kernels_of(level)->products);
#if defined(__x86_64__)
    if (mica_cpu_level_get() == MICA_CPU_AVX512) /* the table above holds one of the two */
        check_level("avx512 without VNNI", products_avx512);
#endif
}
END_TEST

/* --- weighted sums of rows --- */

enum { MAX_SUMMED = 22, MAX_CELLS = 100 };

typedef struct summands {
    int16_t left[MAX_SUMMED * COMBINE_SUMS + 1],
        row[MAX_SUMMED][MAX_CELLS + 67]; /* lines ahead may be asked for */
    int32_t out[COMBINE_SUMS * MAX_CELLS + GUARD];
} summands;

static void fill_summands(summands *m, bool extreme, uint64_t seed) {
    rng_state = seed;
    for (size_t i = 0; i < sizeof m->left / sizeof *m->left; i++)
        m->left[i] = random_cell(extreme);
    for (size_t r = 0; r < MAX_SUMMED; r++) {
        for (size_t i = 0; i < MAX_CELLS + 67; i++)
            m->row[r][i] = random_cell(extreme);
    }
    memset(m->out, 0x77, sizeof m->out);
}

static void call_combine(combine_fn *f, summands *m, size_t stride, size_t rows, size_t n) {
    const int16_t *row[MAX_SUMMED];
    for (size_t r = 0; r < rows; r++)
        row[r] = m->row[r] + r % 3;
    f(m->out + 1, stride, m->left + 1, row, rows, n);
}

START_TEST(portable_combination_follows_the_definition) {
    static summands m;
    for (size_t rows = 2; rows <= MAX_SUMMED; rows += 4) {
        const size_t n = 3 * rows, stride = n + rows % 3;
        fill_summands(&m, rows == 6, rows);
        call_combine(combine_portable, &m, stride, rows, n);
        for (size_t j = 0; j < COMBINE_SUMS; j++) {
            for (size_t i = 0; i < n; i++) {
                int64_t sum = 0;
                for (size_t r = 0; r < rows; r++)
                    sum += (int64_t)m.left[1 + (r / 2 * COMBINE_SUMS + j) * 2 + r % 2] * m.row[r][r % 3 + i];
                ck_assert_int_eq(m.out[1 + j * stride + i], (int32_t)(uint32_t)(uint64_t)sum);
            }
        }
    }
}
END_TEST

static void check_combination(const char *name, combine_fn *f) {
    static summands want, got;
    for (size_t rows = 2; rows <= MAX_SUMMED; rows += 2) {
        for (size_t n = 1; n <= MAX_CELLS; n += n % 16 == 1 ? 14 : 1) {
            fill_summands(&want, rows % 3 == 0, rows * 100 + n);
            memcpy(&got, &want, sizeof got);
            const size_t stride = n % 2 ? n : MAX_CELLS;
            call_combine(combine_portable, &want, stride, rows, n);
            call_combine(f, &got, stride, rows, n);
            if (memcmp(want.left, got.left, sizeof got.left) != 0 ||
                memcmp(want.row, got.row, sizeof got.row) != 0 ||
                memcmp(want.out, got.out, sizeof got.out) != 0)
                ck_abort_msg("%s: %zu rows, %zu cells differ", name, rows, n);
        }
    }
}

START_TEST(levels_combine_alike) {
    for (mica_cpu_level level = MICA_CPU_AVX2; level <= mica_cpu_level_get(); level++)
        check_combination(mica_cpu_level_name(level), kernels_of(level)->combine);
#if defined(__x86_64__)
    if (mica_cpu_level_get() == MICA_CPU_AVX512)
        check_combination("avx512 without VNNI", combine_avx512);
#endif
}
END_TEST

int main(void) {
    Suite *s = suite_create("products");
    TCase *c = tcase_create("products");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, portable_follows_the_definition);
    tcase_add_test(c, levels_agree);
    tcase_add_test(c, portable_combination_follows_the_definition);
    tcase_add_test(c, levels_combine_alike);
    suite_add_tcase(s, c);
    return suite_run(s);
}
