/* Writing and reading channels: same transcript, and every malformed proof rejected without a read past its
 * end. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hash/channel.h"
#include "suite.h"

#define POW_BITS 6

/* Everything a channel carries, as one script run by both sides. */
typedef struct items {
    qm31 q[3];
    uint8_t bytes[5];
    m31 raw[4];
    uint8_t raw_bytes[7];
    uint64_t nonce;
    qm31 challenge[2];
} items;

enum { Q_AT = 0, BYTES_AT = 48, RAW_AT = 53, RAW_BYTES_AT = 69, NONCE_AT = 76, PROOF_SIZE = 84 };

static items sample(void) {
    items x = {.q = {{{1, 2, 3, 4}}, {{M31_P - 1, 0, 7, 8}}, {{9, 10, 11, 12}}}};
    memcpy(x.bytes, "hello", 5);
    memcpy(x.raw_bytes, "opening", 7);
    for (uint32_t i = 0; i < 4; i++)
        x.raw[i] = M31_P - 1 - i;
    return x;
}

static uint64_t search_nonce(const transcript *t) {
    uint64_t nonce = 0;
    while (!transcript_pow_holds(t, POW_BITS, nonce))
        nonce++;
    return nonce;
}

static bool run(mica_channel *ch, items *x) {
    bool ok = channel_qm31(ch, TAG_CLAIMS, x->q, 3);
    ok &= channel_bytes(ch, TAG_OPEN_ROOT, x->bytes, 5);
    ok &= channel_raw_m31(ch, x->raw, 4);
    ok &= channel_raw_bytes(ch, x->raw_bytes, 7);
    if (!ch->verdict)
        x->nonce = search_nonce(&ch->transcript);
    ok &= channel_pow(ch, POW_BITS, &x->nonce);
    channel_challenge(ch, TAG_LOOKUP, x->challenge, 2);
    ok &= channel_end(ch);
    return ok;
}

static items write_sample(uint8_t proof[PROOF_SIZE]) {
    items x = sample();
    mica_channel ch;
    channel_init_write(&ch, proof, PROOF_SIZE);
    ck_assert(run(&ch, &x));
    ck_assert(!ch.overflow);
    ck_assert_uint_eq(ch.out_size, PROOF_SIZE);
    return x;
}

/* Reads from a heap copy of exactly `size` bytes, so that a sanitizer sees any read past its end. */
static mica_verdict read_proof(const uint8_t *proof, size_t size, items *x, bool *ok) {
    uint8_t *exact = malloc(size ? size : 1);
    mica_verdict verdict = {0};
    mica_channel ch;
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, proof, size);
    memset(x, 0xee, sizeof *x);
    channel_init_read(&ch, size ? exact : NULL, size, &verdict);
    *ok = run(&ch, x);
    ck_assert_uint_le(ch.in_at, ch.in_size);
    free(exact);
    return verdict;
}

START_TEST(round_trip) {
    uint8_t proof[PROOF_SIZE];
    const items x = write_sample(proof);
    items y;
    bool ok;
    const mica_verdict v = read_proof(proof, PROOF_SIZE, &y, &ok);
    ck_assert(ok);
    ck_assert_int_eq(v.code, MICA_VERDICT_UNSET);
    ck_assert_mem_eq(x.q, y.q, sizeof x.q);
    ck_assert_mem_eq(x.bytes, y.bytes, sizeof x.bytes);
    ck_assert_mem_eq(x.raw, y.raw, sizeof x.raw);
    ck_assert_mem_eq(x.raw_bytes, y.raw_bytes, sizeof x.raw_bytes);
    ck_assert_uint_eq(x.nonce, y.nonce);
    ck_assert_mem_eq(x.challenge, y.challenge, sizeof x.challenge);
}
END_TEST

START_TEST(bytes_are_little_endian) {
    uint8_t proof[PROOF_SIZE];
    const items x = write_sample(proof);
    ck_assert_uint_eq(load_u32(proof + Q_AT + 16), M31_P - 1);
    ck_assert_mem_eq(proof + BYTES_AT, "hello", 5);
    ck_assert_uint_eq(load_u32(proof + RAW_AT) & M31_P, M31_P - 1); /* 31 bits, then those of the next */
    ck_assert_mem_eq(proof + RAW_BYTES_AT, "opening", 7);
    ck_assert_uint_eq(load_u64(proof + NONCE_AT), x.nonce);
}
END_TEST

