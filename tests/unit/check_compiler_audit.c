/* Options that are recorded and replayed, and audits of verifier parameters against a model. */
#include "audit.h"
#include "commands/cmd.h"
#include "commands/options.h"
#include "driver.h"
#include "file_read.h"
#include "vk_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx_writer.h"
#include "suite.h"

#define MODEL       MICA_MODELS "/lenet5/lenet5.onnx"
#define CALIBRATION MICA_MODELS "/lenet5/calibration"

static char path[] = "/tmp/mica-audit-XXXXXX";

/* The parameters of MODEL go to `path`; the request's options are the ones given. */
static void make_parameters(compile_request *r) {
    compilation c;
    sample_set samples = {0};
    mica_status st = {0};
    memset(&c, 0, sizeof c);
    r->model = MODEL;
    r->output = path;
    r->quiet = true;
    c.request = r;
    c.name = "net";
    ck_assert(options_finish(r, &st));
    ck_assert_msg(compile_parameters(&c, &samples, &st), "%s", st.message);
    ck_assert(file_write(path, c.vk_bytes, c.vk_size, &st));
    sample_set_free(&samples);
    compilation_free(&c);
}

static void set_up(void) {
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    compile_request r = {.calibration = CALIBRATION, .security_bits = 80, .max_batch = 3};
    make_parameters(&r);
    options_free(&r);
}

static void tear_down(void) {
    (void)unlink(path);
    (void)memcpy(path + strlen(path) - 6, "XXXXXX", 6);
}

static bool run_audit(audit_result *r, const char *model, const char *samples, const char *vk,
                      mica_status *st) {
    const audit_request what = {.model = model, .samples = samples, .vk = vk};
    return audit_run(r, &what, st);
}

static const audit_check *named(const audit_result *r, const char *what) {
    for (unsigned i = 0; i < AUDIT_CHECKS; i++) {
        if (strcmp(r->check[i].what, what) == 0)
            return &r->check[i];
    }
    ck_abort_msg("no check is called %s", what);
    return NULL;
}

START_TEST(confirms_its_own) {
    audit_result r;
    mica_status st = {0};
    ck_assert_msg(run_audit(&r, MODEL, CALIBRATION, path, &st), "%s", st.message);
    ck_assert(r.confirmed);
    for (unsigned i = 0; i < AUDIT_CHECKS; i++)
        ck_assert_msg(r.check[i].same, "%s", r.check[i].what);
    ck_assert_str_eq(named(&r, "options")->recorded, "--max-batch 3 --security 80 --model-id net");
}
END_TEST

START_TEST(other_samples_differ) {
    audit_result r;
    mica_status st = {0};
    ck_assert_msg(run_audit(&r, MODEL, CALIBRATION "/case_00", path, &st), "%s", st.message);
    ck_assert(!r.confirmed);
    ck_assert(!named(&r, "calibration")->same && !named(&r, "calibrated ranges")->same);
    ck_assert(named(&r, "model")->same && named(&r, "options")->same);
}
END_TEST

START_TEST(missing_samples_are_asked_for) {
    audit_result r;
    mica_status st = {0};
    ck_assert(!run_audit(&r, MODEL, NULL, path, &st));
    ck_assert_int_eq(st.code, MICA_ERR_USAGE);
}
END_TEST

START_TEST(guessed_ranges_are_audited) {
    audit_result r;
    mica_status st = {0};
    compile_request request = {.security_bits = 100};
    make_parameters(&request);
    options_free(&request);
    ck_assert_msg(run_audit(&r, MODEL, NULL, path, &st) && r.confirmed, "%s", st.message);
    ck_assert(run_audit(&r, MODEL, CALIBRATION, path, &st) && !r.confirmed);
    ck_assert_str_eq(named(&r, "calibration")->recorded, "none");
}
END_TEST

/* Writes the parameters again after a change. */
static void rewrite(void (*change)(mica_vk *vk)) {
    mica_vk vk;
    mica_status st = {0};
    uint8_t *file;
    size_t size;
    ck_assert(vk_file_read(&vk, path, NULL, NULL, &st));
    change(&vk);
    ck_assert(mica_vk_write(&vk, &file, &size, &st));
    ck_assert(file_write(path, file, size, &st));
    free(file);
    mica_vk_free(&vk);
}

static void change_root(mica_vk *vk) {
    vk->weight_root[5] ^= 1;
}
static void change_target(mica_vk *vk) {
    vk->security_bits = 90;
}
static void change_circuit(mica_vk *vk) {
    vk->circuit.layer[1].name[0] = '#';
}
static void change_option(mica_vk *vk) {
    char *at = strstr(vk->record.text, "option-security 80");
    ck_assert_ptr_nonnull(at);
    memcpy(at, "option-security 70", 18);
}
static void change_version(mica_vk *vk) {
    (void)snprintf(vk->compiler_version, sizeof vk->compiler_version, "0.0.9");
}
static void repeat_option(mica_vk *vk) {
    mica_status st = {0};
    ck_assert(mica_record_add(&vk->record, OPTIONS_RECORD_PREFIX "security", "80", &st));
}
static void add_line(mica_vk *vk) {
    mica_status st = {0};
    ck_assert(mica_record_add(&vk->record, "remark", "no compiler wrote this", &st));
}

