/* info */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show_vk.h"
#include "mica/verify.h"

static const char usage[] = "usage: info [--batch B] [--json]\n";

static bool run(const char *batch_text, bool json, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_report report;
    uint32_t batch = 1;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok = !batch_text || cli_number(&batch, batch_text, 1, vk.circuit.max_batch, "--batch", st);
    ok = ok && mica_report_make(&vk, batch, &report, st);
    if (ok && json)
        ok = show_vk_json(stdout, &vk, &report, batch) ||
             mica_fail(st, MICA_ERR_IO, "the result could not be written");
    else if (ok)
        show_vk(stdout, &vk, &report, batch, false);
    mica_vk_free(&vk);
    return ok;
}

int cli_run_info(int argc, char **argv, const mica_model *model) {
    static const struct option options[] = {{"batch", required_argument, NULL, 'b'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *batch = NULL;
    bool json = false;
    mica_status st = {0};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'b')
            batch = optarg;
        else if (c == 'j')
            json = true;
        else if (c == 'h')
            return fputs(usage, stdout) < 0 ? 2 : 0;
        else
            return cli_usage(usage);
    }
    if (optind < argc)
        return cli_usage(usage);
    return run(batch, json, model, &st) ? 0 : cli_error(&st);
}