/* Cut anywhere: malformed, zeros from the first item that does not fit on. */
START_TEST(truncation) {
    uint8_t proof[PROOF_SIZE];
    const items zero = {0};
    (void)write_sample(proof);
    for (size_t size = 0; size < PROOF_SIZE; size++) {
        items y;
        bool ok;
        const mica_verdict v = read_proof(proof, size, &y, &ok);
        ck_assert_msg(!ok && v.code == MICA_REJECT_MALFORMED, "%zu bytes: %s", size,
                      mica_verdict_name(v.code));
        ck_assert_uint_eq(y.nonce, 0);
        if (size < BYTES_AT)
            ck_assert_mem_eq(y.q, zero.q, sizeof y.q);
        if (size < RAW_AT)
            ck_assert_mem_eq(y.bytes, zero.bytes, sizeof y.bytes);
        if (size < RAW_BYTES_AT)
            ck_assert_mem_eq(y.raw, zero.raw, sizeof y.raw);
        if (size < NONCE_AT)
            ck_assert_mem_eq(y.raw_bytes, zero.raw_bytes, sizeof y.raw_bytes);
    }
}
END_TEST

START_TEST(trailing_bytes) {
    uint8_t proof[PROOF_SIZE + 3] = {0};
    (void)write_sample(proof);
    for (size_t extra = 1; extra <= 3; extra++) {
        items y;
        bool ok;
        const mica_verdict v = read_proof(proof, PROOF_SIZE + extra, &y, &ok);
        ck_assert(!ok);
        ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    }
}
END_TEST

/* Each field word replaced by each of some non-canonical spellings. */
START_TEST(non_canonical_words) {
    static const uint32_t bad[] = {M31_P, M31_P + 1, 0x80000001u, UINT32_MAX};
    uint8_t proof[PROOF_SIZE], changed[PROOF_SIZE];
    (void)write_sample(proof);
    for (size_t w = 0; w < 12; w++) {
        const size_t at = Q_AT + 4 * w;
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            items y;
            bool ok;
            const items zero = {0};
            memcpy(changed, proof, sizeof proof);
            store_u32(changed + at, bad[b]);
            const mica_verdict v = read_proof(changed, PROOF_SIZE, &y, &ok);
            ck_assert_msg(!ok && v.code == MICA_REJECT_MALFORMED, "word %zu = %08x", w, bad[b]);
            /* the whole item is zero, as are all that follow */
            ck_assert_mem_eq(y.raw, zero.raw, sizeof y.raw);
            ck_assert_mem_eq(y.q, zero.q, sizeof y.q);
        }
    }
}
END_TEST

static void set_bit(uint8_t *bytes, size_t bit, bool value) {
    bytes[bit / 8] = (uint8_t)((bytes[bit / 8] & ~(1u << bit % 8)) | (unsigned)value << bit % 8);
}

/* Reads n elements from a heap copy of exactly `size` bytes. */
static mica_verdict_code read_column(const uint8_t *bytes, size_t size, m31 *x, size_t n) {
    uint8_t *exact = malloc(size);
    mica_verdict v = {0};
    mica_channel ch;
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, size);
    channel_init_read(&ch, exact, size, &v);
    ck_assert_int_eq(channel_raw_m31(&ch, x, n) && channel_end(&ch), v.code == MICA_VERDICT_UNSET);
    free(exact);
    return v.code;
}

/* By definition, bit by bit: bit j of element i is bit 31 i + j. Any other string of that length is rejected
 * or is another column; p is no element, and no spare bit may be set. */
