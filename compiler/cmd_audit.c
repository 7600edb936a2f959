/* mica audit MODEL.onnx MODEL.vk */
#include <getopt.h>
#include <stdio.h>

#include "audit.h"
#include "cli/show.h"
#include "cmd.h"

static const char usage[] =
    "usage: mica audit MODEL.onnx --calibration DIR MODEL.vk [--json]\n"
    "Compiles the model with the options that the verifier parameters record, without building a prover, "
    "and\n"
    "compares: do the parameters belong to this model?\n"
    "  --calibration DIR  the samples that the parameters were calibrated on\n"
    "  --json             print the result as JSON\n"
    "Exit code 0: confirmed; 1: the parameters do not belong to the model; 2: no decision.\n";

typedef struct audit_job {
    const char *model, *calibration, *vk;
    bool json, help;
} audit_job;

static bool parse(audit_job *j, int argc, char **argv, mica_status *st) {
    static const struct option options[] = {{"calibration", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'c')
            j->calibration = optarg;
        else if (c == 'j')
            j->json = true;
        else if (c == 'h')
            j->help = true;
        else
            return mica_fail(st, MICA_ERR_USAGE,
                             "audit takes the compiler's options from the verifier parameters and no others; "
                             "see mica audit --help");
    }
    if (j->help)
        return true;
    if (optind + 2 != argc)
        return mica_fail(st, MICA_ERR_USAGE,
                         "audit takes a model and verifier parameters; see mica audit --help");
    j->model = argv[optind];
    j->vk = argv[optind + 1];
    return true;
}

static void show_text(const audit_job *j, const audit_result *r) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)printf("%s %s\n", r->confirmed ? "CONFIRMED" : "DIFFERS", j->vk);
    if (r->confirmed)
        (void)printf(
            "these are the verifier parameters of %s, byte for byte: compiled again with the recorded "
            "options on %u calibration samples\n",
            j->model, r->n_samples);
    else
        (void)printf("these are not the verifier parameters of %s with the recorded options\n", j->model);
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
    return show_json(stdout, json_pack("{s:b, s:o, s:o, s:s, s:I, s:s, s:o}", "confirmed", r->confirmed,
                                       "model", show_text_json(j->model), "vk", show_text_json(j->vk),
                                       "vk_digest", show_hex(hex, r->vk_digest, MICA_DIGEST_BYTES), "samples",
                                       (json_int_t)r->n_samples, "version", MICA_VERSION, "checks", checks));
}

static bool run(const audit_job *j, bool *confirmed, mica_status *st) {
    audit_result r;
    if (!audit_run(&r, j->model, j->calibration, j->vk, st))
        return false;
    *confirmed = r.confirmed;
    if (!j->json)
        show_text(j, &r);
    return !j->json || show_as_json(j, &r) || mica_fail(st, MICA_ERR_IO, "the result could not be written");
}

int cmd_audit(int argc, char **argv) {
    audit_job j = {0};
    mica_status st = {0};
    bool confirmed = true;
    bool ok = parse(&j, argc, argv, &st);
    if (ok && j.help)
        (void)fputs(usage, stdout);
    else
        ok = ok && run(&j, &confirmed, &st);
    return !ok ? cmd_error(&st) : confirmed ? 0 : 1;
}
