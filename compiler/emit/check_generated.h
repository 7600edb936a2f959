/* Checks of generated C, made on its syntax tree as part of every compilation: what the emitter promises is
 * read back from the file that the C compiler will see. */
#ifndef MICA_COMPILER_EMIT_CHECK_GENERATED_H
#define MICA_COMPILER_EMIT_CHECK_GENERATED_H

#include "program/program.h"

/* The model's C file: it parses without a warning; has one function per layer, headed by the ranges that the
 * circuit proves, and one that calls them in order; calls nothing but those and mica/layer.h; has no floating
 * point, no inline assembly and no variable that outlives a call. */
bool check_model_c(const program *p, const char *directory, const char *name, const char *include,
                   mica_status *st);

/* Any other generated C file: it parses without a warning and has no floating point and no mutable variable
 * of file scope. */
bool check_support_c(const char *directory, const char *file, const char *include, mica_status *st);

#endif
