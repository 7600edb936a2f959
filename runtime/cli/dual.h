/* The float result of the original graph beside the proven integers, on request. No proof speaks of it. */
#ifndef MICA_CLI_DUAL_H
#define MICA_CLI_DUAL_H

#include <jansson.h>
#include <stdio.h>

#include "io/tensor_file.h"
#include "mica/arguments.h"
#include "mica/float_model.h"
#include "mica/statement.h"

/* One output of a whole batch; differences are between its real values and those of the integers. */
typedef struct dual_output {
    double *value; /* [batch * cells], in the user's order */
    double largest, mean;
    double lo, hi; /* range of the output that differences are compared with */
    bool recorded; /* the range is the calibrated one; else that of `value` */
} dual_output;

typedef struct dual {
    mica_float_model *model; /* NULL: not wanted */
    dual_output *output;     /* [n_outputs] */
    uint32_t n_outputs;
    double seconds;
} dual;

/* What the options ask for. */
typedef struct dual_request {
    bool asked;       /* --float */
    const char *path; /* NULL: the file beside the executable */
} dual_request;

/* Lines of a command's option table whose request has type `type` and a dual_request in field r. */
#define DUAL_OPTIONS(type, r)                                                                                \
    {"float",                                                                                                \
     0,                                                                                                      \
     MICA_OPTION_FLAG,                                                                                       \
     offsetof(type, r.asked),                                                                                \
     0,                                                                                                      \
     0,                                                                                                      \
     NULL,                                                                                                   \
     "also the float result of the original graph, and how far the integers are from it",                    \
     0},                                                                                                     \
    {                                                                                                        \
        "float-model", 0, MICA_OPTION_TEXT, offsetof(type, r.path), 0, 0, "FILE",                            \
            "where the float model is (default: NAME.float beside this executable)", 0                       \
    }

static inline bool dual_wanted(const dual_request *r) {
    return r->asked || r->path;
}

/* Reads the float model, which must be the one that the record of the verifier parameters names; nothing to
 * do if it is not wanted. file_name: of the model beside the executable. */
bool dual_open(dual *d, const mica_vk *vk, const dual_request *request, const char *file_name,
               mica_status *st);
/* Evaluates it on every item of the user's inputs and compares with the statement's outputs. */
bool dual_run(dual *d, const mica_vk *vk, const mica_statement *s, const tensor_items *inputs,
              mica_status *st);
void dual_free(dual *d);

void dual_show(FILE *out, const dual *d, const mica_circuit *c, uint32_t batch);
/* Adds "float" to object: seconds, and for each output name, values, difference. */
void dual_add_json(json_t *object, const dual *d, const mica_circuit *c, uint32_t batch);

#endif
