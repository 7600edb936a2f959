/* Verification of a proof file against what the verifier already knows; shared by prover executables and
 * `mica verify`. */
#ifndef MICA_CLI_VERIFY_FILE_H
#define MICA_CLI_VERIFY_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "mica/arguments.h"
#include "mica/verify.h"

typedef struct verify_request {
    mica_arguments input;       /* as in io/tensor_file.h; none: the proof's inputs are shown, not compared */
    mica_arguments output;      /* likewise */
    const char *model_id;       /* that the verifier parameters must carry; NULL: any */
    const char *nonce;          /* hexadecimal; NULL: the proof's nonce is shown, not compared */
    const char *certificate;    /* weight certificate of the parameters, to be checked as well; NULL: none */
    uint32_t min_security_bits; /* of proof and certificate; 0: MICA_DEFAULT_SECURITY_BITS */
    bool json;
} verify_request;

/* Lines of a command's option table whose request has type `type` and a verify_request in field r. */
#define VERIFY_OPTIONS(type, r)                                                                              \
    {"input",                                                                                                \
     0,                                                                                                      \
     MICA_OPTION_LIST,                                                                                       \
     offsetof(type, r.input),                                                                                \
     0,                                                                                                      \
     0,                                                                                                      \
     "FILE",                                                                                                 \
     "the input that the proof must be about (also NAME=FILE; several make a batch)",                        \
     0},                                                                                                     \
        {"output", 0, MICA_OPTION_LIST, offsetof(type, r.output),                                            \
         0,        0, "FILE",           "the output that it must claim",                                     \
         0},                                                                                                 \
        {"nonce", 0, MICA_OPTION_TEXT, offsetof(type, r.nonce), 0, 0, "HEX", "the nonce that it must carry", \
         0},                                                                                                 \
        {"model-id",                                                                                         \
         0,                                                                                                  \
         MICA_OPTION_TEXT,                                                                                   \
         offsetof(type, r.model_id),                                                                         \
         0,                                                                                                  \
         0,                                                                                                  \
         "ID",                                                                                               \
         "the model id that the verifier parameters must carry",                                             \
         0},                                                                                                 \
        {"certificate",                                                                                      \
         0,                                                                                                  \
         MICA_OPTION_TEXT,                                                                                   \
         offsetof(type, r.certificate),                                                                      \
         0,                                                                                                  \
         0,                                                                                                  \
         "FILE",                                                                                             \
         "the weight certificate of the parameters, to be checked as well",                                  \
         0},                                                                                                 \
        {"min-security",                                                                                     \
         0,                                                                                                  \
         MICA_OPTION_NUMBER,                                                                                 \
         offsetof(type, r.min_security_bits),                                                                \
         1,                                                                                                  \
         256,                                                                                                \
         "BITS",                                                                                             \
         "reject parameters with fewer proven bits (default 100)",                                           \
         0},                                                                                                 \
    {                                                                                                        \
        "json", 0, MICA_OPTION_FLAG, offsetof(type, r.json), 0, 0, NULL, "print the result as JSON", 0       \
    }

/* Prints the statement that holds, or why the proof or the certificate is rejected, to `out`; what could not
 * be read, to stderr. Returns the exit code: 0 accepted, 1 rejected, 2 no decision (unreadable file, foreign
 * magic, wrong usage).
 */
int mica_verify_file(const mica_vk *vk, const char *proof_path, const verify_request *request, FILE *out);

#endif
