/* mica verify-params MODEL.vk MODEL.cert */
#include <stdio.h>

#include "cli/certificate_show.h"
#include "commands/cmd.h"
#include "vk_file.h"

typedef struct params_job {
    const char *vk, *certificate;
    uint32_t min_security_bits;
    bool json, help;
} params_job;

static const mica_option options[] = {
    {"min-security", 0, MICA_OPTION_NUMBER, offsetof(params_job, min_security_bits), 1, 256, "BITS",
     "reject parameters with fewer proven bits (default 100)", 0},
    {"json", 0, MICA_OPTION_FLAG, offsetof(params_job, json), 0, 0, NULL, "print the result as JSON", 0},
    MICA_OPTION_HELP(params_job, help),
};
static const mica_command command = {
    "mica verify-params",
    "usage: mica verify-params MODEL.vk MODEL.cert [options]\n"
    "Checks the weight certificate of verifier parameters: that all committed weights lie in the ranges "
    "that\n"
    "the parameters declare, and keep every accumulator within its bound. Once per MODEL.vk.\n",
    options, sizeof options / sizeof *options, "Exit code 0: accepted; 1: rejected; 2: no decision.\n"};

static bool take(void *job, int n, char **operand, mica_status *st) {
    params_job *j = job;
    if (n != 2)
        return mica_fail(
            st, MICA_ERR_USAGE,
            "verify-params takes verifier parameters and their certificate; see mica verify-params --help");
    j->vk = operand[0];
    j->certificate = operand[1];
    return true;
}

static bool run(const void *job, int *code, mica_status *st) {
    const params_job *j = job;
    mica_vk vk;
    if (!vk_file_read(&vk, j->vk, NULL, NULL, st))
        return false;
    *code = certificate_show(&vk, j->certificate, j->min_security_bits, j->json, stdout);
    mica_vk_free(&vk);
    return true;
}

static const cmd_frame frame = {&command, take, run};

int cmd_verify_params(int argc, char **argv) {
    params_job j = {0};
    return cmd_run(&frame, &j, argc, argv);
}
