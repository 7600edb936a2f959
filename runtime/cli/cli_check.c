/* verify PROOF */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/verify_file.h"

static const char usage[] =
    "usage: verify PROOF [options]\n"
    "  --input FILE         the input that the proof must be about (also NAME=FILE; several make a batch)\n"
    "  --output FILE        the output that it must claim\n"
    "  --nonce HEX          the nonce that it must carry\n"
    "  --model-id ID        the model id that the verifier parameters must carry\n"
    "  --min-security BITS  reject parameters with fewer proven bits (default 100)\n"
    "  --json               print the result as JSON\n";

typedef struct check_job {
    cli_args inputs, outputs;
    const char *proof;
    verify_request request;
} check_job;

static bool parse(check_job *job, int argc, char **argv, bool *help, mica_status *st) {
    static const struct option options[] = {
        {"input", required_argument, NULL, 'i'}, {"output", required_argument, NULL, 'o'},
        {"nonce", required_argument, NULL, 'n'}, {"model-id", required_argument, NULL, 'M'},
        {"json", no_argument, NULL, 'j'},        {"min-security", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'i')
            cli_args_push(&job->inputs, optarg);
        else if (c == 'o')
            cli_args_push(&job->outputs, optarg);
        else if (c == 'n')
            job->request.nonce = optarg;
        else if (c == 'M')
            job->request.model_id = optarg;
        else if (c == 'j')
            job->request.json = true;
        else if (c == 'h')
            *help = true;
        else if (c != 'm')
            return mica_fail(st, MICA_ERR_USAGE, "see verify --help");
        else if (!cli_number(&job->request.min_security_bits, optarg, 1, 256, "--min-security", st))
            return false;
    }
    if (!*help && optind + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "verify takes one proof file; see verify --help");
    job->proof = argv[optind];
    job->request.input = job->inputs.item;
    job->request.n_input = job->inputs.n;
    job->request.output = job->outputs.item;
    job->request.n_output = job->outputs.n;
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
    check_job job;
    mica_status st = {0};
    bool help = false;
    int code = 0;
    memset(&job, 0, sizeof job);
    if (!cli_args_create(&job.inputs, argc, &st) || !cli_args_create(&job.outputs, argc, &st) ||
        !parse(&job, argc, argv, &help, &st))
        code = cli_error(&st);
    else if (help)
        (void)fputs(usage, stdout);
    else
        code = run(&job, model, &st);
    cli_args_free(&job.inputs);
    cli_args_free(&job.outputs);
    return code;
}