START_TEST(columns_take_31_bits_per_element) {
    enum { MAX = 70 };
    m31 x[MAX], y[MAX], zero[MAX] = {0};
    uint64_t seed = 5;
    for (size_t n = 1; n <= MAX; n++) {
        uint8_t bytes[4 * MAX] = {0}, out[4 * MAX];
        const size_t size = (31 * n + 7) / 8;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            x[i] = i % 5 == 3 ? M31_P - 1 : (m31)(seed >> 33) % M31_P;
            for (size_t j = 0; j < 31; j++)
                set_bit(bytes, 31 * i + j, x[i] >> j & 1);
        }
        mica_channel ch;
        channel_init_write(&ch, out, size);
        ck_assert(channel_raw_m31(&ch, x, n));
        ck_assert_uint_eq(ch.out_size, size);
        ck_assert_uint_eq(channel_m31_bytes(n), size);
        ck_assert_mem_eq(out, bytes, size);
        ck_assert_int_eq(read_column(bytes, size, y, n), MICA_VERDICT_UNSET);
        ck_assert_mem_eq(x, y, n * sizeof *x);
        for (size_t bit = 31 * n; bit < 8 * size; bit++) {
            set_bit(bytes, bit, true);
            ck_assert_int_eq(read_column(bytes, size, y, n), MICA_REJECT_MALFORMED);
            ck_assert_mem_eq(y, zero, n * sizeof *y);
            set_bit(bytes, bit, false);
        }
        for (size_t i = 0; i < n; i++) {
            uint8_t changed[4 * MAX];
            memcpy(changed, bytes, size);
            for (size_t j = 0; j < 31; j++)
                set_bit(changed, 31 * i + j, true);
            ck_assert_int_eq(read_column(changed, size, y, n), MICA_REJECT_MALFORMED);
            ck_assert_mem_eq(y, zero, n * sizeof *y);
        }
        ck_assert_int_eq(read_column(bytes, size - 1, y, n), MICA_REJECT_MALFORMED);
    }
}
END_TEST

/* Every absorbed byte changes the challenge or is rejected; raw bytes leave the transcript alone. */
START_TEST(what_is_absorbed) {
    uint8_t proof[PROOF_SIZE], changed[PROOF_SIZE];
    const items x = write_sample(proof);
    for (size_t at = 0; at < PROOF_SIZE; at++) {
        const bool raw = at >= RAW_AT && at < NONCE_AT;
        items y;
        bool ok;
        memcpy(changed, proof, sizeof proof);
        changed[at] ^= 1;
        const mica_verdict v = read_proof(changed, PROOF_SIZE, &y, &ok);
        ck_assert_msg(raw ? ok || v.code == MICA_REJECT_MALFORMED : true, "byte %zu", at);
        if (ok)
            ck_assert_msg((memcmp(x.challenge, y.challenge, sizeof x.challenge) == 0) == raw, "byte %zu", at);
    }
}
END_TEST

START_TEST(pow_is_checked) {
    unsigned rejected = 0;
    for (uint64_t nonce = 0; nonce < 64; nonce++) {
        uint8_t bytes[8];
        mica_verdict v = {0};
        mica_channel ch;
        uint64_t got = 99;
        store_u64(bytes, nonce);
        channel_init_read(&ch, bytes, 8, &v);
        const bool holds = transcript_pow_holds(&ch.transcript, 3, nonce);
        ck_assert_int_eq(channel_pow(&ch, 3, &got), holds);
        ck_assert_int_eq(v.code, holds ? MICA_VERDICT_UNSET : MICA_REJECT_POW);
        ck_assert_uint_eq(got, holds ? nonce : 0);
        rejected += !holds;
    }
    ck_assert_uint_gt(rejected, 40);
}
END_TEST

/* The nonce is absorbed under its own tag, on both sides. */
START_TEST(pow_is_absorbed) {
    uint8_t bytes[8];
    mica_verdict v = {0};
    mica_channel in, out;
    transcript expected;
    channel_init_write(&out, bytes, sizeof bytes);
    expected = out.transcript;
    uint64_t nonce = search_nonce(&expected);
    ck_assert(channel_pow(&out, POW_BITS, &nonce));
    transcript_absorb(&expected, TAG_POW, bytes, sizeof bytes);
    ck_assert_mem_eq(out.transcript.state, expected.state, 32);
    channel_init_read(&in, bytes, sizeof bytes, &v);
    ck_assert(channel_pow(&in, POW_BITS, &nonce));
    ck_assert_mem_eq(in.transcript.state, expected.state, 32);
}
END_TEST

