/* Cheating provers. The prover under test is this file's own copy of the opening with the hooks of
 * pcs/pcs_cheat.h; everything else comes from the libraries. */
#define MICA_CHEAT
#include "pcs/pcs_columns_prove.c"
#include "pcs/pcs_open_prove.c"
#include "pcs/pcs_rows_prove.c"

#include "pcs_instance.h"

/* Follows how far the verifier's claim is off, so that a message can be forged to make up for it exactly. */
typedef struct cheat_state {
    qm31 error;
    unsigned lie_level, lie_variable; /* round in which g(0) is shifted, the sum kept right */
    qm31 lie;
    unsigned forge_step; /* step whose message makes up for the error; UINT32_MAX: none */
    bool forged;
    unsigned column_step, column_source; /* source whose first column is altered; UINT32_MAX: none */
} cheat_state;

static void cheat_round(void *ctx, unsigned level, unsigned variable, qm31 message[2]) {
    const cheat_state *s = ctx;
    if (level == s->lie_level && variable == s->lie_variable)
        message[0] = qm31_add(message[0], s->lie);
}

/* Honest rounds on a claim off by e end off by x e; a lie of d in g(0), and so of -d in g(1), adds (1 - 2x)
 * d. */
static void cheat_point(void *ctx, unsigned level, unsigned variable, qm31 x) {
    cheat_state *s = ctx;
    s->error = qm31_mul(s->error, x);
    if (level == s->lie_level && variable == s->lie_variable) {
        const qm31 factor = qm31_sub(qm31_one(), qm31_add(x, x));
        s->error = qm31_add(s->error, qm31_mul(factor, s->lie));
    }
}

static void cheat_message(void *ctx, unsigned step, qvec message, qvec form, size_t n) {
    cheat_state *s = ctx;
    if (step != s->forge_step)
        return;
    for (size_t i = 0; i < n && !s->forged; i++) {
        const qm31 f = qvec_get(form, i);
        if (qm31_is_zero(f))
            continue;
        const qm31 shift = qm31_mul(s->error, qm31_inv(f));
        qvec_set(message, i, qm31_add(qvec_get(message, i), shift));
        s->forged = true;
        s->error = qm31_zero();
    }
}

static void cheat_columns(void *ctx, unsigned step, unsigned source, const uint32_t *index, m31 *column,
                          size_t n, size_t n_words) {
    const cheat_state *s = ctx;
    (void)index;
    if (step == s->column_step && source == s->column_source)
        column[(n - 1) * n_words] = m31_add(column[(n - 1) * n_words], 1);
}

static const cheat_state honest_state = {
    .lie_level = UINT32_MAX, .forge_step = UINT32_MAX, .column_step = UINT32_MAX};

static void prove_cheating(instance *x, cheat_state *s) {
    const pcs_cheat cheat = {s, cheat_round, cheat_point, cheat_message, cheat_columns};
    pcs_cheating = &cheat;
    prove(x);
    pcs_cheating = NULL;
}

