/* Products of 16-bit matrices on vectors, included once per instruction set after simd/products.h and these:
 *
 *     products_vec, PRODUCTS_LANES       sums, 32-bit lanes
 *     PRODUCTS_ROWS, PRODUCTS_VECTORS    size of a tile
 *     products_load, products_store      unaligned
 *     products_zero, products_pair       all lanes 0; all lanes the pair of 16-bit words at p
 *     products_step(s, a, b)             s + a_0 b_0 + a_1 b_1, lane by lane, modulo 2^32
 *     PRODUCTS_NAME                      the function
 *                        attributes of every function, or nothing
 *
 * A tile keeps its sums in registers over the whole depth.
 */

/* One tile: ROWS rows, VECTORS vectors of columns. Both are constants where this is inlined. */
static inline __attribute__((always_inline)) void products_tile(int32_t *out, const int16_t *left,
                                                                size_t stride, const int16_t *right,
                                                                size_t rows, size_t vectors, size_t columns,
                                                                size_t depth) {
    products_vec sum[PRODUCTS_ROWS][PRODUCTS_VECTORS];
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vectors; v++)
            sum[r][v] = products_zero();
    for (size_t k = 0; k < depth; k += 2) {
        products_vec b[PRODUCTS_VECTORS];
        for (size_t v = 0; v < vectors; v++)
            b[v] = products_load(right + k * columns + v * 2 * PRODUCTS_LANES);
        for (size_t r = 0; r < rows; r++) {
            const products_vec a = products_pair(left + r * stride + k);
            for (size_t v = 0; v < vectors; v++)
                sum[r][v] = products_step(sum[r][v], a, b[v]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vectors; v++)
            products_store(out + r * columns + v * PRODUCTS_LANES, sum[r][v]);
}

/* The columns of PRODUCTS_ROWS rows, then of the rows that are left one by one. */
static inline __attribute__((always_inline)) void products_rows(int32_t *out, const int16_t *left,
                                                                size_t stride, const int16_t *right,
                                                                size_t rows, size_t columns, size_t depth) {
    const size_t width = (size_t)PRODUCTS_VECTORS * PRODUCTS_LANES;
    size_t c = 0;
    for (; c + width <= columns; c += width)
        products_tile(out + c, left, stride, right + 2 * c, rows, PRODUCTS_VECTORS, columns, depth);
    for (; c < columns; c += PRODUCTS_LANES)
        products_tile(out + c, left, stride, right + 2 * c, rows, 1, columns, depth);
}

void PRODUCTS_NAME(int32_t *out, const int16_t *left, size_t stride, const int16_t *right, size_t rows,
                   size_t columns, size_t depth) {
    size_t r = 0;
    for (; r + PRODUCTS_ROWS <= rows; r += PRODUCTS_ROWS)
        products_rows(out + r * columns, left + r * stride, stride, right, PRODUCTS_ROWS, columns, depth);
    for (; r < rows; r++)
        products_rows(out + r * columns, left + r * stride, stride, right, 1, columns, depth);
}
