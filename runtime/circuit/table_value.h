/* One value of a lookup table (docs/formats.md, "Tables"). */
#ifndef MICA_CIRCUIT_TABLE_VALUE_H
#define MICA_CIRCUIT_TABLE_VALUE_H

#include "mica/table.h"

/* floor(x / out_scale + 1/2) clamped to the range of int32_t. */
int32_t table_round(const mica_table_def *def, mica_dyadic x);

static inline int32_t table_clamp(int32_t x, int32_t lo, int32_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

#endif
