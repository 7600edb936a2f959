/* Verifier parameters as bytes: canonical, refused by name where they are foreign or of another version, and
 * hostile ones. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"
#include "suite.h"

START_TEST(bytes_are_canonical) {
    kit k;
    mica_circuit c;
    mica_vk vk;
    mica_status st = {0};
    uint8_t *bytes, *again;
    size_t size, size_again;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(mica_circuit_write(&k.c, &bytes, &size, &st));
    ck_assert(mica_circuit_read(&c, bytes, size, &st));
    ck_assert(mica_circuit_validate(&c, &st));
    ck_assert(mica_circuit_write(&c, &again, &size_again, &st));
    ck_assert_uint_eq(size, size_again);
    ck_assert_mem_eq(bytes, again, size);
    for (size_t cut = 0; cut < size; cut++) {
        mica_circuit other;
        mica_status error = {0};
        ck_assert_msg(!mica_circuit_read(&other, bytes, cut, &error), "%zu of %zu bytes", cut, size);
        ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
    }
    mica_circuit_free(&c);
    free(bytes);
    free(again);
    ck_assert(mica_vk_read(&vk, k.vk_bytes, k.vk_size, &st));
    ck_assert_mem_eq(vk.digest, k.vk.digest, sizeof vk.digest);
    ck_assert(mica_vk_write(&vk, &again, &size_again, &st));
    ck_assert_uint_eq(k.vk_size, size_again);
    ck_assert_mem_eq(k.vk_bytes, again, size_again);
    free(again);
    mica_vk_free(&vk);
    for (size_t cut = 0; cut <= k.vk_size; cut++) {
        uint8_t *exact = malloc(k.vk_size + 1); /* a buffer of its own size: overreads are seen */
        mica_status error = {0};
        memcpy(exact, k.vk_bytes, cut);
        exact[cut] = 0;
        if (cut < k.vk_size)
            exact = realloc(exact, cut + 1);
        ck_assert_msg(!mica_vk_read(&vk, exact, cut < k.vk_size ? cut : cut + 1, &error), "%zu of %zu bytes",
                      cut, k.vk_size);
        ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
        free(exact);
    }
    kit_free(&k);
}
END_TEST

/* Parameters of every version but this one are refused, and the message names both. */
START_TEST(refuses_other_versions) {
    enum { VERSION = 8 }; /* its offset: behind the magic */
    kit k;
    samples[0].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (uint32_t version = 0; version <= MICA_VK_VERSION + 1; version++) {
        mica_vk vk;
        mica_status st = {0};
        char found[64], supported[64];
        k.vk_bytes[VERSION] = (uint8_t)version;
        (void)snprintf(found, sizeof found, "format version %u;", version);
        (void)snprintf(supported, sizeof supported, "reads version %u", MICA_VK_VERSION);
        const bool read = mica_vk_read(&vk, k.vk_bytes, k.vk_size, &st);
        ck_assert_int_eq(read, version == MICA_VK_VERSION);
        if (read) {
            mica_vk_free(&vk);
            continue;
        }
        ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
        ck_assert_msg(strstr(st.message, found) && strstr(st.message, supported), "%s", st.message);
    }
    kit_free(&k);
}
END_TEST

/* Names go to terminals as they are. */
START_TEST(refuses_control_characters) {
    enum {
        MODEL_ID = 8 + 4 + 4 + 2 + 32,
        VERSION = MODEL_ID + MICA_NAME_BYTES,
        RECORD = VERSION + 32 + 4,
        LAYER = RECORD + 9 + 8 /* behind "mica kit\n", max_batch and the number of layers */
    };
    static const size_t places[] = {MODEL_ID, VERSION, RECORD + 5, LAYER};
    static const char refused[] = "\x01\n\x1b\x1f\x7f", fine[] = " ~\x80\xff";
    kit k;
    samples[0].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t *byte = k.vk_bytes + places[i];
        const uint8_t kept = *byte;
        for (const char *c = refused; *c; c++) {
            mica_vk vk;
            mica_status error = {0};
            *byte = (uint8_t)*c;
            ck_assert_msg(!mica_vk_read(&vk, k.vk_bytes, k.vk_size, &error), "byte %d at %zu", *c, places[i]);
            ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
        }
        for (const char *c = fine; *c; c++) {
            mica_vk vk;
            mica_status error = {0};
            *byte = (uint8_t)*c;
            ck_assert_msg(mica_vk_read(&vk, k.vk_bytes, k.vk_size, &error), "byte %d at %zu: %s", *c,
                          places[i], error.message);
            mica_vk_free(&vk);
        }
        *byte = kept;
    }
    kit_free(&k);
}
END_TEST

/* Changes one to three places of vk bytes: bits, bytes, or 32-bit words to values that arithmetic dislikes.
 */
