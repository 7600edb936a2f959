/* Table definitions against vectors recomputed in Python from docs/formats.md alone, against libm, and at the
 * extremes of scales; the verifier's evaluation against the definition of the multilinear extension. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../golden/table_vectors.h"
#include "circuit/fixed.h"
#include "circuit/table_eval.h"
#include "mica/table.h"

#define N_VECTORS   (sizeof table_vectors / sizeof *table_vectors)
#define TOP         MICA_MAX_TABLE_VALUE
#define RANDOM_DEFS 400
#define LIBM_DEFS   4000

static uint64_t random_state;

static uint64_t random_u64(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int random_in(int lo, int hi) {
    return lo + (int)(random_u64() % (uint64_t)(hi - lo + 1));
}

static mica_dyadic dyadic(double x) {
    mica_dyadic d;
    ck_assert(mica_dyadic_from_double(&d, x));
    return d;
}

/* A positive scale of any admissible size, its extremes often. */
static mica_dyadic random_scale(int exponent_lo, int exponent_hi) {
    const uint32_t mantissa = 1u << 30 | (uint32_t)(random_u64() >> 34);
    const int pick = random_in(0, 5);
    return (mica_dyadic){(int32_t)(pick == 0   ? 1u << 30
                                   : pick == 1 ? 0x7fffffffu
                                               : mantissa),
                         pick == 2   ? exponent_lo
                         : pick == 3 ? exponent_hi
                                     : random_in(exponent_lo, exponent_hi)};
}

static mica_table_def scaled_def(mica_table_kind kind, unsigned bits, double in_scale, double out_scale) {
    return (mica_table_def){.kind = kind,
                            .bits = (uint8_t)bits,
                            .lo_key = bits ? -(1 << (bits - 1)) : 0,
                            .in_scale = dyadic(in_scale),
                            .out_scale = dyadic(out_scale),
                            .lo_value = -TOP,
                            .hi_value = TOP};
}

static void order(mica_dyadic param[2]) {
    if (mica_dyadic_to_double(param[0]) > mica_dyadic_to_double(param[1])) {
        const mica_dyadic t = param[0];
        param[0] = param[1];
        param[1] = t;
    }
}

static int param_count(mica_table_kind kind) {
    switch (kind) {
    case MICA_TABLE_CLIP:
    case MICA_TABLE_SHRINK:
    case MICA_TABLE_HARD_SIGMOID:
    case MICA_TABLE_HARD_SWISH:
        return 2;
    case MICA_TABLE_LEAKY:
    case MICA_TABLE_THRESHOLD:
    case MICA_TABLE_ELU:
    case MICA_TABLE_POW:
        return 1;
    default:
        return 0;
    }
}

static mica_table_def random_def(void) {
    mica_table_def def = scaled_def((mica_table_kind)random_in(MICA_TABLE_IDENTITY, MICA_TABLE_KINDS - 1),
                                    (unsigned)random_in(0, 9), 1, 1);
    const int near = random_in(0, 1); /* half of them near ordinary scales */
    def.in_scale = random_scale(near ? -45 : -96, near ? -25 : 96);
    def.out_scale = random_scale(near ? -60 : -96, near ? -25 : 96);
    if (random_in(0, 3) == 0)
        def.lo_key = 0;
    if (random_in(0, 1)) {
        def.lo_value = random_in(-TOP, 100);
        def.hi_value = random_in(def.lo_value, TOP);
    }
    for (int i = 0; i < param_count(def.kind); i++) {
        def.param[i] =
            random_in(0, 7) ? random_scale(near ? -33 : -96, near ? -28 : 96) : (mica_dyadic){0, 0};
        if (random_in(0, 1))
            def.param[i].mantissa = -def.param[i].mantissa;
        if (def.kind == MICA_TABLE_POW && random_in(0, 1))
            def.param[i] = dyadic(random_in(-4, 4) / 2.0);
    }
    if (def.kind == MICA_TABLE_CLIP)
        order(def.param);
    return def;
}

