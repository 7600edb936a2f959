/* Narrow matrices: what they keep, sums of forms on their rows against those on the field elements, and
 * weighted sums of rows against the definition, at every CPU level. */
#include "base/parallel.h"
#include "poly/combine_prove.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { CHUNK_CELLS = 1 << NARROW_CHUNK_VARS, BLOCK_CELLS = 1 << NARROW_BLOCK_VARS };

static uint64_t rng_state;

static uint32_t next(void) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33);
}

/* Any element, every fifth one with limbs at their ends. */
static m31 element(void) {
    static const int32_t ends[] = {2047,       -2048,           (1 << 21) - 1,
                                   -(1 << 21), (M31_P - 1) / 2, -(int32_t)((M31_P - 1) / 2)};
    return next() % 5 ? m31_reduce64(next()) : m31_from_i32(ends[next() % 6]);
}

static m31 *random_elements(size_t n) {
    m31 *v = malloc(n * sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++)
        v[i] = element();
    return v;
}

/* Chunks of cells in patterns: the places of a 3 x 3 window padded to 4 x 4, all, none, a few, one; in chunk
 * i above them places that depend on i. One cell of the chunk `large` exceeds the limit. */
static m31 *patterned_matrix(size_t chunks, size_t large) {
    m31 *cell = calloc(chunks, CHUNK_CELLS * sizeof *cell);
    ck_assert_ptr_nonnull(cell);
    for (size_t i = 0; i < chunks * CHUNK_CELLS; i++) {
        const size_t c = i / CHUNK_CELLS, at = i % BLOCK_CELLS;
        const bool kept[] = {at % 4 < 3 && at / 4 % 4 < 3, true, false, at % 100 == 7, at == 511};
        const int32_t v = next() % 3 ? (int32_t)(next() % (2 * NARROW_MAX + 1)) - NARROW_MAX
                                     : (next() % 2 ? NARROW_MAX : -NARROW_MAX);
        if (c < 5 ? kept[c] : at % (c + 2) == 1)
            cell[i] = m31_from_i32(v);
    }
    if (large < chunks)
        cell[large * CHUNK_CELLS + next() % CHUNK_CELLS] =
            next() % 2 ? NARROW_MAX + 1 : M31_P - NARROW_MAX - 1;
    return cell;
}

START_TEST(narrow_cells_are_those_of_the_matrix) {
    for (size_t chunks = 1; chunks <= 20; chunks++) {
        const size_t large = next() % (chunks + 1);
        m31 *cell = patterned_matrix(chunks, large);
        narrow_matrix *m = narrow_make(cell, chunks * CHUNK_CELLS);
        ck_assert_ptr_nonnull(m);
        ck_assert_uint_eq(m->n_chunks, chunks);
        ck_assert_uint_le(m->n_patterns, NARROW_PATTERNS);
        for (size_t c = 0; c < chunks; c++) {
            ck_assert_int_eq(m->chunk[c].cell == NULL, c == large);
            if (c == large)
                continue;
            const narrow_pattern *p = &m->pattern[m->chunk[c].pattern];
            const int16_t *at = m->chunk[c].cell;
            ck_assert_uint_eq(p->kept % 2, 0);
            if (c < 5 && large >= 5) { /* the first ones find room */
                static const unsigned kept[] = {288, 512, 0, 6, 2};
                ck_assert_uint_eq(p->kept, kept[c]);
            }
            for (size_t b = 0; b < CHUNK_CELLS / BLOCK_CELLS; b++, at += p->kept) {
                const m31 *block = cell + c * CHUNK_CELLS + b * BLOCK_CELLS;
                m31 back[BLOCK_CELLS] = {0};
                for (unsigned k = 0; k < p->kept; k++) {
                    ck_assert(k == 0 || p->at[k - 1] < p->at[k]);
                    back[p->at[k]] = m31_from_i32(at[k]);
                }
                ck_assert_mem_eq(back, block, sizeof back);
            }
        }
        narrow_free(m);
        free(cell);
    }
    narrow_free(NULL);
}
END_TEST

