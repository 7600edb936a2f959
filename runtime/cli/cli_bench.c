/* bench: times proofs of random inputs. Every proof that is timed is verified, and a rejection ends the run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/parallel.h"
#include "cli/cli.h"
#include "cli/memory_limit.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "mica/prove.h"
#include "mica/verify.h"

#define MAX_RUNS 1000
#define CPU_NAME 96

/* What is timed: one row of samples each. */
enum {
    TIME_PROVE,
    TIME_INFER,
    TIME_VERIFY,
    TIME_PHASES,
    TIME_FIRST_PHASE,
    TIMES = TIME_FIRST_PHASE + MICA_PHASES
};

typedef struct bench {
    uint32_t runs, batch;
    const char *memory;
    bool json, help;
    double *sample; /* [TIMES][runs] */
    size_t proof_bytes, statement_bytes, workspace;
    mica_memory predicted;
    unsigned savings;
    double proven_bits;
    uint64_t random; /* state of splitmix64 */
} bench;

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Every input cell uniform in its declared range. */
static void draw_inputs(bench *b, mica_statement *s, const mica_circuit *c) {
    for (uint32_t k = 0; k < c->n_inputs; k++) {
        const mica_tensor *t = &c->tensor[c->input[k].tensor];
        uint64_t n = mica_port_cells(c, &c->input[k]) * s->batch;
        uint64_t width = (uint64_t)((int64_t)t->hi - t->lo + 1);
        for (uint64_t i = 0; i < n; i++)
            s->input[k][i] = (int32_t)((int64_t)t->lo + (int64_t)(next_random(&b->random) % width));
    }
}

/* 1 if the proof is accepted, 0 if it is rejected, -1 if no decision was reached. */
static int verify_timed(double *seconds, const mica_vk *vk, const uint8_t *file, size_t size,
                        mica_status *st) {
    /* a model compiled for fewer bits is timed as well */
    const mica_verify_options options = {.min_security_bits = vk->security_bits};
    mica_statement s;
    mica_verdict verdict = {0};
    size_t used;
    double start = progress_now();
    if (!mica_statement_read(&s, &vk->circuit, file, size, &used, st, &verdict))
        return st->code == MICA_OK ? 0 : -1;
    bool accepted = mica_verify(vk, &s, file + used, size - used, &options, &verdict, st);
    *seconds = progress_now() - start;
    mica_statement_free(&s, &vk->circuit);
    return st->code != MICA_OK ? -1 : accepted && verdict.code == MICA_ACCEPT;
}

static int run_once(bench *b, uint32_t run, mica_prover *prover, mica_statement *s, mica_status *st) {
    const mica_vk *vk = mica_prover_vk(prover);
    mica_prove_stats stats;
    uint8_t *file = NULL;
    size_t size;
    memset(&stats, 0, sizeof stats);
    draw_inputs(b, s, &vk->circuit);
    double start = progress_now();
    if (!mica_prover_infer(prover, s, st))
        return -1;
    b->sample[TIME_INFER * b->runs + run] = progress_now() - start;
    start = progress_now();
    if (!mica_prover_prove(prover, s, &file, &size, &stats, NULL, NULL, st))
        return -1;
    b->sample[TIME_PROVE * b->runs + run] = progress_now() - start;
    for (uint32_t i = 0; i < MICA_PHASES; i++) {
        b->sample[(TIME_FIRST_PHASE + i) * b->runs + run] = stats.seconds[i];
        b->sample[TIME_PHASES * b->runs + run] += stats.seconds[i];
    }
    b->statement_bytes = mica_statement_bytes(&vk->circuit, s->batch, s->nonce_size);
    b->proof_bytes = size - b->statement_bytes > b->proof_bytes ? size - b->statement_bytes : b->proof_bytes;
    b->workspace = stats.workspace_peak;
    int accepted = verify_timed(&b->sample[TIME_VERIFY * b->runs + run], vk, file, size, st);
    free(file);
    return accepted;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts each row of samples: the median is the middle, the minimum the first. */
static void sort_samples(bench *b) {
    for (unsigned i = 0; i < TIMES; i++)
        qsort(b->sample + (size_t)i * b->runs, b->runs, sizeof(double), compare_doubles);
}

static double median(const bench *b, unsigned row) {
    const double *x = b->sample + (size_t)row * b->runs;
    return b->runs % 2 ? x[b->runs / 2] : (x[b->runs / 2 - 1] + x[b->runs / 2]) / 2;
}

static double least(const bench *b, unsigned row) {
    return b->sample[(size_t)row * b->runs];
}

static const char *row_name(unsigned row) {
    static const char *const names[] = {"prove", "infer", "verify", "phases"};
    return row < TIME_FIRST_PHASE ? names[row] : mica_phase_name((mica_phase)(row - TIME_FIRST_PHASE));
}

/* The CPU's name as the kernel gives it. */
static void cpu_name(char out[CPU_NAME]) {
    char line[256];
    (void)snprintf(out, CPU_NAME, "unknown CPU");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            (void)snprintf(out, CPU_NAME, "%.90s", strchr(line, ':') + 2);
            out[strcspn(out, "\n")] = 0;
            break;
        }
    if (f)
        (void)fclose(f);
}

