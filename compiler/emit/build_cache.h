/* Executables by the hash of everything they were built from, under $XDG_CACHE_HOME/mica or ~/.cache/mica. An
 * entry that is cut short or altered is ignored. */
#ifndef MICA_COMPILER_EMIT_BUILD_CACHE_H
#define MICA_COMPILER_EMIT_BUILD_CACHE_H

#include "emit/hash.h"
#include "emit/text.h"

/* NULL if there is no intact entry; the caller frees. */
uint8_t *build_cache_get(const quick_digest *key, size_t *size);
/* A cache that cannot be written is not an error. */
void build_cache_put(const quick_digest *key, const uint8_t *bytes, size_t size);

#endif