START_TEST(vectors_match) {
    const table_vector *v = &table_vectors[_i];
    mica_status st = {0};
    ck_assert_msg(mica_table_validate(&v->def, &st), "vector %d: %s", _i, st.message);
    int32_t *value = malloc(sizeof *value << v->def.bits);
    mica_table_fill(&v->def, value);
    for (uint32_t i = 0; i < v->n_samples; i++) {
        const int32_t key = v->sample[i][0];
        ck_assert_msg(value[key - v->def.lo_key] == v->sample[i][1], "vector %d, key %d: %d, expected %d", _i,
                      key, value[key - v->def.lo_key], v->sample[i][1]);
    }
    uint64_t h = 0;
    for (size_t j = 0; j < (size_t)1 << v->def.bits; j++)
        h = h * 1000003 + (uint64_t)(int64_t)value[j];
    ck_assert_msg(h == v->checksum, "vector %d: checksum %016llx", _i, (unsigned long long)h);
    free(value);
}
END_TEST

static bool is_monotone(mica_table_kind kind) {
    return kind <= MICA_TABLE_EXP || kind == MICA_TABLE_SOFTPLUS || kind == MICA_TABLE_SOFTSIGN ||
           kind == MICA_TABLE_LOG || (kind >= MICA_TABLE_FLOOR && kind <= MICA_TABLE_SIGN);
}

/* Any valid definition: values within bounds, each equal to the single evaluation, and not decreasing where
 * the function is not. */
START_TEST(fill_is_monotone_and_saturates) {
    random_state = 100;
    for (int trial = 0; trial < RANDOM_DEFS; trial++) {
        const mica_table_def def = random_def();
        mica_status st = {0};
        ck_assert_msg(mica_table_validate(&def, &st), "trial %d: %s", trial, st.message);
        int32_t value[512];
        mica_table_fill(&def, value);
        for (int j = 0; j < 1 << def.bits; j++) {
            ck_assert_msg(value[j] >= def.lo_value && value[j] <= def.hi_value, "trial %d row %d", trial, j);
            ck_assert_msg(j == 0 || !is_monotone(def.kind) || value[j - 1] <= value[j],
                          "trial %d kind %d row %d: %d then %d", trial, (int)def.kind, j, value[j - 1],
                          value[j]);
            ck_assert_int_eq(value[j], mica_table_value(&def, def.lo_key + j));
        }
    }
}
END_TEST

static double hard_gate(double x, const double *p) {
    return fmin(fmax(p[0] * x + p[1], 0), 1);
}

static double real_pow(double x, double p) {
    if (x == 0 && p < 0)
        return INFINITY;
    return x < 0 && p != floor(p) ? 0 : pow(x, p);
}

static double real_function(const mica_table_def *def, double x) {
    const double p[2] = {mica_dyadic_to_double(def->param[0]), mica_dyadic_to_double(def->param[1])};
    switch (def->kind) {
    case MICA_TABLE_IDENTITY:
        return x;
    case MICA_TABLE_RELU_SCALED:
        return fmax(x, 0);
    case MICA_TABLE_CLIP:
        return fmin(fmax(x, p[0]), p[1]);
    case MICA_TABLE_SIGMOID:
        return 1 / (1 + exp(-x));
    case MICA_TABLE_TANH:
        return tanh(x);
    case MICA_TABLE_EXP:
        return exp(x);
    case MICA_TABLE_LEAKY:
        return x > 0 ? x : p[0] * x;
    case MICA_TABLE_THRESHOLD:
        return x > p[0] ? x : 0;
    case MICA_TABLE_SHRINK:
        return x < -p[0] ? x + p[1] : x > p[0] ? x - p[1] : 0;
    case MICA_TABLE_HARD_SIGMOID:
        return hard_gate(x, p);
    case MICA_TABLE_HARD_SWISH:
        return x * hard_gate(x, p);
    case MICA_TABLE_ELU:
        return x > 0 ? x : p[0] * expm1(x);
    case MICA_TABLE_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case MICA_TABLE_SOFTSIGN:
        return x / (1 + fabs(x));
    case MICA_TABLE_MISH:
        return x * tanh(x > 30 ? x : log1p(exp(x)));
    case MICA_TABLE_ERF:
        return erf(x);
    case MICA_TABLE_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case MICA_TABLE_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case MICA_TABLE_LOG:
        return x > 0 ? log(x) : -INFINITY;
    case MICA_TABLE_POW:
        return real_pow(x, p[0]);
    case MICA_TABLE_SIN:
        return sin(x);
    case MICA_TABLE_COS:
        return cos(x);
    case MICA_TABLE_FLOOR:
        return floor(x);
    case MICA_TABLE_CEIL:
        return ceil(x);
    case MICA_TABLE_ROUND:
        return nearbyint(x);
    case MICA_TABLE_SIGN:
        return (x > 0) - (x < 0);
    default:
        ck_abort_msg("no such kind");
    }
    return 0;
}

