/* Memory behind files that are mapped for reading. */
#ifndef MICA_BASE_FILE_PAGES_H
#define MICA_BASE_FILE_PAGES_H

#include <stddef.h>

/* Lets go of the pages that lie in `n` bytes of a mapped file; they are read again when they are touched.
 * Never for other memory: its contents would be lost. */
void file_pages_release(const void *bytes, size_t n);
/* Reads will be few and far apart: each need not bring what lies around it. */
void file_pages_scattered(const void *bytes, size_t n);

#endif
