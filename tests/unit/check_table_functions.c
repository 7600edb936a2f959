/* Values of tables against libm, and at the extremes of scales. */
#include <float.h>

#include "circuit/fixed.h"
#include "table_kit.h"

#define LIBM_DEFS 4000

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

int main(void) {
    Suite *s = suite_create("table functions");
    TCase *t = tcase_create("functions");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, values_agree_with_libm);
    tcase_add_test(t, fill_equals_values);
    tcase_add_test(t, steps_are_exact);
    tcase_add_test(t, poles_saturate);
    suite_add_tcase(s, t);
    return suite_run(s);
}
