/* mica inspect MODEL.onnx, mica inspect MODEL.vk */
#include <stdio.h>
#include <stdlib.h>

#include "cli/show_vk.h"
#include "commands/cmd.h"
#include "commands/inspect.h"
#include "vk_file.h"

typedef struct inspect_job {
    const char *path;
    mica_arguments dim; /* NAME=SIZE */
    bool json, help;
} inspect_job;

static const mica_option options[] = {
    {"dim", 0, MICA_OPTION_LIST, offsetof(inspect_job, dim), 0, 0, "NAME=SIZE",
     "size of a free dimension of the model; may be repeated", 0},
    {"json", 0, MICA_OPTION_FLAG, offsetof(inspect_job, json), 0, 0, NULL, "print the report as JSON", 0},
    MICA_OPTION_HELP(inspect_job, help),
};
static const mica_command command = {
    "mica inspect",
    "usage: mica inspect MODEL.onnx [options]    operators, and which of them are supported\n"
    "       mica inspect MODEL.vk [--json]       what verifier parameters say, and how they were made\n",
    options, sizeof options / sizeof *options,
    "Exit code 0: everything is supported; 1: something is not; 2: no report.\n"};

static bool parse(inspect_job *j, int argc, char **argv, mica_status *st) {
    int operands;
    if (!mica_arguments_parse(&command, j, argc, argv, &operands, st))
        return false;
    if (!j->help && operands + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "inspect takes one model; see mica inspect --help");
    j->path = argv[operands];
    return true;
}

static bool inspect_vk(const inspect_job *j, mica_status *st) {
    mica_vk vk;
    mica_report report;
    if (j->dim.n > 0)
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

static bool inspect_model(const inspect_job *j, bool *supported, mica_status *st) {
    dim_binding *dims = NULL;
    const bool ok =
        cmd_dims(&dims, &j->dim, st) && mica_inspect(j->path, dims, j->dim.n, j->json, stdout, supported, st);
    cmd_dims_free(dims, j->dim.n);
    return ok;
}

/* *supported stays true for verifier parameters. */
static bool run(const inspect_job *j, bool *supported, mica_status *st) {
    if (j->help) {
        mica_arguments_usage(&command, stdout);
        return true;
    }
    return vk_file_is(j->path) ? inspect_vk(j, st) : inspect_model(j, supported, st);
}

int cmd_inspect(int argc, char **argv) {
    mica_status st = {0};
    inspect_job j = {0};
    bool supported = true;
    const bool ok = parse(&j, argc, argv, &st) && run(&j, &supported, &st);
    if (st.code != MICA_OK)
        (void)cmd_error(&st);
    mica_arguments_free(&command, &j);
    return !ok ? 2 : supported ? 0 : 1;
}
