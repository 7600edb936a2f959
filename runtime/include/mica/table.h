/* Lookup tables, defined by integer algorithms (docs/formats.md, "Tables"): anyone recomputes them bit for
 * bit on any CPU. A table has 2^bits rows; row j has key = lo_key + j and, unless it is a range, one value
 * f(key).
 *
 * real(x) = mantissa * 2^exponent is an exact dyadic rational.
 */
#ifndef MICA_TABLE_H
#define MICA_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "mica/status.h"

#define MICA_MAX_TABLE_BITS      20              /* of structured tables (mica_table_is_structured) */
#define MICA_MAX_DENSE_BITS      18              /* of all others: a verifier evaluates them row by row */
#define MICA_MAX_TABLE_VALUE     ((1 << 30) - 1) /* |value|: two values never differ by p */
#define MICA_DYADIC_MAX_EXPONENT 96

typedef enum mica_table_kind {
    MICA_TABLE_RANGE,       /* tuple (key): key in [0, 2^bits) */
    MICA_TABLE_RELU,        /* tuple (key, max(key, 0)), exact; for max(a, b) = b + relu(a - b) */
    MICA_TABLE_IDENTITY,    /* tuple (key, clamp(round(key * in_scale / out_scale))) */
    MICA_TABLE_RELU_SCALED, /* as IDENTITY of max(x, 0) */
    MICA_TABLE_CLIP,        /* as IDENTITY of min(max(x, param_0), param_1) */
    MICA_TABLE_SIGMOID,     /* clamp(round(sigmoid(key * in_scale) / out_scale)); likewise below */
    MICA_TABLE_TANH,
    MICA_TABLE_EXP,
    MICA_TABLE_LEAKY,        /* x for x > 0, param_0 x otherwise */
    MICA_TABLE_THRESHOLD,    /* x for x > param_0, 0 otherwise */
    MICA_TABLE_SHRINK,       /* x + param_1 for x < -param_0, x - param_1 for x > param_0, 0 otherwise */
    MICA_TABLE_HARD_SIGMOID, /* min(max(param_0 x + param_1, 0), 1) */
    MICA_TABLE_HARD_SWISH,   /* x times HARD_SIGMOID */
    MICA_TABLE_ELU,          /* x for x > 0, param_0 (exp(x) - 1) otherwise */
    MICA_TABLE_SOFTPLUS,     /* ln(1 + exp(x)) */
    MICA_TABLE_SOFTSIGN,     /* x / (1 + |x|) */
    MICA_TABLE_MISH,         /* x tanh(SOFTPLUS) */
    MICA_TABLE_ERF,
    MICA_TABLE_GELU,      /* x (1 + erf(x / sqrt(2))) / 2 */
    MICA_TABLE_GELU_TANH, /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
    MICA_TABLE_LOG,       /* natural; lo_value for x <= 0 */
    MICA_TABLE_POW, /* x^param_0; 0 for x < 0 unless param_0 is an integer, hi_value for 0 to a negative power
                     */
    MICA_TABLE_SIN,
    MICA_TABLE_COS,
    MICA_TABLE_FLOOR,
    MICA_TABLE_CEIL,
    MICA_TABLE_ROUND, /* to the nearest integer, ties to even */
    MICA_TABLE_SIGN,
    MICA_TABLE_KINDS
} mica_table_kind;

typedef struct mica_dyadic {
    int32_t mantissa; /* 0, or 2^30 <= |mantissa| < 2^31 */
    int32_t exponent; /* -96 <= exponent <= 96; 0 if mantissa is 0 */
} mica_dyadic;

typedef struct mica_table_def {
    mica_table_kind kind;
    uint8_t bits;   /* log2 of the number of rows, 0 <= bits <= MICA_MAX_TABLE_BITS */
    int32_t lo_key; /* RANGE: 0; otherwise -2^(bits-1), or 0 for keys that are never negative */
    mica_dyadic in_scale, out_scale; /* scaled kinds only; > 0 */
    int32_t lo_value, hi_value; /* scaled kinds: saturation of the value, within +-MICA_MAX_TABLE_VALUE */
    mica_dyadic param[2];       /* CLIP: bounds, lower then upper; others as above; 0 where a kind has none */
} mica_table_def;

/* Whether f is max(key, 0), or a clamp of the key or of that, exactly: RANGE, RELU, and IDENTITY and
 * RELU_SCALED with equal scales. */
bool mica_table_is_structured(const mica_table_def *def);

/* Number of tuple components: 1 for RANGE, 2 otherwise. */
unsigned mica_table_width(const mica_table_def *def);

/* Whether the definition is well-formed: fields unused by the kind are zero, bounds ordered, scales positive.
 */
bool mica_table_validate(const mica_table_def *def, mica_status *st);

/* value[j] = f(lo_key + j) for 0 <= j < 2^bits. RANGE has no values: the array is filled with zeros. */
void mica_table_fill(const mica_table_def *def, int32_t *value);

/* f(key) for one key; key must be a row. */
int32_t mica_table_value(const mica_table_def *def, int32_t key);

/* The nearest dyadic with a 31-bit mantissa to a finite double; false if it is out of range. */
bool mica_dyadic_from_double(mica_dyadic *out, double x);
/* Exact. x is 0 or within the ranges above. */
double mica_dyadic_to_double(mica_dyadic x);

#endif