/* The error that docs/formats.md allows the number before rounding. */
static double allowed_error(const mica_table_def *def, double x, double y) {
    switch (def->kind) {
    case MICA_TABLE_THRESHOLD:
    case MICA_TABLE_SHRINK:
    case MICA_TABLE_HARD_SIGMOID:
        return 0x1p-58;
    case MICA_TABLE_ELU:
        return 0x1p-49 * fabs(mica_dyadic_to_double(def->param[0]));
    case MICA_TABLE_SOFTPLUS:
    case MICA_TABLE_LOG:
        return 0x1p-49;
    case MICA_TABLE_SOFTSIGN:
        return 0x1p-58;
    case MICA_TABLE_HARD_SWISH:
    case MICA_TABLE_MISH:
        return 0x1p-48 * fabs(x);
    case MICA_TABLE_ERF:
        return 0x1p-34;
    case MICA_TABLE_GELU:
    case MICA_TABLE_GELU_TANH:
        return 0x1p-34 * fabs(x);
    case MICA_TABLE_POW:
        return 0x1p-48 * (1 + fabs(mica_dyadic_to_double(def->param[0]))) * fabs(y);
    case MICA_TABLE_SIN:
    case MICA_TABLE_COS:
        return 0x1p-39;
    default:
        return 0;
    }
}

/* Arguments beyond the cut-offs of the text, or so close to a jump that its side is not promised. */
static bool is_promised(const mica_table_def *def, double x) {
    const double p[2] = {mica_dyadic_to_double(def->param[0]), mica_dyadic_to_double(def->param[1])};
    const double largest = fmax(fabs(x), fmax(fabs(p[0]), fabs(p[1])));
    switch (def->kind) {
    case MICA_TABLE_THRESHOLD:
        return largest < 0x1p49 && fabs(x - p[0]) > 0x1p-59;
    case MICA_TABLE_SHRINK:
        return largest < 0x1p49 && fabs(fabs(x) - fabs(p[0])) > 0x1p-59;
    case MICA_TABLE_HARD_SIGMOID:
    case MICA_TABLE_HARD_SWISH:
        return fmax(fabs(p[0] * x), fabs(p[1])) < 0x1p20; /* doubles must resolve their sum */
    case MICA_TABLE_SOFTPLUS:
        return largest < 0x1p49;
    case MICA_TABLE_SIN:
    case MICA_TABLE_COS:
        return largest < 0x1p20;
    case MICA_TABLE_POW:
        return fabs(p[0]) < 0x1p10;
    case MICA_TABLE_FLOOR:
    case MICA_TABLE_CEIL:
    case MICA_TABLE_ROUND:
        return largest < 0x1p108;
    default:
        return true;
    }
}

