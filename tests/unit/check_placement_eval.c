/* The value of a placement's factor against the definition of its matrix, over all rows and columns. */
#include <check.h>
#include <stdlib.h>

#include "mica/circuit.h"
#include "placement/placement_eval.h"
#include "random_field.h"
#include "suite.h"

#define MAX_DIM 40

typedef struct factor_case {
    uint8_t n_out, n_src;
    uint32_t out[3], src[3];
    int32_t stride[3], offset;
    uint32_t norm;
    uint8_t count_axis;
} factor_case;

static const factor_case cases[] = {
    {1, 1, {5}, {5}, {1}, 0, 0, 0},
    {1, 1, {7}, {14}, {1}, 7, 0, 0},
    {1, 1, {16}, {8}, {1}, -8, 0, 0},
    {1, 1, {9}, {40}, {-3}, 30, 0, 0},
    {1, 1, {9}, {9}, {0}, 4, 0, 0},
    {1, 1, {9}, {9}, {0}, 9, 0, 0},
    {1, 1, {1}, {1}, {1}, 0, 0, 0},
    {1, 1, {12}, {7}, {1000000}, -2000000, 0, 0},
    {2, 1, {3, 13}, {13}, {1, 1}, -1, 0, 0},
    {2, 1, {3, 13}, {27}, {1, 2}, 0, 0, 0},
    {2, 1, {13, 3}, {27}, {2, 1}, -2, 0, 0},
    {2, 1, {7, 11}, {24}, {1, 2}, -3, 0, 0},
    {2, 1, {5, 6}, {31}, {-2, -3}, 26, 0, 0},
    {2, 1, {3, 4}, {2}, {1, 1}, 50, 0, 0}, /* no entry */
    {3, 1, {2, 3, 5}, {30}, {15, 5, 1}, 0, 0, 0},
    {3, 1, {2, 3, 5}, {20}, {7, -4, 3}, -1, 0, 0},
    {2, 1, {3, 8}, {17}, {1, 2}, -1, 1000, 0}, /* counted */
    {2, 1, {3, 8}, {17}, {1, 2}, -1, 720, 1},
    {1, 2, {30}, {5, 6}, {1}, 0, 0, 0},
    {1, 2, {11}, {4, 7}, {3}, -5, 0, 0},
    {2, 2, {4, 9}, {6, 6}, {9, 1}, -3, 0, 0},
    {2, 3, {3, 9}, {2, 3, 4}, {8, 1}, 0, 60, 1},
    {0, 1, {0}, {6}, {0}, 2, 0, 0},
    {1, 0, {6}, {0}, {1}, -2, 0, 0},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

typedef struct sample {
    mica_tensor tensor[2];
    mica_placement placement;
    mica_circuit c;
    qm31 table[6][MAX_DIM], *out[MICA_MAX_RANK], *src[MICA_MAX_RANK];
} sample;

static void make(sample *s, const factor_case *k, uint64_t *seed) {
    *s = (sample){.placement = {.src = 0, .n_factors = 1}};
    mica_factor *f = &s->placement.factor[0];
    f->n_out = k->n_out;
    f->n_src = k->n_src;
    f->offset = k->offset;
    f->norm = k->norm;
    f->count_axis = k->count_axis;
    s->tensor[0].rank = k->n_src;
    s->tensor[1].rank = k->n_out;
    for (uint8_t i = 0; i < 3; i++) {
        s->tensor[0].dim[i] = k->src[i];
        s->tensor[1].dim[i] = k->out[i];
        f->src_axis[i] = f->out_axis[i] = i;
        f->out_stride[i] = k->stride[i];
        s->out[i] = s->table[i];
        s->src[i] = s->table[3 + i];
    }
    s->c.tensor = s->tensor;
    s->c.n_tensors = 2;
    s->c.placement = &s->placement;
    s->c.n_placement = 1;
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = 0; j < MAX_DIM; j++)
            s->table[i][j] = random_qm31(seed);
    }
}

