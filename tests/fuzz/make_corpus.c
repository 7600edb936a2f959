/* usage: make_corpus FOLDER
 * Writes the seeds that are built, not found: FOLDER/<target>/<name>. tests/fuzz/corpus holds those of
 * formats that seldom change, and the seeds of fixed findings; tests/fuzz.sh starts from both. */
#include <sys/stat.h>

#include "circuit_samples.h"
#include "graph/passes.h"
#include "mica/certificate.h"
#include "mica/statement.h"
#include "onnx_writer.h"
#include "program/program.h"
#include "reference/float_file.h"

static const char *root;

static const char *seed_path(const char *target, const char *name) {
    static char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", root, target);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    return path;
}

static void seed(const char *target, const char *name, const void *data, size_t size) {
    write_file(seed_path(target, name), data, size);
}

/* The ONNX file and, where it can be imported, its float model. */
static void model(onnx_writer *w, const char *name) {
    char path[1024];
    mica_status st = {0};
    graph g;
    uint8_t *bytes;
    size_t size;
    (void)snprintf(path, sizeof path, "%s", seed_path("fuzz_onnx", name));
    ow_save(w, path);
    if (!onnx_import(&g, path, NULL, 0, &st))
        return;
    if (float_file_write(&g, &bytes, &size, &st)) {
        seed("fuzz_float", name, bytes, size);
        free(bytes);
    }
    graph_free(&g);
}

/* --- ONNX --- */

#define DIMS(...)                                                                                            \
    (const int64_t[]) {                                                                                      \
        __VA_ARGS__                                                                                          \
    }

static const float *ramp(size_t n) {
    static float x[256];
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(int)(i % 7) * 0.25f - 0.5f;
    return x;
}

static void floats(onnx_writer *w, const char *name, uint32_t rank, const int64_t *dim) {
    ow_floats(w, name, rank, dim, ramp(ow_count(rank, dim)));
}

static void convolutional(void) {
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x", 4, DIMS(-1, 2, 6, 6));
    ow_output(&w, "y");
    floats(&w, "w", 4, DIMS(4, 2, 3, 3));
    floats(&w, "b", 1, DIMS(4));
    floats(&w, "depth", 4, DIMS(4, 1, 2, 2));
    floats(&w, "s", 1, DIMS(4));
    floats(&w, "var", 1, DIMS(4));
    floats(&w, "fc", 2, DIMS(3, 16));
    floats(&w, "fcb", 1, DIMS(3));
    ow_attr_ints(&w, "pads", 4, DIMS(1, 1, 1, 1));
    ow_attr_ints(&w, "strides", 2, DIMS(1, 1));
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(3, 3));
    ow_node(&w, "Conv", "x w b", "c");
    ow_attr_float(&w, "epsilon", 0.5f);
    ow_node(&w, "BatchNormalization", "c s b s var", "n");
    ow_node(&w, "Relu", "n", "r");
    ow_attr_text(&w, "auto_pad", "SAME_UPPER");
    ow_attr_int(&w, "group", 4);
    ow_attr_ints(&w, "dilations", 2, DIMS(2, 1));
    ow_node(&w, "Conv", "r depth", "d");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(3, 3));
    ow_attr_ints(&w, "strides", 2, DIMS(2, 2));
    ow_attr_ints(&w, "pads", 4, DIMS(1, 1, 0, 0));
    ow_attr_int(&w, "ceil_mode", 1);
    ow_node(&w, "MaxPool", "d", "m");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(2, 2));
    ow_attr_int(&w, "count_include_pad", 1);
    ow_node(&w, "AveragePool", "m", "a");
    ow_attr_int(&w, "axis", 1);
    ow_node(&w, "Flatten", "a", "f");
    ow_attr_int(&w, "transB", 1);
    ow_attr_float(&w, "alpha", 0.5f);
    ow_attr_float(&w, "beta", 2.0f);
    ow_node(&w, "Gemm", "f fc fcb", "g");
    ow_attr_int(&w, "axis", -1);
    ow_node(&w, "Softmax", "g", "y");
    model(&w, "convolutional");
}

