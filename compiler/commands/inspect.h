/* `mica inspect`: what a model consists of and what of it Mica supports, without compiling it. */
#ifndef MICA_COMPILER_INSPECT_H
#define MICA_COMPILER_INSPECT_H

#include <stdio.h>

#include "graph/passes.h"

/* Writes the report on the model at `path` to `out`: inputs and outputs, operators with counts, parameters,
 * multiply-accumulates and, by node, what is unsupported and why; a table or, with `json`, one JSON object.
 * Returns false only if the file could not be imported or the report not written: an unsupported operator is
 * a finding. *supported, if not NULL, tells whether there was none. */
bool mica_inspect(const char *path, const dim_binding *dims, size_t n_dims, bool json, FILE *out,
                  bool *supported, mica_status *st);

#endif
