/* The rules of a circuit's ranges: no value wraps, and every maximum is determined. */
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
    suite_add_tcase(s, t);
    return suite_run(s);
}
