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
    for (unsigned k = r + 1; k <= r + s; k++) {
        const size_t half = (size_t)1 << (k - 1);
        for (size_t block = 0; block < (size_t)1 << (r + s); block += 2 * half) {
            for (size_t j = 0; j < half; j++)
                kern->butterfly(rows[block + j], rows[block + half + j], tw->layer[k] + j, 1, width);
        }
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
        for (size_t col = 0; col < width; col++) {
            m31 *block = out + (reverse_bits(first + col, b - s) << (r + s));
            for (size_t row = 0; row < points; row++)
                /* filled: 2^s >= 1 blocks of 2^r points */
                block[row] = rows[row][col]; // NOLINT(clang-analyzer-core.uninitialized.Assign)
        }
    }
}

/* Stage 2: the layers above `from` up to `to` inside every block of 2^to points. */
static void inner_layers(const line_twiddles *tw, m31 *out, size_t n, unsigned from, unsigned to) {
    const mica_kernels *kern = kernels();
    for (size_t outer = 0; outer < n; outer += (size_t)1 << to) {
        for (unsigned k = from + 1; k <= to; k++) {
            const size_t half = (size_t)1 << (k - 1);
            for (size_t block = outer; block < outer + ((size_t)1 << to); block += 2 * half)
                kern->butterfly(out + block, out + block + half, tw->layer[k], 0, half);
        }
    }
}

/* Stage 3, one pass: `count` layers above `from` of the block at `out`. Points that are equal modulo 2^from
 * depend on each other only, so a chunk of those columns goes through all the layers while it is in the
 * cache. */
static void outer_pass(const line_twiddles *tw, m31 *out, unsigned from, unsigned count) {
    const mica_kernels *kern = kernels();
    const size_t columns = (size_t)1 << from;
    for (size_t first = 0; first < columns; first += CHUNK) {
        for (unsigned l = 0; l < count; l++) {
            const m31 *x = tw->layer[from + 1 + l] + first;
            for (size_t row = 0; row < (size_t)1 << count; row++) {
                const size_t bit = (size_t)1 << l;
                if (row & bit)
                    continue;
                m31 *u = out + row * columns + first;
                kern->butterfly(u, u + bit * columns, x + (row & (bit - 1)) * columns, 0, CHUNK);
            }
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
