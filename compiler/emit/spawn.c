#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "emit/spawn.h"

#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Until the child and its children have closed their ends. An interrupted compilation ends the child, too. */
static void read_all(int fd, pid_t child, text *output) {
    char buffer[4096];
    for (;;) {
        const ssize_t n = read(fd, buffer, sizeof buffer);
        if (n > 0)
            text_write(output, buffer, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return;
        else if (interrupt_noted())
            (void)kill(child, SIGTERM);
    }
}

static int start(const char *const *argv, const char *directory, int out, pid_t *child) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    if (!error && directory)
        error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (!error) {
        char **arguments; /* posix_spawnp takes char *const[], but does not write to the strings */
        memcpy(&arguments, &argv, sizeof arguments);
        error = posix_spawnp(child, argv[0], &actions, NULL, arguments, environ);
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
