/* Generated layer functions against the interpreter: one program holds a step of every form over many shapes;
 * it is emitted, compiled by cc, run on random cells, and every cell of every tensor is compared, padding
 * included. */
#include "base/parallel.h"
#include "emit/emit.h"
#include "emit/spawn.h"
#include "emit/template.h"
#include "emit/toolchain.h"
#include "emit_cases.h"
#include "mica/model.h"
#include "suite.h"

#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static toolchain tools;

static uint64_t rng_state;

static uint32_t next_random(void) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng_state >> 33);
}

/* --- running --- */

typedef void run_fn(const mica_frame *frame);

/* Random valid cells of t in its range; padding stays zero. */
static void fill_cells(const mica_tensor *t, int32_t *cells) {
    const size_t n = (size_t)1 << mica_item_bits(t);
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        bool valid = true;
        for (unsigned a = t->rank; a-- > 0;) {
            const unsigned bits = mica_log2_ceil(t->dim[a]);
            valid = valid && (rest & ((1u << bits) - 1)) < t->dim[a];
            rest >>= bits;
        }
        if (valid)
            cells[i] = (int32_t)(t->lo + (int64_t)(next_random() % (uint64_t)((int64_t)t->hi - t->lo + 1)));
    }
}

/* Options of one variant of the generated code; NULL-terminated. */
static const char *const variants[][3] = {
    {"-O3"},
    {"-O1"},
    {"-DMICA_VERIFY_BUILD"},
    {"-fsanitize=undefined", "-fno-sanitize-recover=all"},
};

static run_fn *compile_model(const char *source, const char *directory, const char *const *options) {
    char c_path[300], so_path[300];
    mica_status st = {0};
    text output;
    int code = -1;
    (void)snprintf(c_path, sizeof c_path, "%s/model.c", directory);
    (void)snprintf(so_path, sizeof so_path, "%s/model.so", directory);
    ck_assert_msg(file_write(c_path, source, strlen(source), &st), "%s", st.message);
    const char *argv[20] = {"cc",           "-fPIC",    "-shared", "-Wall", "-Wextra",
                            "-Wconversion", "-Wshadow", "-Werror", "-I",    tools.include,
                            "-I",           directory,  "-o",      so_path, c_path};
    for (unsigned i = 0; options[i]; i++)
        argv[15 + i] = options[i];
    text_create(&output, &st);
    ck_assert_msg(spawn_run(argv, NULL, &output, &code, &st), "%s", st.message);
    ck_assert_msg(code == 0, "%s: %s", options[0], output.bytes ? output.bytes : "");
    text_free(&output);
    void *library = dlopen(so_path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    void *symbol = dlsym(library, "model_run");
    run_fn *run;
    memcpy(&run, &symbol, sizeof run);
    ck_assert(run != NULL);
    return run;
}

static bool is_given(const mica_tensor *t) {
    return t->kind == MICA_TENSOR_INPUT || t->kind == MICA_TENSOR_WEIGHT;
}

#define MOST_PARTS ((size_t)5)
#define SCRATCH    ((size_t)1 << 24)

typedef struct part_job {
    run_fn *run;
    mica_frame frame;
} part_job;

static void run_part(void *ctx, unsigned part, unsigned parts) {
    const part_job *j = ctx;
    mica_frame frame = j->frame;
    frame.own = (uint8_t *)frame.scratch + part * SCRATCH;
    frame.part = part;
    frame.parts = parts;
    j->run(&frame);
}

static void compare_with_interpreter(const program *p, run_fn *run, uint64_t seed, unsigned parts) {
    const mica_circuit *c = &p->circuit;
    mica_status st = {0};
    int32_t **want = calloc(c->n_tensors, sizeof *want), **got = calloc(c->n_tensors, sizeof *got);
    int32_t **table = calloc(c->n_tables, sizeof *table);
    void *scratch = aligned_alloc(64, MOST_PARTS * SCRATCH);
    rng_state = seed;
    memset(scratch, 0x5a, MOST_PARTS * SCRATCH);
    for (uint32_t k = 0; k < c->n_tables; k++) {
        table[k] = calloc((size_t)1 << c->table[k].def.bits, sizeof **table);
        mica_table_fill(&c->table[k].def, table[k]);
    }
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const size_t bytes = sizeof(int32_t) << mica_item_bits(&c->tensor[t]);
        want[t] = calloc(1, bytes);
        if (mica_tensor_is_materialised(c, t)) {
            got[t] = calloc(1, bytes);
            fill_cells(&c->tensor[t], got[t]); /* results too: stale cells must be overwritten */
        }
        if (is_given(&c->tensor[t])) {
            ck_assert_ptr_nonnull(got[t]);
            memcpy(want[t], got[t], bytes);
        }
    }
    part_job job = {run, {got, (const int32_t *const *)table, scratch, c->index, scratch, 0, 1}};
    parallel_set_workers(parts);
    parallel_team(run_part, &job);
    ck_assert_msg(program_interpret(p, want, &st), "seed %llu: %s", (unsigned long long)seed, st.message);
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const size_t bytes = sizeof(int32_t) << mica_item_bits(&c->tensor[t]);
        ck_assert_msg(!got[t] || memcmp(want[t], got[t], bytes) == 0,
                      "seed %llu, %u parts: tensor %u of layer '%s' differs", (unsigned long long)seed, parts,
                      t, c->layer[c->tensor[t].layer].name);
        free(want[t]);
        free(got[t]);
    }
    for (uint32_t k = 0; k < c->n_tables; k++)
        free(table[k]);
    free(table);
    free(want);
    free(got);
    free(scratch);
}

