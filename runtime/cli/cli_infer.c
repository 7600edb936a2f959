/* infer INPUT... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/dual.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/user_values.h"
#include "mica/prove.h"

typedef struct infer_job {
    mica_arguments inputs;
    dual_request dual;
    bool json, help;
    double seconds;
} infer_job;

static bool show_result(const infer_job *job, const mica_vk *vk, const mica_statement *s,
                        const user_inputs *user, const dual *d, mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    if (!job->json) {
        saturation_show(stdout, c, user->port, s->batch, "");
        if (!show_statement(stdout, c, s, st))
            return false;
        if (dual_wanted(&job->dual))
            dual_show(stdout, d, c, s->batch);
        return true;
    }
    json_t *o = json_pack("{s:o, s:s, s:f, s:I, s:o}", "model", show_text_json(vk->model_id), "version",
                          MICA_VERSION, "seconds", job->seconds, "saturated", (json_int_t)user->saturated,
                          "saturation", saturation_json(c, user->port, s->batch));
    if (!show_statement_json(o, c, s, st)) {
        json_decref(o);
        return false;
    }
    if (dual_wanted(&job->dual))
        dual_add_json(o, d, c, s->batch);
    return show_json(stdout, o) || mica_fail(st, MICA_ERR_IO, "the result could not be written");
}

static bool run_on(infer_job *job, const mica_model *model, const mica_vk *vk, mica_statement *s,
                   const user_inputs *user, mica_status *st) {
    dual d;
    bool ok = dual_open(&d, vk, &job->dual, model->float_file, st);
    mica_prover *prover = ok ? mica_prover_create(model, s->batch, st) : NULL;
    const double start = progress_now();
    ok = prover && mica_prover_infer(prover, s, st);
    job->seconds = progress_now() - start;
    mica_prover_free(prover);
    ok = ok && mica_statement_digest(s, &vk->circuit, st) && dual_run(&d, vk, s, &user->items, st) &&
         show_result(job, vk, s, user, &d, st);
    dual_free(&d);
    return ok;
}

static bool run(infer_job *job, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_statement s;
    user_inputs user;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok = user_statement_create(&s, &vk.circuit, job->inputs.item, job->inputs.n, &user, st);
    if (ok) {
        ok = run_on(job, model, &vk, &s, &user, st);
        user_inputs_free(&user);
        mica_statement_free(&s, &vk.circuit);
    }
    mica_vk_free(&vk);
    return ok;
}

static const mica_option options[] = {
    {"input", 0, MICA_OPTION_LIST, offsetof(infer_job, inputs), 0, 0, "NAME=FILE",
     "one input of a model with several", 0},
    DUAL_OPTIONS(infer_job, dual),
    {"json", 0, MICA_OPTION_FLAG, offsetof(infer_job, json), 0, 0, NULL, "print the result as JSON", 0},
    MICA_OPTION_HELP(infer_job, help),
};
static const mica_command command = {"infer",
                                     "usage: infer INPUT... [options]\n"
                                     "Runs the integer network that proofs speak about, without proving.\n",
                                     options, sizeof options / sizeof *options, NULL};

static bool parse(infer_job *job, int argc, char **argv, mica_status *st) {
    return cli_parse_inputs(&command, job, &job->inputs, argc, argv, st) &&
           (job->help || job->inputs.n > 0 ||
            mica_fail(st, MICA_ERR_USAGE, "no input is given; see infer --help"));
}

int cli_run_infer(int argc, char **argv, const mica_model *model) {
    infer_job job = {0};
    mica_status st = {0};
    bool ok = parse(&job, argc, argv, &st);
    if (ok && job.help)
        mica_arguments_usage(&command, stdout);
    else
        ok = ok && run(&job, model, &st);
    mica_arguments_free(&command, &job);
    return ok ? 0 : cli_error(&st);
}
