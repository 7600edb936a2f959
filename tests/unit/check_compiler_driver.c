/* The pipeline from an ONNX file to a prover executable: outputs, their determinism, failures that leave
 * nothing behind, and the build cache. */
#include "commands/cmd.h"
#include "driver.h"
#include "emit/spawn.h"
#include "file_read.h"
#include "mica/certificate.h"
#include "mica/float_model.h"
#include "mica/statement.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

#define MODEL       MICA_MODELS "/lenet5/lenet5.onnx"
#define CALIBRATION MICA_MODELS "/lenet5/calibration"

enum { PATH_BYTES = 512 };

static char place[] = "/tmp/mica-driver-XXXXXX";

static const char *at(const char *name) {
    static char path[4][PATH_BYTES];
    static unsigned next;
    char *p = path[next++ % 4];
    (void)snprintf(p, PATH_BYTES, "%s/%s", place, name);
    return p;
}

static compile_request request_for(const char *output) {
    const compile_request r = {.model = MODEL,
                               .calibration = CALIBRATION,
                               .output = output,
                               .max_batch = 2,
                               .security_bits = MICA_DEFAULT_SECURITY_BITS,
                               .embed_limit = EMIT_EMBED_LIMIT,
                               .quiet = true};
    return r;
}

static unsigned count_entries(const char *directory) {
    DIR *d = opendir(directory);
    unsigned n = 0;
    ck_assert(d != NULL);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static void expect_equal_files(const char *a, const char *b) {
    mica_status st = {0};
    size_t n, m;
    uint8_t *x = file_read(a, 0, FILE_READ_REST, FILE_READ_REST, &n, &st);
    uint8_t *y = file_read(b, 0, FILE_READ_REST, FILE_READ_REST, &m, &st);
    ck_assert_msg(x && y, "%s", st.message);
    ck_assert_msg(n == m && memcmp(x, y, n) == 0, "%s and %s differ", a, b);
    free(x);
    free(y);
}

static int run(const char *const *argv) {
    mica_status st = {0};
    text out;
    int code = -1;
    text_create(&out, &st);
    ck_assert_msg(spawn_run(argv, NULL, &out, &code, &st), "%s", st.message);
    text_free(&out);
    return code;
}

static void clear_place(void) {
    const char *const argv[] = {"rm", "-rf", place, NULL};
    (void)run(argv);
}

static void set_up(void) {
    (void)memcpy(place + strlen(place) - 6, "XXXXXX", 6);
    ck_assert(mkdtemp(place) != NULL);
    ck_assert(setenv("XDG_CACHE_HOME", at("cache"), 1) == 0);
}

START_TEST(compiles_and_proves) {
    mica_status st = {0};
    char net[PATH_BYTES], exe[PATH_BYTES], proof[PATH_BYTES], vk[PATH_BYTES];
    (void)snprintf(net, sizeof net, "%s", at("net"));
    (void)snprintf(exe, sizeof exe, "%s", at("net-prover"));
    (void)snprintf(proof, sizeof proof, "%s", at("proof.bin"));
    (void)snprintf(vk, sizeof vk, "%s", at("net.vk"));
    const compile_request r = request_for(net);
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    ck_assert_uint_eq(count_entries(at("net-src")), 9);
    /* net-prover, net.float, net.vk, net.cert, net.report.html, net-src, cache */
    ck_assert_uint_eq(count_entries(place), 7);
    const char *const prove[] = {exe,  "prove", "--quiet", MICA_MODELS "/lenet5/input.json",
                                 "-o", proof,   NULL};
    ck_assert_int_eq(run(prove), 0);
    char *verify[] = {"verify", "--vk", vk, proof, "--input", MICA_MODELS "/lenet5/input.json", NULL};
    ck_assert_int_eq(cmd_verify(6, verify), 0);
    char cert[PATH_BYTES];
    (void)snprintf(cert, sizeof cert, "%s", at("net.cert"));
    char *params[] = {"verify-params", vk, cert, NULL};
    ck_assert_int_eq(cmd_verify_params(3, params), 0);
    char *both[] = {"verify", "--vk", vk, "--certificate", cert, proof, NULL};
    ck_assert_int_eq(cmd_verify(6, both), 0);
    both[4] = proof; /* no certificate at all */
    ck_assert_int_eq(cmd_verify(6, both), 2);
    char *other[] = {"verify", "--vk", vk, proof, "--nonce", "00", NULL};
    ck_assert_int_eq(cmd_verify(6, other), 1);
    char *foreign[] = {"verify", "--vk", proof, proof, NULL};
    ck_assert_int_eq(cmd_verify(4, foreign), 2);
}
END_TEST

/* Weights beyond the limit are a file beside the executable, and the executable says so when it is missing.
 */
START_TEST(large_weights_are_mapped) {
    mica_status st = {0};
    char net[PATH_BYTES], exe[PATH_BYTES], proof[PATH_BYTES];
    (void)snprintf(net, sizeof net, "%s", at("net"));
    (void)snprintf(exe, sizeof exe, "%s", at("net-prover"));
    (void)snprintf(proof, sizeof proof, "%s", at("proof.bin"));
    compile_request r = request_for(net);
    r.embed_limit = 1000;
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    ck_assert_uint_eq(count_entries(place), 8); /* net.weights too */
    const char *const prove[] = {exe,  "prove", "--quiet", MICA_MODELS "/lenet5/input.json",
                                 "-o", proof,   NULL};
    ck_assert_int_eq(run(prove), 0);
    ck_assert(truncate(at("net.weights"), 100) == 0);
    ck_assert_int_eq(run(prove), 2);
    ck_assert(unlink(at("net.weights")) == 0);
    ck_assert_int_eq(run(prove), 2);
}
END_TEST

/* Two names in two folders, compiled twice, with and without the cache: everything but the name is the same
 * bytes. */
START_TEST(same_input_same_bytes) {
    static const char *const files[] = {"net.c",  "net.h",       "model_data.c", "main.c",  "build.sh",
                                        "net.vk", "net.weights", "program.txt",  "MANIFEST"};
    mica_status st = {0};
    char a[PATH_BYTES], b[PATH_BYTES], from[PATH_BYTES + 64], to[PATH_BYTES + 64];
    ck_assert(mkdir(at("a"), 0700) == 0 && mkdir(at("b"), 0700) == 0);
    (void)snprintf(a, sizeof a, "%s", at("a/net"));
    (void)snprintf(b, sizeof b, "%s", at("b/net"));
    compile_request r = request_for(a), s = request_for(b);
    s.no_cache = true;
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    ck_assert_msg(compile_model(&s, &st), "%s", st.message);
    (void)snprintf(from, sizeof from, "%s-prover", a);
    (void)snprintf(to, sizeof to, "%s-prover", b);
    expect_equal_files(from, to);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(from, sizeof from, "%s-src/%s", a, files[i]);
        (void)snprintf(to, sizeof to, "%s-src/%s", b, files[i]);
        expect_equal_files(from, to);
    }
}
END_TEST

