/* digest --input FILE */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/port_digest.h"

static const char usage[] =
    "usage: digest [--input FILE] [--output FILE] [options]\n"
    "The digests that proofs show of committed inputs and outputs with these values.\n";

static bool run(const digest_request *r, const mica_model *model, mica_status *st) {
    mica_vk vk;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    const bool ok = port_digest_show(&vk, r, stdout, st);
    mica_vk_free(&vk);
    return ok;
}

static bool parse(digest_request *r, const char **input, const char **output, bool *help, int argc,
                  char **argv, mica_status *st) {
    static const struct option options[] = {
        {"input", required_argument, NULL, 'i'}, {"output", required_argument, NULL, 'o'},
        {"integers", no_argument, NULL, 'n'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        *help |= c == 'h';
        if (c != 'h' && !port_digest_option(r, input, output, c, optarg))
            return mica_fail(st, MICA_ERR_USAGE, "see digest --help");
    }
    return *help || (optind == argc && r->n_input + r->n_output > 0) ||
           mica_fail(st, MICA_ERR_USAGE, "digest takes --input or --output; see digest --help");
}

int cli_run_digest(int argc, char **argv, const mica_model *model) {
    cli_args inputs = {0}, outputs = {0};
    mica_status st = {0};
    bool help = false;
    bool ok = cli_args_create(&inputs, argc, &st) && cli_args_create(&outputs, argc, &st);
    digest_request r = {.input = inputs.item, .output = outputs.item};
    ok = ok && parse(&r, inputs.item, outputs.item, &help, argc, argv, &st);
    if (ok && help)
        (void)printf("%s%s", usage, port_digest_options);
    else
        ok = ok && run(&r, model, &st);
    cli_args_free(&inputs);
    cli_args_free(&outputs);
    return ok ? 0 : cli_error(&st);
}
