/* Operators: the float reference of each against a naive oracle written differently (padded copies, dense
 * index arithmetic), over odd shapes; elementary functions against long double; rewriting passes against the
 * graph before.
 */
#define _GNU_SOURCE
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "float_math.h"
#include "onnx_writer.h"
#include "ops/ops.h"
#include "passes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }
#define MAX_CELLS 4096

static char folder[] = "/tmp/mica-ops-XXXXXX";
static char model_path[64];
static uint64_t seed = 1;

static double random_real(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(seed >> 40) / 0x1p23 - 1;
}

static int64_t random_below(int64_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

/* Random values that a float of the file holds exactly. */
static void random_floats(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)random_real();
}

/* --- Running one model
 * -------------------------------------------------------------------------------------------- */

typedef struct result {
    uint32_t rank;
    int64_t dim[GRAPH_MAX_RANK];
    size_t n;
    double y[MAX_CELLS];
} result;

static void read_output(const graph *g, double *const *value, uint32_t k, result *r) {
    const graph_value *v = &g->value[g->output[k]];
    r->rank = v->rank;
    memcpy(r->dim, v->dim, sizeof r->dim);
    r->n = (size_t)graph_elements(v);
    ck_assert_uint_le(r->n, MAX_CELLS);
    for (size_t i = 0; i < r->n; i++)
        r->y[i] = v->real ? v->real[i] : v->integer ? (double)v->integer[i] : value[g->output[k]][i];
}

static void evaluate(const graph *g, const float *const *x, result *r) {
    mica_status st = {0};
    double **value = graph_buffers_create(g, &st), *input[4];
    ck_assert_msg(value != NULL, "%s", st.message);
    ck_assert_uint_le(g->n_inputs, 4);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        size_t n = (size_t)graph_elements(&g->value[g->input[i]]);
        input[i] = malloc((n + 1) * sizeof **input);
        for (size_t j = 0; j < n; j++)
            input[i][j] = (double)x[i][j];
    }
    ck_assert_msg(graph_evaluate(g, (const double *const *)input, value, &st), "%s", st.message);
    for (uint32_t k = 0; k < g->n_outputs; k++)
        read_output(g, value, k, &r[k]);
    for (uint32_t i = 0; i < g->n_inputs; i++)
        free(input[i]);
    graph_buffers_free(g, value);
}

static void load(graph *g, onnx_writer *w) {
    mica_status st = {0};
    ow_save(w, model_path);
    ck_assert_msg(onnx_import(g, model_path, NULL, 0, &st) && graph_infer_shapes(g, &st), "%s", st.message);
}

static void run(onnx_writer *w, const float *const *x, result *r) {
    graph g;
    load(&g, w);
    evaluate(&g, x, r);
    graph_free(&g);
}

static void expect_shape(const result *r, uint32_t rank, const int64_t *dim, const char *what) {
    ck_assert_msg(r->rank == rank, "%s: rank %u, expected %u", what, r->rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        ck_assert_msg(r->dim[i] == dim[i], "%s: dimension %u is %lld, expected %lld", what, i,
                      (long long)r->dim[i], (long long)dim[i]);
}

static void expect_close(const double *y, const double *want, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(y[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])),
                      "%s: element %zu is %.17g, expected %.17g", what, i, y[i], want[i]);
}

/* --- Elementary functions
 * ----------------------------------------------------------------------------------------- */

static void expect_relative(double got, long double want, const char *what, double x) {
    long double error = fabsl((long double)got - want);
    ck_assert_msg(error <= 1e-14L * fabsl(want) || error < (long double)DBL_MIN * 0x1p-50L,
                  "%s(%.17g) = %.17g", what, x, got);
}