/* Shapes computed from constants, copies, arithmetic before and after products. */
static void dense(void) {
    onnx_writer w = {.opset = 12};
    ow_input(&w, "x", 3, DIMS(-1, -2, 4));
    ow_output(&w, "y");
    ow_output(&w, "z");
    floats(&w, "w", 2, DIMS(4, 5));
    floats(&w, "row", 2, DIMS(1, 5));
    floats(&w, "one", 0, NULL);
    ow_ints(&w, "two", 1, DIMS(1), DIMS(2));
    ow_ints(&w, "head", 1, DIMS(1), DIMS(0));
    ow_ints(&w, "rest", 1, DIMS(1), DIMS(-1));
    ow_node(&w, "MatMul", "x w", "p");
    ow_node(&w, "Add", "p row", "q");
    ow_node(&w, "Mul", "one q", "s");
    ow_node(&w, "Sub", "row s", "t");
    ow_node(&w, "Identity", "t", "u");
    ow_node(&w, "Dropout", "u one", "v");
    ow_attr_ints(&w, "perm", 3, DIMS(0, 2, 1));
    ow_node(&w, "Transpose", "v", "tr");
    ow_attr_int(&w, "axis", 0);
    ow_node(&w, "Concat", "head rest", "shape");
    ow_node(&w, "Reshape", "tr shape", "flat");
    ow_attr_int(&w, "axis", 1);
    ow_node(&w, "Concat", "flat flat", "both");
    ow_node(&w, "Clip", "both - one", "cl");
    ow_node(&w, "Sigmoid", "cl", "y");
    ow_node(&w, "Tanh", "both", "z");
    model(&w, "dense");
}

/* Everything constant. */
static void constant(void) {
    onnx_writer w = {.opset = 9};
    bytes t = ow_tensor("", 1, 2, DIMS(2, 2)), a = {0};
    ow_output(&w, "y");
    put_blob(&t, 9, ramp(4), 16);
    put_text(&a, 1, "value");
    put_message(&a, 5, &t);
    put_int(&a, 20, 4);
    put_message(&w.attributes, 5, &a);
    ow_node(&w, "Constant", "", "c");
    floats(&w, "im", 4, DIMS(1, 1, 3, 3));
    floats(&w, "k", 4, DIMS(1, 1, 2, 2));
    ow_ints(&w, "sh", 1, DIMS(2), DIMS(2, 2));
    ow_node(&w, "MatMul", "c c", "m");
    ow_node(&w, "Gemm", "m c c", "g");
    ow_node(&w, "Conv", "im k", "cv");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(1, 1));
    ow_node(&w, "MaxPool", "cv", "mp");
    ow_node(&w, "GlobalAveragePool", "mp", "gp");
    ow_node(&w, "Reshape", "mp sh", "rs");
    ow_node(&w, "Add", "g rs", "ad");
    ow_attr_float(&w, "min", -1.0f);
    ow_attr_float(&w, "max", 1.0f);
    ow_node(&w, "Clip", "ad", "cl");
    ow_node(&w, "Softmax", "cl", "sm");
    ow_node(&w, "Sub", "sm gp", "y");
    model(&w, "constant");
}