static void mutate(uint8_t *bytes, size_t size, uint64_t *seed) {
    static const uint32_t words[] = {0,           1,           0xffffffffu, 0x80000000u, 0x7fffffffu,
                                     0x7ffffffeu, 0x40000000u, 1u << 20,    1u << 24,    0xfffffffeu};
    const unsigned places = 1 + kit_random(seed) % 3;
    for (unsigned i = 0; i < places; i++) {
        const size_t at = kit_random(seed) % size;
        switch (kit_random(seed) % 3) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << kit_random(seed) % 8);
            break;
        case 1:
            bytes[at] = (uint8_t)kit_random(seed);
            break;
        default: {
            const uint32_t word = words[kit_random(seed) % (sizeof words / sizeof *words)];
            for (unsigned j = 0; j < 4 && at + j < size; j++)
                bytes[at + j] = (uint8_t)(word >> 8 * j);
        }
        }
    }
}

/* A proof made for other parameters, its digest replaced by theirs: everything after it must fail. */
static bool proof_passes(const mica_vk *vk, uint8_t *file, size_t size) {
    mica_statement s;
    mica_status st = {0};
    mica_verdict v = {0};
    size_t used;
    const mica_verify_options options = {.min_security_bits = 1};
    memcpy(file + 12, vk->digest, MICA_DIGEST_BYTES); /* after magic and version */
    if (!mica_statement_read(&s, &vk->circuit, file, size, &used, &st, &v))
        return false;
    const bool passes = mica_verify(vk, &s, file + used, size - used, &options, &v, &st);
    ck_assert(passes || v.code != MICA_ACCEPT);
    ck_assert_msg(passes || v.code != MICA_VERDICT_UNSET || st.code != MICA_OK, "no decision and no reason");
    mica_statement_free(&s, &vk->circuit);
    return passes;
}

START_TEST(survives_hostile_parameters) {
    kit k;
    uint8_t *file;
    size_t size;
    uint64_t seed = 1234 + (uint64_t)_i;
    mica_status st = {0};
    unsigned read = 0, planned = 0;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(kit_prove(&k, 2, 5, &file, &size, &st));
    uint8_t *bytes = malloc(k.vk_size);
    for (unsigned i = 0; i < suite_mutations(20000); i++) {
        mica_vk vk;
        mica_report report;
        mica_status error = {0}, limit = {0};
        memcpy(bytes, k.vk_bytes, k.vk_size);
        mutate(bytes, k.vk_size, &seed);
        if (!mica_vk_read(&vk, bytes, k.vk_size, &error)) {
            ck_assert(error.code != MICA_OK && error.code != MICA_ERR_INTERNAL);
            continue;
        }
        read++;
        planned += mica_report_make(&vk, 1 + i % vk.circuit.max_batch % 9, &report, &limit);
        ck_assert_msg(limit.code != MICA_ERR_INTERNAL, "%s, mutation %u: %s", samples[_i].name, i,
                      limit.message);
        ck_assert_msg(proof_passes(&vk, file, size) == (memcmp(bytes, k.vk_bytes, k.vk_size) == 0),
                      "%s, mutation %u", samples[_i].name, i);
        mica_vk_free(&vk);
    }
    (void)printf("%-12s %u mutations, %u read, %u planned\n", samples[_i].name, suite_mutations(20000), read,
                 planned);
    free(bytes);
    free(file);
    kit_free(&k);
}
END_TEST

/* Statement and proof bytes under the right parameters. */
START_TEST(survives_hostile_proofs) {
    kit k;
    uint8_t *file;
    size_t size;
    uint64_t seed = 4321 + (uint64_t)_i;
    mica_status st = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(kit_prove(&k, 2, 5, &file, &size, &st));
    uint8_t *bytes = malloc(size);
    for (unsigned i = 0; i < suite_mutations(20000) / 5; i++) {
        mica_verdict v;
        mica_status error = {0};
        memcpy(bytes, file, size);
        mutate(bytes, i % 2 ? size : 96, &seed); /* the statement's header as often as the rest */
        const size_t n = i % 5 ? size : kit_random(&seed) % size;
        const bool same = n == size && memcmp(bytes, file, size) == 0;
        ck_assert_msg(kit_verify(&k, bytes, n, &v, &error) == same, "%s, mutation %u", samples[_i].name, i);
        ck_assert(same || v.code != MICA_ACCEPT);
    }
    free(bytes);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("circuit bytes");
    TCase *t = tcase_create("bytes");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, bytes_are_canonical, 0, SAMPLES);
    tcase_add_test(t, refuses_other_versions);
    tcase_add_test(t, refuses_control_characters);
    tcase_add_loop_test(t, survives_hostile_parameters, 0, SAMPLES);
    tcase_add_loop_test(t, survives_hostile_proofs, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
