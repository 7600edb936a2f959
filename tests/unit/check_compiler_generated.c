/* The checks of generated code: the emitter's own output passes, and each way to break a promise is found. */
#include "emit/check_generated.h"
#include "emit/emit.h"
#include "emit/toolchain.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

/* Two layers: t1 = t0 + 1 over [3], then t2 = relu(t1) by table, and a third one without cells. */
static mica_tensor tensors[] = {
    {.kind = MICA_TENSOR_INPUT, .batched = true, .rank = 1, .dim = {3}, .lo = -100, .hi = 100},
    {.kind = MICA_TENSOR_LINEAR, .batched = true, .rank = 1, .dim = {3}, .lo = -99, .hi = 101},
    {.kind = MICA_TENSOR_WITNESS, .batched = true, .rank = 1, .dim = {3}, .lo = 0, .hi = 101, .layer = 1},
};
static mica_linear linears[] = {{.n_terms = 1, .n_boxes = 1}};
static mica_term terms[] = {{.tensor = 0, .coef = 1}};
static mica_box boxes[] = {{.coef = 1, .hi = {3}}};
static mica_table tables[] = {{.def = {.kind = MICA_TABLE_RELU, .bits = 8, .lo_key = -128}}};
static mica_layer layers[] = {{"shift", "Add"}, {"clamp", "Relu"}, {"flat", "Flatten"}};
static step steps[] = {
    {STEP_EVALUATE, 0, 0, UINT32_MAX, 0, {1, -1u, -1u, -1u, -1u, -1u, -1u, -1u}},
    {STEP_LOOKUP, 1, 0, 0, 0, {1, 2, -1u, -1u, -1u, -1u, -1u, -1u}},
};
static layer_note notes[] = {
    {.node = "shift", .op = "Add", .acc_lo = -99, .acc_hi = 101}, {.node = "clamp"}, {.node = ""}};

static program small_program(void) {
    program p = {.step = steps, .n_steps = 2, .note = notes};
    p.circuit.n_tensors = 3;
    p.circuit.tensor = tensors;
    p.circuit.n_linear = p.circuit.n_terms = p.circuit.n_boxes = p.circuit.n_tables = 1;
    p.circuit.linear = linears;
    p.circuit.term = terms;
    p.circuit.box = boxes;
    p.circuit.table = tables;
    p.circuit.n_layers = 3;
    p.circuit.layer = layers;
    return p;
}

static toolchain tools;
static char directory[] = "/tmp/mica-generated-XXXXXX";

static void write_file(const char *name, const char *bytes) {
    char path[200];
    mica_status st = {0};
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    ck_assert_msg(file_write(path, bytes, strlen(bytes), &st), "%s", st.message);
}

static char *emitted(void) {
    const program p = small_program();
    const emit_request request = {.program = &p, .name = "model", .templates = tools.templates};
    mica_status st = {0};
    text out;
    size_t scratch;
    text_create(&out, &st);
    ck_assert_msg(emit_model_c(&request, &out, &scratch, &st), "%s", st.message);
    ck_assert_uint_eq(scratch, 0);
    write_file("model.h", "#include \"mica/model.h\"\nvoid model_run(const mica_frame *frame);\n");
    return out.bytes;
}

static bool passes(const char *source, mica_status *st) {
    const program p = small_program();
    memset(st, 0, sizeof *st);
    write_file("model.c", source);
    return check_model_c(&p, directory, "model", tools.include, st);
}

START_TEST(emitted_code_passes) {
    mica_status st;
    char *source = emitted();
    ck_assert_msg(passes(source, &st), "%s\n%s", st.message, source);
    free(source);
}
END_TEST

/* Replaces the first occurrence of `from`; the result must be refused with a message that contains `why`. */
typedef struct breakage {
    const char *from, *to, *why;
} breakage;

