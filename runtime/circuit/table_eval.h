/* The verifier's evaluation of a table's columns at a point. */
#ifndef MICA_CIRCUIT_TABLE_EVAL_H
#define MICA_CIRCUIT_TABLE_EVAL_H

#include <stddef.h>

#include "field/qm31.h"
#include "mica/table.h"

/* Rows that table_eval has to write down: 0 for RANGE and RELU, for the linear kinds with equal scales (all
 * in O(bits)), and for those with other scales unless these are very far apart (in O(2^(bits/2) bits)); else
 * all 2^bits. */
size_t table_eval_rows(const mica_table_def *def);

/* *key and *value: the multilinear extensions of row -> key and row -> value at z[0..bits), a valid
 * definition given. `values` is room for table_eval_rows elements, NULL if that is 0. RANGE has value 0. */
void table_eval(const mica_table_def *def, const qm31 *z, int32_t *values, qm31 *key, qm31 *value);

#endif
