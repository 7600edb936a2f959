/* mica compile: from an ONNX model to the prover executable, in one call. */
#ifndef MICA_COMPILER_DRIVER_H
#define MICA_COMPILER_DRIVER_H

#include "accuracy/accuracy.h"
#include "accuracy/accuracy_search.h"
#include "accuracy/calibration.h"
#include "commands/options.h"
#include "emit/build.h"
#include "graph/graph.h"
#include "graph/passes.h"
#include "lowering/lowering.h"

#include "mica/certificate.h"
#include "mica/prove.h"
#include "mica/verify.h"

/* What the self-test measured: one proof by the executable, on this machine. */
typedef struct self_test_result {
    bool ran; /* false without an executable */
    double seconds, phase[MICA_PHASES];
    uint64_t proof_bytes;
} self_test_result;

/* The weight certificate: made, refused or not asked for. */
typedef struct certificate_result {
    uint8_t *bytes; /* NULL: there is none */
    size_t size;
    double seconds; /* making and checking it */
    mica_certificate_report report;
    char refused[512]; /* why there is none; empty otherwise */
} certificate_result;

/* What a compilation has produced so far; owned by the driver. */
struct sample_set;
typedef struct compilation {
    const compile_request *request;
    const char *name; /* file name of the output */
    graph graph;
    mica_visibility *input_visibility, *output_visibility; /* per input and output of the graph */
    calibration calibration;
    uint32_t n_samples;
    program program;
    value_map map;
    accuracy accuracy;
    bool explain; /* for a report: what a finer choice would give, too */
    accuracy_search_report search;
    mica_vk vk;                                /* its circuit is the program's */
    uint8_t *vk_bytes, *weights, *float_bytes; /* float_bytes: NAME.float */
    size_t vk_size, weights_size, float_size;
    mica_report report;
    certificate_result certificate;
    build_result build;
    uint64_t parameters, macs;
    self_test_result tested;
} compilation;

/* Runs every pass, prints what the model will cost and prove, and leaves the outputs under their names, or
 * nothing. */
bool compile_model(const compile_request *request, mica_status *st);

/* Only what the verifier parameters take: c->vk and c->vk_bytes. c starts zeroed but for request and name. */
bool compile_parameters(compilation *c, struct sample_set *samples, mica_status *st);
void compilation_free(compilation *c);

/* sample_set.c: samples of all graph inputs. sample[s][i]: elements of input i, row-major. */
typedef struct sample_set {
    uint32_t n;
    const double *const *const *sample;
    void *storage;
} sample_set;
/* Reads the samples and gives the graph's free dimensions their sizes. path may be NULL: no samples. */
bool sample_set_read(sample_set *s, graph *g, const char *path, mica_status *st);
void sample_set_free(sample_set *s);

/* choose_widths.c: lowers the calibrated graph; fills program, map, accuracy and search. */
bool choose_widths(compilation *c, const sample_set *samples, accuracy_progress progress, mica_status *st);

/* make_record.c: fills the record. The request's options, digests and calibrated ranges must be known. */
bool make_record(mica_record *r, const compilation *c, const sample_set *samples, mica_status *st);

/* summary.c: what is known before the first proof, on stdout. */
void summary_print(const compilation *c);

/* warn.c: no samples, or few: which input ranges are guesses, on stderr. */
void warn_calibration(const compilation *c);

/* warn.c: outputs whose error on the samples is large, on stderr. */
void warn_accuracy(const compilation *c);

/* certify.c: makes c->certificate and checks it, unless it was not asked for. One that cannot be made, by the
 * weights' ranges or by its size, is a warning. */
bool certify(compilation *c, mica_status *st);

/* warn.c: inputs that decide nothing, outputs that are constants or empty, on stderr. */
void warn_ports(const compilation *c);

/* summary_json.c: the same, what the self-test measured, and figures of every layer, as one line of JSON. */
bool summary_print_json(const compilation *c, mica_status *st);

/* report_html.c: the same and more as one page. */
bool report_html_write(const compilation *c, const char *templates, const char *path, mica_status *st);

/* self_test.c: proves the first sample (or a constant input) with the executable and verifies the proof. */
bool self_test(const compilation *c, const sample_set *samples, const char *directory, const char *executable,
               self_test_result *result, mica_status *st);

#endif
