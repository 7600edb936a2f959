/* mica inspect MODEL.onnx, mica inspect MODEL.vk */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/show_vk.h"
#include "cmd.h"
#include "inspect.h"
#include "vk_file.h"

static const char usage[] =
    "usage: mica inspect MODEL.onnx [options]    operators, and which of them are supported\n"
    "       mica inspect MODEL.vk [--json]       what verifier parameters say, and how they were made\n"
    "  --dim NAME=SIZE  size of a free dimension of the model; may be repeated\n"
    "  --json           print the report as JSON\n"
    "Exit code 0: everything is supported; 1: something is not; 2: no report.\n";

typedef struct inspect_job {
    const char *path;
    dim_binding *dims;
    size_t n_dims;
    bool json, help;
} inspect_job;

static bool parse(inspect_job *j, int argc, char **argv, mica_status *st) {
    static const struct option options[] = {{"dim", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'j')
            j->json = true;
        else if (c == 'h')
            j->help = true;
        else if (c != 'd')
            return mica_fail(st, MICA_ERR_USAGE, "see mica inspect --help");
        else if (!cmd_dim(&j->dims[j->n_dims++], optarg, st))
            return false;
    }
    if (!j->help && optind + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "inspect takes one model; see mica inspect --help");
    j->path = argv[optind];
    return true;
}

static bool inspect_vk(const inspect_job *j, mica_status *st) {
    mica_vk vk;
    mica_report report;
    if (j->n_dims > 0)
        return mica_fail(st, MICA_ERR_USAGE, "--dim: the dimensions of verifier parameters are fixed");
    if (!vk_file_read(&vk, j->path, NULL, NULL, st))
        return false;
    bool ok = mica_report_make(&vk, 1, &report, st);
    if (ok && j->json)
        ok = show_vk_json(stdout, &vk, &report, 1) ||
             mica_fail(st, MICA_ERR_IO, "the report could not be written");
    else if (ok)
        show_vk(stdout, &vk, &report, 1, true);
    mica_vk_free(&vk);
    return ok;
}

/* *supported stays true for verifier parameters. */
static bool run(const inspect_job *j, bool *supported, mica_status *st) {
    if (j->help)
        return fputs(usage, stdout) >= 0;
    if (vk_file_is(j->path))
        return inspect_vk(j, st);
    return mica_inspect(j->path, j->dims, j->n_dims, j->json, stdout, supported, st);
}

int cmd_inspect(int argc, char **argv) {
    mica_status st = {0};
    inspect_job j = {.dims = calloc((size_t)argc + 1, sizeof *j.dims)};
    bool supported = true;
    bool ok = j.dims || mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    ok = ok && parse(&j, argc, argv, &st) && run(&j, &supported, &st);
    if (st.code != MICA_OK)
        (void)cmd_error(&st);
    free(j.dims);
    return !ok ? 2 : supported ? 0 : 1;
}
