#include "circuit/fixed.h"

#include <stdbool.h>

/* floor(ln(2) * 2^60) */
#define LN2_Q60 ((int64_t)0x0b17217f7d1cf79a)

/* floor(2^60 / j!): the Taylor coefficients of exp. The first term left out is below ln(2)^19 / 19! < 2^-66.
 */
static const int64_t exp_coefficient[] = {
    1152921504606846976,
    1152921504606846976,
    576460752303423488,
    192153584101141162,
    48038396025285290,
    9607679205057058,
    1601279867509509,
    228754266787072,
    28594283348384,
    3177142594264,
    317714259426,
    28883114493,
    2406926207,
    185148169,
    13224869,
    881657,
    55103,
    3241,
    180,
};
#define EXP_DEGREE ((int)(sizeof exp_coefficient / sizeof *exp_coefficient) - 1)

typedef unsigned __int128 u128;

static u128 absolute(i128 a) {
    return a < 0 ? -(u128)a : (u128)a;
}

static int bit_length(u128 a) {
    const uint64_t high = (uint64_t)(a >> 64), low = (uint64_t)a;
    if (high)
        return 128 - __builtin_clzll(high);
    return low ? 64 - __builtin_clzll(low) : 0;
}

/* Division is written out because the compilers' own, for 128 bits, is a call into a support library.
 *
 * Base 2^32, one digit of the quotient at a time: digit = floor(n / b) with n = remainder * 2^32 + next digit
 * of a. n < 2^32 b fits 94 bits. The leading 32 bits of b, rounded up unless they are all of it, give a digit
 * that is never too large and, b / 2^drop being at least 2^31, at most 3 too small. Tables divide
 * small numbers mostly: zeros in front of the quotient are found without dividing. */
static u128 divide(u128 a, uint64_t b, uint64_t *remainder) {
    if (!(a >> 64)) {
        *remainder = (uint64_t)a % b;
        return (uint64_t)a / b;
    }
    const int length = bit_length(b), drop = length > 32 ? length - 32 : 0;
    const uint64_t leading = (b >> drop) + (drop > 0);
    uint64_t r = 0;
    u128 q = 0;
    int shift = 96;
    if ((uint64_t)(a >> 64) < b) { /* the first two digits are zero */
        r = (uint64_t)(a >> 64);
        shift = 32;
    }
    for (; shift >= 0; shift -= 32) {
        u128 n = (u128)r << 32 | (uint32_t)(a >> shift);
        uint64_t digit = n < b ? 0 : (uint64_t)(n >> drop) / leading; /* n >> drop < 2^64 */
        for (n -= (u128)digit * b; n >= b; n -= b)
            digit++;
        r = (uint64_t)n;
        q = q << 32 | digit;
    }
    *remainder = r;
    return q;
}

i128 fixed_floor_div(i128 a, int64_t b) {
    uint64_t r;
    const u128 q = divide(absolute(a), (uint64_t)b, &r);
    return a < 0 ? -(i128)q - (r != 0) : (i128)q;
}

/* floor(a / 2^shift), 0 <= shift < 128 */
static i128 floor_shift(i128 a, int shift) {
    return a < 0 ? -(i128)((absolute(a) - 1) >> shift) - 1 : a >> shift;
}

static i128 clamp_magnitude(i128 a, i128 limit) {
    return a < -limit ? -limit : a > limit ? limit : a;
}

i128 fixed_scale_wide(i128 a, int exponent) {
    const i128 limit = (i128)1 << 110;
    if (a == 0)
        return 0;
    if (exponent >= 0) {
        /* |a| 2^exponent >= 2^(length - 1 + exponent) */
        if (bit_length(absolute(a)) + exponent > 110)
            return a < 0 ? -limit : limit;
        return a * ((i128)1 << exponent); /* < 2^110 */
    }
    if (exponent < -112)
        return a < 0 ? -1 : 0; /* |a| 2^exponent < 1 */
    return clamp_magnitude(floor_shift(a, -exponent), limit);
}

i128 fixed_scale(i128 a, int exponent) {
    return clamp_magnitude(fixed_scale_wide(a, exponent), (i128)1 << 67);
}

int32_t fixed_round_ratio(i128 a, int exponent, int32_t divisor) {
    if (exponent >= 0) {
        /* |a| 2^exponent / divisor > 2^(length - 1 + exponent - 31) >= 2^32 */
        const int length = bit_length(absolute(a));
        if (length && length + exponent >= 64)
            return a < 0 ? INT32_MIN : INT32_MAX;
        a *= (i128)1 << (length ? exponent + 1 : 0); /* < 2^65; leaves a factor 2^-1 */
        exponent = -1;
    }
    if (exponent < -112)
        return 0; /* |a| 2^exponent / divisor < 2^-31, and floor(+-2^-31 + 1/2) = 0 */
    /* With s = -exponent >= 1: floor((a / divisor + 2^(s-1)) / 2^s), where a / divisor may be floored first
     * because 2^(s-1) is an integer. |a / divisor| < 2^82, 2^(s-1) < 2^112: no overflow. */
    const i128 half = (i128)1 << (-exponent - 1);
    const i128 q = floor_shift(fixed_floor_div(a, divisor) + half, -exponent);
    if (q > INT32_MAX)
        return INT32_MAX;
    return q < INT32_MIN ? INT32_MIN : (int32_t)q;
}

