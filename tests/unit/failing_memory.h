/* Memory that runs out: every allocation of an operation is refused in turn. The linker sends malloc, calloc,
 * realloc and mmap of the program and of all archives here (tests/CMakeLists.txt); what libc allocates for
 * itself goes on working. An operation must not assert: assertions allocate. */
#ifndef MICA_TESTS_FAILING_MEMORY_H
#define MICA_TESTS_FAILING_MEMORY_H

#include <stdbool.h>

#include "mica/status.h"

/* Fills `st` and returns false if it fails; releases what it has made. */
typedef bool memory_operation(void *ctx, mica_status *st);

/* Runs the operation with its first allocation refused, then with the second, and so on, until it succeeds
 * without a refusal. Fails the test unless each refusal ends it with one of the codes (a bit 1 << code for
 * each) and a message. Returns the number of refusals. */
unsigned memory_runs_out(memory_operation *operation, void *ctx, unsigned codes);

/* The usual code, and the one where a library does not say why it gave up. */
#define MEMORY_ONLY      (1u << MICA_ERR_MEMORY)
#define MEMORY_OR_FORMAT (1u << MICA_ERR_MEMORY | 1u << MICA_ERR_FORMAT)

#endif