START_TEST(emit_only_stops_before_the_compiler) {
    mica_status st = {0};
    char exe[PATH_BYTES];
    (void)snprintf(exe, sizeof exe, "%s", at("net"));
    compile_request r = request_for(exe);
    r.emit_only = true;
    ck_assert(setenv("CC", "/nonexistent/cc", 1) == 0);
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    ck_assert(unsetenv("CC") == 0);
    ck_assert(access(at("net-prover"), F_OK) != 0);
    ck_assert(access(at("net.float"), F_OK) == 0);
    ck_assert_uint_eq(count_entries(place), 5); /* net.vk, net.cert, net.float, net.report.html, net-src */
}
END_TEST

/* What is asked for in vain is refused before anything takes time: the output's folder before the model is
 * read, names of inputs and outputs before calibration. */
START_TEST(slips_are_refused_early) {
    char net[PATH_BYTES];
    static const char *const outputs[] = {"none/net", "file/net", "taken"};
    static const char *named[] = {"nosuch=private"}, *word[] = {"secret"};
    static const mica_arguments slips[] = {{named, 1}, {word, 1}};
    const int file = open(at("file"), O_CREAT | O_WRONLY, 0600), src = open(at("taken-src"), O_CREAT, 0600);
    ck_assert(file >= 0 && src >= 0);
    (void)close(file);
    (void)close(src);
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        mica_status st = {0};
        (void)snprintf(net, sizeof net, "%s", at(outputs[i]));
        compile_request r = request_for(net);
        r.model = "/nonexistent/model.onnx"; /* would be the message, were it looked for */
        ck_assert(!compile_model(&r, &st));
        ck_assert_int_eq(st.code, MICA_ERR_IO);
        ck_assert_msg(strstr(st.message, "folder") && !strstr(st.message, "nonexistent"), "%s", st.message);
    }
    for (size_t i = 0; i < 4; i++) {
        mica_status st = {0};
        compile_request r = request_for("net");
        compilation c = {.request = &r, .name = "net"};
        sample_set samples = {0};
        *(i & 1 ? &r.input_visibility : &r.output_visibility) = slips[i >> 1];
        ck_assert(!compile_parameters(&c, &samples, &st));
        ck_assert_int_eq(st.code, MICA_ERR_USAGE);
        ck_assert_msg(strstr(st.message, "visibility"), "%s", st.message);
        ck_assert_ptr_null(c.calibration.lo);
        sample_set_free(&samples);
        compilation_free(&c);
    }
}
END_TEST

