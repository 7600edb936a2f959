/* Integer helpers of generated layer functions. Everything is exact int32/int64 arithmetic: a layer gives the
 * same cells on every CPU.
 *
 * The no-wrap theorem (docs/soundness.md) bounds every accumulator of a valid circuit below 2^31 in absolute
 * value, partial sums included: each product or term has a range that contains zero, so a partial sum lies
 * between the sum of all minima and the sum of all maxima.
 */
#ifndef MICA_LAYER_H
#define MICA_LAYER_H

#include "mica/model.h"

#if defined(MICA_VERIFY_BUILD)
#include <stdio.h>
#include <stdlib.h>
#endif

/* On x86-64 a layer function is compiled for AVX-512, AVX2 and the baseline, and the loader picks one.
 * Sanitizers instrument the resolvers, which run before the sanitizer is ready, so their builds keep the
 * baseline. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MICA_LAYER_PORTABLE
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(MICA_VERIFY_BUILD) ||           \
    !defined(__ELF__)
#define MICA_LAYER_PORTABLE
#endif
#if defined(__x86_64__) && !defined(MICA_LAYER_PORTABLE)
#define MICA_LAYER __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MICA_LAYER
#endif

/* Before a loop none of whose iterations writes what another one reads or writes: distinct tensors, and every
 * cell once. Without it GCC, which believes `restrict` of parameters only, compares all pairs of pointers
 * before each loop, and both compilers unroll short loops to the end before they could make vectors of them.
 * To clang it says less, as `assume_safety` would let it read what a condition excludes. */
#if defined(__clang__)
#define MICA_INDEPENDENT _Pragma("clang loop vectorize(enable) unroll(disable)")
#pragma clang diagnostic ignored "-Wpass-failed" /* loops shorter than a vector */
#elif defined(__GNUC__)
#define MICA_INDEPENDENT _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#else
#define MICA_INDEPENDENT
#endif

/* Range contract: lo <= x <= hi, proven by the compiler; checked in MICA_VERIFY_BUILD. */
#if defined(MICA_VERIFY_BUILD)
#define MICA_RANGE(x, lo, hi) mica_check_range((x), (lo), (hi), __func__, __LINE__)
static inline void mica_check_range(int64_t x, int64_t lo, int64_t hi, const char *layer, int line) {
    if (x < lo || x > hi) {
        fprintf(stderr, "%s, line %d: %lld is outside its proven range [%lld, %lld]\n", layer, line,
                (long long)x, (long long)lo, (long long)hi);
        abort();
    }
}
#else
#define MICA_RANGE(x, lo, hi) ((void)0)
#endif

/* Cells of tensor t for this item. */
static inline int32_t *mica_cells(const mica_frame *frame, uint32_t t) {
    return frame->value[t];
}

/* Cells of a tensor that lives in the workspace, by offset in cells. */
static inline int32_t *mica_scratch(const mica_frame *frame, size_t offset) {
    return (int32_t *)frame->scratch + offset;
}

/* The same place for 16-bit copies of cells. */
static inline int16_t *mica_scratch16(const mica_frame *frame, size_t offset) {
    return (int16_t *)frame->scratch + 2 * offset;
}

/* Two neighbours of a column in a panel (mica_products), that of even k first in memory. It is written as
 * one, and read as 16-bit cells. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) mica_cell_pair;
#else
typedef uint32_t mica_cell_pair;
#endif
static inline mica_cell_pair *mica_scratch_pairs(const mica_frame *frame, size_t offset) {
    return (mica_cell_pair *)frame->scratch + offset;
}

/* The pair with its cell of even (odd = 0) or odd k (odd = 1) set. The even one is set first and clears the
 * other. */
static inline uint32_t mica_put_half(uint32_t pair, int32_t odd, int32_t cell) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const uint32_t even = 0xffff0000u;
    const unsigned shift = odd ? 0 : 16;
#else
    const uint32_t even = 0x0000ffffu;
    const unsigned shift = odd ? 16 : 0;
#endif
    return (pair & (odd ? even : 0)) | ((uint32_t)cell & 0xffffu) << shift;
}

/* A place of this part's own workspace, by offset in cells. */
static inline int32_t *mica_own(const mica_frame *frame, size_t offset) {
    return (int32_t *)frame->own + offset;
}

/* Of a loop of n iterations, in steps of `step`, this part of the frame runs [mica_from, mica_to): whole
 * steps, for each part equally many but at the end. n + parts * step < 2^31: n < 2^30, parts <= 256, step <
 * 2^20. */
