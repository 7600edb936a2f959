/* From the emitted folder to the prover executable. */
#ifndef MICA_COMPILER_EMIT_BUILD_H
#define MICA_COMPILER_EMIT_BUILD_H

#include "emit/emit.h"
#include "emit/toolchain.h"

typedef struct build_result {
    bool from_cache;
    char compiler[128]; /* first line of what the C compiler says about its version */
} build_result;

/* Compiles the sources of `directory` with $CC (default: cc) and puts the executable at `output`; with
 * `use_cache`, an executable that was built from the same files by the same compiler with the same runtime is
 * copied instead. On failure nothing is left at `output` that was not there before; the message holds what
 * the C compiler said. */
bool build_executable(const toolchain *t, const char *name, const char *directory, const char *output,
                      bool use_cache, build_result *result, mica_status *st);

#endif