/* Every operator of one input, on constants. */
static void folded(void) {
    static const char *const ops[] = {"Relu", "Sigmoid", "Tanh", "Identity", "Dropout", "Transpose", "Clip"};
    onnx_writer w = {.opset = 13};
    char in[8] = "c0", out[8];
    floats(&w, "c0", 4, DIMS(1, 2, 3, 3));
    floats(&w, "s", 1, DIMS(2));
    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
        (void)snprintf(out, sizeof out, "c%u", i + 1);
        if (!strcmp(ops[i], "Transpose"))
            ow_attr_ints(&w, "perm", 4, DIMS(0, 1, 3, 2));
        ow_node(&w, ops[i], in, out);
        memcpy(in, out, sizeof in);
    }
    ow_node(&w, "BatchNormalization", "c7 s s s s", "bn");
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(2, 2));
    ow_attr_ints(&w, "pads", 4, DIMS(1, 0, 0, 1));
    ow_node(&w, "AveragePool", "bn", "ap");
    ow_attr_int(&w, "axis", 2);
    ow_node(&w, "Flatten", "ap", "f");
    ow_attr_ints(&w, "value_ints", 2, DIMS(3, -1));
    ow_node(&w, "Constant", "", "sh");
    ow_node(&w, "Reshape", "f sh", "r");
    ow_attr_float(&w, "value_float", 2.5f);
    ow_node(&w, "Constant", "", "k");
    ow_node(&w, "Mul", "r k", "y");
    ow_output(&w, "y");
    model(&w, "folded");
}

/* Elementwise functions, one after the other, on an input and on a constant. */
static void functions(void) {
    static const char *const ops[] = {
        "LeakyRelu",       "Elu",      "Selu", "Celu", "HardSigmoid", "HardSwish", "Mish",
        "Softplus",        "Softsign", "Erf",  "Gelu", "Exp",         "Log",       "Sqrt",
        "Reciprocal",      "Abs",      "Neg",  "Sign", "Floor",       "Ceil",      "Round",
        "ThresholdedRelu", "Shrink",   "Sin",  "Cos"};
    static const char *const with_alpha[] = {"LeakyRelu", "Elu",         "Selu",
                                             "Celu",      "HardSigmoid", "ThresholdedRelu"};
    onnx_writer w = {.opset = 20};
    ow_input(&w, "x", 2, DIMS(1, 3));
    floats(&w, "c", 2, DIMS(1, 3));
    floats(&w, "p", 1, DIMS(1));
    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
        char out[8];
        (void)snprintf(out, sizeof out, "y%u", i);
        for (unsigned j = 0; j < sizeof with_alpha / sizeof *with_alpha; j++)
            if (!strcmp(ops[i], with_alpha[j]))
                ow_attr_float(&w, "alpha", 0.75f);
        if (!strcmp(ops[i], "Gelu"))
            ow_attr_text(&w, "approximate", "tanh");
        ow_node(&w, ops[i], i % 2 ? "x" : "c", out);
        ow_output(&w, out);
    }
    ow_node(&w, "Pow", "x p", "z");
    ow_node(&w, "PRelu", "z c", "v");
    ow_output(&w, "v");
    model(&w, "functions");
}

/* Few bytes that ask for much: a kernel and a padding far larger than the input, on constants. */
static void amplifiers(void) {
    onnx_writer w = {.opset = 13};
    const int64_t side = 1 << 24;
    floats(&w, "im", 4, DIMS(1, 1, 1, 1));
    ow_attr_ints(&w, "kernel_shape", 2, DIMS(side, side));
    ow_attr_ints(&w, "pads", 4, DIMS(side - 1, side - 1, 0, 0));
    ow_node(&w, "MaxPool", "im", "y");
    ow_output(&w, "y");
    model(&w, "large_kernel");

    w.opset = 13;
    floats(&w, "im", 4, DIMS(1, 1, 1, 1));
    floats(&w, "k", 4, DIMS(1, 1, 1, 1));
    ow_attr_ints(&w, "pads", 4, DIMS(4096, 4096, 8191, 8191));
    ow_node(&w, "Conv", "im k", "y");
    ow_output(&w, "y");
    model(&w, "large_padding");

    w.opset = 13;
    ow_input(&w, "x", 3, DIMS(1, 1, INT32_MAX));
    ow_attr_ints(&w, "kernel_shape", 1, DIMS(1));
    ow_node(&w, "MaxPool", "x", "y");
    ow_output(&w, "y");
    model(&w, "many_windows");
}

