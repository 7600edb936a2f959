/* Operator conformance: every test of a folder of ONNX operator tests is imported, lowered with its own input
 * as the only calibration sample, proved (the circuit computed by the interpreter), verified, and compared
 * with the stored outputs: integers exactly, floats within 1 % of the output's range. Each test runs in a
 * process of its own.
 *
 *   node_tests FOLDER [--refused LIST] [--json FILE] [--markdown FILE] [--only NAME]
 *
 * A test that the compiler refuses passes only if LIST names it with its reason; a test in LIST that passes
 * is an error too, so that the list stays true. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calibration.h"
#include "io/tensor_file.h"
#include "lowering.h"
#include "mica/prove.h"
#include "mica/verify.h"
#include "passes.h"

#define MAX_PORTS  32
#define TIME_LIMIT 120 /* seconds for one test */

typedef enum outcome { OUTCOME_PASS, OUTCOME_REFUSED, OUTCOME_WRONG } outcome;

/* What the child reports through its pipe. */
typedef struct result {
    outcome outcome;
    double error; /* largest, relative to the output's range; 0 for integers */
    uint64_t lookups, rows;
    uint32_t strata;
    char message[1280];
} result;

typedef struct node_test {
    const char *folder, *name, *file;
    bool integer;
    bool frozen[MAX_PORTS]; /* input k of the test is a constant of the model */
} node_test;

/* --- running one test, in the child --- */

static const program *running;

/* Interprets one item; tensors that the prover does not keep get memory of their own. */
static void interpret(const mica_frame *f) {
    const mica_circuit *c = &running->circuit;
    int32_t **value = calloc(c->n_tensors, sizeof *value);
    mica_status st = {0};
    for (uint32_t t = 0; t < c->n_tensors; t++)
        value[t] =
            f->value[t] ? f->value[t] : calloc((size_t)1 << mica_item_bits(&c->tensor[t]), sizeof(int32_t));
    if (!program_interpret(running, value, &st))
        (void)fprintf(stderr, "%s\n", st.message);
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (value[t] != f->value[t])
            free(value[t]);
    }
    free(value);
}

static bool fail(result *r, outcome o, const char *what, const char *message) {
    r->outcome = o;
    (void)snprintf(r->message, sizeof r->message, "%s%s%s", what, *message ? ": " : "", message);
    return false;
}

static bool read_ports(const node_test *t, const char *stem, bool skip_frozen, tensor_data *out, uint32_t n,
                       mica_status *st) {
    char path[4096];
    uint32_t file = 0;
    for (uint32_t i = 0; i < n; i++, file++) {
        while (skip_frozen && file < MAX_PORTS && t->frozen[file])
            file++;
        (void)snprintf(path, sizeof path, "%s/%s/test_data_set_0/%s_%u.pb", t->folder, t->name, stem, file);
        if (!tensor_file_read(&out[i], path, st))
            return false;
    }
    return true;
}

static bool load_graph(const node_test *t, graph *g, tensor_data *input, mica_status *st) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/%s", t->folder, t->name, t->file);
    if (!onnx_import(g, path, NULL, 0, st))
        return false;
    if (g->n_inputs > MAX_PORTS || g->n_outputs > MAX_PORTS)
        return mica_fail(st, MICA_ERR_LIMIT, "too many inputs or outputs");
    if (!read_ports(t, "input", true, input, g->n_inputs, st))
        return false;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        if (!graph_bind_input(g, i, input[i].rank, input[i].dim, st))
            return false;
    }
    return graph_infer_shapes(g, st) && graph_fold_constants(g, st) && graph_canonicalise(g, st);
}

static bool compile(const graph *g, const tensor_data *input, program *p, mica_status *st) {
    const double *sample[MAX_PORTS];
    const double *const *samples[1] = {sample};
    calibration cal;
    const lowering_options options = {.max_batch = 1};
    for (uint32_t i = 0; i < g->n_inputs; i++)
        sample[i] = input[i].value;
    return calibration_collect(&cal, g, samples, 1, st) && lower_graph(p, NULL, g, &cal, &options, st);
}

