#include "emit/hash.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct quick_hash {
    XXH3_state_t *state;
};

quick_hash *quick_hash_create(void) {
    quick_hash *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    h->state = XXH3_createState();
    if (!h->state) {
        free(h);
        return NULL;
    }
    (void)XXH3_128bits_reset(h->state);
    return h;
}

void quick_hash_item(quick_hash *h, const void *bytes, size_t size) {
    uint8_t length[8];
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    (void)XXH3_128bits_update(h->state, length, sizeof length);
    if (size)
        (void)XXH3_128bits_update(h->state, bytes, size);
}

static quick_digest digest_of(XXH128_hash_t x) {
    XXH128_canonical_t canonical;
    quick_digest d;
    XXH128_canonicalFromHash(&canonical, x);
    memcpy(d.byte, canonical.digest, sizeof d.byte);
    return d;
}

quick_digest quick_hash_finish(quick_hash *h) {
    const quick_digest d = digest_of(XXH3_128bits_digest(h->state));
    (void)XXH3_freeState(h->state);
    free(h);
    return d;
}

quick_digest quick_hash_bytes(const void *bytes, size_t size) {
    return digest_of(XXH3_128bits(bytes, size));
}

void quick_digest_hex(const quick_digest *d, char out[33]) {
    for (unsigned i = 0; i < sizeof d->byte; i++)
        (void)snprintf(out + (size_t)2 * i, 3, "%02x", d->byte[i]);
}