/* Copies of inputs and outputs, branches, dead nodes: what the canonical form takes apart. */
static void copies(void) {
    onnx_writer w = {.opset = 15};
    ow_input(&w, "x", 2, DIMS(-1, 3));
    ow_input(&w, "q", 2, DIMS(-1, -3));
    floats(&w, "w", 2, DIMS(3, 3));
    floats(&w, "v", 1, DIMS(3));
    ow_node(&w, "Identity", "x", "y");
    ow_node(&w, "MatMul", "x w", "m");
    ow_node(&w, "Add", "m v", "a");
    ow_node(&w, "Mul", "a v", "b");
    ow_node(&w, "Sub", "v b", "c");
    ow_node(&w, "Identity", "c", "z");
    ow_node(&w, "Dropout", "c", "d mask");
    ow_node(&w, "Relu", "b", "dead");
    ow_attr_float(&w, "beta", 0.5f);
    ow_attr_float(&w, "alpha", 2.0f);
    ow_node(&w, "Gemm", "d w v", "e");
    ow_node(&w, "Add", "e q", "f");
    ow_output(&w, "y");
    ow_output(&w, "z");
    ow_output(&w, "f");
    model(&w, "copies");
    w.opset = 7;
    ow_input(&w, "x", 2, DIMS(-1, 3));
    ow_node_in(&w, "com.example", "Other", "x", "g");
    ow_node(&w, "LSTM", "g", "h");
    ow_node(&w, "Relu", "h", "y");
    ow_output(&w, "y");
    model(&w, "foreign");
}

/* Typed fields instead of raw bytes, all element types, external data. */
static void typed(void) {
    static const int types[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 21, 22};
    onnx_writer w = {.opset = 21};
    char name[16];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        (void)snprintf(name, sizeof name, "t%d", types[i]);
        bytes t = ow_tensor(name, types[i], 1, DIMS(2));
        if (types[i] == 1)
            put_blob(&t, 4, ramp(2), 8);
        else if (types[i] == 11)
            put_blob(&t, 10, (const double[]){1, -2}, 16);
        else if (types[i] == 7)
            put_blob(&t, 7, "\1\2", 2);
        else if (types[i] == 12 || types[i] == 13)
            put_blob(&t, 11, "\1\2", 2);
        else
            put_blob(&t, 5, "\1\2", types[i] > 16 ? 1 : 2);
        put_message(&w.graph, 5, &t);
    }
    bytes t = ow_tensor("far", 1, 1, DIMS(2)), entry = {0};
    put_text(&entry, 1, "location");
    put_text(&entry, 2, "data.bin");
    put_message(&t, 13, &entry);
    put_int(&t, 14, 1);
    ow_input(&w, "x", 2, DIMS(1, 2));
    ow_output(&w, "y");
    ow_node(&w, "Mul", "x t1", "y");
    model(&w, "typed");
    put_message(&w.graph, 5, &t);
    ow_input(&w, "x", 2, DIMS(1, 2));
    ow_output(&w, "y");
    w.opset = 13;
    ow_node(&w, "Add", "x far", "y");
    model(&w, "external");
}

/* --- tensor files --- */

static void npy(const char *name, unsigned version, const char *header, const void *data, size_t n) {
    bytes b = {0};
    const size_t length = strlen(header);
    const uint8_t head[12] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0, (uint8_t)length, (uint8_t)(length >> 8)};
    put(&b, head, version == 1 ? 10 : 12);
    put(&b, header, length);
    put(&b, data, n);
    seed("fuzz_npy", name, b.p, b.n);
    free(b.p);
}

