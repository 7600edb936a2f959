/* prove INPUT... -o proof.bin */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/dual.h"
#include "cli/memory_limit.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/user_values.h"
#include "io/whole_file.h"
#include "mica/prove.h"

typedef struct proof_job {
    mica_arguments inputs;
    const char *out_path, *nonce, *memory;
    bool json, quiet, help;
    dual_request dual;
    dual float_results;
    user_inputs user;
    size_t statement_bytes, file_bytes;
    double seconds;
    mica_prove_stats stats;
    mica_memory predicted;
    unsigned savings;
} proof_job;

static const mica_option options[] = {
    {"input", 0, MICA_OPTION_LIST, offsetof(proof_job, inputs), 0, 0, "NAME=FILE",
     "one input of a model with several", 0},
    {"out", 'o', MICA_OPTION_TEXT, offsetof(proof_job, out_path), 0, 0, "FILE", "where the proof goes", 0},
    {"nonce", 0, MICA_OPTION_TEXT, offsetof(proof_job, nonce), 0, 0, "HEX",
     "up to 64 bytes chosen by the verifier, bound by the proof", 0},
    MEMORY_OPTION(proof_job, memory),
    DUAL_OPTIONS(proof_job, dual),
    {"json", 0, MICA_OPTION_FLAG, offsetof(proof_job, json), 0, 0, NULL,
     "print the statement and the measurements as JSON", 0},
    {"quiet", 'q', MICA_OPTION_FLAG, offsetof(proof_job, quiet), 0, 0, NULL,
     "no progress, no summary; warnings only", 0},
    MICA_OPTION_HELP(proof_job, help),
};
static const mica_command command = {
    "prove",
    "usage: prove INPUT... -o proof.bin [options]\n"
    "INPUT is a .json, .npy or .pb file or a folder; several, or files of several items, make one batch.\n",
    options, sizeof options / sizeof *options, NULL};

static bool parse(proof_job *job, int argc, char **argv, mica_status *st) {
    if (!cli_parse_inputs(&command, job, &job->inputs, argc, argv, st))
        return false;
    if (job->help)
        return true;
    if (!job->out_path)
        return mica_fail(st, MICA_ERR_USAGE, "where does the proof go? -o FILE is missing");
    return job->inputs.n > 0 || mica_fail(st, MICA_ERR_USAGE, "no input is given; see prove --help");
}

static bool show_result(const proof_job *job, const mica_vk *vk, const mica_statement *s, mica_status *st) {
    if (!job->json) {
        /* also with --quiet: the proof is not about the values in the file */
        saturation_show(stderr, &vk->circuit, job->user.port, s->batch,
                        "; the proof speaks of the saturated ones");
        if (job->quiet)
            return true;
        if (!show_statement(stdout, &vk->circuit, s, st))
            return false;
        if (dual_wanted(&job->dual))
            dual_show(stdout, &job->float_results, &vk->circuit, s->batch);
        (void)printf("%s: proof %.1f kB + statement %.1f kB, %.3f s\n%s\n", job->out_path,
                     (double)(job->file_bytes - job->statement_bytes) / 1000,
                     (double)job->statement_bytes / 1000, job->seconds, show_privacy_note);
        return true;
    }
    json_t *phases = json_object();
    for (int i = 0; i < MICA_PHASES; i++)
        (void)json_object_set_new(phases, mica_phase_name((mica_phase)i), json_real(job->stats.seconds[i]));
    json_t *o = json_pack(
        "{s:o, s:s, s:o, s:I, s:I, s:f, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "model",
        show_text_json(vk->model_id), "version", MICA_VERSION, "proof", show_text_json(job->out_path),
        "proof_bytes", (json_int_t)(job->file_bytes - job->statement_bytes), "statement_bytes",
        (json_int_t)job->statement_bytes, "seconds", job->seconds, "saturated",
        (json_int_t)job->user.saturated, "saturation",
        saturation_json(&vk->circuit, job->user.port, s->batch), "phases", phases, "workspace_bytes",
        (json_int_t)job->stats.workspace_peak, "peak_rss_bytes", (json_int_t)memory_peak(),
        "predicted_rss_bytes", (json_int_t)job->predicted.resident, "savings",
        memory_savings_json(job->savings), "notes", show_notes_json(&vk->circuit, false));
    if (!show_statement_json(o, &vk->circuit, s, st)) {
        json_decref(o);
        return false;
    }
    if (dual_wanted(&job->dual))
        dual_add_json(o, &job->float_results, &vk->circuit, s->batch);
    return show_json(stdout, o) || mica_fail(st, MICA_ERR_IO, "the result could not be written");
}

static bool make_proof(proof_job *job, mica_prover *prover, mica_statement *s, mica_status *st) {
    const mica_vk *vk = mica_prover_vk(prover);
    uint8_t *file = NULL;
    progress p;
    if (job->nonce && !show_parse_nonce(job->nonce, s->nonce, &s->nonce_size, st))
        return false;
    progress_start(&p, job->quiet);
    bool ok = mica_prover_prove(prover, s, &file, &job->file_bytes, &job->stats, progress_show, &p, st);
    job->seconds = progress_now() - p.start;
    progress_end(&p);
    job->statement_bytes = mica_statement_bytes(&vk->circuit, s->batch, s->nonce_size);
    ok = ok && dual_run(&job->float_results, vk, s, &job->user.items, st);
    ok = ok && whole_file_write(job->out_path, file, job->file_bytes, st);
    free(file);
    return ok && show_result(job, vk, s, st);
}

/* The inputs are read before the prover is created, so that their errors come at once; they need the circuit
 * only. */
static bool run(proof_job *job, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_statement s;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok = user_statement_create(&s, &vk.circuit, job->inputs.item, job->inputs.n, &job->user, st);
    if (ok) {
        ok = dual_open(&job->float_results, &vk, &job->dual, model->float_file, st);
        ok = ok && memory_choose(job->memory, &(proof_kind){&vk, s.batch, MICA_SAVE_FOR_ONE, false},
                                 &job->predicted, &job->savings, st);
        memory_give_back();
        mica_prover *prover = ok ? mica_prover_create(model, s.batch, st) : NULL;
        if (prover)
            mica_prover_set_savings(prover, job->savings);
        ok = prover && make_proof(job, prover, &s, st);
        mica_prover_free(prover);
        dual_free(&job->float_results);
        user_inputs_free(&job->user);
        mica_statement_free(&s, &vk.circuit);
    }
    mica_vk_free(&vk);
    return ok;
}

int cli_run_proof(int argc, char **argv, const mica_model *model) {
    proof_job job;
    mica_status st = {0};
    memset(&job, 0, sizeof job);
    bool ok = parse(&job, argc, argv, &st);
    if (ok && job.help)
        mica_arguments_usage(&command, stdout);
    else
        ok = ok && run(&job, model, &st);
    mica_arguments_free(&command, &job);
    return ok ? 0 : cli_error(&st);
}
