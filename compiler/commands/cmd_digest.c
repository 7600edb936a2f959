/* mica digest --vk MODEL.vk */
#include <stdio.h>

#include "cli/port_digest.h"
#include "commands/cmd.h"
#include "vk_file.h"

typedef struct digest_job {
    const char *vk;
    digest_request request;
    bool help;
} digest_job;

static const mica_option options[] = {
    {"vk", 0, MICA_OPTION_TEXT, offsetof(digest_job, vk), 0, 0, "FILE", "verifier parameters of the model",
     0},
    DIGEST_OPTIONS(digest_job, request),
    MICA_OPTION_HELP(digest_job, help),
};
static const mica_command command = {
    "mica digest",
    "usage: mica digest --vk MODEL.vk [--input FILE] [--output FILE] [options]\n"
    "The digests that proofs show of committed inputs and outputs with these values.\n",
    options, sizeof options / sizeof *options, NULL};

static bool take(void *job, int n, char **operand, mica_status *st) {
    const digest_job *j = job;
    (void)operand;
    return (j->vk && n == 0 && j->request.input.n + j->request.output.n > 0) ||
           mica_fail(st, MICA_ERR_USAGE, "digest takes --vk and --input or --output; see mica digest --help");
}

static bool run(const void *job, int *code, mica_status *st) {
    const digest_job *j = job;
    (void)code; /* stays 0 */
    mica_vk vk;
    if (!vk_file_read(&vk, j->vk, NULL, NULL, st))
        return false;
    const bool ok = port_digest_show(&vk, &j->request, stdout, st);
    mica_vk_free(&vk);
    return ok;
}

static const cmd_frame frame = {&command, take, run};

int cmd_digest(int argc, char **argv) {
    digest_job j = {0};
    return cmd_run(&frame, &j, argc, argv);
}
