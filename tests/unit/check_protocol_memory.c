/* A verifier that runs out of memory decides nothing: no acceptance, no rejection, and a status that says
 * why. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "circuit_samples.h"
#include "failing_memory.h"
#include "mica/certificate.h"
#include "mica/record.h"
#include "suite.h"

typedef struct job {
    kit k;
    uint8_t *file;
    size_t size;
} job;

static void job_begin(job *j, int which) {
    mica_status st = {0};
    samples[which].build(&j->k);
    ck_assert(kit_finish(&j->k, 40));
    ck_assert_msg(kit_prove(&j->k, 2, 5, &j->file, &j->size, &st), "%s", st.message);
}

static void job_end(job *j) {
    free(j->file);
    kit_free(&j->k);
}

/* Acceptance, or no decision. Anything else is an error of a kind that no allocation may end with: assertions
 * allocate themselves. */
static bool undecided(bool ok, const mica_verdict *v, mica_status *st) {
    if (ok != (v->code == MICA_ACCEPT) || (!ok && v->code != MICA_VERDICT_UNSET)) {
        st->code = MICA_ERR_INTERNAL;
        (void)snprintf(st->message, sizeof st->message, "%s: %s", mica_verdict_name(v->code), v->detail);
        return false;
    }
    return ok;
}

static bool verify(void *ctx, mica_status *st) {
    job *j = ctx;
    mica_verdict v;
    const bool ok = kit_verify(&j->k, j->file, j->size, &v, st);
    return undecided(ok, &v, st);
}

START_TEST(no_memory_is_no_verdict) {
    job j;
    job_begin(&j, _i);
    ck_assert_uint_gt(memory_runs_out(verify, &j, MEMORY_ONLY), 10);
    job_end(&j);
}
END_TEST

static bool write_vk(void *ctx, mica_status *st) {
    uint8_t *bytes;
    size_t size;
    if (!mica_vk_write(&((job *)ctx)->k.vk, &bytes, &size, st))
        return false;
    free(bytes);
    return true;
}

static bool report(void *ctx, mica_status *st) {
    mica_report r;
    return mica_report_make(&((job *)ctx)->k.vk, 2, &r, st);
}

/* Values of every port, whatever the statement shows of them. */
static bool create_statement(void *ctx, mica_status *st) {
    mica_statement s;
    if (!mica_statement_create(&s, &((job *)ctx)->k.c, 3, st))
        return false;
    mica_statement_free(&s, &((job *)ctx)->k.c);
    return true;
}

START_TEST(parameters_and_statements) {
    job j;
    job_begin(&j, _i);
    ck_assert_uint_gt(memory_runs_out(write_vk, &j, MEMORY_ONLY), 1);
    ck_assert_uint_gt(memory_runs_out(report, &j, MEMORY_ONLY), 1);
    ck_assert_uint_gt(memory_runs_out(create_statement, &j, MEMORY_ONLY), 3);
    job_end(&j);
}
END_TEST

/* --- weight certificates --- */

static bool certificate_report_of(void *ctx, mica_status *st) {
    mica_certificate_report r;
    return mica_certificate_report_make(&((job *)ctx)->k.vk, &r, st);
}

static bool verify_certificate(void *ctx, mica_status *st) {
    const job *j = ctx;
    mica_verdict v;
    const mica_verify_options options = {.min_security_bits = 40};
    const bool ok = mica_certificate_verify(&j->k.vk, j->file, j->size, &options, &v, st);
    return undecided(ok, &v, st);
}

START_TEST(certificates) {
    job j;
    mica_status st = {0};
    job_begin(&j, 0);
    free(j.file);
    ck_assert_msg(mica_certificate_make(&j.k.vk, j.k.weights, j.k.weights_size, &j.file, &j.size, &st), "%s",
                  st.message);
    ck_assert_uint_gt(memory_runs_out(certificate_report_of, &j, MEMORY_ONLY), 10);
    ck_assert_uint_gt(memory_runs_out(verify_certificate, &j, MEMORY_ONLY), 10);
    job_end(&j);
}
END_TEST

/* --- the record --- */

static bool records(void *ctx, mica_status *st) {
    mica_record written = {0}, read = {0};
    (void)ctx;
    const bool ok = mica_record_add(&written, "model", "of two lines", st) &&
                    mica_record_add(&written, "options", "none", st) &&
                    mica_record_read(&read, written.text, written.size, st);
    mica_record_free(&written);
    mica_record_free(&read);
    return ok;
}

START_TEST(record) {
    ck_assert_uint_eq(memory_runs_out(records, NULL, MEMORY_ONLY), 3);
}
END_TEST

int main(void) {
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, no_memory_is_no_verdict, 0, SAMPLES);
    tcase_add_loop_test(t, parameters_and_statements, 0, SAMPLES);
    tcase_add_test(t, certificates);
    tcase_add_test(t, record);
    suite_add_tcase(s, t);
    return suite_run(s);
}
