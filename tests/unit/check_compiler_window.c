/* Convolutions, pools and products: the float reference against padded copies and dense index arithmetic. */
#define _GNU_SOURCE
#include "model_kit.h"

/* --- Conv and pools --- */

typedef struct window_case {
    const char *op;
    int64_t opset, n, c, c_out, group;
    uint32_t spatial;
    int64_t in[3], kernel[3], stride[3], dilation[3], pads[6];
    const char *auto_pad;
    bool ceil_mode, include_pad;
    int64_t out[3]; /* expected, worked out by hand */
} window_case;

static const window_case windows[] = {
    {"Conv", 11, 1, 1, 1, 1, 2, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {0}, NULL, 0, 0, {3, 3}},
    {"Conv", 7, 1, 3, 4, 1, 2, {7, 5}, {3, 2}, {2, 1}, {1, 1}, {1, 0, 2, 1}, NULL, 0, 0, {4, 5}},
    {"Conv", 13, 2, 4, 6, 2, 2, {6, 9}, {2, 3}, {3, 2}, {1, 2}, {0, 1, 1, 2}, NULL, 0, 0, {2, 4}},
    {"Conv", 13, 1, 4, 4, 4, 2, {8, 8}, {3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}, NULL, 0, 0, {8, 8}},
    {"Conv", 13, 1, 2, 3, 1, 2, {7, 8}, {4, 3}, {2, 3}, {1, 1}, {0}, "SAME_UPPER", 0, 0, {4, 3}},
    {"Conv", 13, 1, 2, 3, 1, 2, {7, 8}, {4, 3}, {2, 3}, {1, 1}, {0}, "SAME_LOWER", 0, 0, {4, 3}},
    {"Conv", 13, 1, 2, 3, 1, 2, {7, 8}, {4, 3}, {2, 3}, {1, 1}, {0}, "VALID", 0, 0, {2, 2}},
    {"Conv", 21, 3, 2, 5, 1, 1, {11}, {4}, {3}, {2}, {3, 4}, NULL, 0, 0, {4}},
    {"Conv",
     21,
     1,
     2,
     3,
     1,
     3,
     {4, 3, 5},
     {2, 3, 2},
     {1, 2, 2},
     {2, 1, 1},
     {1, 1, 0, 0, 1, 1},
     NULL,
     0,
     0,
     {3, 2, 3}},
    {"Conv", 13, 1, 2, 2, 1, 2, {1, 6}, {1, 1}, {1, 5}, {1, 1}, {0}, NULL, 0, 0, {1, 2}},
    {"Conv", 13, 1, 1, 1, 1, 1, {2}, {2}, {1}, {5}, {9, 9}, NULL, 0, 0, {15}},
    {"MaxPool", 8, 1, 3, 3, 1, 2, {6, 7}, {2, 3}, {2, 2}, {1, 1}, {0}, NULL, 0, 0, {3, 3}},
    {"MaxPool", 10, 2, 2, 2, 1, 2, {6, 7}, {3, 2}, {2, 3}, {1, 1}, {1, 0, 0, 1}, NULL, 1, 0, {3, 3}},
    {"MaxPool", 12, 1, 1, 1, 1, 2, {4, 4}, {2, 2}, {1, 1}, {2, 2}, {0}, NULL, 0, 0, {2, 2}},
    {"MaxPool", 12, 1, 1, 1, 1, 1, {5}, {2}, {3}, {1}, {0, 0}, NULL, 1, 0, {2}},
    {"MaxPool", 12, 1, 1, 1, 1, 1, {6}, {1}, {3}, {1}, {0, 1}, NULL, 1, 0, {2}}, /* a third would start in
                                                                                    padding */
    {"MaxPool", 12, 1, 2, 2, 1, 3, {4, 5, 3}, {2, 2, 3}, {2, 1, 1}, {1, 2, 1}, {0}, NULL, 0, 0, {2, 3, 1}},
    {"MaxPool", 12, 1, 2, 2, 1, 2, {5, 6}, {3, 3}, {2, 2}, {1, 1}, {0}, "SAME_UPPER", 0, 0, {3, 3}},
    {"MaxPool", 12, 1, 2, 2, 1, 2, {5, 6}, {3, 3}, {2, 2}, {1, 1}, {0}, "SAME_LOWER", 1, 0, {3, 3}},
    {"AveragePool", 7, 1, 2, 2, 1, 2, {6, 5}, {2, 3}, {1, 2}, {1, 1}, {0}, NULL, 0, 0, {5, 2}},
    {"AveragePool", 7, 1, 2, 2, 1, 2, {6, 5}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, NULL, 0, 0, {3, 3}},
    {"AveragePool", 11, 1, 2, 2, 1, 2, {6, 5}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, NULL, 0, 1, {3, 3}},
    {"AveragePool", 11, 1, 2, 2, 1, 2, {6, 5}, {3, 2}, {2, 2}, {1, 1}, {1, 0, 0, 1}, NULL, 1, 1, {3, 3}},
    {"AveragePool", 11, 1, 2, 2, 1, 2, {7, 6}, {3, 3}, {3, 2}, {1, 1}, {0}, "SAME_UPPER", 0, 0, {3, 3}},
    {"AveragePool", 19, 1, 2, 2, 1, 2, {7, 6}, {2, 3}, {2, 1}, {3, 2}, {1, 1, 2, 2}, NULL, 1, 0, {4, 5}},
    {"AveragePool", 19, 1, 2, 2, 1, 2, {7, 6}, {2, 3}, {2, 1}, {3, 2}, {1, 1, 2, 2}, NULL, 1, 1, {4, 5}},
    {"AveragePool", 19, 2, 1, 1, 1, 1, {9}, {4}, {2}, {1}, {1, 2}, NULL, 0, 1, {5}},
};

