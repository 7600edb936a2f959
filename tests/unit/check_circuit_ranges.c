/* The rules of a circuit's ranges: no value wraps, and every maximum is determined. */
#include "circuit/circuit_shapes.h"
#include "circuit_rules.h"
#include "suite.h"

static void range_too_narrow(kit *k) { /* the sum of accumulator and bias */
    tensor_of(k, MICA_TENSOR_LINEAR, 0)->hi = 5299;
}
static void value_range_too_narrow(kit *k) {
    k->tensor[k->output[0].tensor].hi = 62;
}
static void remainder_too_narrow(kit *k) {
    tensor_of(k, MICA_TENSOR_WITNESS, 2)->hi = 30; /* its table has 32 rows */
}
static void range_of_field_size(kit *k) {
    k->tensor[0].lo = -(1 << 30);
    k->tensor[0].hi = 1 << 30;
}
static void product_too_large(kit *k) { /* 30 * 40 does not fit */
    tensor_of(k, MICA_TENSOR_CONTRACT, 0)->hi = 1199;
}
static void placement_norm_too_large(kit *k) { /* 6 * 100 does not fit */
    tensor_of(k, MICA_TENSOR_PLACEMENT, 0)->lo = -599;
}
static void requantisation_wraps(kit *k) { /* 2^10 keys times 2^21 reach p */
    linear_of(k, 1)->shift = 22;
}
static void sum_wraps(kit *k) { /* p times an accumulator, in a lookup */
    k->term[linear_of(k, 1)->first_term].coef = 1 << 20;
}
static void shift_without_lookup(kit *k) {
    linear_of(k, 0)->shift = 1;
}
static void lookups_wrap(kit *k) {
    const uint32_t table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE, .bits = 4});
    const uint32_t y = kit_witness(k, true, 0, 15, (uint32_t[]){1u << 27, 0});
    k->c.max_batch = 8;
    kit_lookup(k, table, y, KIT_END);
    kit_lookup(k, table, y, KIT_END);
}

/* A maximum of x and y by hand: d = x - y and r = m - y in the table of max(key, 0). */
typedef struct maximum {
    uint32_t x, y, m, d, r;
    mica_view m_view;
} maximum;

static void build_maximum(kit *k, maximum *o) {
    kit_begin(k, 4);
    o->x = kit_input(k, -9, 20, (uint32_t[]){4, 0});
    o->y = kit_input(k, -30, 10, (uint32_t[]){4, 0});
    const uint32_t table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RELU, .bits = 7, .lo_key = -64});
    o->m = kit_witness(k, true, -30, 20, (uint32_t[]){4, 0});
    o->m_view = kit_identity(k, o->m);
    o->d = kit_linear(k, o->x, 0, -19, 50);
    kit_term(k, o->x, 1, kit_identity(k, o->x));
    kit_term(k, o->y, -1, kit_identity(k, o->y));
    o->r = kit_linear(k, o->x, 0, 0, 50);
    kit_term(k, o->m, 1, o->m_view);
    kit_term(k, o->y, -1, kit_identity(k, o->y));
    kit_lookup(k, table, o->d, o->r);
    kit_output(k, o->m);
}

static void maximum_narrow(kit *k) {
    maximum o;
    build_maximum(k, &o);
    k->tensor[o.m].hi = 19;
}
/* A lookup that binds the padding of m but not its range. */
static void bind_padding(kit *k, const maximum *o) {
    const uint32_t h = kit_linear(k, o->m, 0, -64, 63);
    kit_term(k, o->x, 1, kit_identity(k, o->x));
    kit_term(k, o->m, 1, kit_identity(k, o->m));
    kit_lookup(k, k->lookup[0].table, h, h);
}
/* m[i] = max(x[i], m[0]): any m[0] >= x[0] will do. */
static void maximum_of_itself(kit *k) {
    maximum o;
    build_maximum(k, &o);
    for (unsigned i = 0; i < 2; i++) {
        mica_term *y = &k->term[k->linear[k->tensor[i ? o.r : o.d].def].first_term + 1];
        y->tensor = o.m;
        y->view = (mica_view){{MICA_VIEW_AT(0)}};
        k->tensor[i ? o.r : o.d].lo = -64;
        k->tensor[i ? o.r : o.d].hi = 63;
    }
    kit_output(k, o.y);
    bind_padding(k, &o);
}
/* Only m[0] is bound by the maximum. */
static void maximum_of_one_cell(kit *k) {
    maximum o;
    build_maximum(k, &o);
    k->term[k->linear[k->tensor[o.r].def].first_term].view = (mica_view){{MICA_VIEW_AT(0)}};
    bind_padding(k, &o);
}
static void maximum_of_twice(kit *k) { /* 2m - y */
    maximum o;
    build_maximum(k, &o);
    k->term[k->linear[k->tensor[o.r].def].first_term].coef = 2;
}