START_TEST(elementary_functions) {
    for (int i = 0; i < 40000; i++) {
        double range = i % 4 == 0 ? 700 : i % 4 == 1 ? 20 : i % 4 == 2 ? 1 : 1e-6;
        double x = random_real() * range;
        long double lx = (long double)x;
        expect_relative(fm_exp(x), expl(lx), "exp", x);
        expect_relative(fm_expm1(x), expm1l(lx), "expm1", x);
        expect_relative(fm_tanh(x), tanhl(lx), "tanh", x);
        expect_relative(fm_sigmoid(x), 1 / (1 + expl(-lx)), "sigmoid", x);
    }
    ck_assert(fm_exp(0) == 1 && fm_expm1(0) == 0 && fm_tanh(0) == 0 && fm_sigmoid(0) == 0.5);
    ck_assert(fm_exp(-1e300) == 0 && fm_exp(1e300) > DBL_MAX && fm_exp(709.7) < DBL_MAX);
    ck_assert(fm_tanh(1e300) == 1 && fm_tanh(-1e300) == -1);
    ck_assert(fm_sigmoid(1e300) == 1 && fm_sigmoid(-1e300) == 0 && fm_expm1(-1e300) == -1);
    ck_assert(fm_exp(-740) > 0 && isnan(fm_exp(NAN)) && isnan(fm_tanh(NAN)) && isnan(fm_expm1(NAN)));
}
END_TEST

/* --- Conv and pools
 * ----------------------------------------------------------------------------------------------- */

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

/* Coordinate d of flat index i in a box. */
static int64_t coordinate(size_t i, const int64_t *box, uint32_t n, uint32_t d) {
    for (uint32_t e = n - 1; e > d; e--)
        i /= (size_t)box[e];
    return (int64_t)(i % (size_t)box[d]);
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
            random_floats(x, n);
            ow_input(&w, "x", rank, shapes[s]);
            ow_node(&w, "GlobalAveragePool", "x", "y");
            ow_output(&w, "y");
            run(&w, (const float *const[]){x}, &r);
            expect_shape(&r, rank, (int64_t[]){shapes[s][0], shapes[s][1], 1, 1, 1}, "global average");
            for (size_t p = 0; p < planes; p++) {
                long double sum = 0;
                for (size_t i = n / planes; i-- > 0;)
                    sum += (long double)x[p * (n / planes) + i];
                double mean = (double)(sum / (long double)(n / planes));
                expect_close(&r.y[p], &mean, 1, "global average");
            }
        }
}
END_TEST

/* --- Products
 * ----------------------------------------------------------------------------------------------------- */

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

/* --- Elementwise, softmax, movement
 * ------------------------------------------------------------------------------- */

START_TEST(broadcasting) {
    static float a[MAX_CELLS], b[MAX_CELLS];
    static result r;
    static const int64_t cases[][2][6] = {
        {{3, 2, 3, 4}, {3, 2, 3, 4}},    {{3, 2, 3, 4}, {1, 4}},
        {{3, 2, 3, 4}, {2, 3, 1}},       {{0}, {2, 3, 2}},
        {{4, 2, 1, 3, 1}, {3, 5, 1, 2}}, {{1, 1}, {4, 1, 2, 1, 3}},
        {{2, 4, 0}, {2, 1, 1}},          {{0}, {0}},
    };
    static const char *const ops[] = {"Add", "Sub", "Mul"};
    for (size_t c = 0; c < COUNT(cases); c++)
        for (size_t op = 0; op < 3; op++) {
            const int64_t *da = cases[c][0] + 1, *db = cases[c][1] + 1;
            uint32_t ra = (uint32_t)cases[c][0][0], rb = (uint32_t)cases[c][1][0];
            char what[40];
            (void)snprintf(what, sizeof what, "%s %zu", ops[op], c);
            onnx_writer w = {.opset = op == 0 ? 7 : 14};
            random_floats(a, ow_count(ra, da));
            random_floats(b, ow_count(rb, db));
            ow_input(&w, "a", ra, da);
            ow_input(&w, "b", rb, db);
            ow_node(&w, ops[op], "a b", "y");
            ow_output(&w, "y");
            run(&w, (const float *const[]){a, b}, &r);
            uint32_t rank = ra > rb ? ra : rb;
            ck_assert_uint_eq(r.rank, rank);
            for (size_t i = 0; i < r.n; i++) {
                size_t at_a = 0, at_b = 0;
                for (uint32_t d = 0; d < rank; d++) {
                    size_t at = (size_t)coordinate(i, r.dim, rank, d);
                    if (d + ra >= rank)
                        at_a = at_a * (size_t)da[d + ra - rank] + (da[d + ra - rank] == 1 ? 0 : at);
                    if (d + rb >= rank)
                        at_b = at_b * (size_t)db[d + rb - rank] + (db[d + rb - rank] == 1 ? 0 : at);
                }
                double x = (double)a[at_a], y = (double)b[at_b],
                       want = op == 0   ? x + y
                              : op == 1 ? x - y
                                        : x * y;
                ck_assert_msg(r.y[i] == want, "%s element %zu", what, i);
            }
        }
}
END_TEST

