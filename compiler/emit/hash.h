/* XXH3 of files and bytes, for the manifest and the build cache. Nothing that security rests on. */
#ifndef MICA_COMPILER_EMIT_HASH_H
#define MICA_COMPILER_EMIT_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct quick_hash quick_hash;
typedef struct quick_digest {
    uint8_t byte[16];
} quick_digest;

quick_hash *quick_hash_create(void); /* NULL if there is no memory */
/* Absorbs a length and the bytes, so that a sequence of items has one reading. */
void quick_hash_item(quick_hash *h, const void *bytes, size_t size);
quick_digest quick_hash_finish(quick_hash *h); /* frees h */
quick_digest quick_hash_bytes(const void *bytes, size_t size);
void quick_digest_hex(const quick_digest *d, char out[33]);

#endif