static void show_text(const bench *b, const mica_vk *vk) {
    char cpu[CPU_NAME], digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    cpu_name(cpu);
    (void)printf("model    \"%s\", vk digest %.16s..., mica %s\n", vk->model_id,
                 show_hex(digest, vk->digest, MICA_DIGEST_BYTES), vk->compiler_version);
    (void)printf("machine  %s, %s kernels, %u threads\n", cpu, mica_cpu_level_name(mica_cpu_level_get()),
                 parallel_workers());
    (void)printf("runs     %u, batch %u, every proof verified\n", b->runs, b->batch);
    (void)printf("proof    %.1f kB, statement %.1f kB, %.1f bits proven\n", (double)b->proof_bytes / 1000,
                 (double)b->statement_bytes / 1000, b->proven_bits);
    (void)printf("memory   peak %.1f MB, predicted %.1f MB, workspace %.1f MB\n", (double)memory_peak() / 1e6,
                 (double)b->predicted.resident / 1e6, (double)b->workspace / 1e6);
    (void)printf("%-12s %12s %12s\n", "", "median ms", "least ms");
    for (unsigned row = 0; row < TIMES; row++)
        (void)printf("%s%-*s %12.3f %12.3f\n", row < TIME_FIRST_PHASE ? "" : "  ",
                     row < TIME_FIRST_PHASE ? 12 : 10, row_name(row), 1000 * median(b, row),
                     1000 * least(b, row));
}

static bool show_as_json(const bench *b, const mica_vk *vk) {
    char cpu[CPU_NAME], digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    cpu_name(cpu);
    json_t *phases = json_object();
    for (unsigned row = TIME_FIRST_PHASE; row < TIMES; row++)
        (void)json_object_set_new(phases, row_name(row), json_real(median(b, row)));
    json_t *o = json_pack(
        "{s:o, s:s, s:o, s:o, s:s, s:i, s:i, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:I, s:I, "
        "s:f, s:I, s:o, s:f, s:o}",
        "model", show_text_json(vk->model_id), "vk_digest", show_hex(digest, vk->digest, MICA_DIGEST_BYTES),
        "version", show_text_json(vk->compiler_version), "cpu", show_text_json(cpu), "kernels",
        mica_cpu_level_name(mica_cpu_level_get()), "threads", (int)parallel_workers(), "runs", (int)b->runs,
        "batch", (int)b->batch, "verified", 1, "prove_seconds", median(b, TIME_PROVE), "prove_seconds_least",
        least(b, TIME_PROVE), "infer_seconds", median(b, TIME_INFER), "verify_seconds",
        median(b, TIME_VERIFY), "verify_seconds_least", least(b, TIME_VERIFY), "proof_bytes",
        (json_int_t)b->proof_bytes, "statement_bytes", (json_int_t)b->statement_bytes, "proven_bits",
        b->proven_bits, "workspace_bytes", (json_int_t)b->workspace, "predicted_workspace_bytes",
        (json_int_t)b->predicted.workspace, "peak_rss_bytes", (double)memory_peak(), "predicted_rss_bytes",
        (json_int_t)b->predicted.resident, "savings", memory_savings_json(b->savings), "phases_seconds",
        median(b, TIME_PHASES), "phases", phases);
    return show_json(stdout, o);
}