/* --- maxima of forms with as many parts as are searched, and with one more --- */

enum { MANY = 80, LAST_BOX = 70 };

typedef struct many {
    uint32_t x, y, m, table;
} many;

static void begin_many(kit *k, many *o) {
    kit_begin(k, 1);
    o->x = kit_input(k, 0, 1, (uint32_t[]){MANY, 0});
    o->y = kit_input(k, 0, 1, (uint32_t[]){MANY, 0});
    o->table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RELU, .bits = 9, .lo_key = -256});
    o->m = kit_witness(k, true, 0, 80, (uint32_t[]){MANY, 0});
}
static void end_many(kit *k, const many *o, uint32_t d, uint32_t r) {
    kit_lookup(k, o->table, d, r);
    kit_output(k, o->m);
}
static void add_cells(kit *k, uint32_t t, int32_t coef, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        kit_term(k, t, coef, (mica_view){{MICA_VIEW_AT(i)}});
}

/* m = max(y, x[0] + ... + x[n-1]): m - b has n + 1 terms. */
static void maximum_with_a_sum(kit *k, unsigned n) {
    many o;
    begin_many(k, &o);
    const uint32_t d = kit_linear(k, o.m, 0, -80, 1);
    kit_term(k, o.y, 1, kit_identity(k, o.y));
    add_cells(k, o.x, -1, n);
    const uint32_t r = kit_linear(k, o.m, 0, 0, 80);
    kit_term(k, o.m, 1, kit_identity(k, o.m));
    add_cells(k, o.x, -1, n);
    end_many(k, &o, d, r);
}
/* m = x + max(y[0] + ... + y[n-1], 0): a - b has n terms, a has n + 1. */
static void maximum_beyond_a_sum(kit *k, unsigned n) {
    many o;
    begin_many(k, &o);
    const uint32_t d = kit_linear(k, o.m, 0, 0, 80);
    add_cells(k, o.y, 1, n);
    const uint32_t r = kit_linear(k, o.m, 0, 0, 80);
    kit_term(k, o.m, 1, kit_identity(k, o.m));
    kit_term(k, o.x, -1, kit_identity(k, o.x));
    end_many(k, &o, d, r);
}
static void add_box(kit *k, int32_t coef, uint32_t lo, uint32_t hi) {
    kit_box(k, coef);
    k->box[k->c.n_boxes - 1].lo[0] = lo;
    k->box[k->c.n_boxes - 1].hi[0] = hi;
}
/* The same with n boxes in place of the terms. */
static void maximum_beyond_boxes(kit *k, unsigned n) {
    many o;
    begin_many(k, &o);
    const uint32_t d = kit_linear(k, o.m, 0, 0, 80);
    kit_term(k, o.y, 1, kit_identity(k, o.y));
    for (unsigned i = 0; i < n; i++)
        add_box(k, 1, i, i + 1);
    const uint32_t r = kit_linear(k, o.m, 0, 0, 80);
    kit_term(k, o.m, 1, kit_identity(k, o.m));
    kit_term(k, o.x, -1, kit_identity(k, o.x));
    add_box(k, -1, LAST_BOX, LAST_BOX + 1);
    end_many(k, &o, d, r);
}

static void (*const sums[])(kit *, unsigned) = {maximum_with_a_sum, maximum_beyond_a_sum,
                                                maximum_beyond_boxes};

START_TEST(forms_are_searched_up_to_a_length) {
    for (unsigned n = 62; n <= 65; n++) {
        kit k;
        mica_status st = {0};
        sums[_i](&k, n);
        const bool ok = mica_circuit_validate(&k.c, &st);
        ck_assert_msg(ok == (n < 64), "%u parts: %s", n, st.message);
        if (!ok) {
            ck_assert_int_eq(st.code, MICA_ERR_RANGE);
            ck_assert_msg(strstr(st.message, "its cells can leave the declared range") != NULL, "%s",
                          st.message);
        }
        kit_free(&k);
    }
}
END_TEST