/* Integers of constants wrap in their type. */
START_TEST(integer_arithmetic) {
    static result r;
    static const struct {
        const char *op;
        int type;
        uint8_t a, b;
        double want;
    } cases[] = {{"Add", 2, 200, 100, 44}, {"Sub", 2, 1, 2, 255},    {"Mul", 2, 16, 17, 16},
                 {"Add", 3, 127, 1, -128}, {"Sub", 3, 0x80, 1, 127}, {"Mul", 3, 0xff, 0xff, 1}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        onnx_writer w = {.opset = 14};
        bytes a = ow_tensor("a", cases[c].type, DIMS(1)), b = ow_tensor("b", cases[c].type, DIMS(1));
        put_blob(&a, 9, &cases[c].a, 1);
        put_blob(&b, 9, &cases[c].b, 1);
        put_message(&w.graph, 5, &a);
        put_message(&w.graph, 5, &b);
        ow_node(&w, cases[c].op, "a b", "y");
        ow_output(&w, "y");
        run(&w, NULL, &r);
        ck_assert_msg(r.n == 1 && r.y[0] == cases[c].want, "case %zu: %g", c, r.y[0]);
    }
}
END_TEST

START_TEST(activations) {
    static const float x[7] = {-30, -1.5f, -0.f, 0, 0.25f, 2, 90};
    static result r;
    static const struct {
        const char *op, *inputs;
        int64_t opset;
        bool attributes;
        double lo, hi;
    } clips[] = {
        {"Relu", "x", 7, false, 0, INFINITY},         {"Clip", "x", 6 + 1, true, -1, 2},
        {"Clip", "x", 7, false, -INFINITY, INFINITY}, {"Clip", "x lo hi", 11, false, -1, 2},
        {"Clip", "x - hi", 13, false, -INFINITY, 2},  {"Clip", "x lo", 13, false, -1, INFINITY},
        {"Clip", "x hi lo", 13, false, 2, -1}, /* lo > hi: everything is hi */
    };
    for (size_t c = 0; c < COUNT(clips); c++) {
        onnx_writer w = {.opset = clips[c].opset};
        ow_input(&w, "x", DIMS(1, 7));
        ow_floats(&w, "lo", 0, NULL, (float[]){-1});
        ow_floats(&w, "hi", DIMS(1), (float[]){2});
        if (clips[c].attributes) {
            ow_attr_float(&w, "min", -1);
            ow_attr_float(&w, "max", 2);
        }
        ow_node(&w, clips[c].op, clips[c].inputs, "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){x}, &r);
        for (size_t i = 0; i < 7; i++)
            ck_assert_msg(r.y[i] == fmin(fmax((double)x[i], clips[c].lo), clips[c].hi),
                          "clip %zu element %zu: %g", c, i, r.y[i]);
    }
    for (int tanh_not_sigmoid = 0; tanh_not_sigmoid < 2; tanh_not_sigmoid++) {
        onnx_writer w = {.opset = 13};
        ow_input(&w, "x", DIMS(1, 7));
        ow_node(&w, tanh_not_sigmoid ? "Tanh" : "Sigmoid", "x", "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){x}, &r);
        for (size_t i = 0; i < 7; i++) {
            long double v = (long double)x[i];
            double want = (double)(tanh_not_sigmoid ? tanhl(v) : 1 / (1 + expl(-v)));
            expect_close(&r.y[i], &want, 1, "activation");
        }
    }
}
END_TEST

START_TEST(softmax_against_oracle) {
    static float x[MAX_CELLS];
    static result r;
    static const int64_t dim[4] = {2, 3, 4, 5};
    for (int64_t opset = 11; opset <= 13; opset += 2)
        for (uint32_t rank = 1; rank <= 4; rank++)
            for (int64_t axis = -(int64_t)rank; axis < (int64_t)rank; axis++) {
                onnx_writer w = {.opset = opset};
                size_t n = ow_count(rank, dim);
                int64_t at = axis < 0 ? axis + rank : axis;
                random_floats(x, n);
                for (size_t i = 0; i < n; i++)
                    x[i] *= 50;
                ow_input(&w, "x", rank, dim);
                ow_attr_int(&w, "axis", axis);
                ow_node(&w, "Softmax", "x", "y");
                ow_output(&w, "y");
                run(&w, (const float *const[]){x}, &r);
                for (size_t i = 0; i < n; i++) {
                    /* the cells that share i's normalisation */
                    long double sum = 0;
                    for (size_t j = 0; j < n; j++) {
                        bool same = true;
                        for (uint32_t d = 0; d < rank; d++)
                            if (opset < 13 ? (int64_t)d < at : (int64_t)d != at)
                                same &= coordinate(i, dim, rank, d) == coordinate(j, dim, rank, d);
                        sum += same ? expl((long double)x[j] - (long double)x[i]) : 0;
                    }
                    double want = (double)(1 / sum);
                    expect_close(&r.y[i], &want, 1, "Softmax");
                }
            }
}
END_TEST

START_TEST(batchnorm_against_oracle) {
    static float x[MAX_CELLS], p[4][6];
    static result r;
    static const int64_t dim[4] = {2, 6, 3, 5};
    for (int64_t opset = 7; opset <= 15; opset += 4)
        for (uint32_t rank = 2; rank <= 4; rank++) {
            onnx_writer w = {.opset = opset};
            static const char *const names[4] = {"s", "b", "m", "v"};
            size_t n = ow_count(rank, dim), plane = n / 12;
            random_floats(x, n);
            ow_input(&w, "x", rank, dim);
            for (int i = 0; i < 4; i++) {
                random_floats(p[i], 6);
                for (int ch = 0; i == 3 && ch < 6; ch++)
                    p[i][ch] = p[i][ch] * p[i][ch];
                ow_floats(&w, names[i], DIMS(6), p[i]);
            }
            ow_attr_float(&w, "epsilon", 0.01f);
            ow_node(&w, "BatchNormalization", "x s b m v", "y");
            ow_output(&w, "y");
            run(&w, (const float *const[]){x}, &r);
            for (size_t i = 0; i < n; i++) {
                size_t ch = i / plane % 6;
                long double norm = ((long double)x[i] - (long double)p[2][ch]) /
                                   sqrtl((long double)p[3][ch] + (long double)0.01f);
                double want = (double)(norm * (long double)p[0][ch] + (long double)p[1][ch]);
                expect_close(&r.y[i], &want, 1, "BatchNormalization");
            }
        }
}
END_TEST

START_TEST(transpose_and_concat) {
    static float x[MAX_CELLS], z[MAX_CELLS];
    static result r;
    static const int64_t dim[4] = {2, 3, 4, 5};
    for (int round = 0; round < 40; round++) {
        onnx_writer w = {.opset = 13};
        int64_t perm[4] = {0, 1, 2, 3};
        for (int i = 3; i > 0; i--) {
            int64_t j = random_below(i + 1), t = perm[i];
            perm[i] = perm[j];
            perm[j] = t;
        }
        random_floats(x, 120);
        ow_input(&w, "x", 4, dim);
        ow_attr_ints(&w, "perm", 4, perm);
        ow_node(&w, "Transpose", "x", "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){x}, &r);
        for (size_t i = 0; i < 120; i++) { /* from the input's side: where does cell i go? */
            size_t to = 0;
            for (uint32_t d = 0; d < 4; d++)
                to = to * (size_t)dim[perm[d]] + (size_t)coordinate(i, dim, 4, (uint32_t)perm[d]);
            ck_assert(r.y[to] == (double)x[i]);
        }
        uint32_t axis = (uint32_t)random_below(4);
        int64_t other[4], sum[4];
        memcpy(other, dim, sizeof other);
        memcpy(sum, dim, sizeof sum);
        other[axis] = 1 + random_below(3);
        sum[axis] += other[axis] + dim[axis];
        w.opset = 13;
        random_floats(z, ow_count(4, other));
        ow_input(&w, "x", 4, dim);
        ow_floats(&w, "z", 4, other, z);
        ow_attr_int(&w, "axis", round % 2 ? (int64_t)axis : (int64_t)axis - 4);
        ow_node(&w, "Concat", "x z x", "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){x}, &r);
        expect_shape(&r, 4, sum, "Concat");
        for (size_t i = 0; i < r.n; i++) {
            int64_t at[4];
            for (uint32_t d = 0; d < 4; d++)
                at[d] = coordinate(i, sum, 4, d);
            bool middle = at[axis] >= dim[axis] && at[axis] < dim[axis] + other[axis];
            at[axis] -= middle ? dim[axis] : at[axis] >= dim[axis] ? dim[axis] + other[axis] : 0;
            const int64_t *box = middle ? other : dim;
            float want = (middle ? z : x)[((at[0] * box[1] + at[1]) * box[2] + at[2]) * box[3] + at[3]];
            ck_assert_msg(r.y[i] == (double)want, "Concat axis %u element %zu", axis, i);
        }
    }
}
END_TEST

START_TEST(reshapes) {
    static float x[24];
    static result r;
    static const struct {
        const char *op;
        int64_t shape[4], n, allow_zero, want[4];
        uint32_t rank;
    } cases[] = {
        {"Reshape", {4, 6}, 2, 0, {4, 6}, 2},        {"Reshape", {-1}, 1, 0, {24}, 1},
        {"Reshape", {0, -1}, 2, 0, {2, 12}, 2},      {"Reshape", {0, 0, 2, -1}, 4, 0, {2, 3, 2, 2}, 4},
        {"Reshape", {1, -1, 8}, 3, 1, {1, 3, 8}, 3}, {"Flatten", {0}, 0, 0, {1, 24}, 2},
        {"Flatten", {1}, 0, 0, {2, 12}, 2},          {"Flatten", {3}, 0, 0, {24, 1}, 2},
        {"Flatten", {-1}, 0, 0, {6, 4}, 2},
    };
    random_floats(x, 24);
    for (size_t c = 0; c < COUNT(cases); c++) {
        onnx_writer w = {.opset = 14};
        bool reshape = !strcmp(cases[c].op, "Reshape");
        ow_input(&w, "x", DIMS(2, 3, 4));
        if (reshape) {
            ow_ints(&w, "s", 1, &cases[c].n, cases[c].shape);
            ow_attr_int(&w, "allowzero", cases[c].allow_zero);
        } else {
            ow_attr_int(&w, "axis", cases[c].shape[0]);
        }
        ow_node(&w, cases[c].op, reshape ? "x s" : "x", "y");
        ow_output(&w, "y");
        run(&w, (const float *const[]){x}, &r);
        expect_shape(&r, cases[c].rank, cases[c].want, cases[c].op);
        for (size_t i = 0; i < 24; i++)
            ck_assert(r.y[i] == (double)x[i]);
    }
}
END_TEST

/* --- Passes
 * ------------------------------------------------------------------------------------------------------- */

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
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("ops");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    (void)snprintf(model_path, sizeof model_path, "%s/m.onnx", folder);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, elementary_functions);
    tcase_add_test(t, windows_against_oracle);
    tcase_add_test(t, global_average);
    tcase_add_test(t, gemm_against_oracle);
    tcase_add_test(t, matmul_against_oracle);
    tcase_add_test(t, broadcasting);
    tcase_add_test(t, integer_arithmetic);
    tcase_add_test(t, activations);
    tcase_add_test(t, softmax_against_oracle);
    tcase_add_test(t, batchnorm_against_oracle);
    tcase_add_test(t, transpose_and_concat);
    tcase_add_test(t, reshapes);
    tcase_add_test(t, computed_shapes);
    tcase_add_test(t, fusions);
    tcase_add_test(t, shared_values_are_not_fused);
    tcase_add_test(t, renamed_output);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    unlink(model_path);
    rmdir(folder);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