/* The hooks alone change nothing. */
START_TEST(idle_hooks_are_honest) {
    seed = 20;
    instance *x = instance_new(&cases[_i], true);
    cheat_state s = honest_state;
    prove_cheating(x, &s);
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

/* A false claim whose error is repaired by a forged message at every step in turn: a wrong y (step 0), a
 * wrong folded message, a wrong clear message (the last). The linear form then holds; only the queries can
 * tell. */
START_TEST(forged_message_is_rejected) {
    seed = 21;
    instance *x = instance_new(&cases[_i], true);
    const qm31 value = x->claim[0].value;
    for (unsigned step = 0; step <= x->p.n_levels; step++) {
        cheat_state s = honest_state;
        s.error = random_qm31();
        s.forge_step = step;
        x->claim[0].value = qm31_add(value, s.error);
        prove_cheating(x, &s);
        ck_assert_msg(s.forged, "%s: step %u", x->c->name, step);
        expect_rejected(x, MICA_REJECT_OPENING, "a forged message");
        ck_assert_uint_eq(x->verdict.round, x->p.n_levels);
        /* With the clear message forged the form holds, and it must be the columns that give it away. */
        if (step == x->p.n_levels)
            ck_assert_ptr_ne(strstr(x->verdict.detail, "column"), NULL);
        x->claim[0].value = value;
    }
    instance_free(x);
}
END_TEST

/* The forgery is exact: the form holds on it, and it is the queries that catch it. */
START_TEST(forged_message_satisfies_the_form) {
    seed = 22;
    instance *x = instance_new(&cases[_i], true);
    cheat_state s = honest_state;
    s.error = random_qm31();
    s.forge_step = x->p.n_levels;
    x->claim[0].value = qm31_add(x->claim[0].value, s.error);
    prove_cheating(x, &s);
    ck_assert(!verify(x));
    ck_assert_ptr_ne(strstr(x->verdict.detail, "queried column"), NULL);
    s = honest_state; /* the same lie without the forgery fails on the form instead */
    prove_cheating(x, &s);
    ck_assert(!verify(x));
    ck_assert_ptr_ne(strstr(x->verdict.detail, "linear form"), NULL);
    instance_free(x);
}
END_TEST

/* A lie in one round with the sum right, left alone or repaired by the next message. */
START_TEST(round_lie_is_rejected) {
    seed = 23;
    instance *x = instance_new(&cases[_i], true);
    for (unsigned level = 0; level <= x->p.n_levels; level++) {
        const unsigned rounds = level ? x->p.level[level - 1].row_vars : pcs_row_vars(&x->p);
        for (unsigned v = 0; v < rounds; v++) {
            for (unsigned repair = 0; repair < 2; repair++) {
                cheat_state s = honest_state;
                s.lie_level = level;
                s.lie_variable = v;
                s.lie = random_qm31();
                if (repair)
                    s.forge_step = level;
                prove_cheating(x, &s);
                ck_assert(s.forged == (repair == 1));
                expect_rejected(x, MICA_REJECT_OPENING, "a lie in a round");
            }
        }
    }
    instance_free(x);
}
END_TEST

START_TEST(uncommitted_column_is_rejected) {
    seed = 24;
    instance *x = instance_new(&cases[_i], true);
    for (unsigned step = 0; step <= x->p.n_levels; step++) {
        pcs_source source[PCS_MAX_GROUPS];
        const unsigned n = pcs_step_sources(&x->p, step, source);
        for (unsigned i = 0; i < n; i++) {
            cheat_state s = honest_state;
            s.column_step = step;
            s.column_source = i;
            prove_cheating(x, &s);
            expect_rejected(x, MICA_REJECT_MERKLE, "an uncommitted column");
            ck_assert_uint_eq(x->verdict.round, step);
        }
    }
    instance_free(x);
}
END_TEST

/* Replaces the first row of a group's codeword at the first `bad` of every 8 positions and commits to that.
 */
static void corrupt_codeword(instance *x, unsigned g, unsigned bad) {
    pcs_committed *c = &x->group[g];
    const pcs_shape *s = &c->shape;
    const size_t n = (size_t)1 << (s->col_vars + s->rate_bits);
    for (size_t j = 0; j < n; j++) {
        if (j % 8 < bad)
            c->codeword[j] = m31_add(c->codeword[j], 1 + (m31)(next() % 1000));
    }
    const m31 **row = malloc(s->n_present * sizeof *row);
    ck_assert(row != NULL);
    for (uint32_t i = 0; i < s->n_present; i++)
        row[i] = c->codeword + i * n;
    merkle_build(&c->tree, row, s->n_present);
    memcpy(x->root[g], c->tree.node + MERKLE_DIGEST, MERKLE_DIGEST);
    free(row);
}

START_TEST(non_codeword_is_rejected) {
    const opening_case *c = &cases[_i];
    for (unsigned g = 0; g < c->n_groups; g++) {
        seed = 25 + g;
        instance *x = instance_new(c, true);
        corrupt_codeword(x, g, 8);
        prove(x);
        expect_rejected(x, MICA_REJECT_OPENING, "a commitment to a word that is no codeword");
        instance_free(x);
    }
}
END_TEST

/* One query into a word that is wrong on half of the points is caught half of the time: queries are uniform,
 * and each one is a test. */
START_TEST(queries_catch_at_the_expected_rate) {
    static const opening_case one = {"one query", 1, {{1, 7, 1, ALL}}, 1, {{3, 1}}, 1, 0};
    unsigned accepted = 0;
    seed = 99;
    instance *x = instance_new(&one, true);
    corrupt_codeword(x, 0, 4);
    for (unsigned i = 0; i < 400; i++) {
        /* A true claim at a fresh point gives fresh challenges. */
        qm31 *point = (qm31 *)(uintptr_t)x->claim[0].point;
        point[0] = random_qm31();
        for (size_t j = 0; j < x->n_claims; j++)
            x->claim[j].value = evaluate(x, x->claim[j].group, x->claim[j].point);
        prove(x);
        accepted += verify(x);
    }
    ck_assert_msg(accepted > 150 && accepted < 250, "%u of 400", accepted); /* 5 standard deviations */
    instance_free(x);
}
END_TEST

static void add_tests(TCase *c) {
    tcase_add_loop_test(c, idle_hooks_are_honest, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, forged_message_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, forged_message_satisfies_the_form, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, round_lie_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, uncommitted_column_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, non_codeword_is_rejected, 0, (int)COUNT(cases));
    tcase_add_test(c, queries_catch_at_the_expected_rate);
}

int main(void) {
    return run_suite("pcs cheating", add_tests);
}
