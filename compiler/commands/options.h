/* What a compilation is asked for. One table owns the options of `mica compile`: the command line is parsed
 * by it, the usage is printed from it, and the options that influence the verifier parameters are recorded
 * and replayed by it (mica audit). A new option is a field of compile_request and a line of the table. */
#ifndef MICA_COMPILER_OPTIONS_H
#define MICA_COMPILER_OPTIONS_H

#include <stdio.h>

#include "accuracy/calibration.h"
#include "graph/passes.h"
#include "passes/constants.h"

#include "mica/arguments.h"
#include "mica/record.h"

#define OPTIONS_RECORD_PREFIX "option-" /* of the keys in the record */

typedef struct compile_request {
    const char *model;       /* ONNX file */
    const char *calibration; /* folder or stacked .npy; NULL: ranges are guessed */
    const char *output;      /* NAME: makes NAME-prover, NAME.vk, ...: outputs.h */
    const char *model_id;    /* NULL: the output's file name */
    const char *dump;        /* pass whose result is printed, or NULL */
    mica_arguments dim;      /* NAME=SIZE */
    mica_arguments constant; /* NAME=VALUE; canonical once the request is finished */
    mica_arguments input_visibility, output_visibility; /* visibility.h */
    uint32_t max_batch; /* 0: 256, halved until the circuit's bounds admit it */
    uint32_t security_bits;
    const char *max_error, *min_agreement; /* percentages as given; NULL: the compiler's own target */
    const char *ranges; /* max, mse or percentile=P; NULL: max, or mse where max falls short */
    size_t embed_limit; /* EMIT_EMBED_LIMIT */
    bool weights_file;  /* embed_limit is 0 */
    bool emit_only, no_cache, no_certificate, quiet, json, help;

    /* An audit's: NAME=FILE of constants of which the record has the digest. */
    mica_arguments given_constant;

    /* Made by options_finish. */
    calibration_clipping clipping;
    double max_error_percent, min_agreement_percent; /* negative: not given */
    dim_binding *dims;
    size_t n_dims;
    constant_set constants;
    char *replayed; /* memory of replayed arguments */
} compile_request;

/* Parses the arguments of mica compile: options in any order, and one model. */
bool options_parse(compile_request *r, int argc, char **argv, mica_status *st);
/* Checks the request and makes what is derived from its options; part of options_parse. */
bool options_finish(compile_request *r, mica_status *st);
void options_free(compile_request *r);

/* The usage of mica compile. */
void options_usage(FILE *out);

/* Appends a line "option-NAME argument" for every option that is set and influences the parameters. */
bool options_record(const compile_request *r, mica_record *record, mica_status *st);
/* The inverse; lines of other keys are passed over, unknown options refused. options_finish is
 * still to be called. */
bool options_replay(compile_request *r, const mica_record *record, mica_status *st);

#endif