static inline int32_t mica_part_bound(const mica_frame *frame, int32_t n, int32_t step, uint32_t part) {
    const int32_t steps = (n + step - 1) / step, parts = (int32_t)frame->parts;
    const int32_t bound = (steps + parts - 1) / parts * (int32_t)part;
    return bound < steps ? bound * step : n;
}
static inline int32_t mica_from(const mica_frame *frame, int32_t n, int32_t step) {
    return mica_part_bound(frame, n, step, frame->part);
}
static inline int32_t mica_to(const mica_frame *frame, int32_t n, int32_t step) {
    return mica_part_bound(frame, n, step, frame->part + 1);
}

/* Returns when all parts have called it: what they wrote before can be read after it. */
__attribute__((visibility("default"))) void mica_barrier(void);

static inline void mica_wait(const mica_frame *frame) {
    if (frame->parts > 1)
        mica_barrier();
}

/* out[r * columns + c] = sum over k < depth of left[r * depth + k] * right[mica_pair(k, c, columns)]: a
 * product of 16-bit matrices [rows, depth] and [depth, columns], the latter with its rows interleaved in
 * pairs. columns is a multiple of 16, depth even. Sums are exact where they stay below 2^31. */
__attribute__((visibility("default"))) void mica_products(int32_t *out, const int16_t *left,
                                                          const int16_t *right, int32_t rows, int32_t columns,
                                                          int32_t depth);

static inline int32_t mica_pair(int32_t k, int32_t c, int32_t columns) {
    return ((k >> 1) * columns + c) * 2 + (k & 1);
}

/* Values of table k; row j holds the value of key lo_key + j. */
static inline const int32_t *mica_table_values(const mica_frame *frame, uint32_t k) {
    return frame->table[k];
}

/* Entry k of the lists of placements; -1: the row has none. */
static inline int32_t mica_listed(const mica_frame *frame, int32_t k) {
    const uint32_t cell = frame->index[k];
    return cell == UINT32_MAX ? -1 : (int32_t)cell; /* otherwise < 2^24 */
}

/* floor(x / 2^s). Shifts of negative numbers are arithmetic in every supported compiler. */
static inline int32_t mica_shift32(int32_t x, unsigned s) {
    return x >> s;
}
static inline int32_t mica_shift64(int64_t x, unsigned s) {
    return (int32_t)(x >> s);
}

/* Bits [at, at + width) of x in two's complement; width <= 30. */
static inline int32_t mica_bits32(int32_t x, unsigned at, unsigned width) {
    return (x >> at) & (int32_t)((1u << width) - 1);
}
static inline int32_t mica_bits64(int64_t x, unsigned at, unsigned width) {
    return (int32_t)((x >> at) & (int64_t)((1u << width) - 1));
}

static inline int32_t mica_max0(int32_t x) {
    return x > 0 ? x : 0;
}

static inline int32_t mica_smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}
static inline int32_t mica_larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* floor((2^(k+1) e + s) / (2 s)): the quotient 2^k e / s rounded half up; e >= 0, s > 0. */
static inline int32_t mica_divide(int32_t e, int32_t s, unsigned k) {
    return (int32_t)((((int64_t)e << (k + 1)) + s) / (2 * (int64_t)s));
}

/* floor(sqrt(v)) < 2^16, v >= 0, bit by bit from the highest. */
static inline int32_t mica_floor_root(int32_t v) {
    int32_t root = 0;
    for (int32_t bit = 1 << 15; bit > 0; bit >>= 1) {
        const int64_t next = root + bit;
        root += next * next <= v ? bit : 0;
    }
    return root;
}

/* The place of the largest of x[0..n) that is smaller than x[last], of equal ones the first being the larger;
 * the largest of all for last < 0. -1 if there is none. */
static inline int32_t mica_next_top(const int32_t *x, int32_t n, int32_t last) {
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++) {
        const int32_t later = last < 0 || x[i] < x[last] || (i > last && x[i] == x[last]);
        best = later && (best < 0 || x[i] > x[best]) ? i : best;
    }
    return best;
}

/* The positions i in [0, n) of a sliding window with 0 <= shift + i * stride < size form [first, end); stride
 * > 0. end may be less than first, or negative: then there are none. */
static inline int32_t mica_window_first(int32_t shift, int32_t stride) {
    return shift >= 0 ? 0 : (stride - 1 - shift) / stride;
}
static inline int32_t mica_window_end(int32_t shift, int32_t stride, int32_t size, int32_t n) {
    const int32_t room = size - shift; /* i * stride < room */
    const int32_t end = room <= 0 ? 0 : (room - 1) / stride + 1;
    return end < n ? end : n;
}

/* How many i in [0, n) satisfy 0 <= start + i * stride < size. */
static inline int32_t mica_window_count(int32_t start, int32_t stride, int32_t n, int32_t size) {
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t at = start + i * stride;
        count += at >= 0 && at < size;
    }
    return count;
}

#endif
