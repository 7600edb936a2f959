#include "float_math.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 = LN2_HIGH + LN2_LOW; LN2_HIGH has 32 significant bits, so that k * LN2_HIGH is exact for |k| < 2^21.
 */
static const double LN2_HIGH = 0x1.62e42feep-1;
static const double LN2_LOW = 0x1.a39ef35793c76p-33;
static const double INV_LN2 = 0x1.71547652b82fep+0;

/* 2^k, exact, for -1022 <= k <= 1023. */
static double power_of_two(int64_t k) {
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x = k*ln2 + r with |r| <= 0.3466 (half of ln 2, and rounding). |x| < 800. */
static double reduce(double x, int64_t *k) {
    double q = x * INV_LN2;
    *k = (int64_t)(q < 0 ? q - 0.5 : q + 0.5);
    double r = x - (double)*k * LN2_HIGH;
    return r - (double)*k * LN2_LOW;
}

/* exp(r) - 1 for |r| <= 0.3466 by the Taylor series to r^15; the rest is below 0.3466^16/16! < 3e-21. */
static double expm1_reduced(double r) {
    double sum = 0;
    for (int i = 15; i >= 1; i--)
        sum = r / i * (1 + sum);
    return sum;
}

double fm_exp(double x) {
    int64_t k;
    if (x != x)
        return x;
    if (x > 709.79)
        return (double)INFINITY;
    if (x < -745.2)
        return 0;
    double m = 1 + expm1_reduced(reduce(x, &k));
    /* -1076 <= k <= 1025: in two steps, as 2^k alone may not be a normal number. */
    int64_t half = k / 2;
    return m * power_of_two(half) * power_of_two(k - half);
}

double fm_expm1(double x) {
    int64_t k;
    if (x != x)
        return x;
    if (x > 40)
        return fm_exp(x) - 1;
    if (x < -40)
        return -1;
    double e = expm1_reduced(reduce(x, &k));
    double scale = power_of_two(k);
    return scale * e + (scale - 1);
}

double fm_sigmoid(double x) {
    if (x >= 0)
        return 1 / (1 + fm_exp(-x));
    double e = fm_exp(x); /* no overflow, and accurate where the result is small */
    return e / (1 + e);
}

double fm_tanh(double x) {
    double a = x < 0 ? -x : x;
    if (x != x)
        return x;
    if (a > 20)
        return x < 0 ? -1 : 1; /* 1 - tanh(20) < 2^-56 */
    double e = fm_expm1(2 * a);
    double t = e / (e + 2);
    return x < 0 ? -t : t;
}