/* Largest difference to the stored output, relative to its range (to its magnitude, if it is constant). */
static double output_error(const double *got, const tensor_data *want) {
    double lo = want->value[0], hi = want->value[0], worst = 0;
    for (uint64_t i = 0; i < want->count; i++) {
        const double d = got[i] > want->value[i] ? got[i] - want->value[i] : want->value[i] - got[i];
        lo = want->value[i] < lo ? want->value[i] : lo;
        hi = want->value[i] > hi ? want->value[i] : hi;
        worst = d > worst ? d : worst;
    }
    const double magnitude = hi > -lo ? hi : -lo;
    const double range = hi > lo ? hi - lo : magnitude > 0 ? magnitude : 1;
    return worst / range;
}

static bool compare(const node_test *t, const graph *g, const mica_circuit *c, const mica_statement *s,
                    result *r) {
    tensor_data want[MAX_PORTS] = {{0}};
    mica_status st = {0};
    if (!read_ports(t, "output", false, want, g->n_outputs, &st))
        return fail(r, OUTCOME_WRONG, "stored outputs", st.message);
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const uint64_t cells = mica_port_cells(c, &c->output[i]);
        double *got = malloc((size_t)cells * sizeof *got);
        if (cells != want[i].count)
            return fail(r, OUTCOME_WRONG, "the output has another shape", "");
        mica_port_dequantise(c, &c->output[i], s->output[i], got);
        const double error = output_error(got, &want[i]);
        free(got);
        r->error = error > r->error ? error : r->error;
    }
    if (t->integer ? r->error > 1e-9 : r->error > 0.01) {
        (void)snprintf(r->message, sizeof r->message, "differs by %.3g of the range", r->error);
        r->outcome = OUTCOME_WRONG;
        return false;
    }
    return true;
}

static bool prove_and_compare(const node_test *t, const graph *g, const program *p, const tensor_data *input,
                              result *r) {
    mica_status st = {0};
    mica_vk vk = {.circuit = p->circuit, .security_bits = MICA_DEFAULT_SECURITY_BITS}, read;
    mica_report report;
    mica_statement s, claimed;
    mica_verdict v = {0};
    uint8_t *weights, *bytes, *proof;
    size_t weights_size, size, proof_size, used;
    if (!mica_weights_commit(&vk, (const int32_t *const *)p->weight, &weights, &weights_size, &st) ||
        !mica_vk_write(&vk, &bytes, &size, &st) || !mica_report_make(&vk, 1, &report, &st))
        return fail(r, OUTCOME_WRONG, "parameters", st.message);
    r->lookups = report.lookups;
    r->rows = report.table_rows;
    r->strata = report.strata;
    const mica_model model = {bytes, size, weights, weights_size, 64, interpret, NULL};
    running = p;
    mica_prover *prover = mica_prover_create(&model, 1, &st);
    if (!prover || !mica_statement_create(&s, &p->circuit, 1, &st))
        return fail(r, OUTCOME_WRONG, "prover", st.message);
    for (uint32_t i = 0; i < p->circuit.n_inputs; i++) {
        if (!mica_port_quantise(&p->circuit, &p->circuit.input[i], input[i].value, s.input[i], NULL, &st))
            return fail(r, OUTCOME_WRONG, "input", st.message);
    }
    if (!mica_prover_prove(prover, &s, &proof, &proof_size, NULL, NULL, NULL, &st))
        return fail(r, OUTCOME_WRONG, "prove", st.message);
    if (!mica_vk_read(&read, bytes, size, &st) ||
        !mica_statement_read(&claimed, &read.circuit, proof, proof_size, &used, &st, &v) ||
        !mica_verify(&read, &claimed, proof + used, proof_size - used, NULL, &v, &st))
        return fail(r, OUTCOME_WRONG, mica_verdict_name(v.code), st.message[0] ? st.message : v.detail);
    return compare(t, g, &read.circuit, &claimed, r);
}