/* The paddings of a case, by their definition. */
static void case_pads(const window_case *c, int64_t *begin, int64_t *end) {
    for (uint32_t d = 0; d < c->spatial; d++) {
        begin[d] = c->pads[d];
        end[d] = c->pads[c->spatial + d];
        if (!c->auto_pad)
            continue;
        begin[d] = end[d] = 0;
        int64_t need = (c->out[d] - 1) * c->stride[d] + (c->kernel[d] - 1) * c->dilation[d] + 1 - c->in[d];
        for (int64_t p = 0; strcmp(c->auto_pad, "VALID") != 0 && p < need; p++)
            if ((p % 2 == 0) == !strcmp(c->auto_pad, "SAME_UPPER"))
                end[d]++; /* pads are dealt out in turn, the favoured side first */
            else
                begin[d]++;
    }
}

/* Where tap k of output o reads: >= 0 an input cell, -1 padding, -2 beyond the declared padding. */
static int64_t read_at(const window_case *c, const int64_t *begin, const int64_t *end, size_t o, size_t k) {
    int64_t at = 0, outside = 0;
    for (uint32_t d = 0; d < c->spatial; d++) {
        int64_t p = coordinate(o, c->out, c->spatial, d) * c->stride[d] +
                    coordinate(k, c->kernel, c->spatial, d) * c->dilation[d] - begin[d];
        if (p >= c->in[d] + end[d])
            outside = -2;
        else if (outside == 0 && (p < 0 || p >= c->in[d]))
            outside = -1;
        at = at * c->in[d] + p;
    }
    return outside ? outside : at;
}

