/* Regular files into memory. */
#ifndef MICA_COMPILER_FILE_READ_H
#define MICA_COMPILER_FILE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

#define FILE_READ_REST UINT64_MAX

/* `length` bytes from `offset`, or all that follow it (FILE_READ_REST), at most `limit`. The caller frees the
 * result, which is never NULL on success. Anything but a regular file is refused. */
uint8_t *file_read(const char *path, uint64_t offset, uint64_t length, uint64_t limit, size_t *size,
                   mica_status *st);

/* Whether the file begins with these eight bytes, as Mica's own files do, of whatever version. */
bool file_begins_with(const char *path, const char *magic);

#endif
