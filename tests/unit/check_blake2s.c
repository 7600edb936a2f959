/* Blake2s against RFC 7693 and Python's hashlib (golden/make_blake2s_vectors.py). */
#include <check.h>
#include <string.h>

#include "../golden/blake2s_vectors.h"
#include "hash/blake2s.h"
#include "suite.h"

#define MAX_LENGTH 200

static void hash(const char *key, const void *bytes, size_t size, uint8_t out[32]) {
    blake2s s;
    blake2s_init(&s, key);
    blake2s_update(&s, bytes, size);
    blake2s_final(&s, out);
}

static void to_hex(const uint8_t digest[32], char hex[65]) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digit[digest[i] >> 4];
        hex[2 * i + 1] = digit[digest[i] & 15];
    }
    hex[64] = 0;
}

static void counting(uint8_t bytes[MAX_LENGTH]) {
    for (size_t i = 0; i < MAX_LENGTH; i++)
        bytes[i] = (uint8_t)i;
}

/* RFC 7693, appendix B. */
START_TEST(rfc_abc) {
    uint8_t out[32];
    char hex[65];
    hash("", "abc", 3, out);
    to_hex(out, hex);
    ck_assert_str_eq(hex, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}
END_TEST

START_TEST(all_lengths) {
    uint8_t bytes[MAX_LENGTH], out[32];
    char hex[65];
    counting(bytes);
    for (size_t n = 0; n <= MAX_LENGTH; n++) {
        hash(table_key, bytes, n, out);
        to_hex(out, hex);
        ck_assert_msg(strcmp(hex, table_digest[n]) == 0, "%zu bytes: %s", n, hex);
    }
}
END_TEST

START_TEST(key_lengths) {
    uint8_t bytes[MAX_LENGTH], out[32];
    char hex[65];
    blake2s all;
    counting(bytes);
    blake2s_init(&all, "");
    for (size_t n = 0; n <= MAX_LENGTH; n++) {
        hash(chained[_i].key, bytes, n, out);
        blake2s_update(&all, out, 32);
    }
    blake2s_final(&all, out);
    to_hex(out, hex);
    ck_assert_msg(strcmp(hex, chained[_i].digest) == 0, "key '%s': %s", chained[_i].key, hex);
}
END_TEST

/* Any way of cutting the message into updates gives the same digest. */
START_TEST(pieces) {
    uint8_t bytes[MAX_LENGTH], whole[32], out[32];
    counting(bytes);
    for (size_t n = 0; n <= MAX_LENGTH; n++) {
        hash("pieces", bytes, n, whole);
        for (size_t cut = 0; cut <= n; cut++) {
            blake2s s;
            blake2s_init(&s, "pieces");
            blake2s_update(&s, bytes, cut);
            blake2s_update(&s, bytes + cut, n - cut);
            blake2s_final(&s, out);
            ck_assert_msg(memcmp(out, whole, 32) == 0, "%zu bytes cut at %zu", n, cut);
        }
    }
}
END_TEST

/* The state shared by many short messages is the one the streaming hash passes through. */
START_TEST(keyed_state) {
    uint8_t bytes[64], whole[32];
    uint32_t h[8], block[16];
    for (size_t i = 0; i < 64; i++)
        bytes[i] = (uint8_t)(i * 37);
    for (size_t i = 0; i < 16; i++)
        block[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 |
                   (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
    hash("state", bytes, 64, whole);
    blake2s_keyed_state(h, "state");
    blake2s_compress(h, block, 128, 1);
    for (size_t i = 0; i < 32; i++)
        ck_assert_uint_eq(whole[i], (h[i / 4] >> 8 * (i % 4)) & 255);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("blake2s");
    TCase *tc = tcase_create("vectors");
    tcase_add_test(tc, rfc_abc);
    tcase_add_test(tc, all_lengths);
    tcase_add_loop_test(tc, key_lengths, 0, sizeof chained / sizeof *chained);
    tcase_add_test(tc, pieces);
    tcase_add_test(tc, keyed_state);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
