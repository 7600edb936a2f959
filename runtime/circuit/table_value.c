/* Values of lookup tables, one function per kind (docs/formats.md, "Tables"): N is key * in_scale's mantissa,
 * W, S, E, Ln and R are the primitives of that page. Every definition that passes validation keeps the stated
 * bounds. */
#include "circuit/table_value.h"

#include <stddef.h>

#include "base/require.h"
#include "circuit/fixed.h"

/* The product key * in_scale: numerator * 2^exponent, |numerator| < 2^18 * 2^31 = 2^49; of clamps, whose keys
 * may have 20 bits, below 2^51. */
typedef struct scaled_key {
    int64_t numerator;
    int exponent;
} scaled_key;

static scaled_key scale_key(const mica_table_def *def, int32_t key) {
    return (scaled_key){(int64_t)key * def->in_scale.mantissa, def->in_scale.exponent};
}

/* R: round(a * 2^exponent / out_scale), |a| < 2^112 */
static int32_t to_output(const mica_table_def *def, i128 a, int exponent) {
    return fixed_round_ratio(a, exponent - def->out_scale.exponent, def->out_scale.mantissa);
}

int32_t table_round(const mica_table_def *def, mica_dyadic x) {
    return to_output(def, x.mantissa, x.exponent);
}

/* W of the key and of a parameter, in units of 2^-60; within +-2^110. */
static i128 wide_key(scaled_key x) {
    return fixed_scale_wide(x.numerator, x.exponent + FIXED_BITS);
}

static i128 wide_dyadic(mica_dyadic x) {
    return fixed_scale_wide(x.mantissa, x.exponent + FIXED_BITS);
}

static int64_t magnitude(scaled_key x) {
    return x.numerator < 0 ? -x.numerator : x.numerator;
}

/* --- piecewise linear --- */

static int32_t round_identity(const mica_table_def *def, scaled_key x) {
    return to_output(def, x.numerator, x.exponent);
}

/* Rounding is monotone, so it commutes with max and min: the bounds are rounded like any other real number.
 */
static int32_t round_clip(const mica_table_def *def, scaled_key x) {
    const int32_t lo = table_round(def, def->param[0]);
    const int32_t hi = table_round(def, def->param[1]);
    return table_clamp(round_identity(def, x), lo, hi);
}

static int32_t round_leaky(const mica_table_def *def, scaled_key x) {
    if (x.numerator > 0)
        return round_identity(def, x);
    return to_output(def, (i128)x.numerator * def->param[0].mantissa, x.exponent + def->param[0].exponent);
}

static int32_t round_threshold(const mica_table_def *def, scaled_key x) {
    return wide_key(x) > wide_dyadic(def->param[0]) ? round_identity(def, x) : 0;
}

static int32_t round_shrink(const mica_table_def *def, scaled_key x) {
    const i128 u = wide_key(x), lambda = wide_dyadic(def->param[0]), bias = wide_dyadic(def->param[1]);
    if (u < -lambda)
        return to_output(def, u + bias, -FIXED_BITS); /* within +-2^111 */
    return u > lambda ? to_output(def, u - bias, -FIXED_BITS) : 0;
}

/* min(max(param_0 x + param_1, 0), 1) in units of 2^-60. */
static int64_t hard_gate(const mica_table_def *def, scaled_key x) {
    const i128 slope = fixed_scale_wide((i128)x.numerator * def->param[0].mantissa, /* < 2^80 */
                                        x.exponent + def->param[0].exponent + FIXED_BITS);
    const i128 y = slope + wide_dyadic(def->param[1]);
    return y < 0 ? 0 : y > FIXED_ONE ? FIXED_ONE : (int64_t)y;
}

