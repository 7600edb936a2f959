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
 * that is never too large and, b / 2^drop being at least 2^31, at most 3 too small. */
static u128 divide(u128 a, uint64_t b, uint64_t *remainder) {
    const int length = bit_length(b), drop = length > 32 ? length - 32 : 0;
    const uint64_t leading = (b >> drop) + (drop > 0);
    uint64_t r = 0;
    u128 q = 0;
    for (int shift = 96; shift >= 0; shift -= 32) {
        u128 n = (u128)r << 32 | (uint32_t)(a >> shift);
        uint64_t digit = (uint64_t)(n >> drop) / leading; /* n >> drop < 2^64 */
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

i128 fixed_scale(int64_t a, int exponent) {
    const i128 limit = (i128)1 << 67;
    if (a == 0)
        return 0;
    if (exponent >= 0) {
        /* |a| 2^exponent >= 2^(length - 1 + exponent) */
        if (bit_length(absolute(a)) + exponent > 67)
            return a < 0 ? -limit : limit;
        return (i128)a * ((i128)1 << exponent); /* < 2^67 */
    }
    if (exponent < -50)
        return a < 0 ? -1 : 0; /* |a| 2^exponent < 1 */
    return floor_shift(a, -exponent);
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
    const i128 r = x - k * LN2_Q60;
    i128 s = exp_coefficient[EXP_DEGREE];
    for (int j = EXP_DEGREE - 1; j >= 0; j--)
        s = exp_coefficient[j] + ((s * r) >> FIXED_BITS); /* s < 2^61, r < 2^60, both non-negative */
    return (fixed_float){(int64_t)s, (int)k};
}
