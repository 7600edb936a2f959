/* mica inspect MODEL.onnx, mica inspect MODEL.vk */
#include <stdio.h>

#include "cli/show_vk.h"
#include "commands/cmd.h"
#include "commands/inspect.h"
#include "file_read.h"
#include "mica/certificate.h"
#include "mica/float_model.h"
#include "mica/prove.h"
#include "mica/statement.h"
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

static bool take(void *job, int n, char **operand, mica_status *st) {
    inspect_job *j = job;
    if (n != 1)
        return mica_fail(st, MICA_ERR_USAGE, "inspect takes one model; see mica inspect --help");
    j->path = operand[0];
    return true;
}

static bool inspect_vk(const inspect_job *j, mica_status *st) {
    mica_vk vk;
    mica_report report;
    mica_memory memory;
    if (j->dim.n > 0)
        return mica_fail(st, MICA_ERR_USAGE, "--dim: the dimensions of verifier parameters are fixed");
    if (!vk_file_read(&vk, j->path, NULL, NULL, st))
        return false;
    bool ok =
        mica_report_make(&vk, 1, &report, st) && mica_prover_memory(&vk, 1, MICA_SAVE_FOR_ONE, &memory, st);
    if (ok)
        report.prover_memory_bytes = memory.resident;
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

/* Mica's other files, each with the command that it is for. */
static bool refuse_other_files(const char *path, mica_status *st) {
    static const struct {
        const char *magic, *what;
    } others[] = {
        {MICA_CERTIFICATE_MAGIC, "a weight certificate; mica verify-params MODEL.vk FILE checks it"},
        {MICA_PROOF_MAGIC, "a proof; mica verify --vk MODEL.vk FILE checks it and shows its statement"},
        {MICA_FLOAT_MAGIC,
         "the float model that a prover executable reads; inspect takes the ONNX file of it"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (file_begins_with(path, others[i].magic))
            return mica_fail(st, MICA_ERR_USAGE, "%s is %s", path, others[i].what);
    return true;
}

static bool run(const void *job, int *code, mica_status *st) {
    const inspect_job *j = job;
    bool supported = true;
    if (!refuse_other_files(j->path, st))
        return false;
    const bool ok =
        file_begins_with(j->path, MICA_VK_MAGIC) ? inspect_vk(j, st) : inspect_model(j, &supported, st);
    *code = supported ? 0 : 1;
    return ok;
}

static const cmd_frame frame = {&command, take, run};

int cmd_inspect(int argc, char **argv) {
    inspect_job j = {0};
    return cmd_run(&frame, &j, argc, argv);
}
