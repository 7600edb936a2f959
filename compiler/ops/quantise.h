/* What the reference and the lowering of QuantizeLinear share. */
#ifndef MICA_COMPILER_QUANTISE_H
#define MICA_COMPILER_QUANTISE_H

#include <stdbool.h>

/* The values of an integer type of 4, 8 or 16 bits; false for any other type. */
bool quantise_range(int type, double *lo, double *hi);

#endif
