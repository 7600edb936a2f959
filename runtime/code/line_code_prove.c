/* The encoder. With p(x) = sum_i v_i prod_j T_{2^j}(x)^{i_j}, splitting by bit 0 of i gives
 *   p(x) = p_even(2x^2 - 1) + x p_odd(2x^2 - 1),
 * and index j of S_k maps to index j mod 2^(k-1) of S_(k-1), while index j + 2^(k-1) holds -x_j. So a block
 * that holds the codeword of p_even on S_(k-1), then that of p_odd, becomes the codeword of p on S_k by
 * 2^(k-1) butterflies (u, v) -> (u + x_j v, u - x_j v). The recursion ends at one coefficient, whose codeword
 * on S_r is 2^r copies; the coefficients of these blocks stand in bit-reversed order.
 *
 * Three stages, each with long inner loops and a working set that fits the caches:
 *   1. blocks of 2^ROWS_LOG points, many side by side: one butterfly works on one point of PANEL blocks;
 *   2. the layers inside CACHE_LOG blocks, one block after another;
 *   3. the outer layers, up to GROUP of them in one pass over memory.
 */
#include "code/line_code.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "code/circle.h"
#include "simd/kernels.h"

#define ROWS_LOG  6
#define PANEL     64u
#define CACHE_LOG 13 /* 32 KiB of points and as much of twiddles */
#define GROUP     3
#define CHUNK     512u /* 2^GROUP chunks of points: 16 KiB */

/* layer[k][j] = point j of S_k, j < 2^(k-1): the factors of the layer that makes blocks of 2^k points. */
struct line_twiddles {
    m31 *layer[LINE_CODE_MAX_LOG + 1];
};

static struct line_twiddles twiddles;
static pthread_mutex_t twiddles_lock = PTHREAD_MUTEX_INITIALIZER;

static m31 *make_layer(unsigned k) {
    const size_t n = (size_t)1 << (k - 1);
    m31 *x = malloc(n * sizeof *x);
    if (!x)
        return NULL;
    circle_point at = circle_of_order(k + 2);
    const circle_point step = circle_of_order(k);
    for (size_t j = 0; j < n; j++, at = circle_mul(at, step))
        x[j] = at.x;
    return x;
}

/* Layers are added and never changed or removed, so those handed out are read without the lock. */
const line_twiddles *line_twiddles_get(unsigned k, mica_status *st) {
    bool ok = true;
    if (k > LINE_CODE_MAX_LOG) {
        mica_fail(st, MICA_ERR_LIMIT, "a codeword of 2^%u points exceeds 2^%d", k, LINE_CODE_MAX_LOG);
        return NULL;
    }
    pthread_mutex_lock(&twiddles_lock);
    for (unsigned i = 1; i <= k && ok; i++) {
        if (!twiddles.layer[i])
            twiddles.layer[i] = make_layer(i);
        ok = twiddles.layer[i] != NULL;
    }
    pthread_mutex_unlock(&twiddles_lock);
    if (!ok) {
        mica_fail(st, MICA_ERR_MEMORY, "no memory for the twiddles of 2^%u points", k);
        return NULL;
    }
    return &twiddles;
}

static size_t reverse_bits(size_t x, unsigned bits) {
    size_t r = 0;
    for (unsigned i = 0; i < bits; i++)
        r |= (x >> i & 1) << (bits - 1 - i);
    return r;
}