static void run_test(const node_test *t, result *r) {
    graph g;
    program p;
    mica_status st = {0};
    tensor_data input[MAX_PORTS] = {{0}};
    r->outcome = OUTCOME_PASS;
    if (!load_graph(t, &g, input, &st) || !compile(&g, input, &p, &st)) {
        /* A limit of the readers (empty tensors) is a refusal too; anything that Mica itself broke is not. */
        const bool refused =
            st.code != MICA_ERR_INTERNAL && st.code != MICA_ERR_MEMORY && st.code != MICA_ERR_IO;
        (void)fail(r, refused ? OUTCOME_REFUSED : OUTCOME_WRONG, st.message, "");
        return;
    }
    (void)prove_and_compare(t, &g, &p, input, r);
}

static result run_isolated(const node_test *t) {
    result r = {.outcome = OUTCOME_WRONG, .message = "crashed or ran too long"};
    int ends[2];
    (void)fflush(NULL);
    if (pipe(ends) != 0)
        return r;
    const pid_t child = fork();
    if (child == 0) {
        result mine = {0};
        (void)alarm(TIME_LIMIT);
        run_test(t, &mine);
        _exit(write(ends[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    (void)close(ends[1]);
    result got;
    if (child > 0 && read(ends[0], &got, sizeof got) == (ssize_t)sizeof got)
        r = got;
    (void)close(ends[0]);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return r;
}

/* --- the list of refused tests --- */

/* Lines "test_name: reason"; '#' begins a comment. NULL if the test is not in it. */
static const char *refusal_reason(char *const *line, size_t n, const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(line[i], name, length) == 0 && line[i][length] == ':')
            return line[i] + length + 2;
    }
    return NULL;
}

static size_t read_lines(const char *path, char **line, size_t most) {
    size_t n = 0;
    FILE *f = path ? fopen(path, "r") : NULL;
    char buffer[512];
    while (f && n < most && fgets(buffer, sizeof buffer, f)) {
        buffer[strcspn(buffer, "\n")] = 0;
        if (buffer[0] && buffer[0] != '#')
            line[n++] = strdup(buffer);
    }
    if (f)
        (void)fclose(f);
    return n;
}

/* --- table per operator --- */

typedef struct op_row {
    const char *op;
    unsigned passed, refused, wrong;
    double error;
    uint64_t lookups;
    char reasons[1024];
} op_row;

static op_row *row_of(op_row *rows, size_t *n, const char *op) {
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(rows[i].op, op) == 0)
            return &rows[i];
    }
    rows[*n] = (op_row){.op = op};
    return &rows[(*n)++];
}

static void add_to_row(op_row *row, const node_test *t, const result *r, const char *reason) {
    row->passed += r->outcome == OUTCOME_PASS;
    row->refused += r->outcome == OUTCOME_REFUSED;
    row->wrong += r->outcome == OUTCOME_WRONG;
    if (r->outcome == OUTCOME_PASS) {
        row->error = r->error > row->error ? r->error : row->error;
        row->lookups = r->lookups > row->lookups ? r->lookups : row->lookups;
    } else {
        const size_t used = strlen(row->reasons);
        (void)snprintf(row->reasons + used, sizeof row->reasons - used, "%s`%s`: %s", used ? "; " : "",
                       t->name, reason ? reason : r->message);
    }
}

static int compare_rows(const void *a, const void *b) {
    return strcmp(((const op_row *)a)->op, ((const op_row *)b)->op);
}

static void write_markdown(const char *path, op_row *rows, size_t n) {
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return;
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    (void)fputs("# Operators\n\nGenerated by `tests/conformance/node_tests` from the ONNX operator tests: "
                "each is compiled "
                "with its own input as calibration, proved, verified and compared with the stored output.\n\n"
                "| operator | tests passed | refused | largest error, % of the output's range | most lookups "
                "| left out, "
                "and why |\n|---|---|---|---|---|---|\n",
                f);
    for (size_t i = 0; i < n; i++) {
        const op_row *r = &rows[i];
        (void)fprintf(f, "| %s | %u | %u |", r->op, r->passed, r->refused + r->wrong);
        if (r->passed)
            (void)fprintf(f, " %.3f | %llu |", 100 * r->error, (unsigned long long)r->lookups);
        else
            (void)fputs(" | |", f);
        (void)fprintf(f, " %s |\n", r->reasons);
    }
    (void)fclose(f);
}