static void emit_program(const program *p, text *out) {
    mica_status st = {0};
    const emit_request request = {.program = p, .name = "model", .templates = tools.templates};
    size_t scratch;
    text_create(out, &st);
    ck_assert_msg(emit_model_c(&request, out, &scratch, &st), "%s", st.message);
    out->status = NULL;
}

static void write_header(const char *directory) {
    static const char header[] = "#include \"mica/model.h\"\nvoid model_run(const mica_frame *frame);\n";
    char path[300];
    mica_status st = {0};
    (void)snprintf(path, sizeof path, "%s/model.h", directory);
    ck_assert(file_write(path, header, sizeof header - 1, &st));
}

static void remove_generated(const char *directory) {
    static const char *const files[] = {"model.c", "model.h", "model.so"};
    char path[300];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        ck_assert(unlink(path) == 0);
    }
    ck_assert(rmdir(directory) == 0);
}

START_TEST(generated_code_equals_interpreter) {
    char directory[] = "/tmp/mica-emit-XXXXXX";
    program p;
    text source;
    ck_assert(mkdtemp(directory) != NULL);
    build_program(&p);
    emit_program(&p, &source);
    write_header(directory);
    run_fn *run = compile_model(source.bytes, directory, variants[_i]);
    for (unsigned parts = 1; parts <= MOST_PARTS; parts++) {
        for (uint64_t seed = 1; seed <= 3; seed++)
            compare_with_interpreter(&p, run, seed + 3 * parts, parts);
    }
    remove_generated(directory);
    text_free(&source);
    program_end(&p);
}
END_TEST

START_TEST(emission_is_deterministic) {
    program p;
    text first, second;
    build_program(&p);
    emit_program(&p, &first);
    emit_program(&p, &second);
    ck_assert_uint_eq(first.size, second.size);
    ck_assert(memcmp(first.bytes, second.bytes, first.size) == 0);
    text_free(&first);
    text_free(&second);
    program_end(&p);
}
END_TEST

/* --- the template engine --- */

static void expect_tidy(const char *from, const char *to) {
    mica_status st = {0};
    text out;
    text_create(&out, &st);
    template_tidy(from, &out);
    ck_assert_str_eq(out.bytes, to);
    text_free(&out);
}

START_TEST(tidy_drops_neutral_elements) {
    expect_tidy("x[0 + i * 1 + 0] += y * 1;\n", "x[i] += y;\n");
    expect_tidy("x = a * 10 + 0 * b + 01;\n", "x = a * 10 + 0 * b + 01;\n");
    expect_tidy("x = 0 + i / 1 % 3 * 4;\n", "x = i % 3 * 4;\n");
    expect_tidy("p = q + (0);\n", "p = q;\n");
}
END_TEST

START_TEST(tidy_indents_nested_loops) {
    expect_tidy("void f(void) {\nfor (a)\nfor (b)\n{\nx;\nif (c)\ncontinue;\ny;\n}\nz;\n}\n",
                "void f(void) {\n    for (a)\n        for (b) {\n            x;\n            if (c)\n"
                "                continue;\n            y;\n        }\n    z;\n}\n");
}
END_TEST

static Suite *emit_suite(void) {
    Suite *s = suite_create("emit");
    TCase *c = tcase_create("emit");
    tcase_set_timeout(c, 300);
    tcase_add_test(c, tidy_drops_neutral_elements);
    tcase_add_test(c, tidy_indents_nested_loops);
    tcase_add_test(c, emission_is_deterministic);
    tcase_add_loop_test(c, generated_code_equals_interpreter, 0, (int)(sizeof variants / sizeof *variants));
    suite_add_tcase(s, c);
    return s;
}

int main(void) {
    mica_status st = {0};
    if (!toolchain_find(&tools, &st)) {
        fprintf(stderr, "%s\n", st.message);
        return EXIT_FAILURE;
    }
    return suite_run(emit_suite());
}
