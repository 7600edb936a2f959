/* The record of verifier parameters: how they were made, as text (docs/formats.md, "Record").
 *
 * Lines "key value\n" in the order in which they were written; a key may stand on several lines. The digest
 * of the parameters covers the record; no check of a verifier reads it.
 */
#ifndef MICA_RECORD_H
#define MICA_RECORD_H

#include <stddef.h>

#include "mica/status.h"

#define MICA_RECORD_MAX_BYTES (1u << 24)
#define MICA_RECORD_MAX_KEY   48 /* bytes */

/* Owned by whoever filled it; text is NULL if there are no lines, and zero-terminated otherwise. */
typedef struct mica_record {
    char *text;
    size_t size; /* without the terminating zero */
} mica_record;

/* Copies text that comes from anywhere: every line must have a key of a-z, 0-9, '-' and a value without
 * control characters. */
bool mica_record_read(mica_record *r, const void *text, size_t size, mica_status *st);
void mica_record_free(mica_record *r); /* leaves an empty record */

/* Appends a line; key: 1 to MICA_RECORD_MAX_KEY bytes of a-z, 0-9, '-'. Control characters of the value
 * become
 * '?'. MICA_ERR_LIMIT beyond MICA_RECORD_MAX_BYTES; the record is unchanged then. */
bool mica_record_add(mica_record *r, const char *key, const char *value, mica_status *st);

/* One line; the value has `size` bytes and is not zero-terminated. */
typedef struct mica_record_line {
    char key[MICA_RECORD_MAX_KEY + 1];
    const char *value;
    size_t size;
} mica_record_line;
/* Walks the lines: *at starts as 0. False behind the last one. */
bool mica_record_next(const mica_record *r, size_t *at, mica_record_line *line);

#endif
