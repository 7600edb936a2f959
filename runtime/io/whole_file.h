/* Whole files in and out. Readers take hostile paths and bytes; writers never leave anything partial behind.
 */
#ifndef MICA_IO_WHOLE_FILE_H
#define MICA_IO_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

/* Reads a file of at most max_bytes. The caller frees *bytes, which has one zero byte after the content. */
bool whole_file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *size, mica_status *st);

/* Writes to a temporary name beside `path`, then renames. An existing special file (/dev/stdout) is written
 * directly. */
bool whole_file_write(const char *path, const void *bytes, size_t size, mica_status *st);

/* Makes SIGINT, SIGTERM and SIGHUP remove the temporary file of a whole_file_write in progress before they
 * end the process. */
void whole_file_cleanup_on_signals(void);

#endif
