/* Old and foreign artefacts are refused, and the message says what was found and what is supported. */
#include "driver.h"
#include "emit/build_cache.h"
#include "emit/spawn.h"
#include "emit/toolchain.h"
#include "file_read.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

#define MODEL       MICA_MODELS "/lenet5/lenet5.onnx"
#define CALIBRATION MICA_MODELS "/lenet5/calibration"

enum { PATH_BYTES = 512, VERSION_AT = 8 };

static char place[] = "/tmp/mica-versions-XXXXXX";
static compile_request request = {
    .model = MODEL, .calibration = CALIBRATION, .security_bits = 100, .max_batch = 1, .quiet = true};
static compilation c;
static sample_set samples;

static const char *at(const char *name) {
    static char path[2][PATH_BYTES];
    static unsigned next;
    char *p = path[next++ % 2];
    (void)snprintf(p, PATH_BYTES, "%s/%s", place, name);
    return p;
}

static void set_up(void) {
    mica_status st = {0};
    ck_assert(mkdtemp(place) != NULL);
    ck_assert(setenv("XDG_CACHE_HOME", place, 1) == 0);
    memset(&c, 0, sizeof c);
    request.output = at("net");
    c.request = &request;
    c.name = "net";
    ck_assert(options_finish(&request, &st));
    ck_assert_msg(compile_parameters(&c, &samples, &st), "%s", st.message);
}

static void tear_down(void) {
    const char *const argv[] = {"rm", "-rf", place, NULL};
    text out;
    int code;
    mica_status st = {0};
    text_create(&out, &st);
    ck_assert(spawn_run(argv, NULL, &out, &code, &st));
    text_free(&out);
    sample_set_free(&samples);
    compilation_free(&c);
    options_free(&request);
}

static void expect_words(const mica_status *st, const char *words) {
    ck_assert_int_eq(st->code, MICA_ERR_FORMAT);
    ck_assert_msg(strstr(st->message, words) != NULL, "'%s' does not say '%s'", st->message, words);
}

static void no_run(const mica_frame *frame) {
    (void)frame;
}

/* A prover of changed files; the error. */
static mica_status prover_error(void) {
    const mica_model model = {c.vk_bytes, c.vk_size, c.weights, c.weights_size, 64,
                              no_run,     NULL,      NULL,      false,          false};
    mica_status st = {0};
    mica_prover *p = mica_prover_create(&model, 1, &st);
    ck_assert_ptr_null(p);
    return st;
}

START_TEST(weights) {
    c.weights[VERSION_AT] = 9;
    mica_status st = prover_error();
    expect_words(&st, "a weight file of format version 9; this program reads version 3");
    c.weights[0] = 'X';
    st = prover_error();
    expect_words(&st, "foreign magic");
}
END_TEST

START_TEST(parameters) {
    c.vk_bytes[VERSION_AT] = 1; /* the first version, without a record */
    mica_status st = prover_error();
    expect_words(&st, "verifier parameters of format version 1; this program reads version");
    c.vk_bytes[0] = 'X';
    st = prover_error();
    expect_words(&st, "foreign magic");
}
END_TEST

START_TEST(program_text) {
    mica_status st = {0}, old = {0}, foreign = {0};
    program p;
    size_t size;
    ck_assert(program_dump(&c.program, at("program.txt"), &st));
    ck_assert_msg(program_parse(&p, at("program.txt"), &st), "%s", st.message);
    program_free(&p);
    char *bytes = (char *)file_read(at("program.txt"), 0, FILE_READ_REST, FILE_READ_REST, &size, &st);
    char *version = strstr(bytes, "mica-program ") + strlen("mica-program ");
    *version = '1';
    ck_assert(file_write(at("program.txt"), bytes, size, &st));
    ck_assert(!program_parse(&p, at("program.txt"), &old));
    expect_words(&old, "a program of format version 1; this is version");
    memcpy(strstr(bytes, "mica-program"), "acim", 4);
    ck_assert(file_write(at("program.txt"), bytes, size, &st));
    ck_assert(!program_parse(&p, at("program.txt"), &foreign));
    expect_words(&foreign, "expected mica-program");
    free(bytes);
}
END_TEST

/* A cache is no one's file: an entry of another version is as if it were not there. */
START_TEST(cache_entries) {
    static const uint8_t executable[] = "an executable";
    const quick_digest key = quick_hash_bytes("key", 3);
    char hex[33], name[64];
    size_t size;
    mica_status st = {0};
    build_cache_put(&key, executable, sizeof executable);
    uint8_t *entry = build_cache_get(&key, &size);
    ck_assert(entry != NULL && size == sizeof executable);
    free(entry);
    quick_digest_hex(&key, hex);
    (void)snprintf(name, sizeof name, "mica/%s", hex);
    uint8_t *bytes = file_read(at(name), 0, FILE_READ_REST, FILE_READ_REST, &size, &st);
    ck_assert_msg(bytes != NULL, "%s", st.message);
    bytes[7] = '0'; /* the version in "MICAEXE1" */
    ck_assert(file_write(at(name), bytes, size, &st));
    free(bytes);
    ck_assert_ptr_null(build_cache_get(&key, &size));
}
END_TEST

/* The C compiler stops at generated sources of another version of the runtime's headers. */
START_TEST(generated_sources) {
    toolchain tools;
    mica_status st = {0};
    text said;
    int code;
    ck_assert(toolchain_find(&tools, &st));
    const emit_request emit = {&c.program, "net",     tools.templates, c.vk_bytes,
                               c.vk_size,  c.weights, c.weights_size,  EMIT_EMBED_LIMIT};
    ck_assert_msg(emit_sources(&emit, at("net-src"), &st), "%s", st.message);
    const char *const argv[] = {"cc", "-fsyntax-only", "-I", tools.include, "main.c", NULL};
    text_create(&said, &st);
    ck_assert(spawn_run(argv, at("net-src"), &said, &code, &st));
    ck_assert_msg(code == 0, "%s", said.bytes);
    size_t size;
    char *bytes = (char *)file_read(at("net-src/net.h"), 0, FILE_READ_REST, FILE_READ_REST, &size, &st);
    char *version = strstr(bytes, "MICA_MODEL_VERSION != ");
    ck_assert_ptr_nonnull(version);
    version[strlen("MICA_MODEL_VERSION != ")] = '0';
    ck_assert(file_write(at("net-src/net.h"), bytes, size, &st));
    ck_assert(spawn_run(argv, at("net-src"), &said, &code, &st));
    ck_assert_msg(code != 0 && strstr(said.bytes, "compile the model again") != NULL, "%s", said.bytes);
    free(bytes);
    text_free(&said);
}
END_TEST

int main(void) {
    Suite *s = suite_create("versions");
    TCase *t = tcase_create("versions");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, weights);
    tcase_add_test(t, parameters);
    tcase_add_test(t, program_text);
    tcase_add_test(t, cache_entries);
    tcase_add_test(t, generated_sources);
    suite_add_tcase(s, t);
    return suite_run(s);
}