/* --- main --- */

typedef struct settings {
    const char *folder, *refused, *json, *markdown, *only;
} settings;

static bool parse(settings *s, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char **to = NULL;
        if (strcmp(argv[i], "--refused") == 0)
            to = &s->refused;
        else if (strcmp(argv[i], "--json") == 0)
            to = &s->json;
        else if (strcmp(argv[i], "--markdown") == 0)
            to = &s->markdown;
        else if (strcmp(argv[i], "--only") == 0)
            to = &s->only;
        else if (argv[i][0] == '-' || s->folder)
            return false;
        else
            s->folder = argv[i];
        if (to && ++i < argc)
            *to = argv[i];
    }
    return s->folder != NULL;
}

static node_test test_of(const settings *s, const json_t *entry) {
    node_test t = {.folder = s->folder};
    size_t i;
    json_t *k;
    t.name = json_string_value(json_object_get(entry, "name"));
    t.file = json_string_value(json_object_get(entry, "use"));
    const bool uses_frozen = strcmp(t.file, "model.onnx") != 0;
    t.integer = strcmp(json_string_value(json_object_get(entry, "kind")), "integer") == 0;
    json_array_foreach(json_object_get(entry, "frozen_inputs"), i, k) {
        if (uses_frozen && json_integer_value(k) < MAX_PORTS)
            t.frozen[json_integer_value(k)] = true;
    }
    return t;
}

/* Whether the result is what is expected; prints what is not. */
static bool judge(const node_test *t, const result *r, const char *reason) {
    if (r->outcome == OUTCOME_PASS && reason)
        (void)printf("%s passes, but the list of refused tests names it\n", t->name);
    else if (r->outcome == OUTCOME_REFUSED && !reason)
        (void)printf("%s is refused: %s\n", t->name, r->message);
    else if (r->outcome == OUTCOME_WRONG)
        (void)printf("%s is WRONG: %s\n", t->name, r->message);
    else
        return true;
    return false;
}

int main(int argc, char **argv) {
    settings s = {0};
    if (!parse(&s, argc, argv)) {
        (void)fprintf(
            stderr,
            "usage: node_tests FOLDER [--refused LIST] [--json FILE] [--markdown FILE] [--only NAME]\n");
        return 2;
    }
    char path[4096], *refused[1024];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/INDEX.json", s.folder);
    json_t *index = json_load_file(path, 0, &error);
    const json_t *tests = json_object_get(index, "tests");
    if (!tests) {
        (void)fprintf(stderr, "%s: %s\n", path, error.text);
        return 2;
    }
    const size_t n_refused = read_lines(s.refused, refused, 1024);
    op_row *rows = calloc(json_array_size(tests) + 1, sizeof *rows);
    size_t n_rows = 0, i;
    unsigned count[3] = {0}, unexpected = 0;
    json_t *entry;
    json_array_foreach(tests, i, entry) {
        const node_test t = test_of(&s, entry);
        if (s.only && strcmp(s.only, t.name) != 0)
            continue;
        const result r = run_isolated(&t);
        const char *reason = refusal_reason(refused, n_refused, t.name);
        count[r.outcome]++;
        unexpected += !judge(&t, &r, reason);
        add_to_row(row_of(rows, &n_rows, json_string_value(json_object_get(entry, "op"))), &t, &r, reason);
    }
    (void)printf("operator tests: %u compiled, proved, verified and equal, %u refused, %u wrong\n",
                 count[OUTCOME_PASS], count[OUTCOME_REFUSED], count[OUTCOME_WRONG]);
    if (s.markdown)
        write_markdown(s.markdown, rows, n_rows);
    if (s.json) {
        json_t *out = json_pack("{s:i,s:i,s:i}", "passed", (int)(count[0] + count[1] + count[2] - unexpected),
                                "failed", (int)unexpected, "skipped", 0);
        (void)json_dump_file(out, s.json, JSON_INDENT(1));
        json_decref(out);
    }
    json_decref(index);
    free(rows);
    return unexpected != 0;
}
