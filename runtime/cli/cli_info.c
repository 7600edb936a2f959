/* info */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/show_vk.h"
#include "mica/prove.h"
#include "mica/verify.h"

typedef struct info_job {
    const char *batch; /* as given: its bound is in the parameters */
    bool json, help;
} info_job;

static const mica_option options[] = {
    {"batch", 0, MICA_OPTION_TEXT, offsetof(info_job, batch), 0, 0, "B",
     "inputs that one proof covers (default 1): what is proven depends on it", 0},
    {"json", 0, MICA_OPTION_FLAG, offsetof(info_job, json), 0, 0, NULL, "print the report as JSON", 0},
    MICA_OPTION_HELP(info_job, help),
};
static const mica_command command = {"info", "usage: info [options]\n", options,
                                     sizeof options / sizeof *options, NULL};

static bool run(const info_job *job, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_report report;
    mica_memory memory;
    uint32_t batch = 1;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok =
        !job->batch || mica_arguments_number(&batch, job->batch, 1, vk.circuit.max_batch, "--batch", st);
    ok = ok && mica_report_make(&vk, batch, &report, st) &&
         mica_prover_memory(&vk, batch, MICA_SAVE_FOR_ONE, &memory, st);
    if (ok)
        report.prover_memory_bytes = memory.resident;
    if (ok && job->json)
        ok = show_vk_json(stdout, &vk, &report, batch) ||
             mica_fail(st, MICA_ERR_IO, "the result could not be written");
    else if (ok)
        show_vk(stdout, &vk, &report, batch, false);
    mica_vk_free(&vk);
    return ok;
}

int cli_run_info(int argc, char **argv, const mica_model *model) {
    info_job job = {0};
    mica_status st = {0};
    bool ok = cli_parse_alone(&command, &job, argc, argv, &st);
    if (ok && job.help)
        mica_arguments_usage(&command, stdout);
    else
        ok = ok && run(&job, model, &st);
    return ok ? 0 : cli_error(&st);
}
