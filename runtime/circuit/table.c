/* Table definitions (docs/formats.md, "Tables") and which of them are valid. */
#include "mica/table.h"

bool mica_table_is_structured(const mica_table_def *def) {
    const bool scaled = def->kind == MICA_TABLE_IDENTITY || def->kind == MICA_TABLE_RELU_SCALED;
    const bool equal = def->in_scale.mantissa == def->out_scale.mantissa &&
                       def->in_scale.exponent == def->out_scale.exponent;
    return def->kind == MICA_TABLE_RANGE || def->kind == MICA_TABLE_RELU || (scaled && equal);
}

unsigned mica_table_width(const mica_table_def *def) {
    return def->kind == MICA_TABLE_RANGE ? 1 : 2;
}

/* --- validation: the definition may come from hostile bytes --- */

static bool is_zero(mica_dyadic x) {
    return x.mantissa == 0 && x.exponent == 0;
}

/* In normal form: one representation per value. */
static bool is_normal(mica_dyadic x) {
    if (x.mantissa == 0)
        return x.exponent == 0;
    const int64_t abs = x.mantissa < 0 ? -(int64_t)x.mantissa : x.mantissa;
    return abs >= (int64_t)1 << 30 && abs < (int64_t)1 << 31 && x.exponent >= -MICA_DYADIC_MAX_EXPONENT &&
           x.exponent <= MICA_DYADIC_MAX_EXPONENT;
}

static bool is_positive(mica_dyadic x) {
    return is_normal(x) && x.mantissa > 0;
}

/* a <= b for numbers in normal form: by sign, then by exponent, then by mantissa. */
static bool at_most(mica_dyadic a, mica_dyadic b) {
    const int sign_a = (a.mantissa > 0) - (a.mantissa < 0), sign_b = (b.mantissa > 0) - (b.mantissa < 0);
    if (sign_a != sign_b)
        return sign_a < sign_b;
    if (a.exponent != b.exponent) /* of like sign, hence neither is zero */
        return (a.exponent < b.exponent) == (sign_a > 0);
    return a.mantissa <= b.mantissa;
}

static bool validate_keys(const mica_table_def *def, mica_status *st) {
    const int most = mica_table_is_structured(def) ? MICA_MAX_TABLE_BITS : MICA_MAX_DENSE_BITS;
    if (def->bits > most)
        return mica_fail(st, MICA_ERR_FORMAT, "table: 2^%u rows exceed 2^%d", def->bits, most);
    const bool from_zero = def->lo_key == 0;
    const bool centred = def->bits >= 1 && def->lo_key == -((int32_t)1 << (def->bits - 1));
    if (!from_zero && (def->kind == MICA_TABLE_RANGE || !centred))
        return mica_fail(st, MICA_ERR_FORMAT, "table: the keys of 2^%u rows may not start at %d", def->bits,
                         (int)def->lo_key);
    return true;
}

static bool validate_exact(const mica_table_def *def, mica_status *st) {
    if (is_zero(def->in_scale) && is_zero(def->out_scale) && def->lo_value == 0 && def->hi_value == 0)
        return true;
    return mica_fail(st, MICA_ERR_FORMAT, "table: scales or bounds on a kind that has none");
}

static bool validate_scaled(const mica_table_def *def, mica_status *st) {
    if (!is_positive(def->in_scale) || !is_positive(def->out_scale))
        return mica_fail(st, MICA_ERR_FORMAT, "table: a scale is not a positive number in normal form");
    if (def->lo_value > def->hi_value || def->lo_value < -MICA_MAX_TABLE_VALUE ||
        def->hi_value > MICA_MAX_TABLE_VALUE)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "table: saturation bounds %d and %d are not ordered or exceed %d",
                         (int)def->lo_value, (int)def->hi_value, MICA_MAX_TABLE_VALUE);
    return true;
}

/* Parameters that the kind reads. */
static unsigned param_count(mica_table_kind kind) {
    switch (kind) {
    case MICA_TABLE_CLIP:
    case MICA_TABLE_SHRINK:
    case MICA_TABLE_HARD_SIGMOID:
    case MICA_TABLE_HARD_SWISH:
        return 2;
    case MICA_TABLE_LEAKY:
    case MICA_TABLE_THRESHOLD:
    case MICA_TABLE_ELU:
    case MICA_TABLE_POW:
        return 1;
    default:
        return 0;
    }
}

static bool validate_params(const mica_table_def *def, mica_status *st) {
    const unsigned n = param_count(def->kind);
    for (unsigned i = 0; i < 2; i++) {
        if (i >= n && !is_zero(def->param[i]))
            return mica_fail(st, MICA_ERR_FORMAT, "table: more parameters than its kind has");
        if (!is_normal(def->param[i]))
            return mica_fail(st, MICA_ERR_FORMAT, "table: a parameter is not in normal form");
    }
    if (def->kind == MICA_TABLE_CLIP && !at_most(def->param[0], def->param[1]))
        return mica_fail(st, MICA_ERR_FORMAT, "table: the bounds of a clip are not ordered");
    return true;
}

bool mica_table_validate(const mica_table_def *def, mica_status *st) {
    if ((unsigned)def->kind >= MICA_TABLE_KINDS)
        return mica_fail(st, MICA_ERR_FORMAT, "table: unknown kind %u", (unsigned)def->kind);
    const bool exact = def->kind == MICA_TABLE_RANGE || def->kind == MICA_TABLE_RELU;
    return validate_keys(def, st) && (exact ? validate_exact(def, st) : validate_scaled(def, st)) &&
           validate_params(def, st);
}
