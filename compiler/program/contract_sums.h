/* Sums of products, fast: the contractions of the interpreter, which take most of its time. */
#ifndef MICA_COMPILER_CONTRACT_SUMS_H
#define MICA_COMPILER_CONTRACT_SUMS_H

#include <stddef.h>
#include <stdint.h>

/* out[r * out_row + x] = sum over k of a[r * a_row + a_at[k]] * b[b_at[k] + x], for r < rows and x < width.
 * The caller knows that no sum of magnitudes reaches 2^63. */
typedef struct contract_block {
    size_t rows, width, n; /* n: terms of each sum */
    const int32_t *a, *b;
    size_t a_row;              /* from one row's factors to the next one's */
    const size_t *a_at, *b_at; /* [n] offsets of the factors */
    int64_t *out;
    size_t out_row;
} contract_block;

void contract_block_run(const contract_block *c);

#endif
