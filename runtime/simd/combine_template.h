/* Weighted sums of rows on vectors, included once per instruction set after simd/products_template.h and
 * these:
 *
 *     COMBINE_AT_ONCE                      sums of one pass over the rows, a divisor of COMBINE_SUMS
 *     combine_low, combine_high(a, b)      pairs of 16-bit words of a and b, the lower or upper half of each
 *                                          128 bits
 *     combine_first, combine_second(l, h)  sums of these pairs in the order of the words
 *     COMBINE_NAME                         the function
 */

#define COMBINE_WORDS ((size_t)2 * PRODUCTS_LANES)

/* One vector of cells of every row. Rows are far apart and each is read once: the lines after the next are
 * asked for in advance. */
static inline __attribute__((always_inline)) void combine_words(int32_t *out, size_t stride,
                                                                const int16_t *left,
                                                                const int16_t *const *row, size_t rows,
                                                                size_t at) {
    products_vec sum[COMBINE_AT_ONCE][2];
    for (size_t j = 0; j < COMBINE_AT_ONCE; j++)
        sum[j][0] = sum[j][1] = products_zero();
    for (size_t r = 0; r < rows; r += 2) {
        const products_vec a = products_load(row[r] + at), b = products_load(row[r + 1] + at);
        const products_vec low = combine_low(a, b), high = combine_high(a, b);
        __builtin_prefetch(row[r] + at + 256, 0, 2);
        __builtin_prefetch(row[r + 1] + at + 256, 0, 2);
        for (size_t j = 0; j < COMBINE_AT_ONCE; j++) {
            const products_vec by = products_pair(left + (r / 2 * COMBINE_SUMS + j) * 2);
            sum[j][0] = products_step(sum[j][0], low, by);
            sum[j][1] = products_step(sum[j][1], high, by);
        }
    }
    for (size_t j = 0; j < COMBINE_AT_ONCE; j++) {
        products_store(out + j * stride + at, combine_first(sum[j][0], sum[j][1]));
        products_store(out + j * stride + at + PRODUCTS_LANES, combine_second(sum[j][0], sum[j][1]));
    }
}

void COMBINE_NAME(int32_t *out, size_t stride, const int16_t *left, const int16_t *const *row, size_t rows,
                  size_t n) {
    const size_t end = n - n % COMBINE_WORDS;
    for (size_t at = 0; at < end; at += COMBINE_WORDS) {
        for (size_t j = 0; j < COMBINE_SUMS; j += COMBINE_AT_ONCE)
            combine_words(out + j * stride, stride, left + 2 * j, row, rows, at);
    }
    combine_columns(out, stride, left, row, rows, end, n);
}