/* --- windows over a border: a tap where it is inside, LOW where it is not --- */

enum { LOW = -30, HIGH = 20 };

/* Of a source of 8 cells, position i and tap j of the window see cell offset + stride * i + j. The form of
 * tap 0 has LOW for the positions below `inside`; the maximum's range holds if the tap is zero there. */
typedef struct border {
    int32_t stride, offset;
    uint32_t inside;
    bool listed; /* the same cells, in a list */
    bool both;   /* a maximum for every position and tap, with LOW at the positions below `inside` */
    bool valid;
} border;

static void build_border(kit *k, const border *w) {
    const uint32_t dim[] = {4, 3, 0}, *domain = w->both ? dim : (const uint32_t[]){4, 0};
    const mica_view view = w->both ? (mica_view){{0, 1}} : (mica_view){{0, MICA_VIEW_AT(0)}};
    kit_begin(k, 2);
    const uint32_t x = kit_input(k, 0, HIGH, (uint32_t[]){8, 0});
    const uint32_t b = kit_input(k, 0, HIGH, domain);
    mica_placement p = {
        .src = x,
        .n_factors = 1,
        .factor = {
            {.n_out = 2, .n_src = 1, .out_axis = {0, 1}, .out_stride = {w->stride, 1}, .offset = w->offset}}};
    if (w->listed) {
        uint32_t list[12];
        for (int32_t i = 0; i < 12; i++) {
            const int32_t cell = w->offset + w->stride * (i / 3) + i % 3;
            list[i] = cell < 0 || cell >= 8 ? MICA_NO_CELL : (uint32_t)cell;
        }
        p.factor[0].out_stride[0] = p.factor[0].out_stride[1] = p.factor[0].offset = 0;
        p.factor[0] = kit_listed(k, p.factor[0], 12, list);
    }
    const uint32_t taps = kit_placement(k, 0, HIGH, dim, p);
    const uint32_t table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RELU, .bits = 7, .lo_key = -64});
    const uint32_t m = kit_witness(k, true, LOW, HIGH, domain);
    const uint32_t d = kit_linear(k, m, 0, -64, 63);
    kit_term(k, taps, 1, view);
    kit_term(k, b, -1, kit_identity(k, b));
    kit_box(k, LOW);
    kit_box(k, -LOW);
    k->box[k->c.n_boxes - 1].lo[0] = w->inside;
    const uint32_t r = kit_linear(k, m, 0, 0, 63);
    kit_term(k, m, 1, kit_identity(k, m));
    kit_term(k, b, -1, kit_identity(k, b));
    kit_lookup(k, table, d, r);
    kit_output(k, m);
}

static const border borders[] = {
    {.stride = 2, .offset = -1, .inside = 1, .valid = true},
    {.stride = 2, .offset = -1, .inside = 2}, /* position 1 sees cell 1 */
    {.stride = 2, .offset = -2, .inside = 1, .valid = true},
    {.stride = 2, .offset = -3, .inside = 2, .valid = true},
    {.stride = 2, .offset = -3, .inside = 3},
    {.stride = -2, .offset = 8, .inside = 1, .valid = true}, /* from the end: 8, 6, 4, 2 */
    {.stride = -2, .offset = 8, .inside = 2},
    {.stride = -2, .offset = 7, .inside = 1},
    {.stride = 0, .offset = -1, .inside = 3, .valid = true}, /* never inside */
    {.stride = 0, .offset = 8, .inside = 3, .valid = true},
    {.stride = 0, .offset = 0, .inside = 3}, /* always inside */
    {.stride = 5, .offset = -100, .inside = 2, .valid = true},
    {.stride = 2, .offset = -1, .inside = 1, .listed = true}, /* it would be right, but is not searched for */
    {.stride = 2, .offset = -1, .inside = 1, .both = true},
};

START_TEST(windows_over_a_border) {
    const border *w = &borders[_i];
    kit k;
    mica_status st = {0};
    build_border(&k, w);
    const bool ok = mica_circuit_validate(&k.c, &st);
    ck_assert_msg(ok == w->valid, "case %d: %s", _i, st.message);
    if (!ok) {
        ck_assert_int_eq(st.code, MICA_ERR_RANGE);
        ck_assert_msg(strstr(st.message, "its cells can leave the declared range") != NULL, "case %d: %s", _i,
                      st.message);
    }
    kit_free(&k);
}
END_TEST