/* Integers n with |n| <= 2^110: rounding them to units of out_scale is exact where out_scale divides 1. */
static int32_t round_step(const mica_table_def *def, scaled_key x) {
    const int e = x.exponent;
    if (def->kind == MICA_TABLE_FLOOR)
        return to_output(def, fixed_scale_wide(x.numerator, e), 0);
    if (def->kind == MICA_TABLE_CEIL)
        return to_output(def, -fixed_scale_wide(-x.numerator, e), 0);
    /* floor(x + 1/2) and ceil(x - 1/2), by way of floor(2x) and floor(-2x); they differ at ties only. */
    const i128 up = fixed_floor_div(fixed_scale_wide(x.numerator, e + 1) + 1, 2);
    const i128 down = -fixed_floor_div(fixed_scale_wide(-x.numerator, e + 1) + 1, 2);
    return to_output(def, up & 1 ? down : up, 0);
}

/* --- exponential --- */

static int32_t round_exp(const mica_table_def *def, scaled_key x) {
    const fixed_float e = fixed_exp(fixed_scale(x.numerator, x.exponent + FIXED_BITS));
    return to_output(def, e.mantissa, e.exponent - FIXED_BITS);
}

/* t = exp(-2^log_factor |x|) as a float, and floor(t * 2^60) in *fixed. */
static fixed_float exp_of_minus_abs(scaled_key x, int log_factor, int64_t *fixed) {
    const fixed_float t = fixed_exp(fixed_scale(-magnitude(x), x.exponent + log_factor + FIXED_BITS));
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
    const i128 u = fixed_scale(magnitude(x), x.exponent + FIXED_BITS);
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

static int32_t round_elu(const mica_table_def *def, scaled_key x) {
    int64_t t;
    if (x.numerator > 0)
        return round_identity(def, x);
    (void)exp_of_minus_abs(x, 0, &t);
    return to_output(def, (i128)(t - FIXED_ONE) * def->param[0].mantissa, /* < 2^91 */
                     def->param[0].exponent - FIXED_BITS);
}

/* Ln: ln of a positive integer a < 2^62 times 2^exponent, in units of 2^-60. */
static i128 log_of(int64_t a, int exponent) {
    int shift = 0;
    while (a >> (FIXED_BITS - shift) == 0)
        shift++;
    const int64_t mantissa = a >> (FIXED_BITS + 1) ? a >> 1 : a << shift; /* a = 2^61 is the only one above */
    return fixed_log((fixed_float){mantissa, exponent + FIXED_BITS - shift + (int)(a >> (FIXED_BITS + 1))});
}

/* x + ln(1 + exp(-x)) for x > 0, ln(1 + exp(x)) otherwise. */
static int32_t round_softplus(const mica_table_def *def, scaled_key x) {
    int64_t t;
    (void)exp_of_minus_abs(x, 0, &t);
    const i128 tail = log_of(FIXED_ONE + t, -FIXED_BITS); /* < 2^60 */
    return to_output(def, x.numerator > 0 ? wide_key(x) + tail : tail, -FIXED_BITS);
}

static int32_t round_log(const mica_table_def *def, scaled_key x) {
    return x.numerator > 0 ? to_output(def, log_of(x.numerator, x.exponent), -FIXED_BITS) : def->lo_value;
}

static bool is_integer(mica_dyadic p) {
    if (p.exponent >= 0)
        return true;
    return p.exponent >= -30 && p.mantissa % ((int32_t)1 << -p.exponent) == 0;
}

static bool is_odd(mica_dyadic p) { /* an integer */
    return p.exponent <= 0 && (p.mantissa / ((int32_t)1 << -p.exponent)) % 2 != 0;
}

/* +-exp(p ln |x|). */
static int32_t round_pow(const mica_table_def *def, scaled_key x) {
    const mica_dyadic p = def->param[0];
    if (x.numerator == 0 && p.mantissa != 0)
        return p.mantissa > 0 ? 0 : def->hi_value;
    if (x.numerator < 0 && !is_integer(p))
        return 0;
    const i128 log = x.numerator == 0 ? 0 : log_of(magnitude(x), x.exponent); /* < 2^68 */
    const fixed_float e = fixed_exp(fixed_scale(log * p.mantissa, p.exponent));
    return to_output(def, x.numerator < 0 && is_odd(p) ? -e.mantissa : e.mantissa, e.exponent - FIXED_BITS);
}

/* --- quotients and gates --- */

/* |x| / (1 + |x|) = v / (2^g + v) for v = |x| 2^g, which is an integer unless |x| is tiny or huge. */
static int32_t round_softsign(const mica_table_def *def, scaled_key x) {
    const int g = x.exponent > 0 ? 0 : x.exponent < -FIXED_BITS ? FIXED_BITS : -x.exponent;
    i128 v = fixed_scale_wide(magnitude(x), x.exponent + g);
    v = v > FIXED_ONE ? FIXED_ONE : v;
    const i128 y = fixed_floor_div(v * FIXED_ONE, ((int64_t)1 << g) + (int64_t)v); /* divisor <= 2^61 */
    return to_output(def, x.numerator < 0 ? -y : y, -FIXED_BITS);
}

/* x * gate, gate in [0, 2^60] units of 2^-60; |numerator| < 2^49. */
static int32_t round_gated(const mica_table_def *def, scaled_key x, i128 gate) {
    return to_output(def, x.numerator * gate, x.exponent - FIXED_BITS);
}

/* tanh(ln(1 + e^x)) = (1 + 2t) / (1 + 2t + 2t^2) for x >= 0, (t^2 + 2t) / (t^2 + 2t + 2) otherwise, both
 * halved so that divisors stay below 2^62. */
static i128 mish_gate(scaled_key x) {
    int64_t t;
    (void)exp_of_minus_abs(x, 0, &t);
    const i128 square = (i128)t * t >> FIXED_BITS;
    const i128 above = x.numerator >= 0 ? FIXED_ONE / 2 + t : t + square / 2;
    const i128 rest = x.numerator >= 0 ? square : FIXED_ONE;
    return fixed_floor_div(above * FIXED_ONE, (int64_t)(above + rest));
}

/* floor(2^40 / sqrt(2)) */
#define SQRT_HALF_Q40 INT64_C(777472127993)

/* erf of |x| / sqrt(2) or |x|. S(|N|) <= 2^67, so that the argument is below 2^47. */
static int64_t erf_of(scaled_key x, int64_t factor_q40) {
    const i128 u = fixed_scale(magnitude(x), x.exponent + FIXED_BITS);
    return fixed_erf((int64_t)(u * factor_q40 >> FIXED_BITS));
}

static int32_t round_erf(const mica_table_def *def, scaled_key x) {
    const int64_t y = erf_of(x, (int64_t)1 << 40);
    return to_output(def, x.numerator < 0 ? -y : y, -FIXED_BITS);
}

static i128 gelu_gate(scaled_key x) {
    const int64_t y = erf_of(x, SQRT_HALF_Q40);
    return (x.numerator < 0 ? FIXED_ONE - y : FIXED_ONE + y) / 2;
}

/* floor(2^40 * 0.044715) and floor(2^40 * 2 sqrt(2/pi)) */
#define GELU_CUBIC_Q40 INT64_C(49164662436)
#define GELU_SLOPE_Q40 INT64_C(1754566704451)

/* (1 + tanh(z)) / 2 = sigmoid(2z) with 2z = 2 sqrt(2/pi) x (1 + 0.044715 x^2), |x| cut off at 16, where the
 * gate is within 2^-184 of 0 or 1. */
static i128 gelu_tanh_gate(scaled_key x) {
    const i128 cut = (i128)1 << 64, u = fixed_scale(magnitude(x), x.exponent + FIXED_BITS);
    const i128 a = (u < cut ? u : cut) >> 20;                                     /* <= 2^44 */
    const i128 factor = ((i128)1 << 40) + ((a * a >> 40) * GELU_CUBIC_Q40 >> 40); /* < 2^44 */
    const i128 z = (a * factor >> 40) * GELU_SLOPE_Q40 >> 40;                     /* < 2^49 */
    const fixed_float e = fixed_exp(fixed_scale(-z, 20));
    const int64_t t = e.exponent > -64 ? e.mantissa >> -e.exponent : 0;
    return fixed_floor_div((x.numerator < 0 ? t : (i128)FIXED_ONE) * FIXED_ONE, FIXED_ONE + t);
}

/* |x| cut off at 2^20, where the period is still resolved to 2^-40. */
static int32_t round_sin(const mica_table_def *def, scaled_key x, unsigned quarters) {
    const i128 cut = (i128)1 << 80, u = wide_key(x);
    return to_output(def, fixed_sin(u < -cut ? -cut : u > cut ? cut : u, quarters), -FIXED_BITS);
}

/* --- all kinds --- */

static int32_t round_value(const mica_table_def *def, scaled_key x) {
    switch (def->kind) {
    case MICA_TABLE_IDENTITY:
        return round_identity(def, x);
    case MICA_TABLE_RELU_SCALED:
        return x.numerator > 0 ? round_identity(def, x) : 0;
    case MICA_TABLE_CLIP:
        return round_clip(def, x);
    case MICA_TABLE_SIGMOID:
        return round_sigmoid(def, x);
    case MICA_TABLE_TANH:
        return round_tanh(def, x);
    case MICA_TABLE_EXP:
        return round_exp(def, x);
    case MICA_TABLE_LEAKY:
        return round_leaky(def, x);
    case MICA_TABLE_THRESHOLD:
        return round_threshold(def, x);
    case MICA_TABLE_SHRINK:
        return round_shrink(def, x);
    case MICA_TABLE_HARD_SIGMOID:
        return to_output(def, hard_gate(def, x), -FIXED_BITS);
    case MICA_TABLE_HARD_SWISH:
        return round_gated(def, x, hard_gate(def, x));
    case MICA_TABLE_ELU:
        return round_elu(def, x);
    case MICA_TABLE_SOFTPLUS:
        return round_softplus(def, x);
    case MICA_TABLE_SOFTSIGN:
        return round_softsign(def, x);
    case MICA_TABLE_MISH:
        return round_gated(def, x, mish_gate(x));
    case MICA_TABLE_ERF:
        return round_erf(def, x);
    case MICA_TABLE_GELU:
        return round_gated(def, x, gelu_gate(x));
    case MICA_TABLE_GELU_TANH:
        return round_gated(def, x, gelu_tanh_gate(x));
    case MICA_TABLE_LOG:
        return round_log(def, x);
    case MICA_TABLE_POW:
        return round_pow(def, x);
    case MICA_TABLE_SIN:
        return round_sin(def, x, 0);
    case MICA_TABLE_COS:
        return round_sin(def, x, 1);
    case MICA_TABLE_FLOOR:
    case MICA_TABLE_CEIL:
    case MICA_TABLE_ROUND:
        return round_step(def, x);
    case MICA_TABLE_SIGN:
        return to_output(def, (x.numerator > 0) - (x.numerator < 0), 0);
    case MICA_TABLE_RANGE:
    case MICA_TABLE_RELU:
    case MICA_TABLE_KINDS:
        break;
    }
    return 0;
}

int32_t mica_table_value(const mica_table_def *def, int32_t key) {
    MICA_REQUIRE(key >= def->lo_key && key - def->lo_key < (int32_t)1 << def->bits);
    if (def->kind == MICA_TABLE_RANGE)
        return 0;
    if (def->kind == MICA_TABLE_RELU)
        return key > 0 ? key : 0;
    return table_clamp(round_value(def, scale_key(def, key)), def->lo_value, def->hi_value);
}
