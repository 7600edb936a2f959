#include "emit/build_cache.h"
#include "file_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An entry: magic, the executable's size (8 bytes, little-endian) and hash, the executable. */
enum { MAGIC_BYTES = 8, HEADER_BYTES = MAGIC_BYTES + 8 + 16, PATH_BYTES = 4096 };
static const char magic[MAGIC_BYTES + 1] = "MICAEXE1";
static const uint64_t largest_entry = UINT64_C(1) << 32;

/* Directory of the cache; with `create`, made if it is missing. */
static bool cache_directory(char *out, bool create) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (base && *base == '/')
        n = snprintf(out, PATH_BYTES, "%s", base);
    else if (home && *home == '/')
        n = snprintf(out, PATH_BYTES, "%s/.cache", home);
    else
        return false;
    if (n < 0 || n > PATH_BYTES - 64)
        return false;
    if (create)
        (void)mkdir(out, 0700);
    memcpy(out + n, "/mica", sizeof "/mica");
    if (create)
        (void)mkdir(out, 0700);
    return true;
}

static bool entry_path(const quick_digest *key, bool create, char *out) {
    char hex[33];
    if (!cache_directory(out, create))
        return false;
    quick_digest_hex(key, hex);
    const size_t n = strlen(out);
    (void)snprintf(out + n, PATH_BYTES - n, "/%s", hex);
    return true;
}

static void make_header(uint8_t *header, const uint8_t *bytes, size_t size) {
    const quick_digest d = quick_hash_bytes(bytes, size);
    memcpy(header, magic, MAGIC_BYTES);
    for (unsigned i = 0; i < 8; i++)
        header[MAGIC_BYTES + i] = (uint8_t)((uint64_t)size >> (8 * i));
    memcpy(header + MAGIC_BYTES + 8, d.byte, sizeof d.byte);
}

uint8_t *build_cache_get(const quick_digest *key, size_t *size) {
    char path[PATH_BYTES];
    uint8_t header[HEADER_BYTES] = {0};
    mica_status ignored = {0};
    if (!entry_path(key, false, path))
        return NULL;
    uint8_t *bytes = file_read(path, 0, FILE_READ_REST, largest_entry, size, &ignored);
    if (!bytes)
        return NULL;
    if (*size >= HEADER_BYTES)
        make_header(header, bytes + HEADER_BYTES, *size - HEADER_BYTES);
    if (*size < HEADER_BYTES || memcmp(bytes, header, HEADER_BYTES) != 0) {
        free(bytes);
        return NULL;
    }
    *size -= HEADER_BYTES;
    memmove(bytes, bytes + HEADER_BYTES, *size);
    return bytes;
}

void build_cache_put(const quick_digest *key, const uint8_t *bytes, size_t size) {
    char path[PATH_BYTES];
    mica_status ignored = {0};
    uint8_t *entry = entry_path(key, true, path) ? malloc(size + HEADER_BYTES) : NULL;
    if (!entry)
        return;
    make_header(entry, bytes, size);
    memcpy(entry + HEADER_BYTES, bytes, size);
    (void)file_write(path, entry, size + HEADER_BYTES, &ignored);
    free(entry);
}