static void tensor_files(void) {
    npy("f4", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n", ramp(8), 32);
    npy("f8_scalar", 2, "{'descr': '>f8', 'fortran_order': False, 'shape': (), }\n", "\x3f\xf0\0\0\0\0\0\0",
        8);
    npy("f2", 3, "{\"shape\": (2L, 1, 2), 'fortran_order': False, 'descr': '<f2'}",
        "\0\x3c\1\x80\0\x3c\1\x80", 8);
    npy("i8", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", "\1\0\0\0\0\0\0\x80", 8);
    npy("u1", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2, 2), }", "12345678", 8);
    npy("b1", 1, "{'descr': '|b1', 'fortran_order': True, 'shape': (4,), }", "\1\0\1\0", 4);

    bytes t = ow_tensor("x", 1, 2, DIMS(2, 4));
    put_blob(&t, 9, ramp(8), 32);
    seed("fuzz_pb", "raw", t.p, t.n);
    free(t.p);
    t = ow_tensor("x", 10, 1, DIMS(4));
    put_blob(&t, 5, "\1\2\3\4", 4);
    seed("fuzz_pb", "half", t.p, t.n);
    free(t.p);
    t = ow_tensor("", 7, 0, NULL);
    put_blob(&t, 7, "\7", 1);
    seed("fuzz_pb", "scalar", t.p, t.n);
    free(t.p);
    t = ow_tensor("x", 11, 3, DIMS(2, 1, 2));
    put_blob(&t, 10, (const double[]){1, 2, 3, 4}, 32);
    seed("fuzz_pb", "double", t.p, t.n);
    free(t.p);

    static const char *const json[] = {
        "{\"input_data\": [[1, 2.5, -3e2, true]]}",
        "{\"input_data\": [[1, 2, 3, 4, 5, 6, 7, 8], [0.5, 1, 2, 3]], \"output_data\": [[1, 2]]}",
        "{\"other\": {\"a\": [null, \"\\u00e9\"]}, \"output_data\": [[0], [1]]}",
    };
    static const char *const names[] = {"one", "two", "other"};
    for (unsigned i = 0; i < 3; i++)
        seed("fuzz_json", names[i], json[i], strlen(json[i]));
}

/* --- circuits --- */

static void program_of(const kit *k, const char *name) {
    mica_status st = {0};
    layer_note note = {
        .node = "kit", .op = "Kit", .shapes = "[1] -> [1]", .acc_lo = -5, .acc_hi = 5, .macs = 3};
    step steps[KIT_MAX];
    for (uint32_t i = 0; i < k->n_steps; i++) {
        steps[i] = (step){.kind = STEP_EVALUATE, .table = k->step[i].table};
        memset(steps[i].tensor, 0xff, sizeof steps[i].tensor);
        memcpy(steps[i].tensor, k->step[i].t, sizeof k->step[i].t);
    }
    const program p = {.circuit = k->c, .step = steps, .n_steps = k->n_steps, .note = &note};
    if (!program_dump(&p, seed_path("fuzz_program", name), &st))
        abort();
}

/* Every kind of table on one tensor. */
static void build_tables(kit *k) {
    kit_begin(k, 1);
    const uint32_t x = kit_input(k, -100, 100, (uint32_t[]){3, 0});
    const uint32_t sum = kit_linear(k, x, 0, -100, 100);
    kit_term(k, x, 1, kit_identity(k, x));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    for (mica_table_kind kind = MICA_TABLE_IDENTITY; kind < MICA_TABLE_KINDS; kind++) {
        if (kind != MICA_TABLE_CLIP) /* needs bounds of its own */
            kit_output(k, kit_requantise(k, sum, 1, 8, kind, 0.125, kind == MICA_TABLE_TANH ? -20 : 0, 20));
        if (k->c.n_outputs == 4)
            break;
    }
}

/* Rates of the weights' code that there are not. */
static void weight_rates(const kit *k) {
    enum { RATE = 8 + 4 + 4 + 1 }; /* its offset: magic, version, security bits, row bits */
    static const uint8_t rates[] = {0, 9, 255};
    char name[32];
    for (unsigned i = 0; i < sizeof rates; i++) {
        const uint8_t good = k->vk_bytes[RATE];
        k->vk_bytes[RATE] = rates[i];
        (void)snprintf(name, sizeof name, "weight_rate_%u", rates[i]);
        seed("fuzz_vk", name, k->vk_bytes, k->vk_size);
        k->vk_bytes[RATE] = good;
    }
}

static void circuits(void) {
    static kit k;
    for (int i = 0; i <= SAMPLES; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s", i < SAMPLES ? samples[i].name : "tables");
        for (char *p = name; *p; p++)
            *p = *p == ' ' ? '_' : *p;
        (i < SAMPLES ? samples[i].build : build_tables)(&k);
        if (!kit_finish(&k, 40))
            abort();
        seed("fuzz_vk", name, k.vk_bytes, k.vk_size);
        if (i == 0)
            weight_rates(&k);
        program_of(&k, name);
        kit_free(&k);
    }
}

/* --- scripts of changes to proofs --- */

static void scripts(void) {
    for (unsigned i = 0; i < 2 * SAMPLES; i++) {
        uint8_t script[2 + 8] = {(uint8_t)i};
        char name[32];
        (void)snprintf(name, sizeof name, "honest_%u", i);
        seed("fuzz_proof", name, script, 2);
        seed("fuzz_certificate", name, script, 2);
        for (uint8_t kind = 0; kind < 9; kind++) {
            const uint8_t change[8] = {kind, (uint8_t)(90 * i), (uint8_t)(3 * kind + i), 0, 1, kind, 7, 3};
            memcpy(script + 2, change, sizeof change);
            (void)snprintf(name, sizeof name, "change_%u_%u", i, kind);
            if (kind != (i + 1) % 9 && kind != (i + 5) % 9)
                continue;
            seed("fuzz_proof", name, script, sizeof script);
            seed("fuzz_certificate", name, script, sizeof script);
        }
    }
    const char proof[] = {0, 3, 'M', 'I', 'C', 'A', 'P', 'R', 'F', '\n', MICA_PROOF_VERSION, 0, 0, 0},
               certificate[] = {0, 3, 'M', 'I', 'C', 'A', 'C', 'R', 'T', '\n', MICA_CERTIFICATE_VERSION,
                                0, 0, 0};
    seed("fuzz_proof", "raw", proof, sizeof proof);
    seed("fuzz_certificate", "raw", certificate, sizeof certificate);
}

/* Subgraphs within one another that read values around them. */
static void control(void) {
    onnx_writer w = {.opset = 13}, body = {0}, yes = {0}, no = {0};
    ow_input(&w, "x", 1, DIMS(4));
    ow_output(&w, "y");
    ow_ints(&w, "count", 0, NULL, DIMS(3));
    ow_floats(&w, "zero", 0, NULL, ramp(1));
    ow_node(&yes, "Neg", "sum", "r");
    ow_output(&yes, "r");
    ow_node(&no, "Relu", "sum", "r");
    ow_output(&no, "r");
    ow_port(&body, 11, "i", 7, 0, NULL);
    ow_port(&body, 11, "on", 9, 0, NULL);
    ow_port(&body, 11, "v", 1, 1, DIMS(4));
    ow_node(&body, "Add", "v x", "sum");
    ow_attr_int(&body, "keepdims", 0);
    ow_node(&body, "ReduceMax", "sum", "top");
    ow_node(&body, "Less", "top zero", "c");
    ow_attr_graph(&body, "then_branch", &yes);
    ow_attr_graph(&body, "else_branch", &no);
    ow_node(&body, "If", "c", "next");
    ow_output(&body, "on");
    ow_output(&body, "next");
    ow_output(&body, "top");
    ow_attr_graph(&w, "body", &body);
    ow_node(&w, "Loop", "count - x", "y tops");
    model(&w, "control");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_corpus FOLDER\n");
        return 2;
    }
    root = argv[1];
    (void)mkdir(root, 0777);
    convolutional();
    dense();
    constant();
    folded();
    functions();
    amplifiers();
    copies();
    control();
    typed();
    tensor_files();
    circuits();
    scripts();
    return 0;
}