static void fill(m31 *out, size_t n, m31 value) {
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

/* rows[row][col]: codewords on S_(r+s) of `width` blocks side by side, row = point, col = block. Block `col`
 * has the coefficients v[first + col + i * stride], i < 2^s. */
static void encode_panel(const line_twiddles *tw, const m31 *v, size_t stride, unsigned s, unsigned r,
                         size_t width, m31 rows[][PANEL]) {
    const mica_kernels *kern = kernels();
    for (size_t i = 0; i < (size_t)1 << s; i++) {
        m31(*copy)[PANEL] = rows + (reverse_bits(i, s) << r);
        for (size_t j = 0; j < (size_t)1 << r; j++) {
            if (width == PANEL) /* a length that the compiler knows */
                memcpy(copy[j], v + i * stride, PANEL * sizeof *v);
            else
                memcpy(copy[j], v + i * stride, width * sizeof *v);
        }
    }
    unsigned k = r;
    for (; k + 2 <= r + s; k += 2) {
        const size_t quarter = (size_t)1 << k;
        const m31 *x = tw->layer[k + 1], *y = tw->layer[k + 2];
        for (size_t block = 0; block < (size_t)1 << (r + s); block += 4 * quarter) {
            for (size_t j = 0; j < quarter; j++)
                kern->butterflies(rows[block + j], quarter * PANEL, x + j, y + j, y + quarter + j, 1, width);
        }
    }
    if (k < r + s) {
        const size_t half = (size_t)1 << k;
        for (size_t j = 0; j < half; j++)
            kern->butterfly(rows[j], rows[half + j], tw->layer[k + 1] + j, 1, width);
    }
}

typedef uint32_t quad __attribute__((vector_size(16)));

/* block[c][row + r] = rows[row + r][col + c], r, c < 4. */
static inline void transpose_quads(m31 *const block[4], m31 rows[][PANEL], size_t row, size_t col) {
    quad a[4], t[4], u[4];
    for (size_t r = 0; r < 4; r++)
        memcpy(&a[r], &rows[row + r][col], sizeof a[r]);
    for (size_t r = 0; r < 4; r += 2) {
        t[r] = __builtin_shufflevector(a[r], a[r + 1], 0, 4, 1, 5);
        t[r + 1] = __builtin_shufflevector(a[r], a[r + 1], 2, 6, 3, 7);
    }
    for (size_t c = 0; c < 2; c++) {
        u[2 * c] = __builtin_shufflevector(t[c], t[2 + c], 0, 1, 4, 5);
        u[2 * c + 1] = __builtin_shufflevector(t[c], t[2 + c], 2, 3, 6, 7);
    }
    for (size_t c = 0; c < 4; c++)
        memcpy(block[c] + row, &u[c], sizeof u[c]);
}

/* The same of fewer points or columns. */
static void copy_few(m31 *const block[4], m31 rows[][PANEL], size_t points, size_t col, size_t width) {
    for (size_t c = 0; c < 4 && col + c < width; c++) {
        for (size_t row = 0; row < points; row++)
            /* filled: 2^s >= 1 blocks of 2^r points */
            block[c][row] = rows[row][col + c]; // NOLINT(clang-analyzer-core.uninitialized.Assign)
    }
}

/* Stage 1: all blocks of 2^(r+s) points; the block of coefficients i mod 2^(b-s) stands at the reversed
 * index. */
static void encode_blocks(const line_twiddles *tw, const m31 *v, unsigned b, unsigned s, unsigned r,
                          m31 *out) {
    m31 rows[1 << ROWS_LOG][PANEL];
    const size_t blocks = (size_t)1 << (b - s);
    const size_t width = blocks < PANEL ? blocks : PANEL;
    const size_t points = (size_t)1 << (r + s);
    for (size_t i = 0; i < (size_t)1 << b; i += 16)
        __builtin_prefetch(v + i, 0, 2);
    for (size_t first = 0; first < blocks; first += width) {
        encode_panel(tw, v + first, blocks, s, r, width, rows);
        for (size_t col = 0; col < width; col += 4) {
            m31 *block[4];
            for (size_t c = 0; c < 4; c++)
                block[c] = out + (reverse_bits((first + col + c) & (blocks - 1), b - s) << (r + s));
            if (points < 4 || width < 4) {
                copy_few(block, rows, points, col, width);
                continue;
            }
            for (size_t row = 0; row < points; row += 4)
                transpose_quads(block, rows, row, col);
        }
    }
}

/* Stage 2: the layers above `from` up to `to` inside every block of 2^to points, two at a time. */
static void inner_layers(const line_twiddles *tw, m31 *out, size_t n, unsigned from, unsigned to) {
    const mica_kernels *kern = kernels();
    for (size_t outer = 0; outer < n; outer += (size_t)1 << to) {
        m31 *const end = out + outer + ((size_t)1 << to);
        unsigned k = from;
        if ((to - from) % 2) {
            const size_t half = (size_t)1 << k++;
            for (m31 *u = out + outer; u < end; u += 2 * half)
                kern->butterfly(u, u + half, tw->layer[k], 0, half);
        }
        for (; k < to; k += 2) {
            const size_t quarter = (size_t)1 << k;
            const m31 *y = tw->layer[k + 2];
            for (m31 *a = out + outer; a < end; a += 4 * quarter)
                kern->butterflies(a, quarter, tw->layer[k + 1], y, y + quarter, 0, quarter);
        }
    }
}

/* Stage 3, one pass: `count` layers above `from` of the block at `out`. Points that are equal modulo 2^from
 * depend on each other only, so a chunk of those columns goes through all the layers while it is in the
 * cache. */
static void outer_pass(const line_twiddles *tw, m31 *out, unsigned from, unsigned count) {
    const mica_kernels *kern = kernels();
    const size_t columns = (size_t)1 << from, rows = (size_t)1 << count;
    for (size_t first = 0; first < columns; first += CHUNK) {
        m31 *chunk = out + first;
        unsigned l = 0;
        for (; l + 2 <= count; l += 2) {
            const size_t bit = (size_t)1 << l;
            for (size_t row = 0; row < rows; row++) {
                if (row & (3 * bit))
                    continue;
                const size_t at = (row & (bit - 1)) * columns + first;
                const m31 *x = tw->layer[from + 1 + l] + at, *y = tw->layer[from + 2 + l] + at;
                kern->butterflies(chunk + row * columns, bit * columns, x, y, y + bit * columns, 0, CHUNK);
            }
        }
        if (l < count) {
            const size_t half = (size_t)1 << l;
            for (size_t row = 0; row < half; row++)
                kern->butterfly(chunk + row * columns, chunk + (row + half) * columns,
                                tw->layer[from + 1 + l] + row * columns + first, 0, CHUNK);
        }
    }
}

void line_encode(const line_twiddles *tw, const m31 *v, unsigned b, unsigned r, m31 *out) {
    const unsigned k = b + r;
    const size_t n = (size_t)1 << k;
    MICA_REQUIRE(b <= LINE_CODE_MAX_LOG && r <= LINE_CODE_MAX_LOG - b);
    MICA_REQUIRE(k == 0 || tw->layer[k] != NULL);
    unsigned done; /* blocks of 2^done points are codewords */
    if (r >= ROWS_LOG) {
        for (size_t i = 0; i < (size_t)1 << b; i++)
            fill(out + (reverse_bits(i, b) << r), (size_t)1 << r, v[i]);
        done = r;
    } else {
        const unsigned s = b < ROWS_LOG - r ? b : ROWS_LOG - r;
        encode_blocks(tw, v, b, s, r, out);
        done = r + s;
    }
    const unsigned inner = k < CACHE_LOG ? k : CACHE_LOG;
    if (done < inner) {
        inner_layers(tw, out, n, done, inner);
        done = inner;
    }
    while (done < k) {
        const unsigned count = k - done < GROUP ? k - done : GROUP;
        for (size_t block = 0; block < n; block += (size_t)1 << (done + count))
            outer_pass(tw, out + block, done, count);
        done += count;
    }
}
