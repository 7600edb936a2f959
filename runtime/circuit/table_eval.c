#include "circuit/table_eval.h"

#include "base/require.h"
#include "circuit/table_eval_line.h"
#include "poly/mle.h"

/* max(key, 0). Keys from -2^(bits-1): the top bit of the row tells the sign, the others are the key if it is
 * not negative: z_top * sum_{i < bits-1} 2^i z_i. */
static qm31 eval_relu(const mica_table_def *def, const qm31 *z) {
    if (def->lo_key == 0)
        return mle_identity(z, def->bits);
    const unsigned top = def->bits - 1u;
    return qm31_mul(z[top], mle_identity(z, top));
}

static bool equal_scales(const mica_table_def *def) {
    return def->in_scale.mantissa == def->out_scale.mantissa &&
           def->in_scale.exponent == def->out_scale.exponent;
}

/* The row of key `bound`, or the nearest of 0 and 2^bits. */
static uint32_t row_of(const mica_table_def *def, int32_t bound) {
    const int64_t row = (int64_t)bound - def->lo_key, rows = (int64_t)1 << def->bits;
    return (uint32_t)(row < 0 ? 0 : row > rows ? rows : row);
}

/* lo over rows [0, a), the key over [a, b), hi over [b, 2^bits). */
static qm31 eval_clamp(const mica_table_def *def, int32_t lo, int32_t hi, const qm31 *z) {
    const uint32_t a = row_of(def, lo), b = row_of(def, hi);
    const qm31 below_a = mle_less_than(z, def->bits, a), below_b = mle_less_than(z, def->bits, b);
    const qm31 rows = qm31_sub(mle_identity_below(z, def->bits, b), mle_identity_below(z, def->bits, a));
    const qm31 keys = qm31_add(rows, qm31_mul_i32(qm31_sub(below_b, below_a), def->lo_key));
    const qm31 flat = qm31_add(qm31_mul_i32(below_a, lo), qm31_mul_i32(qm31_sub(qm31_one(), below_b), hi));
    return qm31_add(keys, flat);
}

size_t table_eval_rows(const mica_table_def *def) {
    table_line l;
    int32_t lo, hi;
    const bool exact = def->kind == MICA_TABLE_RANGE || def->kind == MICA_TABLE_RELU;
    const bool line = !exact && table_line_bounds(def, &lo, &hi) && table_line_make(&l, def);
    return exact || line ? 0 : (size_t)1 << def->bits;
}

static qm31 eval_dense(const mica_table_def *def, const qm31 *z, int32_t *values) {
    MICA_REQUIRE(values != NULL && def->bits <= MICA_MAX_DENSE_BITS);
    qm31 scratch[2 << (MICA_MAX_DENSE_BITS + 1) / 2]; /* 16 KiB; >= mle_eval_scratch */
    mica_table_fill(def, values);
    return mle_eval_i32(values, (uint64_t)1 << def->bits, z, def->bits, scratch);
}

void table_eval(const mica_table_def *def, const qm31 *z, int32_t *values, qm31 *key, qm31 *value) {
    table_line l;
    int32_t lo, hi;
    *key = qm31_add(qm31_from_i32(def->lo_key), mle_identity(z, def->bits));
    if (def->kind == MICA_TABLE_RANGE)
        *value = qm31_zero();
    else if (def->kind == MICA_TABLE_RELU)
        *value = eval_relu(def, z);
    else if (!table_line_bounds(def, &lo, &hi) || !table_line_make(&l, def))
        *value = eval_dense(def, z, values);
    else if (equal_scales(def)) /* the line is the key */
        *value = eval_clamp(def, lo, hi, z);
    else
        *value = table_eval_line(&l, def->bits, lo, hi, z);
}