/* x = k ln 2 + r with 0 <= r < ln 2; exp(x) = 2^k exp(r). |k| < 186, so that the rounding of ln 2 moves r by
 * less than 186 * 2^-60 < 2^-52; the nineteen floors below cost less than 19 * 2^-60 < 2^-55. */
fixed_float fixed_exp(i128 x) {
    const i128 k = fixed_floor_div(x, LN2_Q60);
    const uint64_t r = (uint64_t)(x - k * LN2_Q60);
    uint64_t s = (uint64_t)exp_coefficient[EXP_DEGREE];
    for (int j = EXP_DEGREE - 1; j >= 0; j--)
        s = (uint64_t)exp_coefficient[j] + (uint64_t)((u128)s * r >> FIXED_BITS); /* s < 2^61, r < 2^60 */
    return (fixed_float){(int64_t)s, (int)k};
}

/* ln z = 2 artanh((z - 1)/(z + 1)) for 1 <= z < 2, the argument below 1/3: the series to its power 39 leaves
 * less than 2^-65. The rounding of ln 2 costs |exponent| * 2^-60, the 42 floors less than 2^-53. */
i128 fixed_log(fixed_float x) {
    const int64_t s = (int64_t)fixed_floor_div((i128)(x.mantissa - FIXED_ONE) * FIXED_ONE,
                                               x.mantissa + FIXED_ONE); /* < 2^60 / 3, divisor < 2^62 */
    const int64_t square = (int64_t)((i128)s * s >> FIXED_BITS);
    int64_t sum = FIXED_ONE / 39;
    for (int j = 18; j >= 0; j--)
        sum = FIXED_ONE / (2 * j + 1) + (int64_t)((i128)sum * square >> FIXED_BITS); /* < 9/8 2^60 */
    return 2 * ((i128)sum * s >> FIXED_BITS) + (i128)x.exponent * LN2_Q60;
}

/* floor(pi/2 * 2^60) */
#define HALF_PI_Q60 INT64_C(1811004864519280710)

/* x = k pi/2 + r with 0 <= r < pi/2. |k| < 2^20, so that the rounding of pi/2 moves r by less than 2^-40; the
 * Taylor series to r^17 or r^18 leaves less than r^19 / 19! < 2^-44. Every partial sum but the
 * cosine's last is positive, as r^2 < 2.5 makes the terms fall by more than a half: 0 < sum <= 2^60. */
i128 fixed_sin(i128 x, unsigned quarters) {
    const i128 k = fixed_floor_div(x, HALF_PI_Q60);
    const i128 r = x - k * HALF_PI_Q60;
    const unsigned quadrant = ((unsigned)(k & 3) + quarters) & 3;
    const bool cosine = quadrant & 1;
    const i128 square = r * r >> FIXED_BITS;
    const int last = cosine ? 18 : 17;
    i128 sum = exp_coefficient[last];
    for (int j = last - 2; j >= 0; j -= 2)
        sum = exp_coefficient[j] - (sum * square >> FIXED_BITS);
    if (!cosine)
        sum = sum * r >> FIXED_BITS;
    return quadrant & 2 ? -sum : sum;
}

/* floor(2^40 * 2 / sqrt(pi)) */
#define TWO_OVER_SQRT_PI_Q40 INT64_C(1240666014761)

/* erf(x) = 2/sqrt(pi) x exp(-x^2) sum_n t_n with t_0 = 1, t_n = t_(n-1) 2x^2 / (2n + 1): no cancellation.
 * x < 5.25: the sum is below exp(x^2) sqrt(pi) / (2x) < 2^38, its terms are below 2^78 as integers and fall
 * by a half at least beyond n = 56: fewer than 140. erfc(5.25) < 2^-43. */
int64_t fixed_erf(int64_t x) {
    const i128 unit = (i128)1 << 40;
    if (x >= INT64_C(21) << 38)
        return FIXED_ONE;
    const int64_t square = (int64_t)((i128)x * x >> 40); /* < 2^45 */
    i128 term = unit, sum = unit;
    for (int n = 1; term > 0; n++) {
        term = term * (2 * square / (2 * n + 1)) >> 40; /* < 2^78 2^46 */
        sum += term;
    }
    const fixed_float e = fixed_exp(-(i128)square * (1 << 20));   /* exponent in [-40, 0] */
    const i128 v = sum * (e.mantissa >> 20) >> (40 - e.exponent); /* < 2^80 2^41; v < 2^41 */
    const i128 y = v * x * TWO_OVER_SQRT_PI_Q40 >> 60;            /* < 2^41 2^43 2^41 */
    return y > FIXED_ONE ? FIXED_ONE : (int64_t)y;
}