/* Files of Mica that inspect does not show are named, with the command that takes them. */
START_TEST(inspect_names_other_files) {
    static const char *const magic[] = {MICA_CERTIFICATE_MAGIC, MICA_PROOF_MAGIC, MICA_FLOAT_MAGIC};
    static const char *const words[] = {"mica verify-params", "mica verify", "float model"};
    char path[PATH_BYTES], errors[PATH_BYTES], line[512];
    (void)snprintf(path, sizeof path, "%s", at("file"));
    (void)snprintf(errors, sizeof errors, "%s", at("errors"));
    for (size_t i = 0; i < 3; i++) {
        mica_status st = {0};
        char *argv[] = {"inspect", path, NULL};
        ck_assert(file_write(path, magic[i], 8, &st));
        fflush(stderr);
        const int kept = dup(2), caught = open(errors, O_CREAT | O_TRUNC | O_RDWR, 0600);
        ck_assert(kept >= 0 && caught >= 0 && dup2(caught, 2) == 2);
        const int code = cmd_inspect(2, argv);
        fflush(stderr);
        ck_assert(dup2(kept, 2) == 2 && close(kept) == 0);
        const ssize_t n = pread(caught, line, sizeof line - 1, 0);
        (void)close(caught);
        line[n > 0 ? n : 0] = 0;
        ck_assert_int_eq(code, 2);
        ck_assert_msg(strstr(line, words[i]) && !strncmp(line, "error: ", 7), "%s", line);
    }
}
END_TEST

/* Ways to fail; none may leave a file behind. */
START_TEST(failures_leave_nothing) {
    static const struct {
        const char *model, *output, *cc;
        mica_code code;
    } cases[] = {
        {MODEL, "net", "/nonexistent/cc", MICA_ERR_IO}, {MODEL, "net", "false", MICA_ERR_INTERNAL},
        {MODEL, "a b", "cc", MICA_ERR_USAGE},           {MODEL, "-x", "cc", MICA_ERR_USAGE},
        {MODEL, "none/net", "cc", MICA_ERR_IO},         {"/nonexistent/model.onnx", "net", "cc", MICA_ERR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_status st = {0};
        char exe[PATH_BYTES];
        (void)snprintf(exe, sizeof exe, "%s", at(cases[i].output));
        compile_request r = request_for(exe);
        r.model = cases[i].model;
        r.no_cache = true;
        ck_assert(setenv("CC", cases[i].cc, 1) == 0);
        ck_assert(!compile_model(&r, &st));
        ck_assert_msg(st.code == cases[i].code, "case %zu: %s", i, st.message);
        ck_assert_msg(count_entries(place) == 0, "case %zu leaves files behind", i);
    }
    ck_assert(unsetenv("CC") == 0);
}
END_TEST

/* The only entry of the cache. */
static void cache_entry(char *out) {
    char directory[PATH_BYTES];
    (void)snprintf(directory, sizeof directory, "%s", at("cache/mica"));
    DIR *d = opendir(directory);
    ck_assert(d != NULL);
    *out = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            ck_assert_msg(*out == 0, "more than one cache entry");
            (void)snprintf(out, (size_t)2 * PATH_BYTES, "%s/%s", directory, e->d_name);
        }
    }
    (void)closedir(d);
    ck_assert(*out != 0);
}

static bool build_again(bool *from_cache) {
    mica_status st = {0};
    toolchain t;
    build_result result;
    char source[PATH_BYTES], exe[PATH_BYTES];
    (void)snprintf(source, sizeof source, "%s", at("net-src"));
    (void)snprintf(exe, sizeof exe, "%s", at("net-prover"));
    const bool ok = toolchain_find(&t, &st) && build_executable(&t, "net", source, exe, true, &result, &st);
    ck_assert_msg(ok, "%s", st.message);
    *from_cache = result.from_cache;
    return ok;
}

