#include "node_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accuracy/accuracy.h"
#include "accuracy/calibration.h"
#include "graph/passes.h"
#include "io/tensor_file.h"
#include "lowering/lowering.h"
#include "mica/prove.h"
#include "mica/verify.h"
#include "ops/ops.h"

#define TIME_LIMIT 120 /* seconds for one test */

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

typedef bool tensor_reader(tensor_data *t, const char *path, mica_status *st);

static bool read_port(const node_test *t, const char *stem, uint32_t k, tensor_reader *read, tensor_data *out,
                      mica_status *st) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/test_data_set_0/%s_%u.pb", t->folder, t->name, stem, k);
    return read(out, path, st);
}

/* The test's inputs, by the positions of the original model. */
typedef struct test_inputs {
    uint32_t n;
    char name[MAX_PORTS][100];
    bool constant[MAX_PORTS]; /* of the model already, empty, or because the compiler asked for it */
    tensor_data *data;        /* [MAX_PORTS], in the order of the graph's inputs */
} test_inputs;

static bool is_empty(const graph_value *v) {
    bool empty = false;
    for (uint32_t i = 0; i < v->rank; i++)
        empty |= v->dim[i] == 0;
    return empty;
}

static bool name_inputs(const node_test *t, test_inputs *in, mica_status *st) {
    char path[4096];
    graph g;
    (void)snprintf(path, sizeof path, "%s/%s/model.onnx", t->folder, t->name);
    if (!onnx_import(&g, path, NULL, 0, st))
        return false;
    in->n = g.n_inputs;
    const bool fits = g.n_inputs <= MAX_PORTS && g.n_outputs <= MAX_PORTS;
    for (uint32_t i = 0; fits && i < g.n_inputs; i++) {
        (void)snprintf(in->name[i], sizeof in->name[i], "%.99s", g.value[g.input[i]].name);
        in->constant[i] = t->frozen[i] || is_empty(&g.value[g.input[i]]);
    }
    graph_free(&g);
    return fits || mica_fail(st, MICA_ERR_LIMIT, "too many inputs or outputs");
}

static bool load_input(const node_test *t, const test_inputs *in, uint32_t k, graph *g, uint32_t *next,
                       mica_status *st) {
    tensor_data x;
    if (!in->constant[k]) {
        tensor_data *data = &in->data[*next];
        return read_port(t, "input", k, tensor_file_read, data, st) &&
               graph_bind_input(g, (*next)++, data->rank, data->dim, st);
    }
    if (!read_port(t, "input", k, tensor_file_read_any, &x, st))
        return false;
    const bool ok = graph_freeze_input(g, in->name[k], x.rank, x.dim, x.value, st);
    tensor_data_free(&x);
    return ok;
}

/* output[]: values of all outputs of the model; of g->output those without elements are gone. */
static bool load_graph(const node_test *t, const test_inputs *in, graph *g, uint32_t *output,
                       mica_status *st) {
    char path[4096];
    uint32_t next = 0;
    (void)snprintf(path, sizeof path, "%s/%s/%s", t->folder, t->name, t->file);
    if (!onnx_import(g, path, NULL, 0, st))
        return false;
    memcpy(output, g->output, g->n_outputs * sizeof *output);
    for (uint32_t k = 0; k < in->n; k++) {
        if (!t->frozen[k] && !load_input(t, in, k, g, &next, st))
            return false;
    }
    return graph_infer_shapes(g, st) && graph_fold_constants(g, st) && graph_canonicalise(g, st);
}

/* The input that a refusal asks to freeze ("--const NAME=FILE"), if it is one that is not frozen yet. */
static bool freeze_as_asked(test_inputs *in, const char *message) {
    static const char option[] = "--const ";
    const char *name = strstr(message, option);
    for (uint32_t k = 0; name && k < in->n; k++) {
        const size_t length = strlen(in->name[k]);
        if (!in->constant[k] && strncmp(name + sizeof option - 1, in->name[k], length) == 0 &&
            strncmp(name + sizeof option - 1 + length, "=FILE", 5) == 0) {
            in->constant[k] = true;
            return true;
        }
    }
    return false;
}

static void note_constants(const test_inputs *in, result *r) {
    size_t used = 0;
    for (uint32_t k = 0; k < in->n && used < sizeof r->constant; k++)
        if (in->constant[k])
            used += (size_t)snprintf(r->constant + used, sizeof r->constant - used, "%s\n", in->name[k]);
}

