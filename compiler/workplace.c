#include "workplace.h"

#include "interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char lock_name[] = "lock";
/* How often a folder that others make and remove meanwhile is tried before it counts as somebody else's. */
enum { ATTEMPTS = 1000, PAUSE_MS = 20 };

static void pause_a_little(void) {
    const struct timespec t = {0, PAUSE_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

bool workplace_path(const workplace *w, const char *file, char out[WORKPLACE_PATH_BYTES], mica_status *st) {
    const int n = snprintf(out, WORKPLACE_PATH_BYTES, "%s/%s", w->directory, file);
    return (n > 0 && n < WORKPLACE_PATH_BYTES) ||
           mica_fail(st, MICA_ERR_IO, "%.800s: path is too long", w->directory);
}

/* Removes all files but the lock. */
static void clear(const workplace *w) {
    char path[WORKPLACE_PATH_BYTES];
    mica_status ignored = {0};
    DIR *d = opendir(w->directory);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (strcmp(e->d_name, lock_name) != 0 && workplace_path(w, e->d_name, path, &ignored))
            (void)unlink(path); /* not of "." and ".." */
    }
    if (d)
        (void)closedir(d);
}

/* Whether the locked file is still the one of that name: who had it before may have removed it. */
static bool still_there(int lock, const char *path) {
    struct stat held, named;
    return fstat(lock, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* The lock is let go by the kernel when its owner ends, however that happens. */
static bool wait_for_lock(int lock, const char *output, bool quiet, mica_status *st) {
    bool said = quiet;
    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return mica_fail(st, MICA_ERR_IO, "%s: cannot be locked: %s", output, strerror(errno));
        if (!said)
            (void)fprintf(stderr, "waiting for another compilation of %s to end\n", output);
        said = true;
        if (interrupt_noted())
            return mica_fail(st, MICA_ERR_IO, "interrupted");
        pause_a_little();
    }
    return true;
}

/* The lock's file, made together with the folder; -1 with errno EAGAIN if another process removed or is
 * making either. A folder of that name that has other files and no lock is not touched. */
static int open_lock(const workplace *w, const char *path) {
    const bool made = mkdir(w->directory, 0777) == 0;
    if (!made && errno != EEXIST)
        return -1;
    int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (made ? O_CREAT : 0), 0666);
    if (lock < 0 && !made && errno == ENOENT && rmdir(w->directory) != 0 && errno != ENOENT)
        return -1; /* ENOTEMPTY: perhaps the lock was made just now */
    if (lock < 0 && errno == ENOENT)
        errno = EAGAIN;
    return lock;
}

static bool lock_folder(workplace *w, const char *output, bool quiet, mica_status *st) {
    char path[WORKPLACE_PATH_BYTES];
    if (!workplace_path(w, lock_name, path, st))
        return false;
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        const int lock = open_lock(w, path);
        if (lock < 0 && errno != EAGAIN && (errno != ENOTEMPTY || i > ATTEMPTS / 10))
            return mica_fail(st, MICA_ERR_IO, "%s: %s", w->directory, strerror(errno));
        if (lock >= 0 && !wait_for_lock(lock, output, quiet, st)) {
            (void)close(lock);
            return false;
        }
        if (lock >= 0 && still_there(lock, path)) {
            w->lock = lock;
            return true;
        }
        if (lock >= 0)
            (void)close(lock);
        else
            pause_a_little();
    }
    return mica_fail(st, MICA_ERR_IO, "%s: other processes make and remove it all the time", w->directory);
}

bool workplace_open(workplace *w, const char *output, bool quiet, mica_status *st) {
    /* A slash, so that programs in the folder are not searched in PATH. */
    const int n =
        snprintf(w->directory, sizeof w->directory, "%s%s.mica-tmp", strchr(output, '/') ? "" : "./", output);
    if (n < 0 || (size_t)n >= sizeof w->directory || !lock_folder(w, output, quiet, st)) {
        w->directory[0] = 0;
        return mica_fail(st, MICA_ERR_IO, "%s: path is too long", output);
    }
    clear(w);
    return true;
}

void workplace_close(workplace *w) {
    char path[WORKPLACE_PATH_BYTES];
    mica_status ignored = {0};
    if (!w->directory[0])
        return;
    clear(w);
    if (workplace_path(w, lock_name, path, &ignored))
        (void)unlink(path);
    (void)rmdir(w->directory);
    (void)close(w->lock);
    w->directory[0] = 0;
}
