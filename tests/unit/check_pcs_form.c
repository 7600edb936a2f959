/* Terms of the opening's linear form on a message, against their definition as sums over all indices. */
#include <check.h>
#include <stdlib.h>

#include "pcs/pcs_form.h"
#include "random_field.h"
#include "suite.h"

#define MAX_VARS 11

static qm31 message[3 << MAX_VARS], scratch[1 << MAX_VARS];
static m31 words[1 << MAX_VARS];

static void fill_message(uint64_t *seed) {
    for (size_t i = 0; i < sizeof message / sizeof *message; i++)
        message[i] = random_qm31(seed);
}

/* sum over i of message[offset + i] prod_j t_j^{i_j} */
START_TEST(powers) {
    uint64_t seed = 1;
    fill_message(&seed);
    for (unsigned vars = 0; vars <= MAX_VARS; vars++) {
        for (size_t offset = 0; offset < 3u << vars; offset += (size_t)1 << vars) {
            m31 t[MAX_VARS + 1] = {0};
            for (unsigned j = 0; j < vars; j++)
                t[j] = offset ? (m31)(random_u64(&seed) % M31_P) : M31_P - 1 - j % 2;
            qm31 sum = qm31_zero();
            for (size_t i = 0; i < (size_t)1 << vars; i++) {
                m31 weight = 1;
                for (unsigned j = 0; j < vars; j++)
                    weight = i >> j & 1 ? m31_mul(weight, t[j]) : weight;
                sum = qm31_add(sum, qm31_mul_m31(message[offset + i], weight));
            }
            const pcs_term term = {.offset = offset, .vars = vars, .t = t};
            ck_assert_msg(qm31_eq(pcs_query_at(&term, message, words), sum), "%u variables at %zu", vars,
                          offset);
        }
    }
}
END_TEST

/* coef * sum over i of message[offset + i] eq(z, i) */
static qm31 slow_claim(const pcs_term *term) {
    qm31 sum = qm31_zero();
    for (size_t i = 0; i < (size_t)1 << term->vars; i++) {
        qm31 weight = term->coef;
        for (unsigned j = 0; j < term->vars; j++)
            weight = qm31_mul(weight, i >> j & 1 ? term->z[j] : qm31_sub(qm31_one(), term->z[j]));
        sum = qm31_add(sum, qm31_mul(message[term->offset + i], weight));
    }
    return sum;
}

START_TEST(points) {
    uint64_t seed = 2;
    fill_message(&seed);
    for (unsigned vars = 0; vars <= MAX_VARS; vars++) {
        for (size_t offset = 0; offset < 3u << vars; offset += (size_t)1 << vars) {
            qm31 z[MAX_VARS + 1];
            for (unsigned j = 0; j < vars; j++)
                z[j] = random_qm31(&seed);
            pcs_term term = {.coef = random_qm31(&seed), .offset = offset, .vars = vars, .z = z};
            const qm31 sum = slow_claim(&term);
            ck_assert_msg(qm31_eq(pcs_claims_at(&term, 1, message, scratch), sum), "%u variables at %zu",
                          vars, offset);
        }
    }
}
END_TEST

/* Terms that share coordinates: of few values, so that any number of the first ones are equal; of all sizes
 * up to `vars` and at all offsets, equal terms among them. */
START_TEST(shared_points) {
    enum { TERMS = 40 };
    uint64_t seed = 3;
    fill_message(&seed);
    for (unsigned round = 0; round < 60; round++) {
        const unsigned vars = round % 7;
        pcs_term term[TERMS];
        qm31 z[TERMS][8], few[3], sum = qm31_zero();
        for (unsigned i = 0; i < 3; i++)
            few[i] = i == 2 ? qm31_from_m31(round % 2) : random_qm31(&seed);
        for (unsigned k = 0; k < TERMS; k++) {
            const unsigned own = round % 3 ? vars : (unsigned)(random_u64(&seed) % (vars + 1));
            for (unsigned j = 0; j < own; j++)
                z[k][j] = few[random_u64(&seed) % 3];
            term[k] = (pcs_term){.coef = random_qm31(&seed),
                                 .offset = (random_u64(&seed) % (2u << vars)) >> own << own,
                                 .vars = own,
                                 .z = z[k]};
            sum = qm31_add(sum, slow_claim(&term[k]));
        }
        ck_assert_msg(qm31_eq(pcs_claims_at(term, TERMS, message, scratch), sum), "round %u", round);
    }
    ck_assert(qm31_is_zero(pcs_claims_at(NULL, 0, message, scratch)));
}
END_TEST

/* Every length up to several blocks of four, at extreme values too. */
START_TEST(dot) {
    uint64_t seed = 4;
    for (unsigned n = 0; n <= 37; n++) {
        qm31 x[37], sum = qm31_zero();
        m31 w[37];
        for (unsigned i = 0; i < n; i++) {
            const bool most = random_u64(&seed) % 2;
            x[i] = most ? (qm31){{M31_P - 1, M31_P - 1, M31_P - 1, M31_P - 1}} : random_qm31(&seed);
            w[i] = most ? M31_P - 1 : random_m31(&seed);
            sum = qm31_add(sum, qm31_mul_m31(x[i], w[i]));
        }
        ck_assert_msg(qm31_eq(pcs_dot_m31(x, w, n), sum), "length %u", n);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("pcs_form");
    TCase *t = tcase_create("pcs_form");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, powers);
    tcase_add_test(t, points);
    tcase_add_test(t, shared_points);
    tcase_add_test(t, dot);
    suite_add_tcase(s, t);
    return suite_run(s);
}
