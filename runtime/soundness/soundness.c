/* The arithmetic of the soundness budget. Everything is an integer and every rounding costs security, never
 * gains it: errors are rounded up (log2 of a numerator by ceil), gains are rounded down (bits per query by
 * floor). */
#include "soundness/soundness.h"

#include <stdarg.h>
#include <stdio.h>

#define LINES     ((unsigned)(sizeof((soundness_budget *)0)->line / sizeof(soundness_line)))
#define UNIT_BITS 16 /* of bits16 */
#define FINE_BITS 28 /* of a value that is multiplied by a number of queries before it is rounded */

static unsigned log2_integer_part(uint64_t n) {
    unsigned e = 0;
    while (n >>= 1)
        e++;
    return e;
}

/* log2 n in units of 2^-fraction_bits, as the digits of repeated squaring: if m in [1, 2) and m^2 >= 2 the
 * next digit is 1 and m^2 / 2 goes on. m is held in Q1.31. With up == 0 every m is truncated and the result
 * is at most the true value; with up == 1 every m is rounded up and result + 1 is at least the true value. An
 * error of m at digit i weighs 2^-i in the logarithm, so all of them together are below 2^-29. */
static int64_t log2_digits(uint64_t n, unsigned fraction_bits, int up) {
    const unsigned e = log2_integer_part(n);
    const uint64_t one = 1ull << 31;
    uint64_t m;
    if (e <= 31) {
        m = n << (31 - e);
    } else {
        const uint64_t dropped = n & ((1ull << (e - 31)) - 1);
        m = (n >> (e - 31)) + (up && dropped != 0);
    }
    int64_t result = (int64_t)e << fraction_bits;
    for (unsigned i = 1; i <= fraction_bits; i++) {
        if (m >= 2 * one) /* rounding up reached 2 */
            return result + (1LL << (fraction_bits - i + 1));
        const uint64_t square = m * m; /* < 2^64: m < 2^32 */
        m = (square >> 31) + (up && (square & (one - 1)) != 0);
        if (m >= 2 * one) {
            result += 1LL << (fraction_bits - i);
            m = (m >> 1) + (up && (m & 1) != 0);
        }
    }
    return result;
}

static int64_t log2_floor(uint64_t n, unsigned fraction_bits) {
    return log2_digits(n, fraction_bits, 0);
}

static int64_t log2_ceil(uint64_t n, unsigned fraction_bits) {
    const bool power_of_two = (n & (n - 1)) == 0; /* then the digits are exact */
    return log2_digits(n, fraction_bits, 1) + (power_of_two ? 0 : 1);
}

bits16 soundness_log2_floor(uint64_t n) {
    return log2_floor(n, UNIT_BITS);
}

bits16 soundness_log2_ceil(uint64_t n) {
    return log2_ceil(n, UNIT_BITS);
}

/* 4 log2(2^31 - 1) = 124 - e with 0 < e < 2^-28. */
bits16 soundness_field_bits(void) {
    return (124LL << UNIT_BITS) - 1;
}

bits16 soundness_over_field(uint64_t numerator) {
    return soundness_field_bits() - soundness_log2_ceil(numerator ? numerator : 1);
}

bits16 soundness_fold(uint64_t codeword_total) {
    return soundness_over_field(codeword_total);
}

/* -log2((1 + rho)/2) = r + 1 - log2(2^r + 1), in units of 2^-28, rounded down. 0 for rate 1. */
static int64_t bits_per_query(unsigned rate_bits) {
    if (rate_bits == 0 || rate_bits > 62)
        return 0;
    return ((int64_t)(rate_bits + 1) << FINE_BITS) - log2_ceil((1ull << rate_bits) + 1, FINE_BITS);
}

bits16 soundness_query(unsigned rate_bits, unsigned queries, unsigned pow_bits) {
    const int64_t gained = (int64_t)queries * bits_per_query(rate_bits); /* < 2^32 * 2^28 */
    return (gained >> (FINE_BITS - UNIT_BITS)) + ((bits16)pow_bits << UNIT_BITS);
}

unsigned soundness_queries(unsigned rate_bits, unsigned target_bits, unsigned pow_bits) {
    const int64_t each = bits_per_query(rate_bits);
    if (each <= 0)
        return UINT32_MAX; /* rate 1: no number of queries is enough */
    if (target_bits <= pow_bits)
        return 1; /* a code that nobody looks at proves nothing */
    const int64_t missing = (int64_t)(target_bits - pow_bits) << FINE_BITS;
    return (unsigned)((missing + each - 1) / each);
}

bits16 soundness_digest(unsigned digest_bytes) {
    return ((bits16)(4 * digest_bytes) - 1) << UNIT_BITS; /* n >= 1: positive */
}

unsigned soundness_digest_bytes(unsigned target_bits) {
    const unsigned bytes = (target_bits + 1 + 3) / 4;
    return bytes < 32 ? bytes : 32;
}

bits16 soundness_logup(uint64_t lookups_and_rows, unsigned tuple_length, unsigned pow_bits) {
    const bits16 numerator = soundness_log2_ceil(lookups_and_rows ? lookups_and_rows : 1) +
                             soundness_log2_ceil(tuple_length ? tuple_length : 1);
    return soundness_field_bits() - numerator + ((bits16)pow_bits << UNIT_BITS);
}

/* A full budget keeps the least of the terms that no longer fit, so that the minimum stays right. */
void soundness_add(soundness_budget *b, bits16 bits, const char *format, ...) {
    if (b->n == LINES) {
        soundness_line *last = &b->line[LINES - 1];
        if (bits < last->bits)
            last->bits = bits;
        snprintf(last->what, sizeof last->what, "further terms, the least of them");
        return;
    }
    soundness_line *line = &b->line[b->n++];
    line->bits = bits;
    va_list args;
    va_start(args, format);
    vsnprintf(line->what, sizeof line->what, format, args);
    va_end(args);
}

/* An empty budget proves nothing. */
bits16 soundness_min(const soundness_budget *b) {
    if (b->n == 0)
        return 0;
    bits16 least = b->line[0].bits;
    for (unsigned i = 1; i < b->n; i++) {
        if (b->line[i].bits < least)
            least = b->line[i].bits;
    }
    return least;
}
