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

static bool parse(digest_job *j, int argc, char **argv, mica_status *st) {
    int operands;
    return mica_arguments_parse(&command, j, argc, argv, &operands, st) &&
           (j->help || (j->vk && operands == argc && j->request.input.n + j->request.output.n > 0) ||
            mica_fail(st, MICA_ERR_USAGE,
                      "digest takes --vk and --input or --output; see mica digest --help"));
}

static bool run(const digest_job *j, mica_status *st) {
    mica_vk vk;
    if (!vk_file_read(&vk, j->vk, NULL, NULL, st))
        return false;
    const bool ok = port_digest_show(&vk, &j->request, stdout, st);
    mica_vk_free(&vk);
    return ok;
}

int cmd_digest(int argc, char **argv) {
    mica_status st = {0};
    digest_job j = {0};
    bool ok = parse(&j, argc, argv, &st);
    if (ok && j.help)
        mica_arguments_usage(&command, stdout);
    else
        ok = ok && run(&j, &st);
    mica_arguments_free(&command, &j);
    if (!ok)
        (void)cmd_error(&st);
    return ok ? 0 : 2;
}
