/* Audit: do verifier parameters belong to a model? They are made again, with the options that their record
 * names, and compared byte for byte; compilation is deterministic. */
#ifndef MICA_COMPILER_AUDIT_H
#define MICA_COMPILER_AUDIT_H

#include "commands/options.h"
#include "mica/vk.h"

enum { AUDIT_CHECKS = 9, AUDIT_WORDS = 256 };

/* One aspect of the parameters. Texts are cut to their field. */
typedef struct audit_check {
    const char *what;
    bool same;
    char recorded[AUDIT_WORDS]; /* what the parameters have */
    char found[AUDIT_WORDS];    /* what the model gives */
} audit_check;

typedef struct audit_result {
    bool confirmed; /* the bytes are the same */
    audit_check check[AUDIT_CHECKS];
    uint32_t n_samples;
    uint8_t vk_digest[MICA_DIGEST_BYTES];
} audit_result;

/* What to audit. samples may be NULL if the record names none; constants: NAME=FILE of those of which the
 * record has the digest only. */
typedef struct audit_request {
    const char *model, *samples, *vk;
    mica_arguments constants;
} audit_request;

/* False if nothing could be compared: a file cannot be
 * read (MICA_ERR_IO, _FORMAT, _USAGE), or the model cannot be compiled with the recorded options. */
bool audit_run(audit_result *result, const audit_request *what, mica_status *st);

#endif
