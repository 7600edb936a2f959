/* digest --input FILE */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/port_digest.h"

typedef struct digest_job {
    digest_request request;
    bool help;
} digest_job;

static const mica_option options[] = {
    DIGEST_OPTIONS(digest_job, request),
    MICA_OPTION_HELP(digest_job, help),
};
static const mica_command command = {
    "digest",
    "usage: digest [--input FILE] [--output FILE] [options]\n"
    "The digests that proofs show of committed inputs and outputs with these values.\n",
    options, sizeof options / sizeof *options, NULL};

static bool run(const digest_request *r, const mica_model *model, mica_status *st) {
    mica_vk vk;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    const bool ok = port_digest_show(&vk, r, stdout, st);
    mica_vk_free(&vk);
    return ok;
}

static bool parse(digest_job *job, int argc, char **argv, mica_status *st) {
    return cli_parse_alone(&command, job, argc, argv, st) &&
           (job->help || job->request.input.n + job->request.output.n > 0 ||
            mica_fail(st, MICA_ERR_USAGE, "digest takes --input or --output; see digest --help"));
}

int cli_run_digest(int argc, char **argv, const mica_model *model) {
    digest_job job = {0};
    mica_status st = {0};
    bool ok = parse(&job, argc, argv, &st);
    if (ok && job.help)
        mica_arguments_usage(&command, stdout);
    else
        ok = ok && run(&job.request, model, &st);
    mica_arguments_free(&command, &job);
    return ok ? 0 : cli_error(&st);
}
