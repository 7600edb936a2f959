/* Fiat-Shamir transcript v1 (docs/protocol.md, "Transcript"): Blake2s-256, each item absorbed as
 * (tag, length, canonical bytes). State: 32 bytes; absorb: state = H(state, "absorb", tag, length, bytes);
 * squeeze: blocks H(state, "squeeze", tag, counter), then state = H(state, "squeezed", tag, n). Exact bytes:
 * docs/formats.md. */
#ifndef MICA_HASH_TRANSCRIPT_H
#define MICA_HASH_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "field/qm31.h"
#include "hash/blake2s.h"

/* Tags of all transcript items, the same for prover and verifier: the one list. */
typedef enum transcript_tag {
    TAG_VK = 1,    /* digest of the vk */
    TAG_STATEMENT, /* the proof file up to the proof part: magic, version, statement */
    TAG_WITNESS_ROOT,
    TAG_POW,      /* nonce of a proof of work */
    TAG_LOOKUP,   /* alpha, beta */
    TAG_GKR_ROOT, /* p0 q0 p1 q1 of the root's children in the fraction tree */
    TAG_GKR_ROUND,
    TAG_GKR_VALUES, /* p0 q0 p1 q1 at the end of a layer */
    TAG_GKR_LAMBDA,
    TAG_GKR_MERGE,
    TAG_CLAIMS, /* claimed evaluations of tensors, one each; those opened once more before the opening */
    TAG_OUTPUT_POINT,
    TAG_BATCH_LAMBDA, /* combines the instances of a batched sumcheck */
    TAG_SUMCHECK_ROUND,
    TAG_SUMCHECK_POINT,
    TAG_OPEN_GAMMA, /* combines claims, then queries, in the opening */
    TAG_OPEN_ROUND,
    TAG_OPEN_POINT,
    TAG_OPEN_ROOT,    /* root of a level */
    TAG_OPEN_MESSAGE, /* the last message, in the clear */
    TAG_OPEN_QUERY    /* query indices */
} transcript_tag;

#define TRANSCRIPT_POW_KEY "mica pow v1"

typedef struct transcript {
    uint8_t state[32];
    uint32_t keyed[8]; /* the hash after the transcript's key, where all of its hashes start */
} transcript;

void transcript_init(transcript *t);
void transcript_absorb(transcript *t, transcript_tag tag, const void *bytes, size_t size);
/* The same for an item that comes in pieces, `size` bytes together: begin, add each piece, end. The
 * transcript is used for nothing else in between. */
typedef struct transcript_item {
    transcript *to;
    transcript_tag tag;
    size_t size;
    blake2s hash;
} transcript_item;
void transcript_item_begin(transcript_item *item, transcript *t, transcript_tag tag, size_t size);
void transcript_item_add(transcript_item *item, const void *bytes, size_t size);
void transcript_item_end(transcript_item *item);
void transcript_absorb_qm31(transcript *t, transcript_tag tag, const qm31 *x, size_t n);
/* n uniform elements: 31-bit words, p rejected. The state changes even for n = 0. */
void transcript_challenge(transcript *t, transcript_tag tag, qm31 *out, size_t n);
/* n uniform indices of `bits` bits, 0 <= bits <= 31. */
void transcript_indices(transcript *t, transcript_tag tag, unsigned bits, uint32_t *out, size_t n);
/* Whether `nonce` meets `bits` <= 63 bits of work on the present state: the low `bits` bits of the first 8
 * bytes (LE) of H(state, nonce as 8 bytes LE) under TRANSCRIPT_POW_KEY are zero. Does not change the state.
 */
bool transcript_pow_holds(const transcript *t, unsigned bits, uint64_t nonce);

#endif
