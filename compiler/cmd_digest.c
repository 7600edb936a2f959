/* mica digest --vk MODEL.vk */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/port_digest.h"
#include "cmd.h"
#include "vk_file.h"

static const char usage[] =
    "usage: mica digest --vk MODEL.vk [--input FILE] [--output FILE] [options]\n"
    "The digests that proofs show of committed inputs and outputs with these values.\n";

typedef struct digest_job {
    const char *vk;
    const char **input, **output;
    bool help;
    digest_request request;
} digest_job;

static bool parse(digest_job *j, int argc, char **argv, mica_status *st) {
    static const struct option options[] = {{"vk", required_argument, NULL, 'v'},
                                            {"input", required_argument, NULL, 'i'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"integers", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'v')
            j->vk = optarg;
        else if (c == 'h')
            j->help = true;
        else if (!port_digest_option(&j->request, j->input, j->output, c, optarg))
            return mica_fail(st, MICA_ERR_USAGE, "see mica digest --help");
    }
    j->request.input = j->input;
    j->request.output = j->output;
    return j->help || (j->vk && optind == argc && j->request.n_input + j->request.n_output > 0) ||
           mica_fail(st, MICA_ERR_USAGE, "digest takes --vk and --input or --output; see mica digest --help");
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
    digest_job j = {.input = calloc((size_t)argc + 1, sizeof *j.input),
                    .output = calloc((size_t)argc + 1, sizeof *j.output)};
    bool ok = (j.input && j.output) || mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    ok = ok && parse(&j, argc, argv, &st);
    if (ok && j.help)
        (void)printf("%s%s", usage, port_digest_options);
    else
        ok = ok && run(&j, &st);
    free(j.input);
    free(j.output);
    if (!ok)
        (void)cmd_error(&st);
    return ok ? 0 : 2;
}
