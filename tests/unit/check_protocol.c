/* Whole proofs over small circuits that use every relation, with odd shapes and batches: honest proofs are
 * accepted, every changed byte, truncation and extension is rejected, and a prover that alters one
 * intermediate integer and continues from it consistently does not get a proof accepted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"
#include "suite.h"

static void make(kit *k, int i, unsigned bits) {
    samples[i].build(k);
    ck_assert_msg(kit_finish(k, bits), "%s", samples[i].name);
}

START_TEST(accepts_honest_proofs) {
    kit k;
    make(&k, _i, 100);
    for (uint32_t batch = 1; batch <= k.c.max_batch; batch++) {
        uint8_t *file;
        size_t size;
        mica_status st = {0};
        mica_verdict v;
        ck_assert_msg(kit_prove(&k, batch, 11 + batch, &file, &size, &st), "%s, batch %u: %s",
                      samples[_i].name, batch, st.message);
        ck_assert_msg(kit_verify(&k, file, size, &v, &st), "%s, batch %u: %s (%s) %s", samples[_i].name,
                      batch, mica_verdict_name(v.code), v.detail, st.message);
        ck_assert_int_eq(v.code, MICA_ACCEPT);
        free(file);
    }
    kit_free(&k);
}
END_TEST

/* At 40 bits the proofs are small enough to try every byte; no change may survive at all. */
START_TEST(rejects_changed_bytes) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    make(&k, _i, 40);
    ck_assert(kit_prove(&k, 2, 5, &file, &size, &st));
    ck_assert(kit_verify(&k, file, size, &v, &st));
    const size_t most = suite_mutations(12000), step = size > most ? size / most + 1 : 1;
    for (size_t i = 0; i < size; i += step) {
        const uint8_t flip = (uint8_t)(1u << (i % 8));
        file[i] ^= flip;
        mica_status other = {0};
        ck_assert_msg(!kit_verify(&k, file, size, &v, &other), "%s: byte %zu of %zu", samples[_i].name, i,
                      size);
        file[i] ^= flip;
    }
    for (size_t cut = 1; cut < 200 && cut < size; cut += 7)
        ck_assert(!kit_verify(&k, file, size - cut, &v, &st));
    uint8_t *longer = malloc(size + 1);
    memcpy(longer, file, size);
    longer[size] = 0;
    mica_status other = {0};
    ck_assert(!kit_verify(&k, longer, size + 1, &v, &other));
    free(longer);
    free(file);
    kit_free(&k);
}
END_TEST

/* A proof for one model does not pass for another of the same shape. */
START_TEST(rejects_other_parameters) {
    kit a, b;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    make(&a, _i, 60);
    samples[_i].build(&b);
    for (uint32_t t = 0; t < KIT_MAX; t++) {
        if (b.weight[t])
            b.weight[t][0] = b.weight[t][0] == b.tensor[t].lo ? b.tensor[t].hi : b.tensor[t].lo;
    }
    ck_assert(kit_finish(&b, 61));
    ck_assert(kit_prove(&a, 1, 5, &file, &size, &st));
    ck_assert(!kit_verify(&b, file, size, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_STATEMENT);
    free(file);
    kit_free(&a);
    kit_free(&b);
}
END_TEST

/* The verifier asks for 100 bits unless told otherwise, whatever the parameters aim at. */
START_TEST(refuses_weak_parameters) {
    kit k;
    uint8_t *file;
    size_t size, used;
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement s;
    make(&k, _i, 60);
    ck_assert(kit_prove(&k, 1, 5, &file, &size, &st));
    ck_assert(mica_statement_read(&s, &k.c, file, size, &used, &st, &v));
    ck_assert(!mica_verify(&k.vk, &s, file + used, size - used, NULL, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_SECURITY);
    mica_verify_options options = {.min_security_bits = 60};
    ck_assert(mica_verify(&k.vk, &s, file + used, size - used, &options, &v, &st));
    mica_statement_free(&s, &k.c);
    free(file);
    kit_free(&k);
}
END_TEST

/* A statement that no file could carry: the caller may have made it otherwise. */
START_TEST(refuses_impossible_statements) {
    kit k;
    uint8_t *file;
    size_t size, used;
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement s;
    const mica_verify_options options = {.min_security_bits = 40};
    make(&k, _i, 40);
    ck_assert(kit_prove(&k, 1, 5, &file, &size, &st));
    ck_assert(mica_statement_read(&s, &k.c, file, size, &used, &st, &v));
    const uint32_t batch = s.batch, nonce = s.nonce_size;
    const uint32_t impossible[][2] = {
        {0, nonce}, {k.c.max_batch + 1, nonce}, {UINT32_MAX, nonce}, {batch, MICA_MAX_NONCE_BYTES + 1}};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        s.batch = impossible[i][0];
        s.nonce_size = impossible[i][1];
        ck_assert(!mica_verify(&k.vk, &s, file + used, size - used, &options, &v, &st));
        ck_assert_int_eq(v.code, MICA_REJECT_STATEMENT);
        ck_assert_ptr_nonnull(strstr(v.detail, "batch size or nonce"));
        ck_assert_int_eq(st.code, MICA_OK);
    }
    s.batch = batch;
    s.nonce_size = nonce;
    ck_assert(mica_verify(&k.vk, &s, file + used, size - used, &options, &v, &st));
    mica_statement_free(&s, &k.c);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("protocol");
    TCase *t = tcase_create("proofs");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, accepts_honest_proofs, 0, SAMPLES);
    tcase_add_loop_test(t, rejects_changed_bytes, 0, SAMPLES);
    tcase_add_loop_test(t, rejects_other_parameters, 0, SAMPLES);
    tcase_add_loop_test(t, refuses_weak_parameters, 0, SAMPLES);
    tcase_add_loop_test(t, refuses_impossible_statements, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
