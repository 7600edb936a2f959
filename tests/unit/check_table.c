/* Table definitions against vectors recomputed in Python from docs/formats.md alone; what is refused; the
 * verifier's evaluation against the definition of the multilinear extension. */
#include "../golden/table_vectors.h"
#include "circuit/table_eval.h"
#include "poly/mle.h"
#include "table_kit.h"

#define N_VECTORS   (sizeof table_vectors / sizeof *table_vectors)
#define RANDOM_DEFS 400

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

/* Clamps of the key itself may have more rows than what is evaluated row by row. */
START_TEST(structured_tables_may_be_larger) {
    mica_table_def clamp = scaled_def(MICA_TABLE_IDENTITY, MICA_MAX_TABLE_BITS, 3, 3);
    clamp.lo_value = -100;
    clamp.hi_value = 1 << 18;
    mica_table_def relu = clamp;
    relu.kind = MICA_TABLE_RELU_SCALED;
    relu.lo_value = 0;
    const mica_table_def range = {.kind = MICA_TABLE_RANGE, .bits = MICA_MAX_TABLE_BITS};
    ck_assert(mica_table_validate(&clamp, NULL) && mica_table_is_structured(&clamp));
    ck_assert(mica_table_validate(&relu, NULL) && mica_table_is_structured(&relu));
    ck_assert(mica_table_validate(&range, NULL) && mica_table_is_structured(&range));
    int32_t *value = malloc(sizeof *value << MICA_MAX_TABLE_BITS);
    const int32_t half = 1 << (MICA_MAX_TABLE_BITS - 1);
    mica_table_fill(&clamp, value);
    for (int32_t key = -half; key < half; key++)
        ck_assert_int_eq(value[key + half], key < -100 ? -100 : key > 1 << 18 ? 1 << 18 : key);
    mica_table_fill(&relu, value);
    for (int32_t key = -half; key < half; key++)
        ck_assert_int_eq(value[key + half], key < 0 ? 0 : key > 1 << 18 ? 1 << 18 : key);
    free(value);
    clamp.out_scale = dyadic(2);
    ck_assert(!mica_table_is_structured(&clamp) && !mica_table_validate(&clamp, NULL));
    clamp.kind = MICA_TABLE_SIGMOID;
    clamp.out_scale = clamp.in_scale;
    ck_assert(!mica_table_is_structured(&clamp) && !mica_table_validate(&clamp, NULL));
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
    BROKEN(identity, bits = MICA_MAX_DENSE_BITS + 1; d.lo_key = -(1 << MICA_MAX_DENSE_BITS));
    BROKEN(clip, bits = MICA_MAX_DENSE_BITS + 1; d.lo_key = -(1 << MICA_MAX_DENSE_BITS);
           d.in_scale = d.out_scale);
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
    int32_t room[512];
    ck_assert(table_eval_rows(def) == 0 || table_eval_rows(def) == rows);
    ck_assert(!mica_table_is_structured(def) || table_eval_rows(def) == 0);
    table_eval(def, z, table_eval_rows(def) ? room : NULL, &got_key, &got_value);
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

/* Equal scales: every pair of bounds that lies at, between or beyond the keys, keys centred and from 0. */
START_TEST(clamps_are_evaluated_from_their_bounds) {
    static const mica_table_kind kinds[] = {MICA_TABLE_IDENTITY, MICA_TABLE_RELU_SCALED, MICA_TABLE_CLIP};
    random_state = 700;
    for (unsigned bits = 0; bits <= 4; bits++) {
        for (int from_zero = bits == 0; from_zero <= 1; from_zero++) {
            const int32_t lo_key = from_zero ? 0 : -(1 << (bits - 1)), end = lo_key + (1 << bits);
            for (int32_t lo = lo_key - 2; lo <= end + 1; lo++) {
                for (int32_t hi = lo; hi <= end + 1; hi++) {
                    for (int k = 0; k < 3; k++) {
                        mica_table_def def = scaled_def(kinds[k], bits, 0.75, 0.75);
                        def.lo_key = lo_key;
                        def.lo_value = lo;
                        def.hi_value = hi;
                        if (kinds[k] == MICA_TABLE_CLIP) { /* between keys as well */
                            def.param[0] = dyadic(0.25 * random_in(-40, 40));
                            def.param[1] = dyadic(0.25 * random_in(-40, 40));
                            order(def.param);
                        }
                        ck_assert_uint_eq(table_eval_rows(&def), 0);
                        check_eval(&def);
                    }
                }
            }
        }
    }
    for (int k = 0; k < 3; k++) { /* saturation at its largest, scales at their extremes */
        mica_table_def def = scaled_def(kinds[k], 9, 1, 1);
        def.in_scale.exponent = def.out_scale.exponent = k ? 96 : -96;
        check_eval(&def);
        def.lo_value = def.hi_value = TOP;
        check_eval(&def);
        def.lo_value = def.hi_value = -TOP;
        check_eval(&def);
    }
}
END_TEST

/* The rows of a table too large for the tests above, written down, against the evaluation without them. */
static void check_large(const mica_table_def *def, int32_t *values) {
    qm31 z[MICA_MAX_TABLE_BITS], scratch[2 << (MICA_MAX_TABLE_BITS + 1) / 2], key, value;
    for (unsigned i = 0; i < def->bits; i++)
        z[i] = random_qm31();
    mica_table_fill(def, values);
    ck_assert_uint_eq(table_eval_rows(def), 0);
    table_eval(def, z, NULL, &key, &value);
    ck_assert_msg(qm31_eq(value, mle_eval_i32(values, (uint64_t)1 << def->bits, z, def->bits, scratch)),
                  "kind %d, %u bits", (int)def->kind, def->bits);
}

START_TEST(large_lines_equal_their_rows) {
    static const mica_table_kind kinds[] = {MICA_TABLE_IDENTITY, MICA_TABLE_RELU_SCALED, MICA_TABLE_CLIP};
    random_state = 800;
    int32_t *values = malloc(sizeof *values << MICA_MAX_TABLE_BITS);
    for (unsigned bits = 1; bits <= MICA_MAX_TABLE_BITS; bits++) {
        for (int trial = 0; trial < 15; trial++) {
            const bool equal = bits > MICA_MAX_DENSE_BITS || trial == 0;
            mica_table_def def =
                scaled_def(kinds[bits > MICA_MAX_DENSE_BITS ? trial % 2 : trial % 3], bits, 2, 2);
            if (!equal)
                def.in_scale = random_scale(-40, -20);
            if (trial % 4 == 1) /* quotients that divide evenly */
                def.in_scale = dyadic(random_in(1, 64) / 8.0);
            if (trial % 4 == 2)
                def.out_scale = random_scale(-30, -29);
            if (equal)
                def.in_scale = def.out_scale;
            if (trial % 5 == 4)
                def.lo_key = 0;
            if (trial % 3) {
                def.lo_value = random_in(-(1 << bits), 1 << bits);
                def.hi_value = random_in(def.lo_value, 1 << bits);
            }
            if (def.kind == MICA_TABLE_CLIP) {
                def.param[0] = dyadic(random_in(-(1 << bits), 0));
                def.param[1] = dyadic(random_in(0, 1 << bits));
            }
            if (abs(def.in_scale.exponent - def.out_scale.exponent) <= 10)
                check_large(&def, values);
        }
    }
    free(values);
}
END_TEST

/* Ratios of scales from 2^-29 to 2^10, the extremes of what is evaluated as a line, over all small sizes. */
START_TEST(lines_of_every_slope) {
    random_state = 900;
    for (int exponent = -29; exponent <= 10; exponent++) {
        for (unsigned bits = 0; bits <= 9; bits++) {
            mica_table_def def = scaled_def(
                (mica_table_kind)random_in(MICA_TABLE_IDENTITY, MICA_TABLE_RELU_SCALED), bits, 1, 1);
            const int base = random_in(-60, 60);
            def.in_scale = random_scale(base + exponent, base + exponent);
            def.out_scale = random_scale(base, base);
            if (random_in(0, 1))
                def.lo_key = 0;
            if (random_in(0, 1)) {
                def.lo_value = random_in(-200, 200);
                def.hi_value = random_in(def.lo_value, 200);
            }
            ck_assert_uint_eq(table_eval_rows(&def), 0);
            check_eval(&def);
        }
    }
}
END_TEST

/* Kinds that are filled from coarse to fine: every row, at scales from all values distinct to few, and keys
 * as close and as far as may be. */
START_TEST(large_tables_equal_their_values) {
    static const mica_table_kind kinds[] = {MICA_TABLE_SIGMOID, MICA_TABLE_TANH, MICA_TABLE_EXP,
                                            MICA_TABLE_LOG,     MICA_TABLE_POW,  MICA_TABLE_CLIP,
                                            MICA_TABLE_IDENTITY};
    const mica_table_kind kind = kinds[_i];
    random_state = 1000 + (uint64_t)_i;
    int32_t *values = malloc(sizeof *values << 13);
    for (int trial = 0; trial < 60; trial++) {
        mica_table_def def = scaled_def(kind, (unsigned)random_in(10, 13), 1, 1);
        def.in_scale = trial % 3 == 0   ? random_scale(-96, 96)
                       : trial % 3 == 1 ? random_scale(-82, -78)
                                        : random_scale(-45, -35);
        def.out_scale = random_scale(trial % 2 ? -60 : -42, -30);
        if (trial % 7 == 0)
            def.lo_key = 0;
        if (kind == MICA_TABLE_POW)
            def.param[0] = trial % 2 ? dyadic(random_in(-6, 6) / 2.0) : random_scale(-33, -28);
        if (kind == MICA_TABLE_POW && trial % 4 == 0)
            def.param[0].mantissa = -def.param[0].mantissa;
        mica_table_fill(&def, values);
        for (int j = 0; j < 1 << def.bits; j++)
            ck_assert_msg(values[j] == mica_table_value(&def, def.lo_key + j), "kind %d, trial %d, row %d",
                          (int)kind, trial, j);
    }
    free(values);
}
END_TEST

int main(void) {
    Suite *s = suite_create("table");
    TCase *t = tcase_create("table");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, vectors_match, 0, (int)N_VECTORS);
    tcase_add_test(t, fill_is_monotone_and_saturates);
    tcase_add_test(t, relu_is_exact);
    tcase_add_test(t, structured_tables_may_be_larger);
    tcase_add_test(t, validate_is_strict);
    tcase_add_test(t, clip_bounds_are_ordered);
    tcase_add_test(t, evaluation_is_the_multilinear_extension);
    tcase_add_test(t, clamps_are_evaluated_from_their_bounds);
    tcase_add_test(t, large_lines_equal_their_rows);
    tcase_add_test(t, lines_of_every_slope);
    tcase_add_loop_test(t, large_tables_equal_their_values, 0, 7);
    suite_add_tcase(s, t);
    return suite_run(s);
}
