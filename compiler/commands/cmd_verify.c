/* mica verify --vk MODEL.vk PROOF */
#include <stdio.h>

#include "cli/verify_file.h"
#include "commands/cmd.h"
#include "vk_file.h"

typedef struct verify_job {
    const char *vk, *proof;
    verify_request request;
    bool help;
} verify_job;

static const mica_option options[] = {
    {"vk", 0, MICA_OPTION_TEXT, offsetof(verify_job, vk), 0, 0, "FILE", "verifier parameters of the model",
     0},
    VERIFY_OPTIONS(verify_job, request),
    MICA_OPTION_HELP(verify_job, help),
};
static const mica_command command = {"mica verify", "usage: mica verify --vk MODEL.vk PROOF [options]\n",
                                     options, sizeof options / sizeof *options,
                                     "Exit code 0: accepted; 1: rejected; 2: no decision.\n"};

static bool parse(verify_job *j, int argc, char **argv, mica_status *st) {
    int operands;
    if (!mica_arguments_parse(&command, j, argc, argv, &operands, st))
        return false;
    if (j->help)
        return true;
    if (!j->vk || operands + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "verify takes --vk and one proof; see mica verify --help");
    j->proof = argv[operands];
    return true;
}

static bool run(const verify_job *j, int *code, mica_status *st) {
    mica_vk vk;
    if (!vk_file_read(&vk, j->vk, NULL, NULL, st))
        return false;
    *code = mica_verify_file(&vk, j->proof, &j->request, stdout);
    mica_vk_free(&vk);
    return true;
}

int cmd_verify(int argc, char **argv) {
    verify_job j = {0};
    mica_status st = {0};
    int code = 0;
    bool ok = parse(&j, argc, argv, &st);
    if (ok && j.help)
        mica_arguments_usage(&command, stdout);
    else if (ok)
        ok = run(&j, &code, &st);
    if (!ok) {
        (void)cmd_error(&st);
        code = 2; /* nothing was decided, whatever the reason */
    }
    mica_arguments_free(&command, &j);
    return code;
}
