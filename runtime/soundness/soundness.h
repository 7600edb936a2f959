/* Error terms of docs/soundness.md in bits, as integers in units of 2^-16 bit, rounded towards less security;
 * no floating point, so that every machine refuses the same parameters. Unique-decoding regime throughout. */
#ifndef MICA_SOUNDNESS_SOUNDNESS_H
#define MICA_SOUNDNESS_SOUNDNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t bits16; /* bits * 65536 */

bits16 soundness_log2_floor(uint64_t n); /* n >= 1; error below 2^-12 */
bits16 soundness_log2_ceil(uint64_t n);
bits16 soundness_field_bits(void); /* log2 |QM31|, rounded down */

/* log2 q - log2 codeword_total: one fold challenge shared by codewords of n_g points; codeword_total is the
 * sum of (n_g + 2), the 2 being the degree of the sumcheck round that the challenge also ends. */
bits16 soundness_fold(uint64_t codeword_total);
bits16 soundness_query(unsigned rate_bits, unsigned queries,
                       unsigned pow_bits); /* t * -log2((1+rho)/2) + pow */
/* The least number that meets the target, at least 1; UINT32_MAX for rate 1. */
unsigned soundness_queries(unsigned rate_bits, unsigned target_bits, unsigned pow_bits);
/* Q hashes show a collision of digests of n bytes with probability below 4 Q^2 / 2^(8n), which is at most
 * Q / 2^(4n - 1) for every Q <= 2^(4n - 1): 4n - 1 bits. */
bits16 soundness_digest(unsigned digest_bytes);
/* The least number of bytes, at most 32, that meets the target. */
unsigned soundness_digest_bytes(unsigned target_bits);
bits16 soundness_logup(uint64_t lookups_and_rows, unsigned tuple_length, unsigned pow_bits);
bits16 soundness_over_field(uint64_t numerator); /* log2 q - log2 numerator: degree/|F| terms */

typedef struct soundness_line {
    char what[72];
    bits16 bits;
} soundness_line;

/* Line by line; the minimum is what counts (round by round). */
typedef struct soundness_budget {
    soundness_line line[64];
    unsigned n;
} soundness_budget;

void soundness_add(soundness_budget *b, bits16 bits, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bits16 soundness_min(const soundness_budget *b);

#endif
