/* From a program to C sources. The same program gives the same bytes on every machine. */
#ifndef MICA_COMPILER_EMIT_EMIT_H
#define MICA_COMPILER_EMIT_EMIT_H

#include "emit/text.h"
#include "program/program.h"

/* Weight files above this size are not linked in but mapped from a file beside the executable. */
#define EMIT_EMBED_LIMIT (256u << 20)

typedef struct emit_request {
    const program *program;
    const char *name;      /* file name of the model without directory: NAME.c, NAME.vk, ... */
    const char *templates; /* directory */
    const uint8_t *vk;
    size_t vk_size;
    const uint8_t *weights; /* weight file */
    size_t weights_size;
    size_t embed_limit; /* larger weight files are mapped at run time; EMIT_EMBED_LIMIT unless there is a
                           reason */
} emit_request;

/* One function per layer and `run`, which calls them in order. *scratch_bytes: what mica_frame.scratch must
 * hold. */
bool emit_model_c(const emit_request *r, text *out, size_t *scratch_bytes, mica_status *st);

/* Writes NAME.c, NAME.h, model_data.c, main.c, build.sh, NAME.vk, NAME.weights, program.txt and MANIFEST into
 * `directory`, which is created. Files of an earlier run are replaced. */
bool emit_sources(const emit_request *r, const char *directory, mica_status *st);

/* Whether a model's name can stand in file names and in build.sh as it is. */
bool emit_name_is_safe(const char *name);

/* The C identifier that names of this model start with: letters, digits and underscores of `name`. */
void emit_identifier(const char *name, char out[MICA_NAME_BYTES]);

#endif
