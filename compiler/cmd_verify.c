/* mica verify --vk MODEL.vk PROOF */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify_file.h"
#include "cmd.h"
#include "vk_file.h"

static const char usage[] = "usage: mica verify --vk MODEL.vk PROOF [options]\n"
                            "  --input FILE         the input that the proof must be about (also NAME=FILE)\n"
                            "  --output FILE        the output that it must claim\n"
                            "  --nonce HEX          the nonce that it must carry\n"
                            "  --model-id ID        the model id that the verifier parameters must carry\n"
                            "  --min-security BITS  reject parameters with fewer proven bits (default 100)\n"
                            "  --json               print the result as JSON\n"
                            "Exit code 0: accepted; 1: rejected; 2: no decision.\n";

typedef struct verify_job {
    const char *vk, *proof;
    const char **input, **output;
    bool help;
    verify_request request;
} verify_job;

static bool parse_option(verify_job *j, int c, mica_status *st) {
    switch (c) {
    case 'v':
        j->vk = optarg;
        return true;
    case 'i':
        j->input[j->request.n_input++] = optarg;
        return true;
    case 'o':
        j->output[j->request.n_output++] = optarg;
        return true;
    case 'n':
        j->request.nonce = optarg;
        return true;
    case 'M':
        j->request.model_id = optarg;
        return true;
    case 'm':
        return cmd_number(&j->request.min_security_bits, optarg, 1, 256, "--min-security", st);
    case 'j':
        j->request.json = true;
        return true;
    case 'h':
        j->help = true;
        return true;
    default:
        return mica_fail(st, MICA_ERR_USAGE, "see mica verify --help");
    }
}

static bool parse(verify_job *j, int argc, char **argv, mica_status *st) {
    static const struct option options[] = {{"vk", required_argument, NULL, 'v'},
                                            {"input", required_argument, NULL, 'i'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"nonce", required_argument, NULL, 'n'},
                                            {"model-id", required_argument, NULL, 'M'},
                                            {"min-security", required_argument, NULL, 'm'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (!parse_option(j, c, st))
            return false;
    }
    if (j->help)
        return true;
    if (!j->vk || optind + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "verify takes --vk and one proof; see mica verify --help");
    j->proof = argv[optind];
    j->request.input = j->input;
    j->request.output = j->output;
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
    verify_job j;
    mica_status st = {0};
    int code = 0;
    memset(&j, 0, sizeof j);
    j.input = calloc((size_t)argc + 1, sizeof *j.input);
    j.output = calloc((size_t)argc + 1, sizeof *j.output);
    bool ok = (j.input && j.output) || mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    ok = ok && parse(&j, argc, argv, &st);
    if (ok && j.help)
        (void)fputs(usage, stdout);
    else if (ok)
        ok = run(&j, &code, &st);
    if (!ok) {
        (void)cmd_error(&st);
        code = 2; /* nothing was decided, whatever the reason */
    }
    free(j.input);
    free(j.output);
    return code;
}
