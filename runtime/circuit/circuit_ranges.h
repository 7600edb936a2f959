/* The no-wrap rule of a circuit (docs/integers.md): every identity holds over the integers, not only modulo
 * p. */
#ifndef MICA_CIRCUIT_CIRCUIT_RANGES_H
#define MICA_CIRCUIT_CIRCUIT_RANGES_H

#include "mica/circuit.h"

/* An interval of integers; wide enough that sums of products of declared ranges do not overflow (saturating).
 */
typedef struct int_range {
    int64_t lo, hi;
} int_range;

/* Column `entry` (0: key, 1: value) of a table. */
int_range circuit_table_column(const mica_table_def *def, unsigned entry);

/* The range of CONTRACT tensor t that follows from its operands' declared ranges alone. */
int_range circuit_product_range(const mica_circuit *c, uint32_t t);

/* Checks every tensor's declared range against its definition and every lookup's |lhs - rhs| < p. Declared
 * ranges of INPUT (checked by the verifier per statement), WEIGHT and of contractions with weights are taken
 * as given. */
bool circuit_check_ranges(const mica_circuit *c, mica_status *st);

#endif
