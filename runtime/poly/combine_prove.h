/* Weighted sums of rows of a narrow matrix (poly/narrow_prove.h): coordinates of the weights are cut into
 * limbs, so that the sums are products of 16-bit matrices. All results are exact modulo p. */
#ifndef MICA_POLY_COMBINE_PROVE_H
#define MICA_POLY_COMBINE_PROVE_H

#include "poly/narrow_prove.h"

/* y[i] += sum over r < n_rows of weight[r] * cell[start[r] + i], i < 2^vars, where `matrix` holds the cells
 * that `narrow` holds. vars >= NARROW_BLOCK_VARS; starts are multiples of 2^vars. Runs on all workers. Memory
 * of the arena, given back: combine_rows_bytes. */
bool combine_rows(const narrow_matrix *narrow, const m31 *matrix, const size_t *start, const qm31 *weight,
                  size_t n_rows, unsigned vars, qvec y, mica_arena *arena, mica_status *st);
size_t combine_rows_bytes(size_t n_rows);

#endif
