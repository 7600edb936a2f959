#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "emit/spawn.h"

#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LOOK_AROUND_MS = 100 };

/* Until the child and its children have closed their ends. An interrupted compilation ends them all. */
static void read_all(int fd, pid_t child, text *output) {
    char buffer[4096];
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (interrupt_noted())
            (void)kill(-child, SIGTERM);
        if (poll(&ready, 1, LOOK_AROUND_MS) <= 0)
            continue;
        const ssize_t n = read(fd, buffer, sizeof buffer);
        if (n > 0)
            text_write(output, buffer, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return;
    }
}

/* In a process group of its own, and with the signals that mica_streams_open ignores as programs expect them.
 */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t expected;
    (void)sigemptyset(&expected);
    (void)sigaddset(&expected, SIGPIPE);
    (void)sigaddset(&expected, SIGXFSZ);
    int error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    if (!error)
        error = posix_spawnattr_setpgroup(attributes, 0);
    return error ? error : posix_spawnattr_setsigdefault(attributes, &expected);
}

static int set_actions(posix_spawn_file_actions_t *actions, const char *directory, int out) {
    int error = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_adddup2(actions, out, STDERR_FILENO);
    if (!error && directory)
        error = posix_spawn_file_actions_addchdir_np(actions, directory);
    return error;
}

static int start(const char *const *argv, const char *directory, int out, pid_t *child) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **arguments; /* posix_spawnp takes char *const[], but does not write to the strings */
    memcpy(&arguments, &argv, sizeof arguments);
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = set_attributes(&attributes);
        if (!error)
            error = set_actions(&actions, directory, out);
        if (!error)
            error = posix_spawnp(child, argv[0], &actions, &attributes, arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool spawn_run(const char *const *argv, const char *directory, text *output, int *code, mica_status *st) {
    int ends[2], state = 0;
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return mica_fail(st, MICA_ERR_IO, "%s: %s", argv[0], strerror(errno));
    const int error = start(argv, directory, ends[1], &child);
    (void)close(ends[1]);
    if (error) {
        (void)close(ends[0]);
        return mica_fail(st, MICA_ERR_IO, "%s cannot be started: %s", argv[0], strerror(error));
    }
    read_all(ends[0], child, output);
    (void)close(ends[0]);
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR)
            return mica_fail(st, MICA_ERR_IO, "%s: %s", argv[0], strerror(errno));
    }
    *code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return true;
}
