/* Rewriting passes: graphs compute the same before and after, and what should be fused is. */
#define _GNU_SOURCE
#include "model_kit.h"

/* A shape that nodes compute from constants is known to the nodes after them. */
START_TEST(computed_shapes) {
    static float x[24];
    static result r;
    onnx_writer w = {.opset = 13};
    graph g;
    ow_input(&w, "x", DIMS(2, 3, 4));
    ow_ints(&w, "two", DIMS(1), (int64_t[]){2});
    ow_attr_ints(&w, "value_ints", 1, (int64_t[]){-1});
    ow_node(&w, "Constant", "", "rest");
    ow_node(&w, "Add", "two two", "four");
    ow_attr_int(&w, "axis", 0);
    ow_node(&w, "Concat", "four rest", "s");
    ow_node(&w, "Reshape", "x s", "y");
    ow_output(&w, "y");
    load(&g, &w);
    random_floats(x, 24);
    evaluate(&g, (const float *const[]){x}, &r);
    expect_shape(&r, DIMS(4, 6), "computed shape");
    uint32_t live = 0;
    for (uint32_t j = 0; j < g.n_nodes; j++)
        live += !g.node[j].removed;
    ck_assert_uint_eq(live, 1);
    graph_free(&g);
}
END_TEST

/* Networks built from one letter per operator on x; `want` are the kinds that remain. Both give equal
 * outputs. */
typedef struct fusion_case {
    const char *steps, *want;
} fusion_case;

/* On [1,3,6,6]: C conv 3x3 without bias, c with bias, B batch norm, + add [3,1,1], * mul [3,1,1], - sub, ~
 * constant minus x, s mul scalar, r relu, I identity, D dropout, P plane add [1,3,6,6], W add [6]. */
static const fusion_case conv_cases[] = {
    {"C", "C"},    {"CB", "C"},         {"cB", "C"},   {"C+", "C"},    {"c*", "C"},
    {"c-", "C"},   {"C~", "C"},         {"CBr", "Cr"}, {"C*+r", "Cr"}, {"cBB", "C"},
    {"CIB", "C"},  {"ID", "I"},         {"CI", "C"},   {"CD", "C"},    {"CIDr", "Cr"},
    {"CrI", "Cr"}, {"CP", "C+"},        {"CW", "C+"},  {"CrB", "CrB"}, {"Cs", "C"},
    {"r+", "r+"},  {"cBrCB~r", "CrCr"}, {"I", "I"},    {"IrI", "r"},   {"CPB", "C+B"},
};
/* On [1,8]: G gemm with transB and alpha, g gemm with bias and beta, M matmul, B batch norm, + add [8], * mul
 * [1,8],
 * - sub, ~ constant minus x, s mul scalar, r relu, I identity, D dropout. */
static const fusion_case dense_cases[] = {
    {"G", "G"},         {"g", "G"},       {"M", "M"},    {"M+", "G"},   {"M*", "M"},
    {"MB", "G"},        {"M~", "G"},      {"M-", "G"},   {"GB", "G"},   {"gB", "G"},
    {"g~", "G"},        {"G+*", "G"},     {"M*+", "G"},  {"Ms", "M"},   {"MI+", "G"},
    {"M+rM+r", "GrGr"}, {"MBrMB", "GrG"}, {"gDr", "Gr"}, {"rM+", "rG"},
};
/* On [1,2,8], a stack: a bias has no place in MatMul. */
static const fusion_case stack_cases[] = {
    {"M*", "M"}, {"M+", "M+"}, {"M*+", "M+"}, {"Ms+r", "M+r"}, {"M~", "M-"}};

typedef enum fusion_shape { ON_IMAGE, ON_ROW, ON_STACK } fusion_shape;

static void constant(onnx_writer *w, const char *name, uint32_t rank, const int64_t *dim, bool positive) {
    static float x[MAX_CELLS];
    size_t n = ow_count(rank, dim);
    random_floats(x, n);
    for (size_t i = 0; positive && i < n; i++)
        x[i] = x[i] * x[i] + 0.5f;
    ow_floats(w, name, rank, dim, x);
}