static const breakage breakages[] = {
    {"int32_t sum = 1;", "int32_t sum = (int32_t)1.5;", "floating point"},
    {"int32_t sum = 1;", "float half = 1; int32_t sum = (int32_t)half;", "floating point"},
    {"int32_t sum = 1;", "double *none = 0; (void)none; int32_t sum = 1;", "floating point"},
    {"int32_t sum = 1;", "static int32_t kept; kept++; int32_t sum = kept;", "outlives"},
    {"// Layer 0", "int32_t counter;\n// Layer 0", "mutable variable"},
    {"// Layer 0", "static int32_t counter;\n// Layer 0", ""},
    {"// Layer 0", "extern int32_t *const other;\nextern int32_t other2;\n// Layer 0", "mutable variable"},
    {"// Layer 0", "#include <string.h>\n\n// Layer 0", NULL},
    {"int32_t sum = 1;", "int32_t sum = 1; __builtin_memset(t1, 0, 4);", "outside the public headers"},
    {"#include \"mica/layer.h\"",
     "#include \"mica/layer.h\"\n#include <stdlib.h>\n#define exit_now() abort()", NULL},
    {"#include \"mica/layer.h\"\n", "#include \"mica/layer.h\"\nint puts(const char *s);\n", NULL},
    {"int32_t sum = 1;", "int32_t sum = 1; extern int puts(const char *); sum += puts(\"\");", ""},
    {"int32_t sum = 1;", "int32_t sum = 1; int32_t (*f)(int32_t) = mica_max0; sum = f(sum);",
     "through a pointer"},
    {"int32_t sum = 1;", "int32_t sum = 1; __asm__ volatile(\"\");", "inline assembly"},
    {"int32_t sum = 1;", "int32_t sum = 1; int32_t unused;", "unused"},
    {"int32_t sum = 1;", "int32_t sum = 1", "expected ';'"},
    {"t1 linear [3] in [-99, 101]", "t1 linear [3] in [-99, 102]", "lacks the proven range"},
    {"t1 linear [3] in [-99, 101]", "t1 linear [4] in [-99, 101]", "lacks the proven range"},
    {"// t1 linear", "// t7 linear [3] in [-1, 1]\n// t1 linear", "other tensors"},
    {"accumulator in [-99, 101]", "accumulator in [-9, 101]", "accumulator"},
    {"// Layer 1:", "// Layer 2:", "does not name the layer"},
    {"layer_000_shift(const", "layer_007_shift(const", ""},
    {"// Layer 1:", "static void extra(void);\nstatic void extra(void) {}\n// Layer 1:", ""},
    {"    layer_001_clamp(frame);\n", "", ""},
    {"    layer_000_shift(frame);\n    layer_001_clamp(frame);\n",
     "    layer_001_clamp(frame);\n    layer_000_shift(frame);\n", "not called in order"},
    {"MICA_LAYER static void layer_001",
     "void layer_001_clamp(const mica_frame *frame);\nMICA_LAYER void layer_001", ""},
};

START_TEST(broken_code_is_refused) {
    const breakage *b = &breakages[_i];
    mica_status st;
    char *source = emitted(), *at = strstr(source, b->from);
    ck_assert_msg(at != NULL, "'%s' is not in the emitted code:\n%s", b->from, source);
    char *broken = calloc(1, strlen(source) + strlen(b->to) + 1);
    (void)sprintf(broken, "%.*s%s%s", (int)(at - source), source, b->to, at + strlen(b->from));
    const bool passed = passes(broken, &st);
    if (!b->why)
        ck_assert_msg(passed, "'%s' is harmless but was refused: %s", b->to, st.message);
    else
        ck_assert_msg(!passed && strstr(st.message, b->why), "'%s': expected '%s', got '%s'", b->to, b->why,
                      st.message);
    free(broken);
    free(source);
}
END_TEST

START_TEST(support_files_are_checked) {
    mica_status st = {0};
    write_file("good.c", "extern const int table[2];\nconst int table[2] = {1, 2};\n");
    ck_assert_msg(check_support_c(directory, "good.c", tools.include, &st), "%s", st.message);
    write_file("float.c", "extern const double table[2];\nconst double table[2] = {1, 2};\n");
    ck_assert(!check_support_c(directory, "float.c", tools.include, &st));
    memset(&st, 0, sizeof st);
    write_file("global.c", "extern int table[2];\nint table[2] = {1, 2};\n");
    ck_assert(!check_support_c(directory, "global.c", tools.include, &st));
    ck_assert_msg(strstr(st.message, "mutable variable"), "%s", st.message);
}
END_TEST

static Suite *generated_suite(void) {
    Suite *s = suite_create("generated");
    TCase *c = tcase_create("generated");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, emitted_code_passes);
    tcase_add_loop_test(c, broken_code_is_refused, 0, (int)(sizeof breakages / sizeof *breakages));
    tcase_add_test(c, support_files_are_checked);
    suite_add_tcase(s, c);
    return s;
}

int main(void) {
    mica_status st = {0};
    if (!toolchain_find(&tools, &st) || !mkdtemp(directory)) {
        fprintf(stderr, "%s\n", st.message);
        return EXIT_FAILURE;
    }
    const int code = suite_run(generated_suite());
    static const char *const files[] = {"model.c", "model.h", "good.c", "float.c", "global.c"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        (void)snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(directory);
    return code;
}
