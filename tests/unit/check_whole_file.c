/* Files that are read and written whole: pipes and devices in place of files, full disks, paths that are too
 * long, signals in the middle of it. */
#define _GNU_SOURCE
#include "io/whole_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

#define LARGE ((size_t)1 << 20)

static char folder[] = "/tmp/mica-file-XXXXXX";
static char path[64], pipe_path[64];

static void expect(bool ok, const mica_status *st, mica_code code, const char *word) {
    ck_assert_msg(ok == (code == MICA_OK) && st->code == code, "code %d: %s", (int)st->code, st->message);
    ck_assert_msg(strstr(st->message, word) != NULL, "'%s' is not in: %s", word, st->message);
}

/* Starts a process that writes n bytes into the pipe. */
static pid_t feed_pipe(size_t n) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child)
        return child;
    const int fd = open(pipe_path, O_WRONLY);
    static const uint8_t block[4096] = {7};
    (void)signal(SIGPIPE, SIG_IGN);
    while (n > 0) {
        const ssize_t done = write(fd, block, n < sizeof block ? n : sizeof block);
        if (done <= 0)
            break;
        n -= (size_t)done;
    }
    _exit(0);
}

static int status_of(pid_t child) {
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The size of a pipe is known at its end only. */
START_TEST(pipes_are_read_up_to_the_limit) {
    static const size_t sizes[] = {0, 1, (size_t)1 << 16, 200000, LARGE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *bytes;
        size_t size;
        mica_status st = {0}, limit = {0};
        pid_t child = feed_pipe(sizes[i]);
        expect(whole_file_read(pipe_path, LARGE, &bytes, &size, &st), &st, MICA_OK, "");
        ck_assert_uint_eq(size, sizes[i]);
        ck_assert_uint_eq(bytes[size], 0);
        free(bytes);
        ck_assert_int_eq(status_of(child), 0);
        if (sizes[i] == 0)
            continue;
        child = feed_pipe(sizes[i]);
        expect(whole_file_read(pipe_path, sizes[i] - 1, &bytes, &size, &limit), &limit, MICA_ERR_LIMIT,
               "larger than the limit");
        ck_assert_ptr_null(bytes);
        ck_assert_int_eq(status_of(child), 0);
    }
}
END_TEST

/* They are written, not replaced. */
START_TEST(devices_are_written_directly) {
    struct stat info;
    mica_status st = {0}, full = {0};
    expect(whole_file_write("/dev/null", "abc", 3, &st), &st, MICA_OK, "");
    ck_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    expect(whole_file_write("/dev/full", "abc", 3, &full), &full, MICA_ERR_IO, "/dev/full: No space left");
}
END_TEST

START_TEST(pipes_are_written_directly) {
    uint8_t *bytes = calloc(1, LARGE);
    size_t size;
    mica_status st = {0}, read = {0};
    ck_assert_ptr_nonnull(bytes);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child)
        _exit(whole_file_write(pipe_path, bytes, LARGE, &st) ? 0 : 1);
    free(bytes);
    expect(whole_file_read(pipe_path, LARGE, &bytes, &size, &read), &read, MICA_OK, "");
    ck_assert_uint_eq(size, LARGE);
    free(bytes);
    ck_assert_int_eq(status_of(child), 0);
}
END_TEST

/* The message says why, however long the path is. */
START_TEST(long_paths_are_refused) {
    char longest[PATH_MAX + 100];
    uint8_t *bytes;
    size_t size;
    mica_status st = {0}, reading = {0};
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    expect(whole_file_write(longest, "abc", 3, &st), &st, MICA_ERR_IO, "aaa: path too long");
    expect(whole_file_read(longest, LARGE, &bytes, &size, &reading), &reading, MICA_ERR_IO,
           "aaa: File name too long");
}
END_TEST

/* --- signals --- */

static unsigned temporary_files(void) {
    unsigned n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strstr(e->d_name, ".mica-tmp") != NULL;
    (void)closedir(d);
    return n;
}

/* Writes the file again and again. */
static void write_forever(void) {
    static const uint8_t bytes[1 << 20] = {1};
    whole_file_cleanup_on_signals();
    for (;;) {
        mica_status st = {0};
        if (!whole_file_write(path, bytes, sizeof bytes, &st))
            _exit(1);
    }
}

/* Whenever the signal comes, no temporary file outlives the process, which ends as the shell would say it. */
START_TEST(signals_remove_the_temporary_file) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (int round = 0; round < 12; round++) {
        const int number = signals[round % 3];
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
            write_forever();
        while (temporary_files() == 0)
            (void)usleep(100);
        ck_assert_int_eq(kill(child, number), 0);
        const int status = status_of(child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + number, "signal %d: status %x",
                      number, (unsigned)status);
        ck_assert_uint_eq(temporary_files(), 0);
    }
}
END_TEST

/* As under nohup. */
START_TEST(ignored_signals_stay_ignored) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        (void)signal(SIGHUP, SIG_IGN);
        whole_file_cleanup_on_signals();
        (void)raise(SIGHUP);
        exit(42);
    }
    const int status = status_of(child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
END_TEST

int main(void) {
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
    if (mkfifo(pipe_path, 0600) != 0)
        return EXIT_FAILURE;
    Suite *s = suite_create("whole file");
    TCase *t = tcase_create("whole file");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, pipes_are_read_up_to_the_limit);
    tcase_add_test(t, devices_are_written_directly);
    tcase_add_test(t, pipes_are_written_directly);
    tcase_add_test(t, long_paths_are_refused);
    tcase_add_test(t, signals_remove_the_temporary_file);
    tcase_add_test(t, ignored_signals_stay_ignored);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    (void)unlink(path);
    (void)unlink(pipe_path);
    (void)rmdir(folder);
    return code;
}
