#include "circuit/table_eval.h"

#include <stddef.h>

#include "base/require.h"
#include "poly/mle.h"

/* max(key, 0). Keys from -2^(bits-1): the top bit of the row tells the sign, the others are the key if it is
 * not negative: z_top * sum_{i < bits-1} 2^i z_i. */
static qm31 eval_relu(const mica_table_def *def, const qm31 *z) {
    if (def->lo_key == 0)
        return mle_identity(z, def->bits);
    const unsigned top = def->bits - 1u;
    return qm31_mul(z[top], mle_identity(z, top));
}

/* Four products of canonical elements add to at most 4 (p - 1)^2 < 2^64, folded to less than 2^34; 2^20 rows
 * sum to less than 2^52. */
static qm31 eval_dense(const qm31 *eq, const int32_t *values, size_t n) {
    uint64_t sum[QM31_DEGREE] = {0};
    qm31 rest = qm31_zero();
    size_t j = 0;
    for (; j + 4 <= n; j += 4) {
        m31 v[4];
        for (unsigned k = 0; k < 4; k++)
            v[k] = m31_from_i32(values[j + k]);
        for (unsigned c = 0; c < QM31_DEGREE; c++) {
            const uint64_t four = (uint64_t)eq[j].v[c] * v[0] + (uint64_t)eq[j + 1].v[c] * v[1] +
                                  (uint64_t)eq[j + 2].v[c] * v[2] + (uint64_t)eq[j + 3].v[c] * v[3];
            sum[c] += (four & M31_P) + (four >> 31);
        }
    }
    for (; j < n; j++)
        rest = qm31_add(rest, qm31_mul_i32(eq[j], values[j]));
    const qm31 all = {
        {m31_reduce64(sum[0]), m31_reduce64(sum[1]), m31_reduce64(sum[2]), m31_reduce64(sum[3])}};
    return qm31_add(all, rest);
}

void table_eval(const mica_table_def *def, const qm31 *z, const qm31 *eq, const int32_t *values, qm31 *key,
                qm31 *value) {
    *key = qm31_add(qm31_from_i32(def->lo_key), mle_identity(z, def->bits));
    if (def->kind == MICA_TABLE_RANGE) {
        *value = qm31_zero();
    } else if (def->kind == MICA_TABLE_RELU) {
        *value = eval_relu(def, z);
    } else {
        MICA_REQUIRE(eq != NULL && values != NULL);
        *value = eval_dense(eq, values, (size_t)1 << def->bits);
    }
}
