/* examples/verify.c: built by the line that stands in it, with nothing but the verifier's library and
 * headers, and run on proofs that hold and proofs that do not. */
#define _GNU_SOURCE
#include "circuit_samples.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static char folder[] = "/tmp/mica-example-XXXXXX";

/* The exit code of a command in the folder. */
static int in_folder(const char *command) {
    char line[2048];
    (void)snprintf(line, sizeof line,
                   "cd %s && cc() { \"" EXAMPLE_CC "\" " EXAMPLE_FLAGS
                   " -Wall -Wextra -Werror \"$@\"; } && %s",
                   folder, command);
    const int status = system(line); /* NOLINT(cert-env33-c): a fixed command */
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_bytes_to(const char *name, const uint8_t *bytes, size_t n) {
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(bytes, 1, n, f) == n);
    ck_assert_int_eq(fclose(f), 0);
}

/* The line of the example's head that builds it. */
static void build_line(char *line, size_t size) {
    FILE *f = fopen(EXAMPLE_SOURCE, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, (int)size, f) && strncmp(line, " *   cc ", 8) != 0)
        ;
    (void)fclose(f);
    ck_assert_msg(strncmp(line, " *   cc ", 8) == 0, "the example does not say how it is built");
    memmove(line, line + 5, strlen(line + 5) + 1);
}

static void set_up(void) {
    char line[512];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(in_folder("mkdir mica && ln -s '" EXAMPLE_INCLUDE
                               "' mica/include && ln -s '" EXAMPLE_LIBRARIES
                               "' mica/lib && cp '" EXAMPLE_SOURCE "' verify.c"),
                     0);
    ck_assert_int_eq(setenv("MICA", "mica", 1), 0);
    build_line(line, sizeof line);
    ck_assert_msg(in_folder(line) == 0, "not built by: %s", line);
}

static void tear_down(void) {
    (void)in_folder("rm -r mica verify verify.c model.vk proof.bin");
    (void)rmdir(folder);
}

START_TEST(verifies) {
    kit k, other;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    samples[0].build(&k);
    ck_assert(kit_finish(&k, MICA_DEFAULT_SECURITY_BITS));
    ck_assert_msg(kit_prove(&k, 2, 5, &file, &size, &st), "%s", st.message);
    write_bytes_to("model.vk", k.vk_bytes, k.vk_size);
    write_bytes_to("proof.bin", file, size);
    ck_assert_int_eq(in_folder("./verify model.vk proof.bin | grep -q '^ACCEPTED'"), 0);
    ck_assert_int_eq(in_folder("./verify model.vk proof.bin"), 0);
    file[size - 1] ^= 1;
    write_bytes_to("proof.bin", file, size);
    ck_assert_int_eq(in_folder("./verify model.vk proof.bin"), 1);
    ck_assert_int_eq(in_folder("./verify model.vk absent.bin"), 2);
    ck_assert_int_eq(in_folder("./verify proof.bin proof.bin"), 2);
    ck_assert_int_eq(in_folder("./verify model.vk"), 2);
    file[size - 1] ^= 1;
    write_bytes_to("proof.bin", file, size);

    /* Other parameters, and parameters that prove too little. */
    samples[1].build(&other);
    ck_assert(kit_finish(&other, MICA_DEFAULT_SECURITY_BITS));
    write_bytes_to("model.vk", other.vk_bytes, other.vk_size);
    ck_assert_int_eq(in_folder("./verify model.vk proof.bin"), 1);
    kit_free(&other);
    free(file);
    kit_free(&k);
    samples[0].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(kit_prove(&k, 1, 5, &file, &size, &st));
    write_bytes_to("model.vk", k.vk_bytes, k.vk_size);
    write_bytes_to("proof.bin", file, size);
    ck_assert_int_eq(in_folder("./verify model.vk proof.bin"), 1);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("example: verify");
    TCase *t = tcase_create("example");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, verifies);
    suite_add_tcase(s, t);
    return suite_run(s);
}