/* As `mica compile` does, with its accuracy report. */
static bool compile(graph *g, const tensor_data *input, program *p, result *r, mica_status *st) {
    const double *sample[MAX_PORTS];
    const double *const *samples[1] = {sample};
    calibration cal;
    value_map map;
    accuracy a;
    const lowering_options options = {.max_batch = 1};
    for (uint32_t i = 0; i < g->n_inputs; i++)
        sample[i] = input[i].value;
    if (!graph_bound_masks(g, samples, 1, st) || !calibration_collect(&cal, g, samples, 1, st) ||
        !lower_graph(p, &map, g, &cal, &options, st) ||
        !accuracy_measure_samples(&a, p, &map, g, samples, 1, st))
        return false;
    for (uint32_t i = 0; i < a.n_outputs; i++)
        r->promised = a.output[i].max > r->promised ? a.output[i].max : r->promised;
    return true;
}

static void note_range(const tensor_data *input, uint32_t n, result *r) {
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t k = 0; k < input[i].count; k++) {
            const double x = input[i].value[k];
            r->lo = (i == 0 && k == 0) || x < r->lo ? x : r->lo;
            r->hi = (i == 0 && k == 0) || x > r->hi ? x : r->hi;
        }
}

/* Whether every value of the outputs is one of the inputs, or a constant. */
static bool only_moves(const graph *g) {
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->node[i].removed && !op_moves((op_kind)g->node[i].kind))
            return false;
    return true;
}

/* Of one output: distances to the stored values. */
typedef struct distance {
    double mean, largest, magnitude, range; /* range > 0: the values', or their magnitude if all are equal */
} distance;

static distance distance_to(const double *got, const tensor_data *want) {
    double lo = want->value[0], hi = want->value[0];
    distance x = {0};
    for (uint64_t i = 0; i < want->count; i++) {
        const double d = got[i] == want->value[i] ? 0 : fabs(got[i] - want->value[i]); /* infinities */
        lo = fmin(lo, want->value[i]);
        hi = fmax(hi, want->value[i]);
        x.largest = fmax(x.largest, d);
        x.mean += d / (double)want->count;
    }
    x.magnitude = fmax(hi, -lo);
    x.range = hi > lo ? hi - lo : x.magnitude > 0 ? x.magnitude : 1;
    return x;
}

/* Stored values are that far from what they stand for. */
#define STORED_PRECISION      0x1p-22
#define STORED_PRECISION_HALF 0x1p-10 /* of half-precision floats */

/* Half a step of the coarsest input. */
static double half_step(const mica_circuit *c) {
    double unit = 0;
    for (uint32_t i = 0; i < c->n_inputs; i++)
        unit = fmax(unit, ldexp((double)c->input[i].mantissa, c->input[i].exponent));
    return unit / 2;
}

static bool wrong(result *r, const char *format, double a, double b) {
    r->outcome = OUTCOME_WRONG;
    (void)snprintf(r->message, sizeof r->message, format, a, b);
    return false;
}

/* Integers are exact. Reals keep the promise, which is at most 1 %; values that only move are those of the
 * quantised input. */
static bool judge_output(const node_test *t, const graph *g, const mica_circuit *c, const distance *x,
                         result *r) {
    const double stored = (t->half ? STORED_PRECISION_HALF : STORED_PRECISION) * x->magnitude,
                 error = x->largest / x->range;
    if (t->integer ? error > 1e-9 : error > 0.01)
        return wrong(r, "differs by %.3g of the range, %.3g is allowed", error, t->integer ? 0 : 0.01);
    if (r->promised > 0.01)
        return wrong(r, "an error of %.3g of the range is promised, at most %.3g is allowed", r->promised,
                     0.01);
    if (x->largest > r->promised * x->range + stored)
        return wrong(r, "differs by %.3g of the range, %.3g is promised", error, r->promised);
    if (!t->integer && only_moves(g) && x->largest > half_step(c) * (1 + 1e-9) + stored)
        return wrong(r, "moved values differ by %.3g, half a step is %.3g", x->largest, half_step(c));
    return true;
}

/* The stored tensor of the output that is value v of the graph; false after noting what is wrong. */
static bool read_expected(const node_test *t, const graph *g, uint32_t k, uint32_t v, tensor_data *want,
                          result *r) {
    mica_status st = {0};
    if (!read_port(t, "output", k, tensor_file_read_any, want, &st))
        return fail(r, OUTCOME_WRONG, "stored outputs", st.message);
    const graph_value *y = &g->value[v];
    bool same = y->rank == want->rank;
    for (uint32_t i = 0; same && i < y->rank; i++)
        same = y->dim[i] == want->dim[i];
    return same || fail(r, OUTCOME_WRONG, "the output has another shape", "");
}

