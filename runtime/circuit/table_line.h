/* The piecewise linear kinds as one line between two bounds. */
#ifndef MICA_CIRCUIT_TABLE_LINE_H
#define MICA_CIRCUIT_TABLE_LINE_H

#include "circuit/fixed.h"
#include "circuit/table_value.h"

/* floor(key * in_scale / out_scale + 1/2) = floor((first + step * row) / modulus): with in_scale / out_scale
 * = a / d, step is 2a and modulus 2d. */
typedef struct table_line {
    int64_t first, step, modulus; /* |first + step * row| < 2^62, 0 < step < 2^42, 0 < modulus < 2^61 */
} table_line;

/* False if a 2^exponent or d 2^-exponent would not leave room: |key| * 2a + d < 2^18 2^41 2 + 2^61 < 2^62,
 * and with equal scales, where keys may have 20 bits, far less. */
static inline bool table_line_make(table_line *l, const mica_table_def *def) {
    const int exponent = def->in_scale.exponent - def->out_scale.exponent;
    if (exponent < -29 || exponent > 10)
        return false;
    const int64_t a = (int64_t)def->in_scale.mantissa << (exponent > 0 ? exponent : 0);   /* < 2^41 */
    const int64_t d = (int64_t)def->out_scale.mantissa << (exponent < 0 ? -exponent : 0); /* < 2^60 */
    *l = (table_line){2 * a * def->lo_key + d, 2 * a, 2 * d};
    return true;
}

/* Whether the value is the line between *lo and *hi. max(line, 0) between lo and hi is the line between the
 * clamp of 0 and hi, as the line rounds negative keys to at most 0 and others to at least 0; a clip's bounds
 * are rounded and saturated: a clamp of a clamp. */
static inline bool table_line_bounds(const mica_table_def *def, int32_t *lo, int32_t *hi) {
    *lo = def->lo_value;
    *hi = def->hi_value;
    switch (def->kind) {
    case MICA_TABLE_IDENTITY:
        return true;
    case MICA_TABLE_RELU_SCALED:
        *lo = table_clamp(0, def->lo_value, def->hi_value);
        return true;
    case MICA_TABLE_CLIP:
        *lo = table_clamp(table_round(def, def->param[0]), def->lo_value, def->hi_value);
        *hi = table_clamp(table_round(def, def->param[1]), def->lo_value, def->hi_value);
        return true;
    default:
        return false;
    }
}

#endif
