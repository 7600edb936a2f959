#include "hash/transcript.h"

#include <string.h>

#include "base/bytes.h"
#include "base/require.h"

#define TRANSCRIPT_KEY "mica transcript v1"

/* Every hash of the transcript starts with state, operation, tag and a 64-bit number, 48 bytes: no message of
 * one operation can be one of another. */
enum { OP_ABSORB = 1, OP_SQUEEZE = 2, OP_SQUEEZED = 3 };

#ifdef MICA_AUDIT
/* Tests only: told of every absorption and every challenge, with the state that it leaves. */
void (*transcript_audit)(bool challenge, transcript_tag tag, size_t n, const uint8_t state[32]);
#define AUDIT(challenge, tag, n, t)                                                                          \
    (transcript_audit ? transcript_audit(challenge, tag, n, (t)->state) : (void)0)
#else
#define AUDIT(challenge, tag, n, t) ((void)0)
#endif

static void begin(blake2s *s, const transcript *t, uint32_t op, transcript_tag tag, uint64_t number) {
    uint8_t head[16];
    store_u32(head, op);
    store_u32(head + 4, (uint32_t)tag);
    store_u64(head + 8, number);
    blake2s_resume(s, t->keyed);
    blake2s_update(s, t->state, sizeof t->state);
    blake2s_update(s, head, sizeof head);
}

void transcript_init(transcript *t) {
    memset(t->state, 0, sizeof t->state);
    blake2s_keyed_state(t->keyed, TRANSCRIPT_KEY);
}

void transcript_item_begin(transcript_item *item, transcript *t, transcript_tag tag, size_t size) {
    item->to = t;
    item->tag = tag;
    item->size = size;
    begin(&item->hash, t, OP_ABSORB, tag, size);
}

void transcript_item_add(transcript_item *item, const void *bytes, size_t size) {
    if (size)
        blake2s_update(&item->hash, bytes, size);
}

void transcript_item_end(transcript_item *item) {
    blake2s_final(&item->hash, item->to->state);
    AUDIT(false, item->tag, item->size, item->to);
}

void transcript_absorb(transcript *t, transcript_tag tag, const void *bytes, size_t size) {
    transcript_item item;
    transcript_item_begin(&item, t, tag, size);
    transcript_item_add(&item, bytes, size);
    transcript_item_end(&item);
}

void transcript_absorb_qm31(transcript *t, transcript_tag tag, const qm31 *x, size_t n) {
    enum { AT_ONCE = BLAKE2S_BLOCK / QM31_BYTES };
    transcript_item item;
    transcript_item_begin(&item, t, tag, n * QM31_BYTES);
    for (size_t i = 0; i < n; i += AT_ONCE) {
        const size_t count = n - i < AT_ONCE ? n - i : AT_ONCE;
        uint8_t b[BLAKE2S_BLOCK];
        store_u32s(b, (const m31 *)(const void *)(x + i), QM31_DEGREE * count);
        transcript_item_add(&item, b, QM31_BYTES * count);
    }
    transcript_item_end(&item);
}

/* The stream of 32-bit words squeezed from one state: block after block, eight words each. */
typedef struct squeeze {
    const transcript *t;
    transcript_tag tag;
    uint64_t counter;
    unsigned used;
    uint8_t block[BLAKE2S_BYTES];
} squeeze;

static uint32_t squeeze_word(squeeze *q) {
    if (q->used == BLAKE2S_BYTES) {
        blake2s s;
        begin(&s, q->t, OP_SQUEEZE, q->tag, q->counter++);
        blake2s_final(&s, q->block);
        q->used = 0;
    }
    const uint32_t word = load_u32(q->block + q->used);
    q->used += 4;
    return word;
}

/* No two squeezes share a state; n tells apart squeezes of which one is a prefix of the other. */
static void squeezed(transcript *t, transcript_tag tag, size_t n) {
    blake2s s;
    begin(&s, t, OP_SQUEEZED, tag, n);
    blake2s_final(&s, t->state);
    AUDIT(true, tag, n, t);
}

/* Rejecting p (probability 2^-31 per word) leaves the 31-bit words uniform on [0, p). */
static m31 squeeze_m31(squeeze *q) {
    uint32_t x;
    do
        x = squeeze_word(q) & M31_P;
    while (x == M31_P);
    return x;
}

void transcript_challenge(transcript *t, transcript_tag tag, qm31 *out, size_t n) {
    squeeze q = {.t = t, .tag = tag, .used = BLAKE2S_BYTES};
    for (size_t i = 0; i < n; i++) {
        for (unsigned j = 0; j < QM31_DEGREE; j++)
            out[i].v[j] = squeeze_m31(&q);
    }
    squeezed(t, tag, n);
}

void transcript_indices(transcript *t, transcript_tag tag, unsigned bits, uint32_t *out, size_t n) {
    MICA_REQUIRE(bits <= 31);
    squeeze q = {.t = t, .tag = tag, .used = BLAKE2S_BYTES};
    for (size_t i = 0; i < n; i++)
        out[i] = squeeze_word(&q) & (((uint32_t)1 << bits) - 1);
    squeezed(t, tag, n);
}

bool transcript_pow_holds(const transcript *t, unsigned bits, uint64_t nonce) {
    MICA_REQUIRE(bits <= 63);
    blake2s s;
    uint8_t digest[BLAKE2S_BYTES], b[8];
    store_u64(b, nonce);
    blake2s_init(&s, TRANSCRIPT_POW_KEY);
    blake2s_update(&s, t->state, sizeof t->state);
    blake2s_update(&s, b, sizeof b);
    blake2s_final(&s, digest);
    return (load_u64(digest) & (((uint64_t)1 << bits) - 1)) == 0;
}
