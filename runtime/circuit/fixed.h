/* Exact integer arithmetic behind the lookup tables (docs/formats.md, "Tables"). No floating point, no libm.
 *
 * A real number is an integer numerator times a power of two. Divisions and shifts round towards minus
 * infinity.
 */
#ifndef MICA_CIRCUIT_FIXED_H
#define MICA_CIRCUIT_FIXED_H

#include <stdint.h>

typedef __int128 i128;

#define FIXED_BITS 60 /* fraction bits of the transcendental functions */
#define FIXED_ONE  ((int64_t)1 << FIXED_BITS)

/* floor(a / b), |a| < 2^127, 0 < b < 2^62. */
i128 fixed_floor_div(i128 a, int64_t b);

/* floor(a * 2^exponent) for |a| < 2^112, clamped to [-2^110, 2^110]. Any exponent with |exponent| < 2^20. */
i128 fixed_scale_wide(i128 a, int exponent);

/* fixed_scale_wide clamped to [-2^67, 2^67]. */
i128 fixed_scale(i128 a, int exponent);

/* floor(a * 2^exponent / divisor + 1/2), clamped to the range of int32_t.
 * |a| < 2^112, 2^30 <= divisor < 2^31, |exponent| < 2^20. */
int32_t fixed_round_ratio(i128 a, int exponent, int32_t divisor);

/* exp(x / 2^60) = mantissa * 2^(exponent - 60) up to a relative error below 2^-50; 2^60 <= mantissa < 2^61,
 * |x| <= 2^67. */
typedef struct fixed_float {
    int64_t mantissa;
    int exponent;
} fixed_float;
fixed_float fixed_exp(i128 x);

/* ln(mantissa * 2^(exponent - 60)) in units of 2^-60, off by less than 2^-51; 2^60 <= mantissa < 2^61,
 * |exponent| <= 200. The result is below 2^68. */
i128 fixed_log(fixed_float x);

/* sin(x / 2^60 + quarters * pi/2) in units of 2^-60, off by less than 2^-39, and within +-2^61; |x| <= 2^80.
 */
i128 fixed_sin(i128 x, unsigned quarters);

/* erf(x / 2^40) in units of 2^-60, off by less than 2^-34, in [0, 2^60]; x >= 0. */
int64_t fixed_erf(int64_t x);

#endif
