#include "graph/digest.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "hash/blake2s.h"

struct digest_hash {
    blake2s state;
};

digest_hash *digest_begin(const char *key, mica_status *st) {
    digest_hash *h = malloc(sizeof *h);
    if (!h) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for a digest");
        return NULL;
    }
    blake2s_init(&h->state, key);
    return h;
}

void digest_u32(digest_hash *h, uint32_t x) {
    uint8_t b[4];
    store_u32(b, x);
    blake2s_update(&h->state, b, sizeof b);
}

void digest_u64(digest_hash *h, uint64_t x) {
    uint8_t b[8];
    store_u64(b, x);
    blake2s_update(&h->state, b, sizeof b);
}

void digest_bytes(digest_hash *h, const void *bytes, size_t size) {
    blake2s_update(&h->state, bytes, size);
}

void digest_end(digest_hash *h, uint8_t *out) {
    uint8_t unused[DIGEST_BYTES];
    if (h)
        blake2s_final(&h->state, out ? out : unused);
    free(h);
}

void digest_of(const char *key, const void *bytes, size_t size, uint8_t out[DIGEST_BYTES]) {
    blake2s state;
    blake2s_init(&state, key);
    blake2s_update(&state, bytes, size);
    blake2s_final(&state, out);
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX]) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digit[digest[i] >> 4];
        out[2 * i + 1] = digit[digest[i] & 15];
    }
    out[DIGEST_HEX - 1] = 0;
}
