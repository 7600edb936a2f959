/* code/: the domains, the two identities of the code, its degree, and codewords computed by definition. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../golden/line_code_vectors.h"
#include "base/cpu.h"
#include "code/circle.h"
#include "code/line_code.h"
#include "poly/mle.h"
#include "random_field.h"
#include "suite.h"

#define MAX_DOMAIN_LOG 12

static int compare(const void *a, const void *b) {
    const m31 x = *(const m31 *)a, y = *(const m31 *)b;
    return (x > y) - (x < y);
}

static m31 *domain(unsigned k) {
    m31 *x = malloc(sizeof(m31) << k);
    line_domain d;
    line_domain_begin(&d, k);
    for (uint32_t j = 0; j < 1u << k; j++) {
        x[j] = line_domain_at(k, j);
        ck_assert_uint_eq(line_domain_point(&d, j), x[j]);
    }
    return x;
}

START_TEST(circle) {
    const circle_point g = CIRCLE_GENERATOR;
    ck_assert_uint_eq(m31_add(m31_mul(g.x, g.x), m31_mul(g.y, g.y)), 1);
    /* g^(2^30) = (-1, 0), the point of order 2: the order of g is 2^31. */
    const circle_point minus_one = circle_pow(g, 1u << 30);
    ck_assert_uint_eq(minus_one.x, M31_P - 1);
    ck_assert_uint_eq(minus_one.y, 0);
    for (unsigned j = 1; j <= 31; j++) {
        const circle_point q = circle_of_order(j), last = circle_pow(q, 1u << (j - 1));
        ck_assert_uint_eq(last.x, M31_P - 1);
        ck_assert_uint_eq(circle_double_x(q.x), circle_of_order(j - 1).x);
    }
}
END_TEST

/* S_k is symmetric, index j + 2^(k-1) holding -x_j; has 2^k distinct points, none zero; and 2x^2 - 1 maps
 * index j to index j mod 2^(k-1) of S_(k-1), hence two to one. */
START_TEST(domains) {
    for (unsigned k = 1; k <= MAX_DOMAIN_LOG; k++) {
        const uint32_t n = 1u << k;
        m31 *x = domain(k);
        for (uint32_t j = 0; j < n; j++) {
            if (x[j] == 0 || m31_add(x[j], x[(j + n / 2) % n]) != 0)
                ck_abort_msg("S_%u is not symmetric at %u", k, j);
            if (k > 1 && circle_double_x(x[j]) != line_domain_at(k - 1, j % (n / 2)))
                ck_abort_msg("S_%u does not cover S_%u at %u", k, k - 1, j);
        }
        qsort(x, n, sizeof *x, compare);
        for (uint32_t j = 1; j < n; j++) {
            if (x[j] == x[j - 1])
                ck_abort_msg("S_%u has the point %u twice", k, x[j]);
        }
        free(x);
    }
}
END_TEST

/* The largest domains, at sampled indices. */
START_TEST(large_domains) {
    uint64_t seed = 1;
    for (unsigned k = MAX_DOMAIN_LOG + 1; k <= 29; k++) {
        line_domain d;
        line_domain_begin(&d, k);
        for (unsigned round = 0; round < 100; round++) {
            const uint32_t half = 1u << (k - 1), j = (uint32_t)random_u64(&seed) % half;
            const m31 x = line_domain_at(k, j);
            ck_assert_uint_eq(line_domain_point(&d, j), x);
            ck_assert_uint_eq(line_domain_point(&d, j + half), M31_P - x);
            ck_assert_uint_eq(m31_add(x, line_domain_at(k, j + half)), 0);
            ck_assert_uint_eq(circle_double_x(x), line_domain_at(k - 1, j));
        }
    }
}
END_TEST

