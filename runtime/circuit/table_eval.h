/* The verifier's evaluation of a table's columns at a point. */
#ifndef MICA_CIRCUIT_TABLE_EVAL_H
#define MICA_CIRCUIT_TABLE_EVAL_H

#include "field/qm31.h"
#include "mica/table.h"

/* Whether both columns are evaluated in O(bits) from the point alone. */
static inline bool table_is_structured(const mica_table_def *def) {
    return def->kind == MICA_TABLE_RANGE || def->kind == MICA_TABLE_RELU;
}

/* *key and *value: the multilinear extensions of row -> key and row -> value at z[0..bits), a valid
 * definition given. A structured table costs O(bits) and reads neither array; any other needs eq[j] = eq(z,
 * j) and value[j] as mica_table_fill leaves it, 2^bits of each. RANGE has value 0. */
void table_eval(const mica_table_def *def, const qm31 *z, const qm31 *eq, const int32_t *values, qm31 *key,
                qm31 *value);

#endif
