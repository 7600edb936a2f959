/* verify PROOF */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/verify_file.h"

typedef struct check_job {
    const char *proof;
    verify_request request;
    bool help;
} check_job;

static const mica_option options[] = {
    VERIFY_OPTIONS(check_job, request),
    MICA_OPTION_HELP(check_job, help),
};
static const mica_command command = {"verify", "usage: verify PROOF [options]\n", options,
                                     sizeof options / sizeof *options, NULL};

static bool parse(check_job *job, int argc, char **argv, mica_status *st) {
    int operands;
    if (!mica_arguments_parse(&command, job, argc, argv, &operands, st))
        return false;
    if (!job->help && operands + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "verify takes one proof file; see verify --help");
    job->proof = argv[operands];
    return true;
}

static int run(const check_job *job, const mica_model *model, mica_status *st) {
    mica_vk vk;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return cli_error(st);
    int code = mica_verify_file(&vk, job->proof, &job->request, stdout);
    mica_vk_free(&vk);
    return code;
}

int cli_run_check(int argc, char **argv, const mica_model *model) {
    check_job job = {0};
    mica_status st = {0};
    int code = 0;
    if (!parse(&job, argc, argv, &st))
        code = cli_error(&st);
    else if (job.help)
        mica_arguments_usage(&command, stdout);
    else
        code = run(&job, model, &st);
    mica_arguments_free(&command, &job);
    return code;
}