START_TEST(pow_of_zero_bits_is_nothing) {
    mica_verdict v = {0};
    mica_channel in, out;
    uint64_t nonce = 5;
    uint8_t byte;
    const transcript fresh = {.state = {0}};
    channel_init_write(&out, &byte, 0);
    ck_assert(channel_pow(&out, 0, &nonce));
    ck_assert_uint_eq(out.out_size, 0);
    ck_assert(!out.overflow);
    nonce = 5;
    channel_init_read(&in, NULL, 0, &v);
    ck_assert(channel_pow(&in, 0, &nonce));
    ck_assert_uint_eq(nonce, 0);
    ck_assert(channel_end(&in));
    ck_assert_int_eq(v.code, MICA_VERDICT_UNSET);
    ck_assert_mem_eq(in.transcript.state, fresh.state, 32);
    ck_assert_mem_eq(out.transcript.state, fresh.state, 32);
}
END_TEST

START_TEST(empty_proof) {
    mica_verdict v = {0};
    mica_channel ch;
    qm31 x = {{1, 2, 3, 4}};
    channel_init_read(&ch, NULL, 0, &v);
    ck_assert(channel_qm31(&ch, TAG_CLAIMS, NULL, 0));
    ck_assert(channel_bytes(&ch, TAG_CLAIMS, NULL, 0));
    ck_assert(channel_raw_m31(&ch, NULL, 0));
    ck_assert(channel_end(&ch));
    ck_assert(!channel_qm31(&ch, TAG_CLAIMS, &x, 1));
    ck_assert(qm31_is_zero(x));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    ck_assert(!channel_qm31(&ch, TAG_CLAIMS, NULL, 0)); /* rejected for good */
    ck_assert(!channel_end(&ch));
}
END_TEST

/* A rejection by anyone stops the reader: zeros and false although bytes remain. */
START_TEST(reading_after_rejection) {
    static const uint8_t proof[64] = {1, 1, 1, 1, 1, 1, 1, 1};
    mica_verdict v = {0};
    mica_channel ch;
    uint8_t bytes[3] = {9, 9, 9};
    m31 word = 9;
    uint64_t nonce = 9;
    channel_init_read(&ch, proof, sizeof proof, &v);
    mica_reject(&v, MICA_REJECT_CONTRACT, 4, 2, "claim differs");
    ck_assert(!channel_raw_bytes(&ch, bytes, 3));
    ck_assert(bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0);
    ck_assert(!channel_raw_m31(&ch, &word, 1));
    ck_assert_uint_eq(word, 0);
    ck_assert(!channel_pow(&ch, 4, &nonce));
    ck_assert_uint_eq(nonce, 0);
    ck_assert(!channel_pow(&ch, 0, &nonce));
    ck_assert_int_eq(v.code, MICA_REJECT_CONTRACT); /* the first reason stands */
    ck_assert_uint_eq(v.layer, 4);
}
END_TEST

/* Too small an output buffer: nothing past its end is written, however the rest goes on. */
START_TEST(overflow) {
    for (size_t capacity = 0; capacity < PROOF_SIZE; capacity++) {
        uint8_t *proof = malloc(capacity ? capacity : 1);
        mica_channel ch;
        items x = sample();
        ck_assert_ptr_nonnull(proof);
        channel_init_write(&ch, proof, capacity);
        ck_assert(!run(&ch, &x));
        ck_assert(ch.overflow);
        ck_assert_uint_le(ch.out_size, capacity);
        free(proof);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("channel");
    TCase *tc = tcase_create("channel");
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, bytes_are_little_endian);
    tcase_add_test(tc, truncation);
    tcase_add_test(tc, trailing_bytes);
    tcase_add_test(tc, non_canonical_words);
    tcase_add_test(tc, columns_take_31_bits_per_element);
    tcase_add_test(tc, what_is_absorbed);
    tcase_add_test(tc, pow_is_checked);
    tcase_add_test(tc, pow_is_absorbed);
    tcase_add_test(tc, pow_of_zero_bits_is_nothing);
    tcase_add_test(tc, empty_proof);
    tcase_add_test(tc, reading_after_rejection);
    tcase_add_test(tc, overflow);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
