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

static bool take(void *job, int n, char **operand, mica_status *st) {
    verify_job *j = job;
    if (!j->vk || n != 1)
        return mica_fail(st, MICA_ERR_USAGE, "verify takes --vk and one proof; see mica verify --help");
    j->proof = operand[0];
    return true;
}

static bool run(const void *job, int *code, mica_status *st) {
    const verify_job *j = job;
    mica_vk vk;
    if (!vk_file_read(&vk, j->vk, NULL, NULL, st))
        return false;
    *code = mica_verify_file(&vk, j->proof, &j->request, stdout);
    mica_vk_free(&vk);
    return true;
}

static const cmd_frame frame = {&command, take, run};

int cmd_verify(int argc, char **argv) {
    verify_job j = {0};
    return cmd_run(&frame, &j, argc, argv);
}
