/* Digests of inputs and outputs, computed from values without a proof, a prover or weights; shared by prover
 * executables and `mica digest`. */
#ifndef MICA_CLI_PORT_DIGEST_H
#define MICA_CLI_PORT_DIGEST_H

#include <stdio.h>

#include "mica/vk.h"

typedef struct digest_request {
    const char *const *input; /* arguments as in io/tensor_file.h; NAME=FILE asks for one input alone */
    size_t n_input;
    const char *const *output; /* likewise */
    size_t n_output;
    bool integers; /* the files hold a port's integers; otherwise the real numbers that they stand for */
    bool json;
} digest_request;

extern const char port_digest_options[]; /* for usages */

/* Parses the options of a digest command but --vk and --help. False if c is none of them. */
bool port_digest_option(digest_request *r, const char **input, const char **output, int c,
                        const char *argument);

/* Prints one digest per port and item. Real numbers outside a port's range are saturated, as a prover does
 * it, and counted; integers outside it are refused. */
bool port_digest_show(const mica_vk *vk, const digest_request *r, FILE *out, mica_status *st);

#endif
