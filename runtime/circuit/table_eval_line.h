#ifndef MICA_CIRCUIT_TABLE_EVAL_LINE_H
#define MICA_CIRCUIT_TABLE_EVAL_LINE_H

#include "circuit/table_line.h"
#include "field/qm31.h"

/* sum over the 2^bits rows j of eq(z, j) times the line at j, between lo <= hi; bits <= MICA_MAX_DENSE_BITS.
 * O(2^(bits/2) bits). */
qm31 table_eval_line(const table_line *l, unsigned bits, int32_t lo, int32_t hi, const qm31 *z);

#endif
