/* All values of a table: what mica_table_value gives row by row, with fewer evaluations. */
#include <stddef.h>

#include "circuit/table_line.h"

/* --- the piecewise linear kinds: one addition per row --- */

static bool fill_line(const mica_table_def *def, int32_t *value) {
    table_line l;
    int32_t lo, hi;
    if (!table_line_bounds(def, &lo, &hi) || !table_line_make(&l, def))
        return false;
    int64_t y = (int64_t)fixed_floor_div(l.first, l.modulus), rest = l.first - y * l.modulus;
    const int64_t step = l.step / l.modulus, step_rest = l.step % l.modulus;
    for (size_t j = 0; j < (size_t)1 << def->bits; j++) {
        value[j] = (int32_t)(y < lo ? lo : y > hi ? hi : y);
        rest += step_rest;
        y += step + (rest >= l.modulus);
        rest -= rest >= l.modulus ? l.modulus : 0;
    }
    return true;
}

/* --- monotone kinds: between two equal values all are equal --- */

/* Whether mica_table_value, bit for bit, never falls or never rises over the negative keys, and likewise over
 * the positive ones. Rounding to units of out_scale and saturation are monotone, so it is enough that what
 * is rounded is.
 *   IDENTITY, RELU_SCALED, CLIP: exact numbers are rounded.
 *   EXP: fixed_exp(x) = s(r) 2^k. s is a Horner sum of floors of products of numbers >= 0: monotone in r.
 * From k to k + 1 it does not fall as s < 2^61 = 2 s(0). LOG, POW: fixed_log likewise: its quotient, its
 * Horner sum and their product do not fall with the mantissa, and as all floors round the series of ln(2)
 * down, they stay at or below floor(2^60 ln(2)). The other two need keys that are not too close. Let the
 * scale be at least 2^-50: arguments of fixed_exp in units of 2^-60 then differ by 1023 at least, and as s
 * has slope at least 1 and errs by less than 7 (the floors of 18 steps, each shrunk by r < 0.7 per step after
 * it), and ln(2) is rounded down, t = s 2^k in units of 2^k differs by d >= 1000. SIGMOID, x >= 0: the
 * quotient falls with t. x < 0: with F = floor(t) and one unit of the quotient 2^k ONE / (ONE + F), its
 * numerator's growth is d (ONE + F) - s (F' - F) >= d (ONE - 1) - s > (d - 3) ONE since F' - F <= d 2^k + 1
 * and F > s 2^k - 1; divided by (ONE + F)(ONE + F') / ONE <= 4 ONE this is more than the 2 units that the
 * floor may take where k grows by 1. Where k grows by more, d is so much larger. TANH: below 2^-10, N (ONE -
 * c): N grows by D >= 2^30, the product by D (ONE - c') - N (c' - c), where c' < 2^40 and N (c' - c) < D 2^40
 * + 3 N. Above, the quotient rises as t falls. From below (at most tanh + 2^-68, as the series' next term is
 * positive) to above (at least tanh - 2^-60, as t is rounded down) it rises by the scale, 2^-50, less than
 * that. */
static bool is_monotone(const mica_table_def *def) {
    switch (def->kind) {
    case MICA_TABLE_IDENTITY:
    case MICA_TABLE_RELU_SCALED:
    case MICA_TABLE_CLIP:
    case MICA_TABLE_EXP:
    case MICA_TABLE_LOG:
    case MICA_TABLE_POW:
        return true;
    case MICA_TABLE_SIGMOID:
    case MICA_TABLE_TANH:
        return def->in_scale.exponent >= -80; /* mantissa >= 2^30 */
    default:
        return false;
    }
}

/* value[i] = f(key + i), i < n, f monotone there: from coarse to fine, evaluated only between values that
 * differ. */
static void fill_monotone(const mica_table_def *def, int32_t key, size_t n, int32_t *value) {
    if (n == 0)
        return;
    const int32_t last = mica_table_value(def, key + (int32_t)(n - 1));
    size_t stride = 1;
    value[0] = mica_table_value(def, key);
    while (2 * stride < n)
        stride *= 2;
    for (; stride; stride /= 2) {
        for (size_t i = stride; i < n; i += 2 * stride) {
            const int32_t left = value[i - stride], right = i + stride < n ? value[i + stride] : last;
            value[i] = left == right ? left : mica_table_value(def, key + (int32_t)i);
        }
    }
}

void mica_table_fill(const mica_table_def *def, int32_t *value) {
    const size_t rows = (size_t)1 << def->bits, negative = (size_t)-def->lo_key;
    if (fill_line(def, value))
        return;
    if (is_monotone(def)) {
        fill_monotone(def, def->lo_key, negative, value);
        value[negative] = mica_table_value(def, 0);
        fill_monotone(def, 1, rows - negative - 1, value + negative + 1);
        return;
    }
    for (size_t j = 0; j < rows; j++)
        value[j] = mica_table_value(def, def->lo_key + (int32_t)j);
}
