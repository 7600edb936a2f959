#define _GNU_SOURCE
#include "fuzz.h"

#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file = -1;
static char path[64], folder[] = "/tmp/mica-fuzz-XXXXXX", json_path[sizeof folder + 16];

static void remove_link(void) {
    (void)unlink(json_path);
    (void)rmdir(folder);
}

const char *fuzz_file(const uint8_t *data, size_t size) {
    if (file < 0) {
        file = memfd_create("input", 0);
        FUZZ_CHECK(file >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, data, size, 0) == (ssize_t)size);
    return path;
}

const char *fuzz_json_file(const uint8_t *data, size_t size) {
    (void)fuzz_file(data, size);
    if (!json_path[0]) {
        FUZZ_CHECK(mkdtemp(folder) != NULL);
        (void)snprintf(json_path, sizeof json_path, "%s/input.json", folder);
        FUZZ_CHECK(symlink(path, json_path) == 0);
        (void)atexit(remove_link);
    }
    return json_path;
}
