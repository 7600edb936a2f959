/* Table definitions (docs/formats.md, "Tables"). Every step is exact or a floor, so that a table is the same
 * on every machine; the text alone is enough to recompute it. */
#include "mica/table.h"

#include <stddef.h>

#include "base/require.h"
#include "circuit/fixed.h"

/* The product key * in_scale: numerator * 2^exponent, |numerator| < 2^18 * 2^31 = 2^49. */
typedef struct scaled_key {
    int64_t numerator;
    int exponent;
} scaled_key;

static scaled_key scale_key(const mica_table_def *def, int32_t key) {
    return (scaled_key){(int64_t)key * def->in_scale.mantissa, def->in_scale.exponent};
}

/* round(a * 2^exponent / out_scale) */
static int32_t to_output(const mica_table_def *def, i128 a, int exponent) {
    return fixed_round_ratio(a, exponent - def->out_scale.exponent, def->out_scale.mantissa);
}

static int32_t clamp(int32_t x, int32_t lo, int32_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

static int32_t round_identity(const mica_table_def *def, scaled_key x) {
    return to_output(def, x.numerator, x.exponent);
}

/* Rounding is monotone, so it commutes with max and min: the bounds are rounded like any other real number.
 */
static int32_t round_clip(const mica_table_def *def, scaled_key x) {
    const int32_t lo = to_output(def, def->param[0].mantissa, def->param[0].exponent);
    const int32_t hi = to_output(def, def->param[1].mantissa, def->param[1].exponent);
    return clamp(round_identity(def, x), lo, hi);
}

static int32_t round_exp(const mica_table_def *def, scaled_key x) {
    const fixed_float e = fixed_exp(fixed_scale(x.numerator, x.exponent + FIXED_BITS));
    return to_output(def, e.mantissa, e.exponent - FIXED_BITS);
}

/* t = exp(-2^log_factor |x|) as a float, and floor(t * 2^60) in *fixed. */
static fixed_float exp_of_minus_abs(scaled_key x, int log_factor, int64_t *fixed) {
    const int64_t minus_abs = x.numerator > 0 ? -x.numerator : x.numerator;
    const fixed_float t = fixed_exp(fixed_scale(minus_abs, x.exponent + log_factor + FIXED_BITS));
    *fixed = t.exponent > -64 ? t.mantissa >> -t.exponent : 0; /* exponent <= 0 since the argument is <= 0 */
    return t;
}

/* t = exp(-|x|): 1/(1 + t) for x >= 0, t/(1 + t) otherwise; both without cancellation. */
static int32_t round_sigmoid(const mica_table_def *def, scaled_key x) {
    int64_t fixed;
    const fixed_float t = exp_of_minus_abs(x, 0, &fixed);
    const int64_t one_plus_t = FIXED_ONE + fixed;
    const bool positive = x.numerator >= 0;
    const i128 above = positive ? FIXED_ONE : t.mantissa; /* < 2^61 */
    return to_output(def, fixed_floor_div(above * FIXED_ONE, one_plus_t),
                     (positive ? 0 : t.exponent) - FIXED_BITS);
}

/* |x| >= 2^-10: with t = exp(-2|x|), (1 - t)/(1 + t); 1 - t > 2^-10 costs at most 10 bits of t's 52.
 * |x| <  2^-10: x (1 - x^2/3), off by less than 2 x^4 / 15 < 2^-42. */
static int32_t round_tanh(const mica_table_def *def, scaled_key x) {
    const int64_t abs = x.numerator < 0 ? -x.numerator : x.numerator;
    const i128 u = fixed_scale(abs, x.exponent + FIXED_BITS);
    if (u < (i128)1 << (FIXED_BITS - 10)) {
        const i128 correction = fixed_floor_div((u * u) >> FIXED_BITS, 3);
        /* |numerator| < 2^49, factor <= 2^60 */
        return to_output(def, x.numerator * (FIXED_ONE - correction), x.exponent - FIXED_BITS);
    }
    int64_t t;
    (void)exp_of_minus_abs(x, 1, &t);
    const i128 y = fixed_floor_div((i128)(FIXED_ONE - t) * FIXED_ONE, FIXED_ONE + t);
    return to_output(def, x.numerator < 0 ? -y : y, -FIXED_BITS);
}

int32_t mica_table_value(const mica_table_def *def, int32_t key) {
    MICA_REQUIRE(key >= def->lo_key && key - def->lo_key < (int32_t)1 << def->bits);
    const scaled_key x = scale_key(def, key);
    int32_t y = 0;
    switch (def->kind) {
    case MICA_TABLE_RELU:
        return key > 0 ? key : 0;
    case MICA_TABLE_IDENTITY:
        y = round_identity(def, x);
        break;
    case MICA_TABLE_RELU_SCALED:
        y = key > 0 ? round_identity(def, x) : 0;
        break;
    case MICA_TABLE_CLIP:
        y = round_clip(def, x);
        break;
    case MICA_TABLE_SIGMOID:
        y = round_sigmoid(def, x);
        break;
    case MICA_TABLE_TANH:
        y = round_tanh(def, x);
        break;
    case MICA_TABLE_EXP:
        y = round_exp(def, x);
        break;
    case MICA_TABLE_RANGE:
    case MICA_TABLE_KINDS:
        return 0;
    }
    return clamp(y, def->lo_value, def->hi_value);
}

/* --- whole tables: the piecewise linear kinds in one addition per row --- */

/* y(key) = floor(key * a / d + 1/2) for consecutive keys, as quotient and remainder of key * 2a + d by 2d. */
typedef struct line {
    int64_t quotient, remainder; /* 0 <= remainder < modulus */
    int64_t step_quotient, step_remainder, modulus;
} line;

/* False if a 2^exponent or d 2^-exponent would not leave room: |key| * 2a + d < 2^18 2^41 2 + 2^61 < 2^62. */
static bool line_start(line *l, const mica_table_def *def) {
    const int exponent = def->in_scale.exponent - def->out_scale.exponent;
    if (exponent < -29 || exponent > 10)
        return false;
    const int64_t a = (int64_t)def->in_scale.mantissa << (exponent > 0 ? exponent : 0);   /* < 2^41 */
    const int64_t d = (int64_t)def->out_scale.mantissa << (exponent < 0 ? -exponent : 0); /* < 2^60 */
    const int64_t first = 2 * a * def->lo_key + d;
    l->modulus = 2 * d;
    l->quotient = (int64_t)fixed_floor_div(first, l->modulus);
    l->remainder = first - l->quotient * l->modulus;
    l->step_quotient = 2 * a / l->modulus;
    l->step_remainder = 2 * a % l->modulus;
    return true;
}

static void line_next(line *l) {
    l->quotient += l->step_quotient;
    l->remainder += l->step_remainder;
    if (l->remainder >= l->modulus) {
        l->remainder -= l->modulus;
        l->quotient++;
    }
}

static bool fill_linear(const mica_table_def *def, int32_t *value) {
    line l;
    int64_t lo = def->lo_value, hi = def->hi_value;
    if (!line_start(&l, def))
        return false;
    if (def->kind == MICA_TABLE_CLIP) { /* the saturation of the clipped value: clamp of a clamp */
        const int32_t below = to_output(def, def->param[0].mantissa, def->param[0].exponent);
        const int32_t above = to_output(def, def->param[1].mantissa, def->param[1].exponent);
        lo = clamp(below, def->lo_value, def->hi_value);
        hi = clamp(above, def->lo_value, def->hi_value);
    }
    const int32_t rows = (int32_t)1 << def->bits;
    for (int32_t j = 0; j < rows; j++, line_next(&l)) {
        int64_t y = l.quotient;
        if (def->kind == MICA_TABLE_RELU_SCALED && def->lo_key + j <= 0)
            y = 0;
        value[j] = (int32_t)(y < lo ? lo : y > hi ? hi : y);
    }
    return true;
}

void mica_table_fill(const mica_table_def *def, int32_t *value) {
    const int32_t rows = (int32_t)1 << def->bits;
    const bool linear = def->kind == MICA_TABLE_IDENTITY || def->kind == MICA_TABLE_RELU_SCALED ||
                        def->kind == MICA_TABLE_CLIP;
    if (linear && fill_linear(def, value))
        return;
    for (int32_t j = 0; j < rows; j++)
        value[j] = mica_table_value(def, def->lo_key + j);
}

unsigned mica_table_width(const mica_table_def *def) {
    return def->kind == MICA_TABLE_RANGE ? 1 : 2;
}

/* --- validation: the definition may come from hostile bytes --- */

static bool is_zero(mica_dyadic x) {
    return x.mantissa == 0 && x.exponent == 0;
}

/* In normal form: one representation per value. */
static bool is_normal(mica_dyadic x) {
    if (x.mantissa == 0)
        return x.exponent == 0;
    const int64_t abs = x.mantissa < 0 ? -(int64_t)x.mantissa : x.mantissa;
    return abs >= (int64_t)1 << 30 && abs < (int64_t)1 << 31 && x.exponent >= -MICA_DYADIC_MAX_EXPONENT &&
           x.exponent <= MICA_DYADIC_MAX_EXPONENT;
}

static bool is_positive(mica_dyadic x) {
    return is_normal(x) && x.mantissa > 0;
}

/* a <= b for numbers in normal form: by sign, then by exponent, then by mantissa. */
static bool at_most(mica_dyadic a, mica_dyadic b) {
    const int sign_a = (a.mantissa > 0) - (a.mantissa < 0), sign_b = (b.mantissa > 0) - (b.mantissa < 0);
    if (sign_a != sign_b)
        return sign_a < sign_b;
    if (a.exponent != b.exponent) /* of like sign, hence neither is zero */
        return (a.exponent < b.exponent) == (sign_a > 0);
    return a.mantissa <= b.mantissa;
}

static bool validate_keys(const mica_table_def *def, mica_status *st) {
    if (def->bits > MICA_MAX_TABLE_BITS)
        return mica_fail(st, MICA_ERR_FORMAT, "table: 2^%u rows exceed 2^%d", def->bits, MICA_MAX_TABLE_BITS);
    const bool from_zero = def->lo_key == 0;
    const bool centred = def->bits >= 1 && def->lo_key == -((int32_t)1 << (def->bits - 1));
    if (!from_zero && (def->kind == MICA_TABLE_RANGE || !centred))
        return mica_fail(st, MICA_ERR_FORMAT, "table: the keys of 2^%u rows may not start at %d", def->bits,
                         (int)def->lo_key);
    return true;
}

static bool validate_exact(const mica_table_def *def, mica_status *st) {
    if (is_zero(def->in_scale) && is_zero(def->out_scale) && def->lo_value == 0 && def->hi_value == 0)
        return true;
    return mica_fail(st, MICA_ERR_FORMAT, "table: scales or bounds on a kind that has none");
}

static bool validate_scaled(const mica_table_def *def, mica_status *st) {
    if (!is_positive(def->in_scale) || !is_positive(def->out_scale))
        return mica_fail(st, MICA_ERR_FORMAT, "table: a scale is not a positive number in normal form");
    if (def->lo_value > def->hi_value || def->lo_value < -MICA_MAX_TABLE_VALUE ||
        def->hi_value > MICA_MAX_TABLE_VALUE)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "table: saturation bounds %d and %d are not ordered or exceed %d",
                         (int)def->lo_value, (int)def->hi_value, MICA_MAX_TABLE_VALUE);
    return true;
}

static bool validate_params(const mica_table_def *def, mica_status *st) {
    const mica_dyadic lo = def->param[0], hi = def->param[1];
    if (def->kind != MICA_TABLE_CLIP) {
        if (is_zero(lo) && is_zero(hi))
            return true;
        return mica_fail(st, MICA_ERR_FORMAT, "table: parameters on a kind that has none");
    }
    if (is_normal(lo) && is_normal(hi) && at_most(lo, hi))
        return true;
    return mica_fail(st, MICA_ERR_FORMAT, "table: clip bounds are not in normal form or not ordered");
}

bool mica_table_validate(const mica_table_def *def, mica_status *st) {
    if ((unsigned)def->kind >= MICA_TABLE_KINDS)
        return mica_fail(st, MICA_ERR_FORMAT, "table: unknown kind %u", (unsigned)def->kind);
    const bool exact = def->kind == MICA_TABLE_RANGE || def->kind == MICA_TABLE_RELU;
    return validate_keys(def, st) && (exact ? validate_exact(def, st) : validate_scaled(def, st)) &&
           validate_params(def, st);
}
