#include "reference/float_math.h"

#include <math.h>
#include <stdbool.h>
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

/* --- logarithms and powers --- */

/* 2 artanh(s) = s + s^3/3 + ..., doubled; |s| <= 1/3: the first term left out is below 3^-35. */
static double twice_artanh(double s) {
    double square = s * s, sum = 0;
    for (int i = 33; i >= 1; i -= 2)
        sum = sum * square + 1.0 / i;
    return 2 * s * sum;
}

double fm_log(double x) {
    uint64_t bits;
    int64_t k = 0;
    if (x != x || x < 0)
        return (double)NAN;
    if (x == 0)
        return -(double)INFINITY;
    if (x > 0x1.fffffffffffffp1023)
        return x;
    if (x < 0x1p-1022) { /* not normal */
        x *= 0x1p54;
        k = -54;
    }
    memcpy(&bits, &x, sizeof bits);
    k += (int64_t)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) { /* so that ln x keeps its relative accuracy below 1 as well */
        m /= 2;
        k++;
    }
    return (double)k * LN2_HIGH + (twice_artanh((m - 1) / (m + 1)) + (double)k * LN2_LOW);
}

double fm_log1p(double x) {
    if (x > -0.5 && x < 1)
        return twice_artanh(x / (2 + x));
    return fm_log(1 + x);
}

static bool is_integer(double x) {
    return x > -0x1p53 && x < 0x1p53 ? (double)(int64_t)x == x : true;
}

static double power_by_squaring(double x, uint32_t n) {
    double y = 1;
    for (; n; n >>= 1) {
        y = n & 1 ? y * x : y;
        x *= x;
    }
    return y;
}

double fm_pow(double x, double p) {
    const double a = x < 0 ? -x : x;
    if (p == 0 || x == 1)
        return 1;
    if (x != x || p != p || (x < 0 && !is_integer(p)))
        return (double)NAN;
    if (is_integer(p) && p >= -64 && p <= 64) {
        const double y = power_by_squaring(x, (uint32_t)(p < 0 ? -p : p));
        return p < 0 ? 1 / y : y;
    }
    if (p == 0.5 || p == -0.5) /* sqrt is correctly rounded everywhere */
        return p > 0 ? sqrt(a) : 1 / sqrt(a);
    const double y = fm_exp(p * fm_log(a));
    const bool odd = p > -0x1p53 && p < 0x1p53 && is_integer(p) && (int64_t)p % 2 != 0;
    return x < 0 && odd ? -y : y;
}

/* --- error function --- */

/* 2/sqrt(pi) x exp(-x^2) sum_n (2x^2)^n / (2n + 1)!!, without cancellation. */
static double erf_series(double x) {
    double term = 1, sum = 1;
    for (int n = 1; term > sum * 1e-17; n++) {
        term *= 2 * x * x / (2 * n + 1);
        sum += term;
    }
    return 0x1.20dd750429b6dp+0 * x * fm_exp(-x * x) * sum;
}

double fm_erf(double x) {
    const double a = x < 0 ? -x : x;
    if (x != x)
        return x;
    const double y = a > 6.5 ? 1 : erf_series(a); /* erfc(6.5) < 2^-63 */
    return x < 0 ? -y : y;
}

/* --- sine and cosine --- */

/* pi/2 = HALF_PI_1 + HALF_PI_2 + HALF_PI_3; the first two have 33 significant bits, so that their products
 * with |k| < 2^20 are exact. */
static const double HALF_PI_1 = 0x1.921fb544p+0;
static const double HALF_PI_2 = 0x1.0b4611a6p-34;
static const double HALF_PI_3 = 0x1.3198a2e037073p-69;

/* Taylor series on |r| <= pi/4 + rounding; the first term left out is below 1e-19. */
static double sine_of_quadrant(double r, unsigned quadrant) {
    const double square = r * r;
    const bool cosine = quadrant & 1;
    double sum = 1;
    for (int i = cosine ? 18 : 19; i > 1; i -= 2)
        sum = 1 - sum * square / (i * (i - 1));
    const double y = cosine ? sum : r * sum;
    return quadrant & 2 ? -y : y;
}

static double sine(double x, unsigned quarters) {
    if (!(x - x == 0))
        return (double)NAN;
    if (!(x > -0x1p53 && x < 0x1p53)) /* no bit of the angle is left */
        return 0;
    const double k = fm_round_even(x / 0x1.921fb54442d18p+0);
    const double r = x - k * HALF_PI_1 - k * HALF_PI_2 - k * HALF_PI_3;
    return sine_of_quadrant(r, (unsigned)((uint64_t)(int64_t)k + quarters) & 3);
}

double fm_sin(double x) {
    return sine(x, 0);
}

double fm_cos(double x) {
    return sine(x, 1);
}

/* --- integers --- */

double fm_floor(double x) {
    if (!(x > -0x1p52 && x < 0x1p52))
        return x;
    const double y = (double)(int64_t)x;
    return y > x ? y - 1 : y;
}

double fm_round_even(double x) {
    if (!(x > -0x1p51 && x < 0x1p51))
        return x;
    const double below = fm_floor(x), rest = x - below; /* exact */
    const bool odd = (int64_t)below & 1;
    return rest > 0.5 || (rest == 0.5 && odd) ? below + 1 : below;
}