static void write_step(onnx_writer *w, char step, fusion_shape shape, const char *in, const char *out) {
    int64_t channels = shape == ON_IMAGE ? 3 : 8;
    char name[5][32], inputs[200];
    for (int i = 0; i < 5; i++)
        (void)snprintf(name[i], sizeof name[i], "%s_%d", out, i);
    const char *op = "Add";
    (void)snprintf(inputs, sizeof inputs, "%s %s", in, name[0]);
    switch (step) {
    case 'C':
    case 'c':
        op = "Conv";
        constant(w, name[0], DIMS(3, 3, 3, 3), false);
        constant(w, name[1], DIMS(3), false);
        ow_attr_ints(w, "pads", 4, (int64_t[]){1, 1, 1, 1});
        if (step == 'c')
            (void)snprintf(inputs, sizeof inputs, "%s %s %s", in, name[0], name[1]);
        break;
    case 'G':
    case 'g':
        op = "Gemm";
        constant(w, name[0], DIMS(8, 8), false);
        constant(w, name[1], DIMS(1, 8), false);
        ow_attr_int(w, "transB", step == 'G');
        ow_attr_float(w, step == 'G' ? "alpha" : "beta", 0.75f);
        if (step == 'g')
            (void)snprintf(inputs, sizeof inputs, "%s %s %s", in, name[0], name[1]);
        break;
    case 'M':
        op = "MatMul";
        constant(w, name[0], DIMS(8, 8), false);
        break;
    case 'B':
        op = "BatchNormalization";
        for (int i = 0; i < 4; i++)
            constant(w, name[i], 1, &channels, i == 3);
        (void)snprintf(inputs, sizeof inputs, "%s %s %s %s %s", in, name[0], name[1], name[2], name[3]);
        break;
    case '+':
    case '*':
    case '-':
    case '~':
        op = step == '+' ? "Add" : step == '*' ? "Mul" : "Sub";
        if (shape == ON_IMAGE)
            constant(w, name[0], DIMS(3, 1, 1), false);
        else if (step == '*')
            constant(w, name[0], DIMS(1, 8), false);
        else
            constant(w, name[0], DIMS(8), false);
        if (step == '~' || step == '*')
            (void)snprintf(inputs, sizeof inputs, "%s %s", name[0], in);
        break;
    case 'P':
        constant(w, name[0], DIMS(1, 3, 6, 6), false);
        break;
    case 'W':
        constant(w, name[0], DIMS(6), false);
        break;
    case 's':
        op = "Mul";
        constant(w, name[0], 0, NULL, false);
        break;
    default:
        op = step == 'r' ? "Relu" : step == 'I' ? "Identity" : "Dropout";
        (void)snprintf(inputs, sizeof inputs, "%s", in);
        break;
    }
    ow_node(w, op, inputs, out);
}

static char letter(uint32_t kind) {
    switch (kind) {
    case OP_CONV:
        return 'C';
    case OP_GEMM:
        return 'G';
    case OP_MATMUL:
        return 'M';
    case OP_BATCHNORM:
        return 'B';
    case OP_RELU:
        return 'r';
    case OP_IDENTITY:
        return 'I';
    case OP_ADD:
        return '+';
    case OP_SUB:
        return '-';
    case OP_MUL:
        return '*';
    default:
        return '?';
    }
}

