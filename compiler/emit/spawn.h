/* Child processes, started without a shell. */
#ifndef MICA_COMPILER_EMIT_SPAWN_H
#define MICA_COMPILER_EMIT_SPAWN_H

#include "emit/text.h"

/* Runs argv[0] (searched in PATH) in `directory` (NULL: the current one) and waits. Standard output and
 * standard error are appended to `output`. False if it could not be started; *code is its exit code, 128 + n
 * if signal n ended it. */
bool spawn_run(const char *const *argv, const char *directory, text *output, int *code, mica_status *st);

#endif