static void oracle_window(const window_case *c, const float *x, const float *w, const float *bias,
                          double *y) {
    int64_t begin[3], end[3];
    size_t plane = ow_count(c->spatial, c->in), taps = ow_count(c->spatial, c->kernel),
           out = ow_count(c->spatial, c->out);
    bool conv = !strcmp(c->op, "Conv"), max = !strcmp(c->op, "MaxPool");
    size_t channels = (size_t)c->c, co = (size_t)c->c_out, per_group = channels / (size_t)c->group;
    case_pads(c, begin, end);
    for (size_t cell = 0; cell < (size_t)c->n * co * out; cell++) {
        size_t o = cell % out, m = cell / out % co, item = cell / out / co;
        long double sum = 0, best = -INFINITY, inside = 0, padded = 0;
        for (size_t ch = 0; ch < (conv ? per_group : 1); ch++)
            for (size_t k = 0; k < taps; k++) {
                int64_t at = read_at(c, begin, end, o, k);
                size_t from = conv ? m / (co / (size_t)c->group) * per_group + ch : m;
                double v = at < 0 ? 0 : (double)x[(item * channels + from) * plane + (size_t)at];
                padded += at != -2;
                inside += at >= 0;
                best = at >= 0 && v > (double)best ? v : best;
                sum += (conv ? (long double)w[(m * per_group + ch) * taps + k] : 1) * v;
            }
        y[cell] = (double)(conv  ? sum + (long double)(bias ? bias[m] : 0.f)
                           : max ? best
                                 : sum / (c->include_pad ? padded : inside));
    }
}

static void run_window_case(const window_case *c, bool with_bias) {
    static float x[MAX_CELLS], w[MAX_CELLS], bias[16];
    static double want[MAX_CELLS];
    static result r;
    onnx_writer model = {.opset = c->opset};
    bool conv = !strcmp(c->op, "Conv");
    int64_t dim[5] = {c->n, c->c, c->in[0], c->in[1], c->in[2]};
    int64_t w_dim[5] = {c->c_out, c->c / c->group, c->kernel[0], c->kernel[1], c->kernel[2]};
    char what[80];
    (void)snprintf(what, sizeof what, "case %zu (%s)", (size_t)(c - windows), c->op);
    random_floats(x, ow_count(c->spatial + 2, dim));
    random_floats(w, ow_count(c->spatial + 2, w_dim));
    random_floats(bias, COUNT(bias));
    ow_input(&model, "x", c->spatial + 2, dim);
    if (conv) {
        ow_floats(&model, "w", c->spatial + 2, w_dim, w);
        ow_floats(&model, "b", 1, &c->c_out, bias);
        ow_attr_int(&model, "group", c->group);
    } else {
        ow_attr_ints(&model, "kernel_shape", c->spatial, c->kernel);
        ow_attr_int(&model, "ceil_mode", c->ceil_mode);
        ow_attr_int(&model, "count_include_pad", c->include_pad);
    }
    ow_attr_ints(&model, "strides", c->spatial, c->stride);
    ow_attr_ints(&model, "dilations", c->spatial, c->dilation);
    if (c->auto_pad)
        ow_attr_text(&model, "auto_pad", c->auto_pad);
    else
        ow_attr_ints(&model, "pads", 2 * c->spatial, c->pads);
    ow_node(&model, c->op, !conv ? "x" : with_bias ? "x w b" : "x w", "y");
    ow_output(&model, "y");
    run(&model, (const float *const[]){x}, &r);
    expect_shape(&r, c->spatial + 2, (int64_t[]){c->n, c->c_out, c->out[0], c->out[1], c->out[2]}, what);
    oracle_window(c, x, w, with_bias ? bias : NULL, want);
    expect_close(r.y, want, r.n, what);
}

START_TEST(windows_against_oracle) {
    for (size_t i = 0; i < COUNT(windows); i++) {
        run_window_case(&windows[i], false);
        run_window_case(&windows[i], true);
    }
}
END_TEST

