/* mica audit MODEL.onnx MODEL.vk */
#include <stdio.h>

#include "audit.h"
#include "cli/show.h"
#include "commands/cmd.h"

typedef struct audit_job {
    audit_request what;
    bool json, help;
} audit_job;

static const mica_option options[] = {
    {"calibration", 0, MICA_OPTION_TEXT, offsetof(audit_job, what.samples), 0, 0, "DIR",
     "the samples that the parameters were calibrated on", 0},
    {"const", 0, MICA_OPTION_LIST, offsetof(audit_job, what.constants), 0, 0, "NAME=FILE",
     "a constant that was too large for the record; may be repeated", 0},
    {"json", 0, MICA_OPTION_FLAG, offsetof(audit_job, json), 0, 0, NULL, "print the result as JSON", 0},
    MICA_OPTION_HELP(audit_job, help),
};
static const mica_command command = {
    "mica audit",
    "usage: mica audit MODEL.onnx --calibration DIR MODEL.vk [--json]\n"
    "Compiles the model with the options that the verifier parameters record, and no others, without "
    "building\n"
    "a prover, and compares: do the parameters belong to this model?\n",
    options, sizeof options / sizeof *options,
    "Exit code 0: confirmed; 1: the parameters do not belong to the model; 2: no decision, also if the "
    "model\ncannot be compiled with the recorded options.\n"};

static bool take(void *job, int n, char **operand, mica_status *st) {
    audit_job *j = job;
    if (n != 2)
        return mica_fail(st, MICA_ERR_USAGE,
                         "audit takes a model and verifier parameters; see mica audit --help");
    j->what.model = operand[0];
    j->what.vk = operand[1];
    return true;
}

static void show_text(const audit_job *j, const audit_result *r) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)printf("%s %s\n", r->confirmed ? "CONFIRMED" : "DIFFERS", j->what.vk);
    if (r->confirmed)
        (void)printf(
            "these are the verifier parameters of %s, byte for byte: compiled again with the recorded "
            "options on %u calibration samples\n",
            j->what.model, r->n_samples);
    else
        (void)printf("these are not the verifier parameters of %s with the recorded options\n",
                     j->what.model);
    (void)printf("vk digest %s\n", show_hex(hex, r->vk_digest, MICA_DIGEST_BYTES));
    for (unsigned i = 0; i < AUDIT_CHECKS; i++) {
        const audit_check *c = &r->check[i];
        if (c->same)
            (void)printf("  same     %-17s %s\n", c->what, c->recorded);
        else
            (void)printf("  differs  %-17s recorded: %s\n  %26s here:     %s\n", c->what, c->recorded, "",
                         c->found);
    }
}

static bool show_as_json(const audit_job *j, const audit_result *r) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    json_t *checks = json_array();
    for (unsigned i = 0; i < AUDIT_CHECKS; i++) {
        const audit_check *c = &r->check[i];
        (void)json_array_append_new(checks, json_pack("{s:s, s:b, s:o, s:o}", "what", c->what, "same",
                                                      c->same, "recorded", show_text_json(c->recorded),
                                                      "found", show_text_json(c->found)));
    }
    return show_json(stdout,
                     json_pack("{s:b, s:o, s:o, s:s, s:I, s:s, s:o}", "confirmed", r->confirmed, "model",
                               show_text_json(j->what.model), "vk", show_text_json(j->what.vk), "vk_digest",
                               show_hex(hex, r->vk_digest, MICA_DIGEST_BYTES), "samples",
                               (json_int_t)r->n_samples, "version", MICA_VERSION, "checks", checks));
}

static bool run(const void *job, int *code, mica_status *st) {
    const audit_job *j = job;
    audit_result r;
    if (!audit_run(&r, &j->what, st))
        return false;
    *code = r.confirmed ? 0 : 1;
    if (!j->json)
        show_text(j, &r);
    return !j->json || show_as_json(j, &r) || mica_fail(st, MICA_ERR_IO, "the result could not be written");
}

static const cmd_frame frame = {&command, take, run};

int cmd_audit(int argc, char **argv) {
    audit_job j = {0};
    return cmd_run(&frame, &j, argc, argv);
}
