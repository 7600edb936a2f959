#include "program/contract_sums.h"

#include <stdbool.h>

#define ROWS  4 /* of one tile: 4 x 8 sums stay in registers */
#define WIDTH 8

/* A wider instruction set where the CPU has it; the same source, and the same integers. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

/* A full tile. */
CLONES static void tile_full(const contract_block *c, size_t row, size_t x) {
    int64_t sum[ROWS][WIDTH] = {{0}};
    const int32_t *a = c->a + row * c->a_row, *b = c->b + x;
    for (size_t k = 0; k < c->n; k++) {
        const int32_t *from = b + c->b_at[k];
        for (size_t r = 0; r < ROWS; r++) {
            const int64_t factor = a[r * c->a_row + c->a_at[k]];
            for (size_t i = 0; i < WIDTH; i++)
                sum[r][i] += factor * from[i];
        }
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < WIDTH; i++)
            c->out[(row + r) * c->out_row + x + i] = sum[r][i];
}

/* What is left of a row or column of tiles. */
CLONES static void tile_rest(const contract_block *c, size_t row, size_t rows, size_t x, size_t width) {
    for (size_t r = row; r < row + rows; r++) {
        int64_t sum[WIDTH] = {0};
        for (size_t k = 0; k < c->n; k++) {
            const int64_t factor = c->a[r * c->a_row + c->a_at[k]];
            const int32_t *from = c->b + c->b_at[k] + x;
            for (size_t i = 0; i < width; i++)
                sum[i] += factor * from[i];
        }
        for (size_t i = 0; i < width; i++)
            c->out[r * c->out_row + x + i] = sum[i];
    }
}

void contract_block_run(const contract_block *c) {
    for (size_t x = 0; x < c->width; x += WIDTH) {
        const size_t width = c->width - x < WIDTH ? c->width - x : WIDTH;
        for (size_t row = 0; row < c->rows; row += ROWS) {
            const size_t rows = c->rows - row < ROWS ? c->rows - row : ROWS;
            if (rows == ROWS && width == WIDTH)
                tile_full(c, row, x);
            else
                tile_rest(c, row, rows, x, width);
        }
    }
}
