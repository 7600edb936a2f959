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

/* One folding of a product below 2^62 leaves less than 2^32; 2^18 rows sum to less than 2^50. */
static qm31 eval_dense(const qm31 *eq, const int32_t *values, size_t n) {
    uint64_t sum[QM31_DEGREE] = {0};
    for (size_t j = 0; j < n; j++) {
        const m31 v = m31_from_i32(values[j]);
        for (unsigned c = 0; c < QM31_DEGREE; c++) {
            const uint64_t x = (uint64_t)eq[j].v[c] * v;
            sum[c] += (x & M31_P) + (x >> 31);
        }
    }
    return (qm31){{m31_reduce64(sum[0]), m31_reduce64(sum[1]), m31_reduce64(sum[2]), m31_reduce64(sum[3])}};
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
