/* The extension of a line rounded down and clamped, y(j) = floor((first + j step) / modulus) between bounds,
 * without its rows: with j = 2^k h + i and R_h = first + 2^k h step,
 *   y(j) = floor(R_h / modulus) + floor(i step / modulus) + [R_h mod modulus + i step mod modulus >=
 * modulus]. Of the last term only the first remainder depends on h, so that the sum of eq(z_low, i) over the
 * i that carry is found among the sums over the largest remainders i step mod modulus. */
#include "circuit/table_eval_line.h"

#include <string.h>

#include "base/require.h"
#include "mica/table.h"
#include "poly/mle.h"

#define MAX_LOW (1 << (MICA_MAX_DENSE_BITS + 1) / 2)

typedef struct residue {
    int64_t value; /* i step mod modulus */
    uint32_t i;
} residue;

typedef struct line_sums {
    const table_line *line;
    unsigned low_bits;
    qm31 low[MAX_LOW], high[MAX_LOW]; /* eq(z_low, i), eq(z_high, h) */
    residue sorted[MAX_LOW];          /* ascending */
    qm31 carry[MAX_LOW + 1];          /* [m]: sum of eq(z_low, i) over sorted[m..] */
    qm31 base;                        /* sum of eq(z_low, i) floor(i step / modulus) */
} line_sums;

/* From the sorted residues of i < n those of i < 2n: the others are these plus the residue of n, which wrap
 * from some place on and are ascending if read from there. */
static void merge_shifted(residue *sorted, uint32_t n, int64_t shift, int64_t modulus) {
    residue old[MAX_LOW];
    uint32_t wrap = 0, a = 0, b = 0;
    memcpy(old, sorted, n * sizeof *old);
    while (wrap < n && old[wrap].value < modulus - shift)
        wrap++;
    while (a < n || b < n) {
        residue next = {0, 0};
        if (b < n) {
            const residue of = old[wrap + b < n ? wrap + b : wrap + b - n];
            next.value = of.value + shift - (of.value >= modulus - shift ? modulus : 0);
            next.i = of.i + n;
        }
        const bool first = b == n || (a < n && old[a].value <= next.value);
        sorted[a + b] = first ? old[a] : next;
        a += first;
        b += !first;
    }
}

static void prepare(line_sums *s, const table_line *l, unsigned bits, const qm31 *z) {
    const unsigned k = bits - bits / 2;
    const uint32_t n = (uint32_t)1 << k;
    s->line = l;
    s->low_bits = k;
    mle_eq_table(z, k, s->low);
    mle_eq_table(z + k, bits - k, s->high);
    const int64_t step = l->step / l->modulus, step_rest = l->step % l->modulus;
    int64_t shift = step_rest;
    s->sorted[0] = (residue){0, 0};
    for (uint32_t half = 1; half < n; half *= 2) {
        merge_shifted(s->sorted, half, shift, l->modulus);
        shift -= shift >= l->modulus - shift ? l->modulus - shift : -shift; /* 2 shift mod modulus */
    }
    s->carry[n] = qm31_zero();
    for (uint32_t m = n; m-- > 0;)
        s->carry[m] = qm31_add(s->carry[m + 1], s->low[s->sorted[m].i]);
    s->base = qm31_zero();
    int64_t quotient = 0, rest = 0; /* quotient < 2^9 2^11 */
    for (uint32_t i = 0; i < n; i++) {
        s->base = qm31_add(s->base, qm31_mul_i32(s->low[i], (int32_t)quotient));
        rest += step_rest;
        quotient += step + (rest >= l->modulus);
        rest -= rest >= l->modulus ? l->modulus : 0;
    }
}

/* sum over all i of eq(z_low, i) y(2^k h + i) */
static qm31 whole_block(const line_sums *s, uint32_t h) {
    const table_line *l = s->line;
    const int64_t start = l->first + l->step * ((int64_t)h << s->low_bits); /* |start| < 2^62 */
    const int64_t quotient = (int64_t)fixed_floor_div(start, l->modulus);
    const int64_t least = l->modulus - (start - quotient * l->modulus); /* residues from here on carry */
    uint32_t m = 0;
    for (uint32_t half = (uint32_t)1 << s->low_bits; half; half /= 2) {
        if (m + half <= (uint32_t)1 << s->low_bits && s->sorted[m + half - 1].value < least)
            m += half;
    }
    return qm31_add(qm31_add(s->base, s->carry[m]), qm31_from_i32((int32_t)quotient));
}

/* sum over begin <= i < end of eq(z_low, i) y(2^k h + i) */
static qm31 part_of_block(const line_sums *s, uint32_t h, uint32_t begin, uint32_t end) {
    const table_line *l = s->line;
    int32_t y[MAX_LOW];
    for (uint32_t i = begin; i < end; i++)
        y[i - begin] =
            (int32_t)fixed_floor_div(l->first + l->step * (((int64_t)h << s->low_bits) + i), l->modulus);
    return mle_dot_i32(s->low + begin, y, end - begin);
}

/* The first row whose value is at least `bound`, or `rows`. |bound modulus - first| < 2^92. */
static uint32_t row_reaching(const table_line *l, int32_t bound, uint32_t rows) {
    const i128 row = -fixed_floor_div(l->first - (i128)bound * l->modulus, l->step);
    return (uint32_t)(row < 0 ? 0 : row > rows ? rows : row);
}

qm31 table_eval_line(const table_line *l, unsigned bits, int32_t lo, int32_t hi, const qm31 *z) {
    MICA_REQUIRE(bits <= MICA_MAX_DENSE_BITS && lo <= hi);
    line_sums s;
    prepare(&s, l, bits, z);
    const uint32_t a = row_reaching(l, lo, 1u << bits), b = row_reaching(l, hi, 1u << bits);
    const uint32_t block = (uint32_t)1 << s.low_bits;
    qm31 sum = qm31_mul_i32(mle_less_than(z, bits, a), lo);                                 /* rows [0, a) */
    sum = qm31_add(sum, qm31_mul_i32(qm31_sub(qm31_one(), mle_less_than(z, bits, b)), hi)); /* [b, 2^bits) */
    for (uint32_t row = a; row < b;) { /* lo <= y < hi: 32 bits */
        const uint32_t h = row >> s.low_bits, begin = row - h * block;
        const uint32_t end = b - h * block < block ? b - h * block : block;
        const qm31 inner = end - begin == block ? whole_block(&s, h) : part_of_block(&s, h, begin, end);
        sum = qm31_add(sum, qm31_mul(s.high[h], inner));
        row = h * block + end;
    }
    return sum;
}