/* T_{2^j} by the three-term recurrence. */
START_TEST(functional) {
    uint64_t seed = 2;
    for (unsigned round = 0; round < 20; round++) {
        const m31 x = random_m31(&seed);
        m31 t[9], before = 1, at = x; /* T_(n-1), T_n */
        line_functional(x, 9, t);
        for (unsigned n = 1; n <= 256; n++) {
            if ((n & (n - 1)) == 0)
                ck_assert_uint_eq(t[__builtin_ctz(n)], at);
            const m31 next = m31_sub(m31_mul(m31_mul(2, x), at), before);
            before = at;
            at = next;
        }
    }
}
END_TEST

/* w_x[i] = prod_j t_j^{i_j}. */
static void functional_vector(const m31 *t, unsigned b, m31 *w) {
    w[0] = 1;
    for (unsigned j = 0; j < b; j++) {
        for (size_t i = 0; i < (size_t)1 << j; i++)
            w[((size_t)1 << j) + i] = m31_mul(w[i], t[j]);
    }
}

START_TEST(functional_at) {
    uint64_t seed = 3;
    for (unsigned b = 0; b <= 8; b++) {
        m31 t[8], w[256];
        qm31 z[8], eq[256], sum = qm31_zero();
        random_m31s(t, b, &seed);
        for (unsigned j = 0; j < b; j++)
            z[j] = random_qm31(&seed);
        functional_vector(t, b, w);
        mle_eq_table(z, b, eq);
        for (size_t i = 0; i < (size_t)1 << b; i++)
            sum = qm31_add(sum, qm31_mul_m31(eq[i], w[i]));
        ck_assert(qm31_eq(line_functional_at(t, b, z), sum));
    }
}
END_TEST

static const line_twiddles *twiddles(unsigned k) {
    mica_status st = {0};
    const line_twiddles *tw = line_twiddles_get(k, &st);
    ck_assert_msg(tw != NULL, "%s", st.message);
    return tw;
}

START_TEST(golden) {
    mica_cpu_limit((mica_cpu_level)_i);
    for (size_t c = 0; c < sizeof line_code_vectors / sizeof *line_code_vectors; c++) {
        const line_code_vector *vector = &line_code_vectors[c];
        const unsigned k = vector->b + vector->r;
        m31 out[256];
        ck_assert_uint_le(k, 8);
        line_encode(twiddles(k), vector->message, vector->b, vector->r, out);
        ck_assert_msg(memcmp(out, vector->codeword, sizeof(m31) << k) == 0, "b = %u, r = %u", vector->b,
                      vector->r);
    }
}
END_TEST

/* (I1) at position j. */
static void check_position(const m31 *v, const m31 *code, unsigned b, unsigned r, uint32_t j, m31 *w) {
    m31 t[LINE_CODE_MAX_LOG], sum = 0;
    line_functional(line_domain_at(b + r, j), b, t);
    functional_vector(t, b, w);
    for (size_t i = 0; i < (size_t)1 << b; i++)
        sum = m31_add(sum, m31_mul(v[i], w[i]));
    if (code[j] != sum)
        ck_abort_msg("Enc(v)[%u] is %u, not %u (b = %u, r = %u, level %s)", j, code[j], sum, b, r,
                     mica_cpu_level_name(mica_cpu_level_get()));
}

/* Every shape up to 2^10 points at every position, larger ones (all three stages, uneven groups of outer
 * layers) at sampled positions. The codeword is exactly as long as it should be. */
START_TEST(identity_1) {
    static m31 v[1 << 17], w[1 << 17], code[(1 << 18) + 1];
    uint64_t seed = 4;
    mica_cpu_limit((mica_cpu_level)_i);
    random_m31s(v, sizeof v / sizeof *v, &seed);
    for (unsigned k = 1; k <= 18; k++) {
        for (unsigned r = 0; r <= k; r++) {
            const unsigned b = k - r;
            const uint32_t n = 1u << k;
            if (b > 17 || (k > 12 && r > 3 && r != 7))
                continue;
            code[n] = 0xdeadbeef;
            line_encode(twiddles(k), v, b, r, code);
            ck_assert_uint_eq(code[n], 0xdeadbeef);
            for (uint32_t s = 0; s < (k <= 9 ? n : 12); s++)
                check_position(v, code, b, r, k <= 9 ? s : (uint32_t)random_u64(&seed) % n, w);
        }
    }
}
END_TEST

