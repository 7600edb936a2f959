/* Verification of a proof file against what the verifier already knows; shared by prover executables and
 * `mica verify`. */
#ifndef MICA_CLI_VERIFY_FILE_H
#define MICA_CLI_VERIFY_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "mica/verify.h"

typedef struct verify_request {
    const char *const
        *input; /* arguments as in io/tensor_file.h; none: the proof's inputs are shown, not compared */
    size_t n_input;
    const char *const *output; /* likewise */
    size_t n_output;
    const char *model_id;       /* that the verifier parameters must carry; NULL: any */
    const char *nonce;          /* hexadecimal; NULL: the proof's nonce is shown, not compared */
    uint32_t min_security_bits; /* 0: MICA_DEFAULT_SECURITY_BITS */
    bool json;
} verify_request;

/* Prints the statement that holds, or why the proof is rejected, to `out`; what could not be read, to stderr.
 * Returns the exit code: 0 accepted, 1 rejected, 2 no decision (unreadable file, foreign magic, wrong usage).
 */
int mica_verify_file(const mica_vk *vk, const char *proof_path, const verify_request *request, FILE *out);

#endif
