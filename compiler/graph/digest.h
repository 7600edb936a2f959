/* Digests of what a compilation reads (docs/formats.md, "Record"). */
#ifndef MICA_COMPILER_DIGEST_H
#define MICA_COMPILER_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX   (2 * DIGEST_BYTES + 1)

/* Blake2s under a key that separates uses; NULL and a recorded error without memory. */
typedef struct digest_hash digest_hash;
digest_hash *digest_begin(const char *key, mica_status *st);
void digest_u32(digest_hash *h, uint32_t x);
void digest_u64(digest_hash *h, uint64_t x);
void digest_bytes(digest_hash *h, const void *bytes, size_t size);
/* Finishes and frees; out may be NULL. */
void digest_end(digest_hash *h, uint8_t *out);

/* Of one piece, as it stands. */
void digest_of(const char *key, const void *bytes, size_t size, uint8_t out[DIGEST_BYTES]);

/* Lower-case hexadecimal. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX]);

#endif