/* Half a unit for the rounding; the rest for libm and the double arithmetic of this test. */
START_TEST(values_agree_with_libm) {
    random_state = 200;
    int compared[MICA_TABLE_KINDS] = {0};
    for (int trial = 0; trial < LIBM_DEFS; trial++) {
        const mica_table_def def = random_def();
        const double unit = mica_dyadic_to_double(def.out_scale);
        for (int j = 0; j < 1 << def.bits; j++) {
            const int32_t key = def.lo_key + j;
            const double x = key * mica_dyadic_to_double(def.in_scale);
            if (!is_promised(&def, x))
                continue;
            const double real = real_function(&def, x);
            const double error = 0.5 + 0.002 + allowed_error(&def, x, real) / unit;
            const double lo = fmax(real / unit - error, def.lo_value - 0.5),
                         hi = fmin(real / unit + error, def.hi_value + 0.5);
            const double y = mica_table_value(&def, key);
            /* outside the bounds, the nearer one */
            ck_assert_msg((y >= lo || y == def.hi_value) && (y <= hi || y == def.lo_value),
                          "trial %d kind %d key %d: %d, libm %.9g +- %.3g", trial, (int)def.kind, key, (int)y,
                          real / unit, error);
            compared[def.kind] += fabs(real / unit) > 2 && y > def.lo_value && y < def.hi_value;
        }
    }
    for (int kind = MICA_TABLE_IDENTITY; kind < MICA_TABLE_KINDS; kind++)
        ck_assert_msg(compared[kind] > 20, "kind %d: only %d values compared", kind, compared[kind]);
}
END_TEST

/* The fast fill of linear kinds against one value at a time, near and far from its limits. */
START_TEST(fill_equals_values) {
    static int32_t value[1 << 12];
    static const mica_table_kind linear[] = {MICA_TABLE_IDENTITY, MICA_TABLE_RELU_SCALED, MICA_TABLE_CLIP};
    for (int round = 0; round < 600; round++) {
        mica_table_def def = random_def();
        if (round % 2) {
            def.kind = linear[round / 2 % 3];
            def.in_scale = random_scale(-30, -30);
            def.out_scale = random_scale(-42, 2);
            def.param[0] = def.param[1] = (mica_dyadic){0, 0};
            if (def.kind == MICA_TABLE_CLIP)
                def.param[1] = random_scale(-30, -18);
        }
        if (round % 6 == 1) { /* ties: an exact half */
            def.in_scale = (mica_dyadic){1 << 30, -31};
            def.out_scale = (mica_dyadic){1 << 30, -30};
        }
        def.bits = (uint8_t)random_in(1, 12);
        def.lo_key = round % 3 ? -(1 << (def.bits - 1)) : 0;
        if (def.kind == MICA_TABLE_RANGE)
            def.lo_key = 0;
        mica_table_fill(&def, value);
        for (int32_t j = 0; j < 1 << def.bits; j++)
            ck_assert_int_eq(value[j], mica_table_value(&def, def.lo_key + j));
    }
}
END_TEST

/* Integer-valued functions give integers where out_scale divides 1, whatever the input's scale. */
START_TEST(steps_are_exact) {
    const double scales[] = {0x1p-4, 0.25, 1, 1.0 / 3, 0.7, 5};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        for (int unit = 0; unit < 2; unit++) {
            for (mica_table_kind kind = MICA_TABLE_FLOOR; kind <= MICA_TABLE_SIGN; kind++) {
                const mica_table_def def = scaled_def(kind, 10, scales[s], unit ? 0.5 : 1);
                for (int32_t key = -512; key < 512; key++) {
                    const double x = key * mica_dyadic_to_double(def.in_scale);
                    ck_assert_msg(mica_table_value(&def, key) == (unit ? 2 : 1) * real_function(&def, x),
                                  "kind %d key %d scale %g", (int)kind, key, scales[s]);
                }
            }
        }
    }
}
END_TEST

START_TEST(poles_saturate) {
    mica_table_def def = scaled_def(MICA_TABLE_LOG, 4, 1, 1);
    def.lo_value = -77;
    ck_assert_int_eq(mica_table_value(&def, 0), -77);
    ck_assert_int_eq(mica_table_value(&def, -8), -77);
    def = scaled_def(MICA_TABLE_POW, 4, 1, 1);
    def.hi_value = 99;
    const struct {
        double p;
        int at_zero, at_minus_two;
    } powers[] = {{0, 1, 1}, {0.5, 0, 0}, {-0.5, 99, 0}, {-1, 99, 0}, {1, 0, -2}, {2, 0, 4}, {3, 0, -8}};
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
        def.param[0] = dyadic(powers[i].p);
        ck_assert_int_eq(mica_table_value(&def, 0), powers[i].at_zero);
        ck_assert_int_eq(mica_table_value(&def, -2), powers[i].at_minus_two);
    }
}
END_TEST

