/* Digests of inputs and outputs, computed from values without a proof, a prover or weights; shared by prover
 * executables and `mica digest`. */
#ifndef MICA_CLI_PORT_DIGEST_H
#define MICA_CLI_PORT_DIGEST_H

#include <stdio.h>

#include "mica/arguments.h"
#include "mica/vk.h"

typedef struct digest_request {
    mica_arguments input;  /* as in io/tensor_file.h; NAME=FILE asks for one input alone */
    mica_arguments output; /* likewise */
    bool integers; /* the files hold a port's integers; otherwise the real numbers that they stand for */
    bool json;
} digest_request;

/* Lines of a command's option table whose request has type `type` and a digest_request in field r. */
#define DIGEST_OPTIONS(type, r)                                                                              \
    {"input",                                                                                                \
     0,                                                                                                      \
     MICA_OPTION_LIST,                                                                                       \
     offsetof(type, r.input),                                                                                \
     0,                                                                                                      \
     0,                                                                                                      \
     "FILE",                                                                                                 \
     "values of the inputs: .json, .npy, .pb or a folder; NAME=FILE for one input alone",                    \
     0},                                                                                                     \
        {"output", 0, MICA_OPTION_LIST, offsetof(type, r.output), 0, 0, "FILE", "likewise for outputs", 0},  \
        {"integers",                                                                                         \
         0,                                                                                                  \
         MICA_OPTION_FLAG,                                                                                   \
         offsetof(type, r.integers),                                                                         \
         0,                                                                                                  \
         0,                                                                                                  \
         NULL,                                                                                               \
         "the files hold the integers that proofs speak of, not real numbers",                               \
         0},                                                                                                 \
    {                                                                                                        \
        "json", 0, MICA_OPTION_FLAG, offsetof(type, r.json), 0, 0, NULL, "print the digests as JSON", 0      \
    }

/* Prints one digest per port and item. Real numbers outside a port's range are saturated, as a prover does
 * it, and counted; integers outside it are refused. A port that is not committed is noted on stderr: no proof
 * shows its digest. */
bool port_digest_show(const mica_vk *vk, const digest_request *r, FILE *out, mica_status *st);

#endif
