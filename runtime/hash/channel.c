#include "hash/channel.h"

#include <string.h>

#include "base/le.h"
#include "base/require.h"

#define NOWHERE UINT32_MAX

void channel_init_write(mica_channel *ch, uint8_t *out, size_t capacity) {
    memset(ch, 0, sizeof *ch);
    transcript_init(&ch->transcript);
    ch->out = out;
    ch->out_capacity = capacity;
}

void channel_init_read(mica_channel *ch, const uint8_t *in, size_t size, mica_verdict *verdict) {
    MICA_REQUIRE(verdict != NULL);
    memset(ch, 0, sizeof *ch);
    transcript_init(&ch->transcript);
    ch->in = in;
    ch->in_size = size;
    ch->verdict = verdict;
}

static bool reading(const mica_channel *ch) {
    return ch->verdict != NULL;
}

/* The next count * element bytes of output; NULL if they do not fit (or an earlier write did not). */
static uint8_t *write_slot(mica_channel *ch, size_t count, size_t element) {
    if (count > (ch->out_capacity - ch->out_size) / element)
        ch->overflow = true;
    if (ch->overflow)
        return NULL;
    uint8_t *at = ch->out + ch->out_size;
    ch->out_size += count * element;
    return at;
}

/* The next count * element bytes of input; NULL after a rejection or if that many do not follow. The division
 * keeps a large count from wrapping. */
static const uint8_t *read_slot(mica_channel *ch, size_t count, size_t element) {
    if (ch->verdict->code != MICA_VERDICT_UNSET)
        return NULL;
    if (count > (ch->in_size - ch->in_at) / element) {
        mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                    "proof ends early: %zu items of %zu bytes wanted at byte %zu of %zu", count, element,
                    ch->in_at, ch->in_size);
        return NULL;
    }
    const uint8_t *at = ch->in + ch->in_at;
    ch->in_at += count * element;
    return at;
}

/* One canonical word; anything from p to 2^32 - 1 is another spelling of a field element and rejected. */
static bool read_m31(mica_channel *ch, const uint8_t *at, m31 *x) {
    const uint32_t word = load_le32(at);
    if (m31_is_canonical(word)) {
        *x = word;
        return true;
    }
    *x = 0;
    return mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                       "word at byte %zu is not below p", (size_t)(at - ch->in));
}

static bool write_m31s(mica_channel *ch, const m31 *x, size_t n) {
    uint8_t *at = write_slot(ch, n, 4);
    if (!at)
        return false;
    for (size_t i = 0; i < n; i++)
        store_le32(at + 4 * i, x[i]);
    return true;
}

static bool read_m31s(mica_channel *ch, m31 *x, size_t n) {
    const uint8_t *at = read_slot(ch, n, 4);
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = read_m31(ch, at + 4 * i, &x[i]);
    if (!ok && n)
        memset(x, 0, n * sizeof *x);
    return ok;
}

static bool write_qm31s(mica_channel *ch, const qm31 *x, size_t n) {
    uint8_t *at = write_slot(ch, n, QM31_BYTES);
    if (!at)
        return false;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < QM31_DEGREE; j++)
            store_le32(at + QM31_BYTES * i + 4 * j, x[i].v[j]);
    }
    return true;
}

static bool read_qm31s(mica_channel *ch, qm31 *x, size_t n) {
    const uint8_t *at = read_slot(ch, n, QM31_BYTES);
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        for (size_t j = 0; ok && j < QM31_DEGREE; j++)
            ok = read_m31(ch, at + QM31_BYTES * i + 4 * j, &x[i].v[j]);
    }
    if (!ok && n)
        memset(x, 0, n * sizeof *x);
    return ok;
}

bool channel_qm31(mica_channel *ch, transcript_tag tag, qm31 *x, size_t n) {
    const bool ok = reading(ch) ? read_qm31s(ch, x, n) : write_qm31s(ch, x, n);
    transcript_absorb_qm31(&ch->transcript, tag, x, n);
    return ok;
}

bool channel_bytes(mica_channel *ch, transcript_tag tag, uint8_t *x, size_t n) {
    const bool ok = channel_raw_bytes(ch, x, n);
    transcript_absorb(&ch->transcript, tag, x, n);
    return ok;
}

bool channel_raw_m31(mica_channel *ch, m31 *x, size_t n) {
    return reading(ch) ? read_m31s(ch, x, n) : write_m31s(ch, x, n);
}

bool channel_raw_bytes(mica_channel *ch, uint8_t *x, size_t n) {
    if (reading(ch)) {
        const uint8_t *at = read_slot(ch, n, 1);
        if (n && at)
            memcpy(x, at, n);
        else if (n)
            memset(x, 0, n);
        return at != NULL;
    }
    uint8_t *at = write_slot(ch, n, 1);
    if (n && at)
        memcpy(at, x, n);
    return at != NULL;
}

bool channel_pow(mica_channel *ch, unsigned bits, uint64_t *nonce) {
    uint8_t b[8];
    if (bits == 0) {
        *nonce = 0;
        return reading(ch) ? ch->verdict->code == MICA_VERDICT_UNSET : !ch->overflow;
    }
    store_le64(b, *nonce);
    bool ok = channel_raw_bytes(ch, b, sizeof b);
    if (reading(ch)) {
        *nonce = load_le64(b);
        if (ok && !transcript_pow_holds(&ch->transcript, bits, *nonce)) {
            ok = mica_reject(ch->verdict, MICA_REJECT_POW, NOWHERE, NOWHERE, "nonce does not meet %u bits",
                             bits);
            *nonce = 0;
        }
    }
    transcript_absorb(&ch->transcript, TAG_POW, b, sizeof b);
    return ok;
}

bool channel_end(mica_channel *ch) {
    if (!reading(ch))
        return !ch->overflow;
    if (ch->verdict->code != MICA_VERDICT_UNSET)
        return false;
    if (ch->in_at != ch->in_size)
        return mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE, "%zu bytes follow the proof",
                           ch->in_size - ch->in_at);
    return true;
}
