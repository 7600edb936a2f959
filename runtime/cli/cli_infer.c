/* infer INPUT... */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/user_values.h"
#include "mica/prove.h"

static const char usage[] = "usage: infer INPUT... [--input NAME=FILE] [--json]\n"
                            "Runs the integer network that proofs speak about, without proving.\n";

static bool show_result(const mica_vk *vk, const mica_statement *s, uint64_t saturated, double seconds,
                        bool json, mica_status *st) {
    if (!json) {
        if (saturated > 0)
            (void)printf("note: %llu input values lie outside the range and were saturated\n",
                         (unsigned long long)saturated);
        return show_statement(stdout, &vk->circuit, s, st);
    }
    json_t *o = json_pack("{s:o, s:f, s:I}", "model", show_text_json(vk->model_id), "seconds", seconds,
                          "saturated", (json_int_t)saturated);
    if (!show_statement_json(o, &vk->circuit, s, st)) {
        json_decref(o);
        return false;
    }
    return show_json(stdout, o) || mica_fail(st, MICA_ERR_IO, "the result could not be written");
}

static bool run(const cli_args *inputs, bool json, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_statement s;
    uint64_t saturated;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok = user_statement_create(&s, &vk.circuit, inputs->item, inputs->n, &saturated, st);
    if (ok) {
        mica_prover *prover = mica_prover_create(model, s.batch, st);
        double start = progress_now();
        ok = prover && mica_prover_infer(prover, &s, st);
        const double seconds = progress_now() - start;
        ok = ok && mica_statement_digest(&s, &vk.circuit, st) &&
             show_result(&vk, &s, saturated, seconds, json, st);
        mica_prover_free(prover);
        mica_statement_free(&s, &vk.circuit);
    }
    mica_vk_free(&vk);
    return ok;
}

static bool parse(cli_args *inputs, bool *json, bool *help, int argc, char **argv, mica_status *st) {
    static const struct option options[] = {{"input", required_argument, NULL, 'i'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'i')
            cli_args_push(inputs, optarg);
        else if (c == 'j')
            *json = true;
        else if (c == 'h')
            *help = true;
        else
            return mica_fail(st, MICA_ERR_USAGE, "see infer --help");
    }
    for (; optind < argc; optind++)
        cli_args_push(inputs, argv[optind]);
    return *help || inputs->n > 0 || mica_fail(st, MICA_ERR_USAGE, "no input is given; see infer --help");
}

int cli_run_infer(int argc, char **argv, const mica_model *model) {
    cli_args inputs = {0};
    mica_status st = {0};
    bool json = false, help = false;
    bool ok = cli_args_create(&inputs, argc, &st) && parse(&inputs, &json, &help, argc, argv, &st);
    if (ok && help)
        (void)fputs(usage, stdout);
    else
        ok = ok && run(&inputs, json, model, &st);
    cli_args_free(&inputs);
    return ok ? 0 : cli_error(&st);
}