/* The exit code: 0, 1 if a proof was rejected, 2 if the bench could not run. */
static int run_all(bench *b, mica_prover *prover, mica_status *st) {
    const mica_vk *vk = mica_prover_vk(prover);
    mica_statement s;
    mica_report report;
    if (!mica_report_make(vk, b->batch, &report, st) ||
        !mica_statement_create(&s, &vk->circuit, b->batch, st))
        return cli_error(st);
    b->proven_bits = report.proven_bits;
    int accepted = 1;
    for (uint32_t run = 0; run < b->runs && accepted == 1; run++)
        accepted = run_once(b, run, prover, &s, st);
    mica_statement_free(&s, &vk->circuit);
    if (accepted < 0)
        return cli_error(st);
    if (accepted == 0) {
        (void)fprintf(stderr, "error: a proof of this prover was rejected by its own verifier\n");
        return 1;
    }
    sort_samples(b);
    if (b->json)
        return show_as_json(b, vk) ? 0 : 2;
    show_text(b, vk);
    return 0;
}

/* Before the prover is created: it holds the weights. */
static bool predict(bench *b, const mica_model *model, mica_status *st) {
    mica_vk vk;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    const bool ok =
        memory_choose(b->memory, &(proof_kind){&vk, b->batch, 0, true}, &b->predicted, &b->savings, st);
    mica_vk_free(&vk);
    return ok;
}

static int run(bench *b, const mica_model *model, mica_status *st) {
    b->sample = calloc((size_t)TIMES * b->runs, sizeof *b->sample);
    if (!b->sample) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for %u runs", b->runs);
        return cli_error(st);
    }
    mica_prover *prover = predict(b, model, st) ? mica_prover_create(model, b->batch, st) : NULL;
    if (prover)
        mica_prover_set_savings(prover, b->savings);
    int code = prover ? run_all(b, prover, st) : cli_error(st);
    mica_prover_free(prover);
    free(b->sample);
    return code;
}

static const mica_option options[] = {
    {"runs", 0, MICA_OPTION_NUMBER, offsetof(bench, runs), 1, MAX_RUNS, "N",
     "proofs that are timed (default 5)", 0},
    {"batch", 0, MICA_OPTION_NUMBER, offsetof(bench, batch), 1, 1u << 30, "B", "inputs of each (default 1)",
     0},
    MEMORY_OPTION(bench, memory),
    {"json", 0, MICA_OPTION_FLAG, offsetof(bench, json), 0, 0, NULL, "print the measurements as JSON", 0},
    MICA_OPTION_HELP(bench, help),
};
static const mica_command command = {"bench",
                                     "usage: bench [options]\n"
                                     "Times proofs of random inputs; every one is verified.\n",
                                     options, sizeof options / sizeof *options, NULL};

int cli_run_bench(int argc, char **argv, const mica_model *model) {
    bench b = {.runs = 5, .batch = 1, .random = 1};
    mica_status st = {0};
    if (!cli_parse_alone(&command, &b, argc, argv, &st))
        return cli_error(&st);
    if (!b.help)
        return run(&b, model, &st);
    mica_arguments_usage(&command, stdout);
    return 0;
}
