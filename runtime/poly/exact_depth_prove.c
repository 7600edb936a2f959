#include "poly/exact_depth_prove.h"

#include "simd/kernels.h"

/* Whether all parts of `per` windows are small enough. */
static bool fits(uint32_t sum[][EXACT_PARTS_MAX], size_t rows, size_t windows, size_t per) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t first = 0; first < windows; first += per) {
            uint32_t part = 0; /* <= EXACT_DEPTH_MAX LIMB_MOST < 2^20 */
            for (size_t w = first; w < windows && w < first + per; w++)
                part += sum[r][w];
            if (part > HALVES_MOST)
                return false;
        }
    }
    return true;
}

size_t exact_depth(const int16_t *cell, size_t rows, size_t depth) {
    uint32_t sum[EXACT_ROWS_MAX][EXACT_PARTS_MAX];
    const size_t windows = (depth + HALVES_WINDOW - 1) / HALVES_WINDOW;
    for (size_t r = 0; r < rows; r++)
        kernels()->abs_sums(sum[r], cell + r * depth, depth);
    size_t parts = 1, per = windows;
    while (per > 1 && !fits(sum, rows, windows, per))
        per = (windows + parts) / (parts + 1), parts++;
    return per < windows ? per * HALVES_WINDOW : depth; /* one window always fits */
}