START_TEST(global_average) {
    static float x[MAX_CELLS];
    static result r;
    static const int64_t shapes[][5] = {{1, 3, 5, 7, 1}, {2, 2, 1, 1, 9}, {1, 1, 2, 3, 4}};
    for (size_t s = 0; s < COUNT(shapes); s++)
        for (uint32_t rank = 3; rank <= 5; rank++) {
            onnx_writer w = {.opset = 13};
            size_t planes = (size_t)(shapes[s][0] * shapes[s][1]), n = ow_count(rank, shapes[s]);
            size_t cells = n / planes;
            random_floats(x, n);
            ow_input(&w, "x", rank, shapes[s]);
            ow_node(&w, "GlobalAveragePool", "x", "y");
            ow_output(&w, "y");
            run(&w, (const float *const[]){x}, &r);
            expect_shape(&r, rank, (int64_t[]){shapes[s][0], shapes[s][1], 1, 1, 1}, "global average");
            for (size_t p = 0; p < planes; p++) {
                long double sum = 0;
                for (size_t i = cells; i-- > 0;)
                    sum += (long double)x[p * cells + i];
                double mean = (double)(sum / (long double)cells);
                expect_close(&r.y[p], &mean, 1, "global average");
            }
        }
}
END_TEST

/* --- Products --- */

START_TEST(gemm_against_oracle) {
    static float a[MAX_CELLS], b[MAX_CELLS], c[MAX_CELLS];
    static result r;
    static const int64_t sizes[][3] = {{1, 1, 1}, {1, 7, 5}, {3, 5, 7}, {8, 3, 2}}; /* m, k, n */
    enum { NO_C, SCALAR, ONE, ROW, ROW2, COLUMN, MATRIX, C_FORMS };
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int form = 0; form < C_FORMS; form++)
            for (int t = 0; t < 4; t++) {
                int64_t m = sizes[s][0], k = sizes[s][1], n = sizes[s][2];
                bool ta = t & 1, tb = t >> 1;
                float alpha = (float)random_real(), beta = (float)random_real();
                int64_t c_dim[2] = {form == COLUMN || form == MATRIX ? m : 1, form == COLUMN ? 1 : n};
                char what[80];
                (void)snprintf(what, sizeof what, "Gemm %zu, C form %d, trans %d", s, form, t);
                onnx_writer w = {.opset = 13};
                random_floats(a, (size_t)(m * k));
                random_floats(b, (size_t)(k * n));
                random_floats(c, (size_t)(m * n));
                ow_input(&w, "a", DIMS(ta ? k : m, ta ? m : k));
                ow_floats(&w, "b", DIMS(tb ? n : k, tb ? k : n), b);
                if (form == SCALAR)
                    ow_floats(&w, "c", 0, NULL, c);
                else if (form == ONE)
                    ow_floats(&w, "c", DIMS(1), c);
                else
                    ow_floats(&w, "c", form == ROW ? 1 : 2, form == ROW ? &n : c_dim, c);
                ow_attr_int(&w, "transA", ta);
                ow_attr_int(&w, "transB", tb);
                ow_attr_float(&w, "alpha", alpha);
                ow_attr_float(&w, "beta", beta);
                ow_node(&w, "Gemm", form == NO_C ? "a b" : "a b c", "y");
                ow_output(&w, "y");
                graph g;
                mica_status st = {0};
                load(&g, &w);
                for (int pass = 0; pass < 2; pass++) { /* as imported, and normalised */
                    evaluate(&g, (const float *const[]){a}, &r);
                    expect_shape(&r, DIMS(m, n), what);
                    for (int64_t i = 0; i < m; i++)
                        for (int64_t j = 0; j < n; j++) {
                            long double sum = 0;
                            for (int64_t l = k; l-- > 0;)
                                sum += (long double)a[ta ? l * m + i : i * k + l] *
                                       (long double)b[tb ? j * k + l : l * n + j];
                            int64_t at = form == COLUMN   ? i
                                         : form == MATRIX ? i * n + j
                                         : form <= ONE    ? 0
                                                          : j;
                            double want =
                                (double)((long double)alpha * sum +
                                         (form == NO_C ? 0 : (long double)beta * (long double)c[at]));
                            expect_close(&r.y[i * n + j], &want, 1, what);
                        }
                    ck_assert(graph_canonicalise(&g, &st));
                }
                ck_assert(!graph_attr_find(&g.node[0], "alpha") && !graph_attr_find(&g.node[0], "transB"));
                graph_free(&g);
            }
}
END_TEST