/* Index i of `cell`, row-major over dim. */
static uint32_t index_of(uint64_t cell, unsigned n, const uint32_t *dim, unsigned i) {
    for (unsigned j = n; j-- > i + 1;)
        cell /= dim[j];
    return (uint32_t)(cell % dim[i]);
}

static uint64_t product(unsigned n, const uint32_t *dim) {
    uint64_t cells = 1;
    for (unsigned i = 0; i < n; i++)
        cells *= dim[i];
    return cells;
}

/* flat of a row in which the axis `axis`, if it is one, has the index `at`. */
static int64_t flat_of(const factor_case *k, uint64_t row, unsigned axis, uint32_t at) {
    int64_t flat = k->offset;
    for (unsigned i = 0; i < k->n_out; i++)
        flat += (int64_t)k->stride[i] * (i == axis ? at : index_of(row, k->n_out, k->out, i));
    return flat;
}

static uint32_t weight_of(const factor_case *k, uint64_t row, int64_t cells) {
    if (!k->norm)
        return 1;
    uint32_t count = 0;
    for (uint32_t at = 0; at < k->out[k->count_axis]; at++) {
        const int64_t flat = flat_of(k, row, k->count_axis, at);
        count += flat >= 0 && flat < cells;
    }
    ck_assert(count > 0); /* the row itself */
    return k->norm / count;
}

/* list: the flat of each row, or NULL. */
static qm31 slow_value(const sample *s, const factor_case *k, const uint32_t *list) {
    const int64_t cells = (int64_t)product(k->n_src, k->src);
    qm31 sum = qm31_zero();
    for (uint64_t row = 0; row < product(k->n_out, k->out); row++) {
        const int64_t flat = list ? (int64_t)list[row] : flat_of(k, row, UINT32_MAX, 0);
        if (flat < 0 || flat >= cells)
            continue;
        qm31 entry = qm31_from_m31(list ? 1 : weight_of(k, row, cells));
        for (unsigned i = 0; i < k->n_out; i++)
            entry = qm31_mul(entry, s->out[i][index_of(row, k->n_out, k->out, i)]);
        for (unsigned i = 0; i < k->n_src; i++)
            entry = qm31_mul(entry, s->src[i][index_of((uint64_t)flat, k->n_src, k->src, i)]);
        sum = qm31_add(sum, entry);
    }
    return sum;
}

START_TEST(strides) {
    uint64_t seed = (uint64_t)_i + 1;
    static sample s;
    make(&s, &cases[_i], &seed);
    ck_assert_msg(qm31_eq(placement_factor_at(&s.c, 1, s.placement.factor, s.out, s.src),
                          slow_value(&s, &cases[_i], NULL)),
                  "case %d", _i);
}
END_TEST

/* The same shapes with a list of flat for each row, every third row without an entry. */
START_TEST(lists) {
    const factor_case *k = &cases[_i];
    const uint64_t rows = product(k->n_out, k->out), cells = product(k->n_src, k->src);
    uint64_t seed = (uint64_t)_i + 100;
    static sample s;
    static uint32_t list[2000];
    ck_assert(rows <= 2000);
    make(&s, k, &seed);
    for (uint64_t row = 0; row < rows; row++)
        list[row] = row % 3 == 2 ? MICA_NO_CELL : (uint32_t)(random_u64(&seed) % cells);
    mica_factor *f = &s.placement.factor[0];
    for (unsigned i = 0; i < 3; i++)
        f->out_stride[i] = 0;
    f->offset = 0;
    f->norm = 0;
    f->count_axis = 0;
    f->n_indices = (uint32_t)rows;
    s.c.index = list;
    s.c.n_indices = f->n_indices;
    ck_assert_msg(qm31_eq(placement_factor_at(&s.c, 1, f, s.out, s.src), slow_value(&s, k, list)), "case %d",
                  _i);
}
END_TEST

int main(void) {
    Suite *s = suite_create("placement_eval");
    TCase *t = tcase_create("placement_eval");
    tcase_add_loop_test(t, strides, 0, N_CASES);
    tcase_add_loop_test(t, lists, 0, N_CASES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
