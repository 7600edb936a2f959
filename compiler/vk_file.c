#include "vk_file.h"

#include <stdlib.h>
#include <string.h>

#include "file_read.h"

static const uint64_t largest_vk = UINT64_C(1) << 30;

bool vk_file_read(mica_vk *vk, const char *path, uint8_t **bytes, size_t *size, mica_status *st) {
    mica_status said = {0};
    size_t n;
    uint8_t *file = file_read(path, 0, FILE_READ_REST, largest_vk, &n, st);
    if (!file)
        return false;
    const bool ok = mica_vk_read(vk, file, n, &said);
    if (ok && bytes) {
        *bytes = file;
        *size = n;
        return true;
    }
    free(file);
    return ok || mica_fail(st, said.code, "%s: %.800s", path, said.message);
}