static const struct change {
    void (*apply)(mica_vk *vk);
    const char *what; /* the check that differs; NULL: the bytes alone */
} changes[] = {{change_root, "weight root"},
               {change_target, "header"},
               {change_circuit, "circuit"},
               {change_option, "header"},
               {change_version, "header"},
               {repeat_option, "options"},
               {add_line, NULL}};

START_TEST(changed_parameters_differ) {
    audit_result r;
    mica_status st = {0};
    rewrite(changes[_i].apply);
    ck_assert_msg(run_audit(&r, MODEL, CALIBRATION, path, &st), "%s", st.message);
    ck_assert(!r.confirmed);
    ck_assert(!changes[_i].what || !named(&r, changes[_i].what)->same);
}
END_TEST

static void unknown_option(mica_vk *vk) {
    mica_status st = {0};
    ck_assert(mica_record_add(&vk->record, OPTIONS_RECORD_PREFIX "calibration", "elsewhere", &st));
}
static void bad_option(mica_vk *vk) {
    mica_status st = {0};
    ck_assert(mica_record_add(&vk->record, OPTIONS_RECORD_PREFIX "max-batch", "-1", &st));
}
static void no_record(mica_vk *vk) {
    mica_record_free(&vk->record);
}

START_TEST(hostile_records_are_refused) {
    static void (*const apply[])(mica_vk * vk) = {unknown_option, bad_option, no_record};
    audit_result r;
    mica_status st = {0};
    rewrite(apply[_i]);
    ck_assert(!run_audit(&r, MODEL, CALIBRATION, path, &st));
    ck_assert_msg(st.code == MICA_ERR_FORMAT || st.code == MICA_ERR_USAGE, "%s", st.message);
}
END_TEST

/* Such a model is none of these parameters, but nothing was compared. */
START_TEST(models_that_do_not_compile_decide_nothing) {
    char model[] = "/tmp/mica-audit-model-XXXXXX", samples[] = CALIBRATION, vk[64];
    const int fd = mkstemp(model);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    onnx_writer w = {.opset = 13};
    ow_input(&w, "image", 4, (const int64_t[]){1, 1, 28, 28});
    ow_node(&w, "NoSuchOperator", "image", "y");
    ow_output(&w, "y");
    ow_save(&w, model);
    (void)snprintf(vk, sizeof vk, "%s", path);
    char command[] = "audit", option[] = "--calibration";
    char *argv[] = {command, model, option, samples, vk, NULL};
    ck_assert_int_eq(cmd_audit(5, argv), 2);
    char own[] = MODEL;
    char *again[] = {command, own, option, samples, vk, NULL}; /* parsing has moved the operands */
    ck_assert_int_eq(cmd_audit(5, again), 0);
    (void)unlink(model);
}
END_TEST

START_TEST(options_come_back) {
    static const char *dims[] = {"n=3", "a b=4"};
    compile_request r = {.model_id = "an id", .max_batch = 7, .security_bits = 90, .dim = {dims, 2}};
    compile_request again = {.security_bits = 100};
    mica_record record = {0};
    mica_status st = {0};
    ck_assert(options_record(&r, &record, &st));
    ck_assert(options_replay(&again, &record, &st) && options_finish(&again, &st));
    ck_assert_str_eq(again.model_id, "an id");
    ck_assert_uint_eq(again.max_batch, 7);
    ck_assert_uint_eq(again.security_bits, 90);
    ck_assert_uint_eq(again.n_dims, 2);
    ck_assert_str_eq(again.dims[1].name, "a b");
    ck_assert_int_eq(again.dims[1].size, 4);
    options_free(&again);
    mica_record_free(&record);
}
END_TEST

int main(void) {
    Suite *s = suite_create("audit");
    TCase *t = tcase_create("audit");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, confirms_its_own);
    tcase_add_test(t, other_samples_differ);
    tcase_add_test(t, missing_samples_are_asked_for);
    tcase_add_test(t, guessed_ranges_are_audited);
    tcase_add_loop_test(t, changed_parameters_differ, 0, sizeof changes / sizeof *changes);
    tcase_add_loop_test(t, hostile_records_are_refused, 0, 3);
    tcase_add_test(t, models_that_do_not_compile_decide_nothing);
    suite_add_tcase(s, t);
    TCase *o = tcase_create("options");
    tcase_add_test(o, options_come_back);
    suite_add_tcase(s, o);
    return suite_run(s);
}