static bool compare(const node_test *t, const graph *g, const uint32_t *output, const mica_circuit *c,
                    const mica_statement *s, result *r) {
    const uint32_t n = g->n_outputs + g->n_empty_outputs;
    for (uint32_t k = 0, i = 0; k < n; k++) {
        tensor_data want;
        if (!read_expected(t, g, k, output[k], &want, r))
            return false;
        if (want.count == 0)
            continue;
        const uint64_t cells = mica_port_cells(c, &c->output[i]);
        if (cells != want.count)
            return fail(r, OUTCOME_WRONG, "the output has another shape", "");
        double *got = malloc((size_t)cells * sizeof *got);
        mica_port_dequantise(c, &c->output[i], s->output[i], got);
        const distance x = distance_to(got, &want);
        free(got);
        r->largest = fmax(r->largest, x.largest / x.range);
        r->mean = fmax(r->mean, x.mean / x.range);
        r->elements += cells;
        i++;
        if (!judge_output(t, g, c, &x, r))
            return false;
    }
    return true;
}

/* Outputs that are constants: as the float reference has folded them. */
static bool compare_settled(const node_test *t, const graph *g, const uint32_t *output, result *r) {
    const uint32_t n = g->n_outputs + g->n_empty_outputs;
    for (uint32_t k = 0; k < n; k++) {
        const graph_value *v = &g->value[output[k]];
        tensor_data want;
        if (!read_expected(t, g, k, output[k], &want, r))
            return false;
        if (want.count && !graph_is_const(v))
            return fail(r, OUTCOME_WRONG, "an output is not a constant", "");
        double *got = malloc(((size_t)want.count + 1) * sizeof *got);
        for (uint64_t i = 0; i < want.count; i++)
            got[i] = v->real ? v->real[i] : (double)v->integer[i];
        const distance x = want.count ? distance_to(got, &want) : (distance){.range = 1};
        free(got);
        if (!(x.largest <= STORED_PRECISION * x.magnitude))
            return wrong(r, "a constant differs by %.3g from the stored %.3g", x.largest, x.magnitude);
    }
    r->outcome = OUTCOME_SETTLED;
    return true;
}

static bool prove_and_compare(const node_test *t, const graph *g, const uint32_t *output, const program *p,
                              const tensor_data *input, result *r) {
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
    r->cells = report.witness_cells - report.table_rows;
    const mica_model model = {bytes, size, weights, weights_size, 64, interpret, NULL, NULL, false, false};
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
    return compare(t, g, output, &read.circuit, &claimed, r);
}

/* Loads, compiles, and freezes what the compiler asks for. A graph that is settled has no program. */
static bool prepare(const node_test *t, test_inputs *in, graph *g, uint32_t *output, program *p, result *r,
                    mica_status *st) {
    if (!name_inputs(t, in, st))
        return false;
    for (;;) {
        if (load_graph(t, in, g, output, st) && (graph_is_settled(g) || compile(g, in->data, p, r, st)))
            return true;
        if (st->code != MICA_ERR_UNSUPPORTED || !freeze_as_asked(in, st->message))
            return false;
        *st = (mica_status){0};
    }
}

static void run_test(const node_test *t, result *r) {
    graph g;
    program p;
    mica_status st = {0};
    tensor_data input[MAX_PORTS] = {{0}};
    test_inputs in = {.data = input};
    uint32_t output[MAX_PORTS];
    r->outcome = OUTCOME_PASS;
    const bool ok = prepare(t, &in, &g, output, &p, r, &st);
    note_constants(&in, r);
    if (!ok) {
        /* A limit of the readers is a refusal too; anything that Mica itself broke is not. */
        const bool refused =
            st.code != MICA_ERR_INTERNAL && st.code != MICA_ERR_MEMORY && st.code != MICA_ERR_IO;
        (void)fail(r, refused ? OUTCOME_REFUSED : OUTCOME_WRONG, st.message, "");
        return;
    }
    note_range(input, g.n_inputs, r);
    if (graph_is_settled(&g))
        (void)compare_settled(t, &g, output, r);
    else
        (void)prove_and_compare(t, &g, output, &p, input, r);
}

result node_test_run(const node_test *t) {
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
