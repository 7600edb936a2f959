/* How many pairs of words a product of 16-bit matrices may add up before a sum of cells times halves
 * (simd/limbs.h) could leave 32 bits: that depends on the cells, not only on their range. */
#ifndef MICA_POLY_EXACT_DEPTH_PROVE_H
#define MICA_POLY_EXACT_DEPTH_PROVE_H

#include <stddef.h>
#include <stdint.h>

#include "simd/limbs.h"

#define EXACT_DEPTH_MAX 512
#define EXACT_ROWS_MAX  32
#define EXACT_PARTS_MAX (EXACT_DEPTH_MAX / HALVES_WINDOW)

/* The largest part of `depth` words, a multiple of HALVES_WINDOW or all, such that in every row, cut into
 * parts of so many words from the first one on, the magnitudes of each part sum to HALVES_MOST at most. cell:
 * [rows][depth], |cell| <= LIMB_MOST; rows <= EXACT_ROWS_MAX, depth <= EXACT_DEPTH_MAX. */
size_t exact_depth(const int16_t *cell, size_t rows, size_t depth);

#endif