static void run_fusion(const fusion_case *c, fusion_shape shape) {
    static const int64_t image[] = {1, 3, 6, 6}, row[] = {1, 8}, stack[] = {1, 2, 8};
    static float x[108];
    static result before, after;
    const int64_t *dim = shape == ON_IMAGE ? image : shape == ON_ROW ? row : stack;
    uint32_t rank = shape == ON_IMAGE ? 4 : shape == ON_ROW ? 2 : 3;
    onnx_writer w = {.opset = 13};
    mica_status st = {0};
    char in[16] = "x", out[16], left[16];
    graph g;
    ow_input(&w, "x", rank, dim);
    for (size_t i = 0; c->steps[i]; i++) {
        (void)snprintf(out, sizeof out, c->steps[i + 1] ? "v%zu" : "y", i);
        write_step(&w, c->steps[i], shape, in, out);
        (void)snprintf(in, sizeof in, "%s", out);
    }
    ow_output(&w, "y");
    load(&g, &w);
    random_floats(x, ow_count(rank, dim));
    evaluate(&g, (const float *const[]){x}, &before);
    ck_assert_msg(graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st), "%s", st.message);
    evaluate(&g, (const float *const[]){x}, &after);
    expect_shape(&after, before.rank, before.dim, c->steps);
    expect_close(after.y, before.y, before.n, c->steps);
    size_t n = 0;
    for (uint32_t j = 0; j < g.n_nodes && n + 1 < sizeof left; j++)
        if (!g.node[j].removed)
            left[n++] = letter(g.node[j].kind);
    left[n] = 0;
    ck_assert_msg(!strcmp(left, c->want), "%s became %s, expected %s", c->steps, left, c->want);
    ck_assert_str_eq(g.value[g.output[0]].name, "y");
    /* canonical graphs stay valid and canonical */
    ck_assert_msg(graph_infer_shapes(&g, &st) && graph_canonicalise(&g, &st), "%s", st.message);
    evaluate(&g, (const float *const[]){x}, &before);
    expect_close(before.y, after.y, after.n, c->steps);
    graph_free(&g);
}

START_TEST(fusions) {
    for (size_t i = 0; i < COUNT(conv_cases); i++)
        run_fusion(&conv_cases[i], ON_IMAGE);
    for (size_t i = 0; i < COUNT(dense_cases); i++)
        run_fusion(&dense_cases[i], ON_ROW);
    for (size_t i = 0; i < COUNT(stack_cases); i++)
        run_fusion(&stack_cases[i], ON_STACK);
}
END_TEST

/* What a fusion would take away from another reader stays. */
START_TEST(shared_values_are_not_fused) {
    static float x[108];
    static result before[2], after[2];
    for (int variant = 0; variant < 2; variant++) {
        onnx_writer w = {.opset = 13};
        mica_status st = {0};
        graph g;
        ow_input(&w, "x", DIMS(1, 3, 6, 6));
        constant(&w, "k", DIMS(3, 3, 1, 1), false);
        constant(&w, "c", DIMS(3, 1, 1), false);
        ow_node(&w, "Conv", "x k", "a");
        ow_node(&w, "Add", "a c", "b");
        if (variant == 0) { /* residual: a is read twice */
            ow_node(&w, "Mul", "a b", "y");
            ow_output(&w, "y");
        } else { /* a is an output itself */
            ow_output(&w, "b");
            ow_output(&w, "a");
        }
        load(&g, &w);
        random_floats(x, 108);
        evaluate(&g, (const float *const[]){x}, before);
        ck_assert(graph_canonicalise(&g, &st));
        evaluate(&g, (const float *const[]){x}, after);
        for (uint32_t k = 0; k < g.n_outputs; k++)
            expect_close(after[k].y, before[k].y, before[k].n, "shared");
        ck_assert(!g.node[0].removed && !g.node[1].removed);
        graph_free(&g);
    }
}
END_TEST

/* Identity at the end, of a value that is read elsewhere too. */
START_TEST(renamed_output) {
    static float x[8];
    static result before[2], after[2];
    onnx_writer w = {.opset = 13};
    mica_status st = {0};
    graph g;
    ow_input(&w, "x", DIMS(1, 8));
    ow_node(&w, "Relu", "x", "a");
    ow_node(&w, "Identity", "a", "y");
    ow_node(&w, "Mul", "a y", "z");
    ow_output(&w, "y");
    ow_output(&w, "z");
    load(&g, &w);
    random_floats(x, 8);
    evaluate(&g, (const float *const[]){x}, before);
    ck_assert(graph_canonicalise(&g, &st));
    evaluate(&g, (const float *const[]){x}, after);
    for (int k = 0; k < 2; k++)
        expect_close(after[k].y, before[k].y, 8, "renamed");
    ck_assert(g.node[1].removed);
    graph_free(&g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("canonical");
    TCase *t = tcase_create("canonical");
    if (!model_folder_make())
        return EXIT_FAILURE;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, computed_shapes);
    tcase_add_test(t, fusions);
    tcase_add_test(t, shared_values_are_not_fused);
    tcase_add_test(t, renamed_output);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    model_folder_remove();
    return code;
}
