/* Growable text and the memory of one emission. A failed allocation is recorded once, in the status the pool
 * was made with; from then on every call is a no-op, so that callers check the status at the end only. */
#ifndef MICA_COMPILER_EMIT_TEXT_H
#define MICA_COMPILER_EMIT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

typedef struct pool_block pool_block;
typedef struct pool {
    pool_block *block;
    mica_status *status;
} pool;

void pool_create(pool *p, mica_status *st);
void pool_free(pool *p);
/* Zeroed; NULL if there is no memory. */
void *pool_alloc(pool *p, size_t size);
char *pool_string(pool *p, const char *bytes, size_t size);

typedef struct text {
    char *bytes; /* zero-terminated once anything was written */
    size_t size, capacity;
    mica_status *status;
} text;

void text_create(text *t, mica_status *st);
void text_free(text *t);
void text_write(text *t, const void *bytes, size_t size);
void text_puts(text *t, const char *s);
void text_printf(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes to a temporary name beside path and renames: no partial file ever has the final name. */
bool file_write(const char *path, const void *bytes, size_t size, mica_status *st);

#endif