/* The primitives of the text at random and extreme arguments, against long double. */
START_TEST(primitives_are_accurate) {
#if LDBL_MANT_DIG >= 64
    random_state = 350;
    for (int trial = 0; trial < 20000; trial++) {
        const fixed_float z = {FIXED_ONE + (int64_t)(random_u64() >> 4), random_in(-180, 180)};
        const long double log = logl(ldexpl((long double)z.mantissa, z.exponent - 60));
        ck_assert_msg(fabsl(ldexpl((long double)fixed_log(z), -60) - log) < 0x1p-51L, "log, trial %d", trial);
        const i128 u = (i128)(int64_t)random_u64() * (1 << 17) / ((i128)1 << random_in(0, 60));
        const long double x = ldexpl((long double)u, -60);
        ck_assert_msg(fabsl(ldexpl((long double)fixed_sin(u, 0), -60) - sinl(x)) < 0x1p-39L, "sin %Lg", x);
        ck_assert_msg(fabsl(ldexpl((long double)fixed_sin(u, 1), -60) - cosl(x)) < 0x1p-39L, "cos %Lg", x);
        const int64_t a = (int64_t)(random_u64() >> 1) >> random_in(20, 62);
        const int64_t y = fixed_erf(a);
        ck_assert_msg(fabsl(ldexpl((long double)y, -60) - erfl(ldexpl((long double)a, -40))) < 0x1p-34L &&
                          y >= 0 && y <= FIXED_ONE,
                      "erf of %lld", (long long)a);
    }
#endif
}
END_TEST

