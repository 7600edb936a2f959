#include "emit/build.h"
#include "emit/build_cache.h"
#include "emit/spawn.h"
#include "file_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_WORDS = 64, WORD_BYTES = 1024, PATH_BYTES = 4096 };

static const char *const libraries[] = {"libmica-cli.a", "libmica-reference.a", "libmica-io.a",
                                        "libmica-prove.a", "libmica-verify.a"};
#define N_LIBRARIES (sizeof libraries / sizeof *libraries)

/* A command line under construction. */
typedef struct command {
    const char *word[MAX_WORDS + 1];
    unsigned n;
    char split[WORD_BYTES]; /* $CC, cut into words */
    char extra[WORD_BYTES];
    char output[64]; /* the name of the executable */
} command;

static void add(command *c, const char *word) {
    if (c->n < MAX_WORDS)
        c->word[c->n++] = word;
}

static void add_split(command *c, char *words) {
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
        add(c, w);
}

static void add_compiler(command *c) {
    const char *cc = getenv("CC");
    (void)snprintf(c->split, sizeof c->split, "%s", cc && *cc ? cc : "cc");
    add_split(c, c->split);
    if (c->n == 0)
        add(c, "cc");
}

static bool compiler_version(build_result *result, mica_status *st) {
    command c = {.n = 0};
    text out;
    int code = 0;
    text_create(&out, st);
    add_compiler(&c);
    add(&c, "--version");
    mica_status said = {0};
    const bool ok = spawn_run(c.word, NULL, &out, &code, &said) ||
                    mica_fail(st, said.code, "%.800s; $CC names the C compiler", said.message);
    if (ok && out.bytes)
        (void)snprintf(result->compiler, sizeof result->compiler, "%.*s", (int)strcspn(out.bytes, "\n"),
                       out.bytes);
    text_free(&out);
    return ok;
}

/* Everything but the output's name. */
static void compile_command(command *c, const toolchain *t, const char *model_c) {
    add_compiler(c);
    add(c, "-std=gnu17");
    add(c, "-O3");
    add(c, "-fvisibility=hidden");
#if defined(MICA_VERIFY_BUILD)
    add(c, "-DMICA_VERIFY_BUILD");
#endif
#if defined(MICA_SANITIZE_OPTION)
    add(c, MICA_SANITIZE_OPTION);
#endif
    add(c, "-I.");
    add(c, "-I");
    add(c, t->include);
    add(c, "main.c");
    add(c, model_c);
    add(c, "model_data.c");
    add(c, "-L");
    add(c, t->library);
    add(c, "-lmica-cli");
    add(c, "-lmica-reference");
    add(c, "-lmica-io");
    add(c, "-lmica-prove");
    add(c, "-lmica-verify");
    (void)snprintf(c->extra, sizeof c->extra, "%s", toolchain_extra_libraries());
    add_split(c, c->extra);
    add(c, "-lm");
    add(c, "-lpthread");
}

static bool hash_file(quick_hash *h, const char *directory, const char *name, mica_status *st) {
    char path[PATH_BYTES];
    size_t size;
    const int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return mica_fail(st, MICA_ERR_IO, "%s: path is too long", directory);
    uint8_t *bytes = file_read(path, 0, FILE_READ_REST, FILE_READ_REST, &size, st);
    if (!bytes)
        return false;
    quick_hash_item(h, name, strlen(name));
    quick_hash_item(h, bytes, size);
    free(bytes);
    return true;
}

/* The key covers the generated files, the command line, the compiler's version and the runtime: MANIFEST
 * lists the hash of every generated file but program.txt, which is not compiled. */
static bool cache_key(const toolchain *t, const command *c, const char *directory, const build_result *result,
                      quick_digest *key, mica_status *st) {
    quick_hash *h = quick_hash_create();
    if (!h)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    bool ok = hash_file(h, directory, "MANIFEST", st);
    for (unsigned i = 0; i < N_LIBRARIES; i++)
        ok = ok && hash_file(h, t->library, libraries[i], st);
    ok = ok && hash_file(h, t->include, "mica/layer.h", st) && hash_file(h, t->include, "mica/model.h", st) &&
         hash_file(h, t->include, "mica/prover_main.h", st);
    for (unsigned i = 0; i < c->n; i++)
        quick_hash_item(h, c->word[i], strlen(c->word[i]));
    quick_hash_item(h, result->compiler, strlen(result->compiler));
    *key = quick_hash_finish(h);
    return ok;
}

static bool put_executable(const char *output, const uint8_t *bytes, size_t size, mica_status *st) {
    char temporary[PATH_BYTES];
    const int n = snprintf(temporary, sizeof temporary, "%s.%ld.new", output, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return mica_fail(st, MICA_ERR_IO, "%s: path is too long", output);
    if (!file_write(temporary, bytes, size, st))
        return false;
    if (chmod(temporary, 0755) != 0 || rename(temporary, output) != 0) {
        const int error = errno;
        (void)unlink(temporary);
        return mica_fail(st, MICA_ERR_IO, "%s: %s", output, strerror(error));
    }
    return true;
}

/* Compiles inside `directory` and reads the executable back. Its name there is this process's own: the C
 * compiler of one that was killed may still run, and removes what it has not finished. */
static uint8_t *compile(command *c, const char *directory, size_t *size, mica_status *st) {
    char built[PATH_BYTES];
    text said;
    int code = 0;
    text_create(&said, st);
    (void)snprintf(c->output, sizeof c->output, "executable.%ld.tmp", (long)getpid());
    const int n = snprintf(built, sizeof built, "%s/%s", directory, c->output);
    add(c, "-o");
    add(c, c->output);
    bool ok = n > 0 && (size_t)n < sizeof built && spawn_run(c->word, directory, &said, &code, st);
    if (ok && code != 0)
        ok = mica_fail(st, MICA_ERR_INTERNAL, "%s failed with exit code %d:\n%.800s", c->word[0], code,
                       said.bytes ? said.bytes : "");
    text_free(&said);
    uint8_t *bytes = ok ? file_read(built, 0, FILE_READ_REST, FILE_READ_REST, size, st) : NULL;
    (void)unlink(built);
    return bytes;
}

bool build_executable(const toolchain *t, const char *name, const char *directory, const char *output,
                      bool use_cache, build_result *result, mica_status *st) {
    char model_c[PATH_BYTES];
    command c = {.n = 0};
    quick_digest key;
    size_t size = 0;
    memset(result, 0, sizeof *result);
    (void)snprintf(model_c, sizeof model_c, "%s.c", name);
    compile_command(&c, t, model_c);
    if (!compiler_version(result, st) || !cache_key(t, &c, directory, result, &key, st))
        return false;
    uint8_t *bytes = use_cache ? build_cache_get(&key, &size) : NULL;
    result->from_cache = bytes != NULL;
    if (!bytes)
        bytes = compile(&c, directory, &size, st);
    if (!bytes)
        return false;
    const bool ok = put_executable(output, bytes, size, st);
    if (ok && use_cache && !result->from_cache)
        build_cache_put(&key, bytes, size);
    free(bytes);
    return ok;
}