START_TEST(identity_2) {
    static m31 v[3][1 << 12], code[3][1 << 15];
    uint64_t seed = 5;
    for (unsigned b = 0; b <= 12; b++) {
        for (unsigned r = b == 0; r <= 3; r++) {
            const m31 c = random_m31(&seed);
            for (size_t i = 0; i < (size_t)1 << b; i++) {
                v[0][i] = random_m31(&seed);
                v[1][i] = random_m31(&seed);
                v[2][i] = m31_add(v[0][i], m31_mul(c, v[1][i]));
            }
            for (unsigned j = 0; j < 3; j++)
                line_encode(twiddles(b + r), v[j], b, r, code[j]);
            for (size_t i = 0; i < (size_t)1 << (b + r); i++) {
                if (code[2][i] != m31_add(code[0][i], m31_mul(c, code[1][i])))
                    ck_abort_msg("not linear at %zu (b = %u, r = %u)", i, b, r);
            }
        }
    }
}
END_TEST

/* The value at z of the polynomial of degree < n through (x_i, y_i). */
static m31 interpolate(const m31 *x, const m31 *y, size_t n, m31 z) {
    m31 sum = 0;
    for (size_t i = 0; i < n; i++) {
        m31 above = y[i], below = 1;
        for (size_t j = 0; j < n; j++) {
            if (j != i) {
                above = m31_mul(above, m31_sub(z, x[j]));
                below = m31_mul(below, m31_sub(x[i], x[j]));
            }
        }
        sum = m31_add(sum, m31_mul(above, m31_inv(below)));
    }
    return sum;
}

/* A codeword is a polynomial of degree < 2^b, and of degree 2^b - 1 exactly if the last coefficient is not
 * zero: the code is Reed-Solomon with its full dimension. */
START_TEST(degree) {
    uint64_t seed = 6;
    for (unsigned b = 0; b <= 5; b++) {
        for (unsigned r = 1; r <= 3; r++) {
            const size_t dim = (size_t)1 << b, n = (size_t)1 << (b + r);
            m31 v[32], code[256], *x = domain(b + r);
            random_m31s(v, dim, &seed);
            v[dim - 1] = 1 + (m31)(random_u64(&seed) % (M31_P - 1));
            line_encode(twiddles(b + r), v, b, r, code);
            for (size_t j = dim; j < n; j++)
                ck_assert_uint_eq(interpolate(x, code, dim, x[j]), code[j]);
            if (b > 0)
                ck_assert_uint_ne(interpolate(x, code, dim - 1, x[dim - 1]), code[dim - 1]);
            free(x);
        }
    }
}
END_TEST

START_TEST(limits) {
    mica_status st = {0};
    ck_assert_ptr_null(line_twiddles_get(LINE_CODE_MAX_LOG + 1, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert_ptr_eq(twiddles(3), twiddles(9));
}
END_TEST

int main(void) {
    Suite *s = suite_create("line_code");
    TCase *t = tcase_create("line_code");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, circle);
    tcase_add_test(t, domains);
    tcase_add_test(t, large_domains);
    tcase_add_test(t, functional);
    tcase_add_test(t, functional_at);
    tcase_add_loop_test(t, golden, MICA_CPU_PORTABLE, MICA_CPU_AVX512 + 1);
    tcase_add_loop_test(t, identity_1, MICA_CPU_PORTABLE, MICA_CPU_AVX512 + 1);
    tcase_add_test(t, identity_2);
    tcase_add_test(t, degree);
    tcase_add_test(t, limits);
    suite_add_tcase(s, t);
    return suite_run(s);
}