START_TEST(relu_is_exact) {
    const mica_table_def def = {.kind = MICA_TABLE_RELU, .bits = 18, .lo_key = -(1 << 17)};
    int32_t *value = malloc(sizeof *value << 18);
    mica_table_fill(&def, value);
    for (int32_t key = -(1 << 17); key < 1 << 17; key++)
        ck_assert_int_eq(value[key + (1 << 17)], key > 0 ? key : 0);
    free(value);
    ck_assert_uint_eq(mica_table_width(&def), 2);
    const mica_table_def range = {.kind = MICA_TABLE_RANGE, .bits = 3};
    int32_t zero[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    mica_table_fill(&range, zero);
    for (int j = 0; j < 8; j++)
        ck_assert_int_eq(zero[j], 0);
    ck_assert_uint_eq(mica_table_width(&range), 1);
}
END_TEST

START_TEST(ties_round_up) {
    const mica_dyadic one = dyadic(1);
    for (int a = -9; a <= 9; a++) {
        const int expected = (int)floor(a / 2.0 + 0.5);
        ck_assert_int_eq(fixed_round_ratio((i128)a * one.mantissa, -1, one.mantissa), expected);
        ck_assert_int_eq(fixed_round_ratio((i128)a * 16, 26, 1 << 30), a); /* 16 * 2^26 = 2^30 */
    }
    ck_assert_int_eq(fixed_round_ratio(0, 1000, 1 << 30), 0);
    ck_assert_int_eq(fixed_round_ratio(1, 1000, 1 << 30), INT32_MAX);
    ck_assert_int_eq(fixed_round_ratio(-1, 1000, 1 << 30), INT32_MIN);
    ck_assert_int_eq(fixed_round_ratio(-(((i128)1 << 112) - 1), -1000, 1 << 30), 0);
    ck_assert_int_eq(fixed_round_ratio(((i128)1 << 112) - 1, 0, 1 << 30), INT32_MAX);
    ck_assert_int_eq(fixed_round_ratio(-(((i128)1 << 112) - 1), 0, 1 << 30), INT32_MIN);
}
END_TEST

/* Against the compiler's division, at all sizes. */
START_TEST(division_rounds_down) {
    random_state = 250;
    for (int trial = 0; trial < 100000; trial++) {
        const i128 any = ((i128)(int64_t)random_u64() * ((i128)1 << 63) + (int64_t)(random_u64() >> 1)) / 2;
        i128 a = any >> random_in(0, 126);
        const int64_t b = (int64_t)(random_u64() >> random_in(2, 63)) + (trial % 2);
        if (b == 0)
            continue;
        if (trial % 3 == 0)
            a -= a % b; /* an exact multiple */
        const i128 expected = a / b - (a % b < 0);
        ck_assert_msg(fixed_floor_div(a, b) == expected, "trial %d", trial);
    }
    const i128 top = (i128)(((unsigned __int128)1 << 127) - 1);
    ck_assert(fixed_floor_div(top, 1) == top && fixed_floor_div(-top, 1) == -top);
    ck_assert(fixed_floor_div(0, 3) == 0 && fixed_floor_div(-1, INT64_MAX / 2) == -1);
}
END_TEST

/* exp to 2^-50 of its size, against long double arithmetic with 64 bits. */
START_TEST(exp_is_accurate) {
#if LDBL_MANT_DIG >= 64
    random_state = 300;
    for (int trial = 0; trial < 20000; trial++) {
        const i128 any = (i128)((int64_t)random_u64() >> random_in(0, 63)) * (1 << random_in(0, 4));
        const i128 u = trial < 2 ? (i128)(1 - 2 * trial) * ((i128)1 << 67) : any;
        const fixed_float e = fixed_exp(u);
        ck_assert(e.mantissa >= FIXED_ONE && e.mantissa >> 1 < FIXED_ONE);
        const long double expected = expl(ldexpl((long double)u, -60));
        const long double got = ldexpl((long double)e.mantissa, e.exponent - 60);
        ck_assert_msg(fabsl(got - expected) <= ldexpl(expected, -50), "trial %d: u = %Lg", trial,
                      (long double)u);
    }
#endif
}
END_TEST

START_TEST(dyadic_from_double) {
    static const struct {
        double x;
        bool ok;
        mica_dyadic expected;
    } cases[] = {
        {0.0, true, {0, 0}},
        {-0.0, true, {0, 0}},
        {1.0, true, {1 << 30, -30}},
        {-1.0, true, {-(1 << 30), -30}},
        {0x1.fffffffcp0, true, {0x7fffffff, -30}},
        {0x1.fffffffep0, true, {1 << 30, -29}}, /* a tie: up to even, into the next binade */
        {0x1.fffffffdp0, true, {0x7fffffff, -30}},
        {0x1.00000002p0, true, {1 << 30, -30}}, /* a tie: down to even */
        {0x1.00000006p0, true, {(1 << 30) + 2, -30}},
        {0x1.0000000200001p0, true, {(1 << 30) + 1, -30}},
        {0x1p-66, true, {1 << 30, -96}},
        {0x1.ffffffffffffep-67, true, {1 << 30, -96}},
        {0x1.8p-67, false, {0, 0}},
        {0x1.fffffffcp126, true, {0x7fffffff, 96}},
        {0x1.fffffffep126, false, {0, 0}},
        {0x1p127, false, {0, 0}},
        {DBL_MIN, false, {0, 0}},
        {DBL_MAX, false, {0, 0}},
        {0x1p-1074, false, {0, 0}},
        {INFINITY, false, {0, 0}},
        {-INFINITY, false, {0, 0}},
        {NAN, false, {0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_dyadic d = {7, 7};
        ck_assert_msg(mica_dyadic_from_double(&d, cases[i].x) == cases[i].ok, "case %zu", i);
        ck_assert_msg(d.mantissa == cases[i].expected.mantissa && d.exponent == cases[i].expected.exponent,
                      "case %zu: %d * 2^%d", i, d.mantissa, d.exponent);
    }
    random_state = 400;
    for (int trial = 0; trial < 20000; trial++) {
        const double x = ldexp((double)(int64_t)random_u64(), random_in(-120, 60));
        mica_dyadic d, again;
        ck_assert(mica_dyadic_from_double(&d, x));
        const double y = mica_dyadic_to_double(d);
        ck_assert(fabs(y - x) <= ldexp(fabs(x), -31));
        ck_assert(mica_dyadic_from_double(&again, y));
        ck_assert(again.mantissa == d.mantissa && again.exponent == d.exponent);
    }
}
END_TEST

/* Each case breaks one rule of an otherwise valid definition. */
START_TEST(validate_is_strict) {
    const mica_table_def range = {.kind = MICA_TABLE_RANGE, .bits = 4};
    const mica_table_def relu = {.kind = MICA_TABLE_RELU, .bits = 4, .lo_key = -8};
    const mica_table_def identity = scaled_def(MICA_TABLE_IDENTITY, 4, 0.5, 2);
    mica_table_def clip = scaled_def(MICA_TABLE_CLIP, 4, 0.5, 2);
    clip.param[0] = dyadic(-1);
    clip.param[1] = dyadic(6);
    const mica_table_def good[] = {range, relu, identity, clip};
    for (int i = 0; i < 4; i++)
        ck_assert(mica_table_validate(&good[i], NULL));
#define BROKEN(base, change)                                                                                 \
    do {                                                                                                     \
        mica_table_def d = base;                                                                             \
        mica_status st = {0};                                                                                \
        d.change;                                                                                            \
        ck_assert_msg(!mica_table_validate(&d, &st) && st.code == MICA_ERR_FORMAT && st.message[0],          \
                      #base ": " #change);                                                                   \
    } while (0)
    BROKEN(range, kind = MICA_TABLE_KINDS);
    BROKEN(range, kind = (mica_table_kind)0xffffffffu);
    BROKEN(range, bits = MICA_MAX_TABLE_BITS + 1);
    BROKEN(range, bits = 255);
    BROKEN(range, lo_key = -8);
    BROKEN(range, lo_key = 1);
    BROKEN(range, in_scale = dyadic(1));
    BROKEN(range, out_scale.exponent = 1);
    BROKEN(range, lo_value = -1);
    BROKEN(range, hi_value = 1);
    BROKEN(range, param[0].exponent = 1);
    BROKEN(relu, lo_key = -7);
    BROKEN(relu, lo_key = 8);
    BROKEN(relu, lo_key = INT32_MIN);
    BROKEN(relu, bits = 0);
    BROKEN(relu, param[1] = dyadic(1));
    BROKEN(relu, out_scale = dyadic(1));
    BROKEN(identity, in_scale.mantissa = 0);
    BROKEN(identity, in_scale.mantissa = -identity.in_scale.mantissa);
    BROKEN(identity, in_scale.mantissa = (1 << 30) - 1);
    BROKEN(identity, out_scale.mantissa = INT32_MIN);
    BROKEN(identity, in_scale.exponent = 97);
    BROKEN(identity, in_scale.exponent = INT32_MIN);
    BROKEN(identity, out_scale.exponent = -97);
    BROKEN(identity, out_scale.exponent = INT32_MAX);
    BROKEN(identity, lo_value = TOP + 1);
    BROKEN(identity, lo_value = INT32_MIN);
    BROKEN(identity, hi_value = -TOP - 1);
    BROKEN(identity, hi_value = INT32_MAX);
    BROKEN(identity, param[0] = dyadic(1));
    BROKEN(clip, param[0] = dyadic(6.5));
    BROKEN(clip, param[1] = dyadic(-1.5));
    BROKEN(clip, param[1] = dyadic(-2.5));
    BROKEN(clip, param[0].exponent = 97);
    BROKEN(clip, param[0].mantissa = 1);
    BROKEN(clip, param[1].mantissa = 0);
    mica_table_def leaky = identity;
    leaky.kind = MICA_TABLE_LEAKY;
    leaky.param[0] = dyadic(-0.25);
    ck_assert(mica_table_validate(&leaky, NULL));
    BROKEN(leaky, param[1] = dyadic(1));
    BROKEN(leaky, param[0].mantissa = 3);
    BROKEN(leaky, in_scale.mantissa = 0);
    BROKEN(leaky, kind = MICA_TABLE_SIN);
#undef BROKEN
}
END_TEST

/* The order on dyadics, by validation of clip bounds, agrees with that of the reals. */
START_TEST(clip_bounds_are_ordered) {
    random_state = 500;
    for (int trial = 0; trial < 5000; trial++) {
        mica_table_def d = scaled_def(MICA_TABLE_CLIP, 2, 1, 1);
        for (int i = 0; i < 2; i++) {
            d.param[i] = random_in(0, 9) ? random_scale(-2, 2) : (mica_dyadic){0, 0};
            if (random_in(0, 1))
                d.param[i].mantissa = -d.param[i].mantissa;
        }
        ck_assert(mica_table_validate(&d, NULL) ==
                  (mica_dyadic_to_double(d.param[0]) <= mica_dyadic_to_double(d.param[1])));
    }
}
END_TEST

static qm31 random_qm31(void) {
    return (qm31){{(m31)(random_u64() % M31_P), (m31)(random_u64() % M31_P), (m31)(random_u64() % M31_P),
                   (m31)(random_u64() % M31_P)}};
}

static qm31 eq_index(const qm31 *z, unsigned n, size_t index) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < n; i++)
        product = qm31_mul(product, index >> i & 1 ? z[i] : qm31_sub(qm31_one(), z[i]));
    return product;
}

static void check_eval(const mica_table_def *def) {
    const size_t rows = (size_t)1 << def->bits;
    qm31 z[10], eq[512], key = qm31_zero(), value = qm31_zero(), got_key, got_value;
    int32_t values[512];
    for (unsigned i = 0; i < def->bits; i++)
        z[i] = random_qm31();
    mica_table_fill(def, values);
    for (size_t j = 0; j < rows; j++) {
        eq[j] = eq_index(z, def->bits, j);
        key = qm31_add(key, qm31_mul_i32(eq[j], def->lo_key + (int32_t)j));
        value = qm31_add(value, qm31_mul_i32(eq[j], values[j]));
    }
    const bool structured = table_is_structured(def);
    table_eval(def, z, structured ? NULL : eq, structured ? NULL : values, &got_key, &got_value);
    ck_assert_msg(qm31_eq(key, got_key), "key of kind %d, %u bits", (int)def->kind, def->bits);
    ck_assert_msg(qm31_eq(value, got_value), "value of kind %d, %u bits", (int)def->kind, def->bits);
}

START_TEST(evaluation_is_the_multilinear_extension) {
    random_state = 600;
    for (unsigned bits = 0; bits <= 9; bits++) {
        const mica_table_def exact[] = {
            {.kind = MICA_TABLE_RANGE, .bits = (uint8_t)bits},
            {.kind = MICA_TABLE_RELU, .bits = (uint8_t)bits},
            {.kind = MICA_TABLE_RELU, .bits = (uint8_t)bits, .lo_key = bits ? -(1 << (bits - 1)) : 0}};
        for (int i = 0; i < 3; i++)
            check_eval(&exact[i]);
    }
    for (int trial = 0; trial < 50; trial++) {
        const mica_table_def def = random_def();
        check_eval(&def);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("table");
    TCase *t = tcase_create("table");
    tcase_add_loop_test(t, vectors_match, 0, (int)N_VECTORS);
    tcase_add_test(t, fill_is_monotone_and_saturates);
    tcase_add_test(t, values_agree_with_libm);
    tcase_add_test(t, fill_equals_values);
    tcase_add_test(t, steps_are_exact);
    tcase_add_test(t, poles_saturate);
    tcase_add_test(t, primitives_are_accurate);
    tcase_add_test(t, relu_is_exact);
    tcase_add_test(t, ties_round_up);
    tcase_add_test(t, division_rounds_down);
    tcase_add_test(t, exp_is_accurate);
    tcase_add_test(t, dyadic_from_double);
    tcase_add_test(t, validate_is_strict);
    tcase_add_test(t, clip_bounds_are_ordered);
    tcase_add_test(t, evaluation_is_the_multilinear_extension);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