START_TEST(valid_intervals_by_their_definition) {
    for (int64_t base = -9; base <= 9; base++)
        for (int64_t stride = -4; stride <= 4; stride++)
            for (int64_t cells = 1; cells <= 5; cells++)
                for (int64_t n = 1; n <= 6; n++) {
                    int64_t first, end, count = 0;
                    circuit_valid_interval(base, stride, cells, n, &first, &end);
                    ck_assert(0 <= first && first <= end && end <= n);
                    for (int64_t i = 0; i < n; i++) {
                        const int64_t cell = base + stride * i;
                        const bool inside = cell >= 0 && cell < cells;
                        count += inside;
                        ck_assert_msg(inside == (first <= i && i < end), "%d + %d * %d of %d", (int)base,
                                      (int)stride, (int)i, (int)cells);
                    }
                    ck_assert_int_eq(count, end - first);
                }
}
END_TEST

static const mutation mutations[] = {
    {range_too_narrow, GEMM, "its cells can leave the declared range"},
    {value_range_too_narrow, GEMM, "its cells can leave the declared range"},
    {remainder_too_narrow, GEMM, "its cells can leave the declared range"},
    {range_of_field_size, GEMM, "its range is not below the field's size"},
    {product_too_large, ELEMENTWISE, "its cells can leave the declared range"},
    {placement_norm_too_large, ELEMENTWISE, "its cells can leave the declared range"},
    {requantisation_wraps, GEMM, "could wrap around the field"},
    {sum_wraps, GEMM, "could wrap around the field"},
    {shift_without_lookup, GEMM, "a shifted form enters no lookup"},
    {lookups_wrap, GEMM, "multiplicities could wrap"},
    {maximum_narrow, -1, "its cells can leave the declared range"},
    {maximum_of_itself, -1, "its cells can leave the declared range"},
    {maximum_of_one_cell, -1, "its cells can leave the declared range"},
    {maximum_of_twice, -1, "its cells can leave the declared range"},
};
#define MUTATIONS (int)(sizeof mutations / sizeof *mutations)

START_TEST(refuses_broken_rule) {
    check_mutation(&mutations[_i]);
}
END_TEST

START_TEST(accepts_a_maximum) {
    kit k;
    maximum o;
    mica_status st = {0};
    build_maximum(&k, &o);
    ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s", st.message);
}
END_TEST

/* Tables whose rows together exceed what the lookup argument is made for. */
START_TEST(refuses_too_many_rows) {
    enum { TABLES = (1 << 12) + 1 };
    kit k;
    mica_status st = {0};
    build_gemm(&k);
    const uint32_t n = k.c.n_tensors, first = k.c.n_tables;
    k.c.tensor = calloc(n + TABLES, sizeof *k.c.tensor);
    k.c.table = calloc(first + TABLES, sizeof *k.c.table);
    memcpy(k.c.tensor, k.tensor, n * sizeof *k.c.tensor);
    memcpy(k.c.table, k.table, first * sizeof *k.c.table);
    for (uint32_t i = 0; i < TABLES; i++) {
        k.c.tensor[n + i] =
            (mica_tensor){.kind = MICA_TENSOR_WITNESS, .rank = 1, .dim = {1u << 18}, .hi = INT32_MAX - 2};
        k.c.table[first + i] = (mica_table){{.kind = MICA_TABLE_RANGE, .bits = 18}, n + i};
    }
    k.c.n_tensors = n + TABLES;
    k.c.n_tables = first + TABLES;
    ck_assert(!mica_circuit_validate(&k.c, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert_msg(strstr(st.message, "2^30 rows") != NULL, "%s", st.message);
    free(k.c.tensor);
    free(k.c.table);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("circuit ranges");
    TCase *t = tcase_create("ranges");
    tcase_add_loop_test(t, refuses_broken_rule, 0, MUTATIONS);
    tcase_add_test(t, accepts_a_maximum);
    tcase_add_test(t, refuses_too_many_rows);
    tcase_add_loop_test(t, forms_are_searched_up_to_a_length, 0, (int)(sizeof sums / sizeof *sums));
    tcase_add_loop_test(t, windows_over_a_border, 0, (int)(sizeof borders / sizeof *borders));
    tcase_add_test(t, valid_intervals_by_their_definition);
    suite_add_tcase(s, t);
    return suite_run(s);
}
