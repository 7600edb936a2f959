#include "simd/products.h"

#include "mica/layer.h"
#include "simd/kernels.h"

/* Sixteen sums of one row, in unsigned arithmetic: a sum of valid cells stays below 2^31 (mica/layer.h),
 * other cells wrap as the instructions do. */
static void row_block(int32_t *out, const int16_t *left, const int16_t *right, size_t columns, size_t depth) {
    uint32_t sum[PRODUCTS_COLUMNS] = {0};
    for (size_t k = 0; k < depth; k += 2) {
        const int16_t *pair = right + k * columns;
        for (size_t c = 0; c < PRODUCTS_COLUMNS; c++) {
            sum[c] += (uint32_t)((int32_t)left[k] * pair[2 * c]); /* |product| <= 2^30 */
            sum[c] += (uint32_t)((int32_t)left[k + 1] * pair[2 * c + 1]);
        }
    }
    for (size_t c = 0; c < PRODUCTS_COLUMNS; c++)
        out[c] = (int32_t)sum[c];
}

void products_portable(int32_t *out, const int16_t *left, size_t stride, const int16_t *right, size_t rows,
                       size_t columns, size_t depth) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c += PRODUCTS_COLUMNS)
            row_block(out + r * columns + c, left + r * stride, right + 2 * c, columns, depth);
    }
}

void combine_portable(int32_t *out, size_t stride, const int16_t *left, const int16_t *const *row,
                      size_t rows, size_t n) {
    combine_columns(out, stride, left, row, rows, 0, n);
}

void mica_products(int32_t *out, const int16_t *left, const int16_t *right, int32_t rows, int32_t columns,
                   int32_t depth) {
    kernels()->products(out, left, (size_t)depth, right, (size_t)rows, (size_t)columns, (size_t)depth);
}
