#include "hash/channel.h"

#include <string.h>

#include "base/bytes.h"
#include "base/require.h"

#define NOWHERE UINT32_MAX

#ifdef MICA_AUDIT
/* Tests only: told of every item that is read, `size` bytes at `at`, before it is absorbed; of a nonce once
 * more, with its bits of work. */
void (*channel_audit)(const mica_channel *ch, size_t at, size_t size, unsigned work);
#define AUDIT(ch, at, size, work) (channel_audit ? channel_audit(ch, at, size, work) : (void)0)
#else
#define AUDIT(ch, at, size, work) ((void)0)
#endif

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

/* Takes the next count * element bytes of output, from offset *at on; false if they do not fit (or an earlier
 * write did not). The division keeps a large count from wrapping. */
static bool take_output(mica_channel *ch, size_t count, size_t element, size_t *at) {
    if (count > (ch->out_capacity - ch->out_size) / element)
        ch->overflow = true;
    if (ch->overflow)
        return false;
    *at = ch->out_size;
    ch->out_size += count * element;
    return true;
}

/* Takes the next count * element bytes of input, from offset *at on; false after a rejection or if that many
 * do not follow. */
static bool take_input(mica_channel *ch, size_t count, size_t element, size_t *at) {
    if (ch->verdict->code != MICA_VERDICT_UNSET)
        return false;
    if (count > (ch->in_size - ch->in_at) / element)
        return mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                           "proof ends early: %zu items of %zu bytes wanted at byte %zu of %zu", count,
                           element, ch->in_at, ch->in_size);
    *at = ch->in_at;
    ch->in_at += count * element;
    AUDIT(ch, *at, count * element, 0);
    return true;
}

/* One canonical word; anything from p to 2^32 - 1 is another spelling of a field element and rejected. */
static bool read_m31(mica_channel *ch, size_t at, m31 *x) {
    const uint32_t word = load_u32(ch->in + at);
    if (m31_is_canonical(word)) {
        *x = word;
        return true;
    }
    return mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                       "word at byte %zu is not below p", at);
}

static bool write_m31s(mica_channel *ch, const m31 *x, size_t n) {
    const size_t size = channel_m31_bytes(n);
    size_t at;
    if (!take_output(ch, size, 1, &at))
        return false;
    if (n == 0) /* no pointer need be valid */
        return true;
    uint8_t *out = ch->out + at, *const end = out + size;
    uint64_t waiting = 0; /* bits that no byte was written of: at most 7 before an element, 38 after it */
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        waiting |= (uint64_t)x[i] << bits;
        bits += M31_BITS;
        for (; bits >= 8; bits -= 8, waiting >>= 8)
            *out++ = (uint8_t)waiting;
    }
    if (out < end)
        *out = (uint8_t)waiting;
    return true;
}

/* The 64 bits from byte `at` of a column on, zeros beyond its end. */
static uint64_t load_within(const uint8_t *column, size_t size, size_t at) {
    if (size - at >= sizeof(uint64_t))
        return load_u64(column + at);
    uint8_t rest[sizeof(uint64_t)] = {0};
    memcpy(rest, column + at, size - at);
    return load_u64(rest);
}

static bool read_m31s(mica_channel *ch, m31 *x, size_t n) {
    const size_t size = channel_m31_bytes(n);
    size_t at = 0;
    bool ok = take_input(ch, size, 1, &at);
    for (size_t i = 0; ok && i < n; i++) {
        const size_t bit = M31_BITS * i; /* and 31 bits from bit % 8 <= 7 on: within 64 */
        x[i] = (m31)(load_within(ch->in + at, size, bit / 8) >> bit % 8) & M31_P;
        if (!m31_is_canonical(x[i]))
            ok = mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                             "element %zu of the column at byte %zu is not below p", i, at);
    }
    if (ok && M31_BITS * n % 8 && ch->in[at + size - 1] >> M31_BITS * n % 8)
        ok = mica_reject(ch->verdict, MICA_REJECT_MALFORMED, NOWHERE, NOWHERE,
                         "spare bits of the column at byte %zu are not zero", at);
    if (!ok && n)
        memset(x, 0, n * sizeof *x);
    return ok;
}

static bool write_qm31s(mica_channel *ch, const qm31 *x, size_t n) {
    size_t at;
    if (!take_output(ch, n, QM31_BYTES, &at))
        return false;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < QM31_DEGREE; j++)
            store_u32(ch->out + at + QM31_BYTES * i + 4 * j, x[i].v[j]);
    }
    return true;
}

static bool read_qm31s(mica_channel *ch, qm31 *x, size_t n) {
    size_t at = 0;
    bool ok = take_input(ch, n, QM31_BYTES, &at);
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
    size_t at = 0;
    const bool ok = reading(ch) ? take_input(ch, n, 1, &at) : take_output(ch, n, 1, &at);
    if (n == 0) /* no pointer need be valid */
        return ok;
    if (reading(ch) && ok)
        memcpy(x, ch->in + at, n);
    else if (reading(ch))
        memset(x, 0, n);
    else if (ok)
        memcpy(ch->out + at, x, n);
    return ok;
}

bool channel_pow(mica_channel *ch, unsigned bits, uint64_t *nonce) {
    uint8_t b[8];
    if (bits == 0) {
        *nonce = 0;
        return reading(ch) ? ch->verdict->code == MICA_VERDICT_UNSET : !ch->overflow;
    }
    store_u64(b, *nonce);
    bool ok = channel_raw_bytes(ch, b, sizeof b);
    if (reading(ch)) {
        *nonce = load_u64(b);
        AUDIT(ch, ch->in_at - sizeof b, sizeof b, bits);
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