START_TEST(matmul_against_oracle) {
    static float a[MAX_CELLS], b[MAX_CELLS];
    static result r;
    /* a's and b's shapes and the output's, leading axes first; rank in front */
    static const int64_t cases[][3][6] = {
        {{2, 3, 4}, {2, 4, 5}, {2, 3, 5}},
        {{1, 4}, {2, 4, 5}, {1, 5}},
        {{2, 3, 4}, {1, 4}, {1, 3}},
        {{1, 4}, {1, 4}, {0}},
        {{3, 2, 3, 4}, {2, 4, 5}, {3, 2, 3, 5}},
        {{2, 3, 4}, {3, 2, 4, 5}, {3, 2, 3, 5}},
        {{4, 2, 1, 3, 4}, {4, 1, 3, 4, 2}, {4, 2, 3, 3, 2}},
        {{1, 4}, {3, 2, 4, 5}, {2, 2, 5}},
        {{4, 1, 2, 4, 3}, {1, 3}, {3, 1, 2, 4}},
        {{5, 2, 1, 2, 3, 1}, {3, 2, 1, 4}, {5, 2, 1, 2, 3, 4}},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int64_t *da = cases[c][0] + 1, *db = cases[c][1] + 1, *dy = cases[c][2] + 1;
        uint32_t ra = (uint32_t)cases[c][0][0], rb = (uint32_t)cases[c][1][0], ry = (uint32_t)cases[c][2][0];
        char what[40];
        (void)snprintf(what, sizeof what, "MatMul %zu", c);
        onnx_writer w = {.opset = 13};
        random_floats(a, ow_count(ra, da));
        random_floats(b, ow_count(rb, db));
        ow_input(&w, "a", ra, da);
        ow_input(&w, "b", rb, db);
        ow_node(&w, "MatMul", "a b", "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){a, b}, &r);
        expect_shape(&r, ry, dy, what);
        /* the output with vectors promoted: rows m and columns n exist always */
        int64_t m = ra > 1 ? da[ra - 2] : 1, k = da[ra - 1], n = rb > 1 ? db[rb - 1] : 1;
        uint32_t lead = ry - (ra > 1) - (rb > 1);
        for (size_t i = 0; i < r.n; i++) {
            size_t col = i % (size_t)n, row = i / (size_t)n % (size_t)m, stack = i / (size_t)(m * n),
                   at_a = 0, at_b = 0;
            for (uint32_t d = 0; d < lead; d++) {
                int64_t at = coordinate(stack, dy, lead, d);
                int64_t axis_a = (int64_t)d - (lead - (ra > 2 ? ra - 2 : 0)),
                        axis_b = (int64_t)d - (lead - (rb > 2 ? rb - 2 : 0));
                if (axis_a >= 0)
                    at_a = at_a * (size_t)da[axis_a] + (size_t)(da[axis_a] == 1 ? 0 : at);
                if (axis_b >= 0)
                    at_b = at_b * (size_t)db[axis_b] + (size_t)(db[axis_b] == 1 ? 0 : at);
            }
            long double sum = 0;
            for (size_t l = (size_t)k; l-- > 0;)
                sum += (long double)a[(at_a * (size_t)m + row) * (size_t)k + l] *
                       (long double)b[(at_b * (size_t)k + l) * (size_t)n + col];
            double want = (double)sum;
            expect_close(&r.y[i], &want, 1, what);
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("window");
    TCase *t = tcase_create("window");
    if (!model_folder_make())
        return EXIT_FAILURE;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, windows_against_oracle);
    tcase_add_test(t, global_average);
    tcase_add_test(t, gemm_against_oracle);
    tcase_add_test(t, matmul_against_oracle);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    model_folder_remove();
    return code;
}