static void check_narrow(size_t chunks, size_t first, size_t n_chunks, size_t n) {
    const size_t n_blocks = n_chunks * (CHUNK_CELLS / BLOCK_CELLS);
    mica_arena arena;
    mica_status st = {0};
    row_forms f, wide;
    ck_assert(arena_create(&arena,
                           row_forms_bytes(NARROW_BLOCK_VARS, n, true) +
                               row_forms_bytes(NARROW_BLOCK_VARS, n, false) + ROW_FORMS_SCRATCH,
                           &st));
    m31 *low = random_elements(n * BLOCK_CELLS), *cell = patterned_matrix(chunks, next() % (chunks + 1));
    narrow_matrix *m = narrow_make(cell, chunks * CHUNK_CELLS);
    ck_assert(m && row_forms_make(&f, NARROW_BLOCK_VARS, low, n, m, &arena, &st) &&
              row_forms_make(&wide, NARROW_BLOCK_VARS, low, n, NULL, &arena, &st));
    void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
    m31 *scale = random_elements(n_blocks * f.padded), *acc = random_elements(f.padded);
    m31 *want = malloc(f.padded * sizeof *want), *got = malloc(f.padded * sizeof *got);
    m31 *block = malloc(n_blocks * f.padded * sizeof *block),
        *blocks = malloc(n_blocks * f.padded * sizeof *blocks);
    ck_assert(scratch && want && got && block && blocks);
    memcpy(want, acc, f.padded * sizeof *want);
    row_forms_add(&wide, cell, first * CHUNK_CELLS, n_blocks, scale, want, scratch);
    row_forms_blocks(&wide, cell, first * CHUNK_CELLS, n_blocks, block, scratch);
    const mica_cpu_level best = mica_cpu_level_get();
    for (mica_cpu_level level = 0; level <= best; level++) {
        mica_cpu_limit(level);
        memcpy(got, acc, f.padded * sizeof *got);
        row_forms_add(&f, cell, first * CHUNK_CELLS, n_blocks, scale, got, scratch);
        row_forms_blocks(&f, cell, first * CHUNK_CELLS, n_blocks, blocks, scratch);
        bool equal = memcmp(got, want, n * sizeof *got) == 0;
        for (size_t b = 0; b < n_blocks; b++)
            equal = equal && memcmp(blocks + b * f.padded, block + b * f.padded, n * sizeof *block) == 0;
        ck_assert_msg(equal, "%zu of %zu chunks from %zu, %zu forms, %s", n_chunks, chunks, first, n,
                      mica_cpu_level_name(level));
    }
    mica_cpu_limit(best);
    narrow_free(m);
    free(low), free(cell), free(scale), free(acc), free(want), free(got), free(block), free(blocks);
    arena_destroy(&arena);
}

START_TEST(narrow_rows_give_the_same_sums) {
    static const size_t forms[] = {1, 5, 10, 11, 16, 17, 32, 33, 42, 43, 65, 100};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        check_narrow(6 + i % 3 * 6, i % 4, 1 + i % 3, forms[i]);
    check_narrow(16, 0, 16, 3);
}
END_TEST

static void check_combined(size_t chunks, unsigned vars, size_t n_rows) {
    const size_t n = (size_t)1 << vars, rows = chunks * CHUNK_CELLS / n;
    const mica_cpu_level best = mica_cpu_level_get();
    mica_arena arena;
    mica_status st = {0};
    ck_assert(
        arena_create(&arena, combine_rows_bytes(n_rows) + (2 * n * QM31_DEGREE + 64) * sizeof(m31), &st));
    m31 *matrix = patterned_matrix(chunks, next() % (chunks + 1));
    narrow_matrix *m = narrow_make(matrix, chunks * CHUNK_CELLS);
    size_t *start = malloc(n_rows * sizeof *start);
    qm31 *weight = malloc(n_rows * sizeof *weight);
    const qvec want = qvec_alloc(&arena, n, &st), got = qvec_alloc(&arena, n, &st);
    ck_assert(m && start && weight && want.p && got.p);
    for (size_t r = 0; r < n_rows; r++) {
        start[r] = next() % rows * n;
        for (unsigned c = 0; c < QM31_DEGREE; c++)
            weight[r].v[c] = element();
    }
    for (size_t i = 0; i < n; i++)
        qvec_set(want, i, (qm31){{next() % M31_P, 0, 1, M31_P - 1}});
    for (mica_cpu_level level = 0; level <= best; level++) {
        mica_cpu_limit(level);
        parallel_set_workers(1 + level);
        memcpy(got.p, want.p, QM31_DEGREE * want.stride * sizeof(m31));
        ck_assert(combine_rows(m, matrix, start, weight, n_rows, vars, got, &arena, &st));
        for (size_t i = 0; i < n; i += 1 + next() % 37) {
            qm31 sum = qvec_get(want, i);
            for (size_t r = 0; r < n_rows; r++)
                sum = qm31_add(sum, qm31_mul_m31(weight[r], matrix[start[r] + i]));
            ck_assert_msg(qm31_eq(sum, qvec_get(got, i)), "%zu chunks, 2^%u cells, %zu rows, cell %zu, %s",
                          chunks, vars, n_rows, i, mica_cpu_level_name(level));
        }
    }
    mica_cpu_limit(best);
    parallel_set_workers(0);
    narrow_free(m);
    free(matrix), free(start), free(weight);
    arena_destroy(&arena);
}

