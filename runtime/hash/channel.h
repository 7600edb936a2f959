/* The proof as a stream: the prover writes and absorbs, the verifier reads and absorbs, through the same
 * calls in the same order. That is the whole of what the two share besides the plan: the schedule, never the
 * checks.
 *
 * A reading channel rejects (MICA_REJECT_MALFORMED) bytes that are short or not canonical and then returns
 * zeros, so that callers need to test only where they act on it.
 */
#ifndef MICA_HASH_CHANNEL_H
#define MICA_HASH_CHANNEL_H

#include "hash/transcript.h"
#include "mica/status.h"

typedef struct mica_channel {
    transcript transcript;
    /* writing */
    uint8_t *out;
    size_t out_capacity;
    size_t out_size; /* bytes written; a write beyond capacity sets overflow */
    bool overflow;
    /* reading */
    const uint8_t *in;
    size_t in_size, in_at;
    mica_verdict *verdict; /* NULL for a writing channel */
} mica_channel;

void channel_init_write(mica_channel *ch, uint8_t *out, size_t capacity);
void channel_init_read(mica_channel *ch, const uint8_t *in, size_t size, mica_verdict *verdict);

/* Writing: appends and absorbs x. Reading: fills x and absorbs it. False after a rejection. */
bool channel_qm31(mica_channel *ch, transcript_tag tag, qm31 *x, size_t n);
bool channel_bytes(mica_channel *ch, transcript_tag tag, uint8_t *x, size_t n);
/* The same without absorbing: data that a root already binds (opened columns, Merkle paths). */
/* The n elements as 31 bits each, low bits first, n < 2^32; the bits that are left of the last byte are zero,
 * and rejected if not. */
bool channel_raw_m31(mica_channel *ch, m31 *x, size_t n);
static inline size_t channel_m31_bytes(size_t n) {
    return (M31_BITS * n + 7) / 8;
}
bool channel_raw_bytes(mica_channel *ch, uint8_t *x, size_t n);
/* Nonce of a proof of work of `bits` bits: 8 bytes LE, absorbed; nothing at all for 0 bits. Writing: *nonce
 * was found by pow_grind. Reading: rejects a nonce that fails. */
bool channel_pow(mica_channel *ch, unsigned bits, uint64_t *nonce);
/* Reading: rejects unless every byte was consumed. */
bool channel_end(mica_channel *ch);

/* Squeezes; the same for both. */
static inline void channel_challenge(mica_channel *ch, transcript_tag tag, qm31 *x, size_t n) {
    transcript_challenge(&ch->transcript, tag, x, n);
}

#endif
