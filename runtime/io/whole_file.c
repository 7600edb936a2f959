#include "io/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The temporary file a signal handler has to remove; written only while `pending` is 0. */
static char pending_path[PATH_MAX];
static volatile sig_atomic_t pending;
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define N_SIGNALS (sizeof signals / sizeof *signals)
#define ENDING    ".mica-tmp" /* what a temporary file is called that outlived its process */

static void on_signal(int number) {
    if (pending)
        (void)unlink(pending_path);
    _exit(128 + number);
}

void whole_file_cleanup_on_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

/* A private file beside `path`, known to the signal handler from its first moment; -1 with errno set. */
static int open_pending(void) {
    sigset_t held, before;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < N_SIGNALS; i++)
        (void)sigaddset(&held, signals[i]);
    (void)sigprocmask(SIG_BLOCK, &held, &before);
    const int fd = mkstemps(pending_path, sizeof ENDING - 1), error = errno;
    pending = fd >= 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return fd;
}

static bool fail_size(const char *path, size_t max_bytes, mica_status *st) {
    return mica_fail(st, MICA_ERR_LIMIT, "%.800s: larger than the limit of %zu bytes", path, max_bytes);
}

/* Reads until the end of the stream; the size is not trusted to be known beforehand (pipes). */
static bool read_stream(FILE *f, const char *path, size_t max_bytes, uint8_t **bytes, size_t *size,
                        mica_status *st) {
    size_t capacity = 1u << 16, used = 0;
    uint8_t *data = malloc(capacity + 1);
    while (data) {
        size_t got = fread(data + used, 1, capacity - used, f);
        used += got;
        if (ferror(f)) {
            free(data);
            return mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(errno));
        }
        if (used > max_bytes) {
            free(data);
            return fail_size(path, max_bytes, st);
        }
        if (used < capacity) { /* end of file */
            data[used] = 0;
            *bytes = data;
            *size = used;
            return true;
        }
        /* used <= max_bytes here, so capacity stays below 2 * max_bytes + 2^17 */
        uint8_t *larger = realloc(data, 2 * capacity + 1);
        if (!larger)
            free(data);
        data = larger;
        capacity *= 2;
    }
    return mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory while reading", path);
}

bool whole_file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *size, mica_status *st) {
    *bytes = NULL;
    *size = 0;
    FILE *f = fopen(path, "rb");
    if (!f)
        return mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(errno));
    struct stat info;
    bool ok = fstat(fileno(f), &info) != 0 || !S_ISREG(info.st_mode) || (uint64_t)info.st_size <= max_bytes ||
              fail_size(path, max_bytes, st); /* before it is read */
    ok = ok && read_stream(f, path, max_bytes, bytes, size, st);
    (void)fclose(f);
    return ok;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        bytes += done;
        size -= (size_t)done;
    }
    return true;
}

static bool write_special(const char *path, const void *bytes, size_t size, mica_status *st) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, bytes, size);
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    return ok || mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(error));
}

/* mkstemp creates private files; the result gets the permissions that open(2) would have given it. */
static mode_t default_mode(void) {
    mode_t mask = umask(0);
    (void)umask(mask);
    return (mode_t)(0666 & ~mask);
}

bool whole_file_write(const char *path, const void *bytes, size_t size, mica_status *st) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return S_ISDIR(info.st_mode) ? mica_fail(st, MICA_ERR_IO, "%.800s: is a folder", path)
                                     : write_special(path, bytes, size, st);
    int length = snprintf(pending_path, sizeof pending_path, "%s.XXXXXX" ENDING, path);
    if (length < 0 || (size_t)length >= sizeof pending_path)
        return mica_fail(st, MICA_ERR_IO, "%.800s: path too long", path);
    int fd = open_pending();
    if (fd < 0)
        return mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(errno));
    bool ok = write_all(fd, bytes, size) && fchmod(fd, default_mode()) == 0 && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(pending_path, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok)
        (void)unlink(pending_path);
    pending = 0;
    return ok || mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(error));
}
