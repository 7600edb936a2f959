/* The choice of opening parameters. */
#include "pcs_instance.h"

static uint32_t all_rows[1 << 14];

static pcs_shape shape_for(uint64_t cells, unsigned security_bits, pcs_commit_time when) {
    pcs_shape s = {.digest_bytes = soundness_digest_bytes(security_bits)};
    pcs_choose_row_bits(cells, security_bits, when, &s.col_vars, &s.rate_bits);
    s.n_present = (uint32_t)((cells + (1ull << s.col_vars) - 1) >> s.col_vars);
    while (1u << s.row_vars < s.n_present)
        s.row_vars++;
    ck_assert_uint_le(s.n_present, COUNT(all_rows));
    s.present = all_rows;
    return s;
}

static void expect_same_shape(const pcs_shape *a, const pcs_shape *b) {
    ck_assert_uint_eq(a->row_vars, b->row_vars);
    ck_assert_uint_eq(a->col_vars, b->col_vars);
    ck_assert_uint_eq(a->rate_bits, b->rate_bits);
    ck_assert_uint_eq(a->digest_bytes, b->digest_bytes);
    ck_assert_uint_eq(a->n_present, b->n_present);
    ck_assert_ptr_eq(a->present, b->present);
}

static void expect_same(const pcs_params *a, const pcs_params *b) {
    ck_assert_uint_eq(a->n_groups, b->n_groups);
    for (unsigned g = 0; g < a->n_groups; g++) {
        expect_same_shape(&a->group[g], &b->group[g]);
        ck_assert_uint_eq(a->group_queries[g], b->group_queries[g]);
        ck_assert_uint_eq(a->group_offset[g], b->group_offset[g]);
    }
    ck_assert_uint_eq(a->n_levels, b->n_levels);
    for (unsigned i = 0; i < a->n_levels; i++) {
        ck_assert_uint_eq(a->level[i].row_vars, b->level[i].row_vars);
        ck_assert_uint_eq(a->level[i].col_vars, b->level[i].col_vars);
        ck_assert_uint_eq(a->level[i].rate_bits, b->level[i].rate_bits);
        ck_assert_uint_eq(a->level[i].queries, b->level[i].queries);
    }
    ck_assert_uint_eq(a->message_vars, b->message_vars);
    ck_assert_uint_eq(a->final_vars, b->final_vars);
    ck_assert_uint_eq(a->query_pow_bits, b->query_pow_bits);
    ck_assert_uint_eq(a->digest_bytes, b->digest_bytes);
}

START_TEST(chosen_parameters_meet_the_target) {
    static const uint64_t cells[] = {1, 2, 3, 100, 1000, 4097, 61706, 65536, 1000003, 1 << 24, 1ull << 28};
    static const unsigned targets[] = {60, 80, 100};
    for (uint32_t i = 0; i < COUNT(all_rows); i++)
        all_rows[i] = i;
    for (size_t i = 0; i < COUNT(cells); i++) {
        for (size_t j = 0; j < COUNT(cells); j++) {
            for (size_t k = 0; k < COUNT(targets); k++) {
                mica_status st = {MICA_OK, ""};
                pcs_params p, again;
                const pcs_shape group[2] = {shape_for(cells[i], targets[k], PCS_ONCE),
                                            shape_for(cells[j], targets[k], PCS_EACH_PROOF)};
                ck_assert_msg(pcs_params_choose(&p, group, 2, targets[k], &st), "%llu %llu %u: %s",
                              (unsigned long long)cells[i], (unsigned long long)cells[j], targets[k],
                              st.message);
                ck_assert(pcs_params_wellformed(&p));
                soundness_budget budget = {.n = 0};
                pcs_budget(&p, 500, &budget);
                ck_assert(soundness_min(&budget) >= (bits16)targets[k] << 16);
                /* a line for neighbours of one rate */
                const unsigned lines = group[0].rate_bits == group[1].rate_bits ? 1 : 2;
                ck_assert_uint_eq(budget.n, 3 + lines + 3 * p.n_levels);
                size_t expected;
                ck_assert(pcs_proof_bytes(&p, &expected) >= expected);
                ck_assert(pcs_params_choose(&again, group, 2, targets[k], &st));
                expect_same(&p, &again);
            }
        }
    }
}
END_TEST

/* The choices are part of the protocol: the prover and the verifier of a vk make them independently. */
START_TEST(chosen_parameters_are_pinned) {
    static const struct {
        uint64_t cells;
        unsigned col_vars, rate_bits;
    } pinned[] = {{1, 0, 1},        {1000, 1, 1},     {61706, 11, 3},
                  {1 << 20, 14, 2}, {1 << 24, 17, 1}, {1 << 27, 19, 1}};
    for (size_t i = 0; i < COUNT(pinned); i++) {
        unsigned b, r;
        pcs_choose_row_bits(pinned[i].cells, 100, PCS_EACH_PROOF, &b, &r);
        ck_assert_msg(b == pinned[i].col_vars && r == pinned[i].rate_bits, "%llu cells: %u, %u",
                      (unsigned long long)pinned[i].cells, b, r);
    }
}
END_TEST

START_TEST(impossible_parameters_are_refused) {
    const pcs_shape good = {2, 5, 2, 26, 3, (const uint32_t[]){0, 1, 3}};
    static const struct {
        int row_vars, col_vars, rate_bits, n_present;
        unsigned security_bits;
        mica_code code;
    } bad[] = {
        {0, 0, 0, -3, 100, MICA_ERR_INTERNAL}, /* no rows */
        {0, 0, -2, 0, 100, MICA_ERR_INTERNAL}, /* rate 1 */
        {0, 0, 7, 0, 100, MICA_ERR_INTERNAL},  /* rate 1/512 */
        {-1, 0, 0, 0, 100, MICA_ERR_INTERNAL}, /* row 3 of 2 */
        {19, 0, 0, 0, 100, MICA_ERR_INTERNAL}, /* too many rows */
        {0, 40, 0, 0, 100, MICA_ERR_INTERNAL}, /* too long for the domain */
        {0, 19, 0, 0, 100, MICA_ERR_LIMIT},    /* 2^26 points leave 98 bits */
        {0, 0, 0, 0, 0, MICA_ERR_LIMIT},       {0, 0, 0, 0, 119, MICA_ERR_LIMIT},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        mica_status st = {MICA_OK, ""};
        pcs_params p;
        pcs_shape s = good;
        s.row_vars += (unsigned)bad[i].row_vars;
        s.col_vars += (unsigned)bad[i].col_vars;
        s.rate_bits += (unsigned)bad[i].rate_bits;
        s.n_present += (uint32_t)bad[i].n_present;
        ck_assert_msg(!pcs_params_choose(&p, &s, 1, bad[i].security_bits, &st), "case %zu", i);
        ck_assert_msg(st.code == bad[i].code, "case %zu: %s", i, st.message);
    }
    mica_status st = {MICA_OK, ""};
    pcs_params p;
    ck_assert(!pcs_params_choose(&p, &good, 0, 100, &st));
    ck_assert(!pcs_params_choose(&p, &good, PCS_MAX_GROUPS + 1, 100, &st));
}
END_TEST

static void add_tests(TCase *c) {
    tcase_add_test(c, chosen_parameters_meet_the_target);
    tcase_add_test(c, chosen_parameters_are_pinned);
    tcase_add_test(c, impossible_parameters_are_refused);
}

int main(void) {
    return run_suite("pcs params", add_tests);
}