START_TEST(combined_rows_follow_the_definition) {
    for (unsigned vars = NARROW_BLOCK_VARS; vars <= NARROW_CHUNK_VARS + 2; vars++)
        check_combined(12, vars, 1 + next() % 9);
    check_combined(12, NARROW_BLOCK_VARS, 1027); /* more than are combined at once */
    check_combined(4, NARROW_CHUNK_VARS, 2);
}
END_TEST

/* Every product of a sum at its end, of as many rows as are combined at once. */
START_TEST(extreme_combinations_do_not_wrap) {
    enum { ROWS = 513 };
    static size_t start[ROWS];
    static qm31 weight[ROWS];
    mica_arena arena;
    mica_status st = {0};
    ck_assert(arena_create(&arena, combine_rows_bytes(ROWS) + BLOCK_CELLS * QM31_DEGREE * sizeof(m31), &st));
    m31 *cell = malloc(CHUNK_CELLS * sizeof *cell);
    const m31 by = m31_from_i32(-(1 << 10) - (1 << 21));
    for (size_t i = 0; i < CHUNK_CELLS; i++)
        cell[i] = m31_from_i32(-NARROW_MAX);
    for (size_t r = 0; r < ROWS; r++)
        weight[r] = (qm31){{by, by, by, by}};
    narrow_matrix *m = narrow_make(cell, CHUNK_CELLS);
    const qvec y = qvec_alloc(&arena, BLOCK_CELLS, &st);
    ck_assert(m && y.p);
    memset(y.p, 0, BLOCK_CELLS * QM31_DEGREE * sizeof(m31));
    ck_assert(combine_rows(m, cell, start, weight, ROWS, NARROW_BLOCK_VARS, y, &arena, &st));
    for (size_t i = 0; i < BLOCK_CELLS; i++) {
        for (unsigned c = 0; c < QM31_DEGREE; c++)
            ck_assert_uint_eq(qvec_get(y, i).v[c], m31_mul(ROWS, m31_mul(by, cell[0])));
    }
    narrow_free(m);
    free(cell);
    arena_destroy(&arena);
}
END_TEST

/* All cells and all halves at their ends. */
START_TEST(extreme_narrow_cells_do_not_wrap) {
    mica_arena arena;
    mica_status st = {0};
    row_forms f;
    m31 low[BLOCK_CELLS], *cell = malloc(CHUNK_CELLS * sizeof *cell), scale[32 * ROW_FORMS_COLUMNS];
    ck_assert(arena_create(&arena, row_forms_bytes(NARROW_BLOCK_VARS, 1, true) + ROW_FORMS_SCRATCH, &st));
    for (unsigned sign = 0; sign < 2; sign++) {
        const int32_t halves = -(1 << 15) + (sign ? -(1 << 30) + (1 << 16) : 0);
        for (size_t i = 0; i < BLOCK_CELLS; i++)
            low[i] = m31_from_i32(halves);
        for (size_t i = 0; i < CHUNK_CELLS; i++)
            cell[i] = m31_from_i32(sign ? NARROW_MAX : -NARROW_MAX);
        for (size_t i = 0; i < 32 * ROW_FORMS_COLUMNS; i++)
            scale[i] = M31_P - 1;
        const size_t mark = arena_mark(&arena);
        narrow_matrix *m = narrow_make(cell, CHUNK_CELLS);
        ck_assert(m && row_forms_make(&f, NARROW_BLOCK_VARS, low, 1, m, &arena, &st));
        void *scratch = arena_alloc(&arena, 1, ROW_FORMS_SCRATCH, &st);
        m31 acc[ROW_FORMS_COLUMNS] = {0};
        row_forms_add(&f, cell, 0, 32, scale, acc, scratch);
        ck_assert_uint_eq(acc[0], m31_neg(m31_mul(CHUNK_CELLS, m31_mul(low[0], cell[0]))));
        narrow_free(m);
        arena_reset(&arena, mark);
    }
    free(cell);
    arena_destroy(&arena);
}
END_TEST

int main(void) {
    Suite *s = suite_create("narrow");
    TCase *c = tcase_create("narrow");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, narrow_cells_are_those_of_the_matrix);
    tcase_add_test(c, narrow_rows_give_the_same_sums);
    tcase_add_test(c, combined_rows_follow_the_definition);
    tcase_add_test(c, extreme_combinations_do_not_wrap);
    tcase_add_test(c, extreme_narrow_cells_do_not_wrap);
    suite_add_tcase(s, c);
    return suite_run(s);
}
