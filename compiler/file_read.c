#include "file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, const char *path, uint64_t offset, uint8_t *buffer, size_t size,
                     mica_status *st) {
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, buffer + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return mica_fail(st, MICA_ERR_IO, "%s: %s", path,
                             n < 0 ? strerror(errno) : "the file was cut short");
        done += (size_t)n;
    }
    return true;
}

static uint8_t *read_open(int fd, const char *path, uint64_t offset, uint64_t length, uint64_t limit,
                          size_t *size, mica_status *st) {
    struct stat info;
    uint8_t *buffer;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        mica_fail(st, MICA_ERR_IO, "%s is not a regular file", path);
        return NULL;
    }
    uint64_t total = (uint64_t)info.st_size;
    if (offset > total || (length != FILE_READ_REST && length > total - offset)) {
        mica_fail(st, MICA_ERR_FORMAT, "%s has %llu bytes, too few for what is read from offset %llu", path,
                  (unsigned long long)total, (unsigned long long)offset);
        return NULL;
    }
    length = length == FILE_READ_REST ? total - offset : length;
    if (length > limit) {
        mica_fail(st, MICA_ERR_LIMIT, "%s: %llu bytes exceed the limit of %llu", path,
                  (unsigned long long)length, (unsigned long long)limit);
        return NULL;
    }
    buffer = malloc(length ? (size_t)length : 1);
    if (!buffer) {
        mica_fail(st, MICA_ERR_MEMORY, "%s: out of memory (%llu bytes)", path, (unsigned long long)length);
        return NULL;
    }
    if (!read_all(fd, path, offset, buffer, (size_t)length, st)) {
        free(buffer);
        return NULL;
    }
    *size = (size_t)length;
    return buffer;
}

uint8_t *file_read(const char *path, uint64_t offset, uint64_t length, uint64_t limit, size_t *size,
                   mica_status *st) {
    /* O_NONBLOCK: opening a pipe must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        mica_fail(st, MICA_ERR_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    uint8_t *buffer = read_open(fd, path, offset, length, limit, size, st);
    close(fd);
    return buffer;
}

bool file_begins_with(const char *path, const char *magic) {
    mica_status ignored = {0};
    size_t n;
    uint8_t *start = file_read(path, 0, 8, 8, &n, &ignored);
    const bool is = start && memcmp(start, magic, 8) == 0;
    free(start);
    return is;
}