START_TEST(damaged_cache_entries_are_ignored) {
    mica_status st = {0};
    char exe[PATH_BYTES], entry[2 * PATH_BYTES];
    bool from_cache;
    size_t size;
    (void)snprintf(exe, sizeof exe, "%s", at("net"));
    compile_request r = request_for(exe);
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    (void)build_again(&from_cache);
    ck_assert(from_cache);
    cache_entry(entry);
    uint8_t *bytes = file_read(entry, 0, FILE_READ_REST, FILE_READ_REST, &size, &st);
    ck_assert(bytes != NULL);
    bytes[size / 2] ^= 1;
    ck_assert(file_write(entry, bytes, size, &st));
    (void)build_again(&from_cache);
    ck_assert_msg(!from_cache, "an altered entry was used");
    (void)build_again(&from_cache);
    ck_assert_msg(from_cache, "the entry was not renewed");
    ck_assert(truncate(entry, (off_t)size / 2) == 0);
    (void)build_again(&from_cache);
    ck_assert_msg(!from_cache, "a truncated entry was used");
    ck_assert(truncate(entry, 5) == 0);
    (void)build_again(&from_cache);
    ck_assert_msg(!from_cache, "a tiny entry was used");
    free(bytes);
}
END_TEST

/* A changed source is another key. */
START_TEST(cache_follows_the_sources) {
    mica_status st = {0};
    char exe[PATH_BYTES];
    bool from_cache;
    (void)snprintf(exe, sizeof exe, "%s", at("net"));
    compile_request r = request_for(exe);
    ck_assert_msg(compile_model(&r, &st), "%s", st.message);
    text changed;
    text_create(&changed, &st);
    size_t size;
    uint8_t *bytes = file_read(at("net-src/MANIFEST"), 0, FILE_READ_REST, FILE_READ_REST, &size, &st);
    text_write(&changed, bytes, size);
    changed.bytes[0] ^= 1;
    ck_assert(file_write(at("net-src/MANIFEST"), changed.bytes, changed.size, &st));
    (void)build_again(&from_cache);
    ck_assert(!from_cache);
    text_free(&changed);
    free(bytes);
}
END_TEST

static int compile_command(const char *first, const char *second, const char *third) {
    char words[4][PATH_BYTES] = {"compile"};
    char *argv[5] = {words[0], NULL, NULL, NULL, NULL};
    const char *given[3] = {first, second, third};
    int argc = 1;
    for (int i = 0; i < 3 && given[i]; i++) {
        (void)snprintf(words[argc], PATH_BYTES, "%s", given[i]);
        argv[argc] = words[argc];
        argc++;
    }
    return cmd_compile(argc, argv);
}

START_TEST(exit_codes) {
    ck_assert_int_eq(compile_command("--help", NULL, NULL), 0);
    ck_assert_int_eq(compile_command(NULL, NULL, NULL), 2);
    ck_assert_int_eq(compile_command(MODEL, MODEL, NULL), 2);
    ck_assert_int_eq(compile_command(MODEL, "--max-batch", "0"), 2);
    ck_assert_int_eq(compile_command(MODEL, "--security", "900"), 2);
    ck_assert_int_eq(compile_command(MODEL, "--dump", "nothing"), 2);
    ck_assert_int_eq(compile_command(MODEL, "--dim", "x"), 2);
    ck_assert_int_eq(compile_command(MODEL, "--dim", "no_such_dimension=8"), 2);
    ck_assert_int_eq(compile_command("/nonexistent/model.onnx", NULL, NULL), 2);
    char *inspect[] = {"inspect", MODEL, NULL}, *missing[] = {"inspect", "/nonexistent/model.onnx", NULL};
    ck_assert_int_eq(cmd_inspect(2, inspect), 0);
    ck_assert_int_eq(cmd_inspect(2, missing), 2);
}
END_TEST

static Suite *driver_suite(void) {
    Suite *s = suite_create("driver");
    TCase *c = tcase_create("driver");
    tcase_set_timeout(c, 240);
    tcase_add_checked_fixture(c, set_up, clear_place);
    tcase_add_test(c, compiles_and_proves);
    tcase_add_test(c, large_weights_are_mapped);
    tcase_add_test(c, same_input_same_bytes);
    tcase_add_test(c, emit_only_stops_before_the_compiler);
    tcase_add_test(c, slips_are_refused_early);
    tcase_add_test(c, inspect_names_other_files);
    tcase_add_test(c, failures_leave_nothing);
    tcase_add_test(c, damaged_cache_entries_are_ignored);
    tcase_add_test(c, cache_follows_the_sources);
    tcase_add_test(c, exit_codes);
    suite_add_tcase(s, c);
    return s;
}

int main(void) {
    return suite_run(driver_suite());
}
