/* Conversions between doubles and dyadic rationals on the bits of IEEE 754 binary64, without libm. */
#include <string.h>

#include "mica/table.h"

#define DOUBLE_FRACTION_BITS 52
#define DOUBLE_BIAS          1023
#define DROPPED_BITS         (DOUBLE_FRACTION_BITS + 1 - 31) /* of a 53-bit significand */

bool mica_dyadic_from_double(mica_dyadic *out, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const bool negative = bits >> 63;
    const int biased = (int)(bits >> DOUBLE_FRACTION_BITS & 0x7ff);
    const uint64_t fraction = bits & (((uint64_t)1 << DOUBLE_FRACTION_BITS) - 1);
    *out = (mica_dyadic){0, 0};
    if (biased == 0)
        return fraction == 0; /* zero; a subnormal is far below 2^-66 */
    if (biased == 0x7ff)
        return false;
    /* |x| = significand * 2^(biased - bias - 52), 2^52 <= significand < 2^53; round to nearest, ties to even.
     */
    const uint64_t significand = fraction | (uint64_t)1 << DOUBLE_FRACTION_BITS;
    const uint64_t half = (uint64_t)1 << (DROPPED_BITS - 1);
    const uint64_t odd = significand >> DROPPED_BITS & 1;
    uint64_t mantissa = (significand + half - 1 + odd) >> DROPPED_BITS;
    int exponent = biased - DOUBLE_BIAS - DOUBLE_FRACTION_BITS + DROPPED_BITS;
    if (mantissa >> 31) { /* rounded up to 2^31 */
        mantissa >>= 1;
        exponent++;
    }
    if (exponent < -MICA_DYADIC_MAX_EXPONENT || exponent > MICA_DYADIC_MAX_EXPONENT)
        return false;
    *out = (mica_dyadic){negative ? -(int32_t)mantissa : (int32_t)mantissa, exponent};
    return true;
}

double mica_dyadic_to_double(mica_dyadic x) {
    const uint64_t bits = (uint64_t)((int64_t)x.exponent + DOUBLE_BIAS) << DOUBLE_FRACTION_BITS;
    double power;
    memcpy(&power, &bits, sizeof power);
    return (double)x.mantissa * power; /* 31 significant bits, exponent within +-127: exact */
}
