/* Operators: the float reference of each against a naive oracle written differently, over odd shapes;
 * elementary functions against long double. */
#define _GNU_SOURCE
#include <float.h>

#include "model_kit.h"
#include "reference/float_math.h"

/* --- Elementary functions --- */

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

/* --- Elementwise, softmax, movement --- */

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

int main(void) {
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("ops");
    if (!model_folder_make())
        return EXIT_FAILURE;
    tcase_set_timeout(t, 60);
    tcase_add_test(t, elementary_functions);
    tcase_add_test(t, broadcasting);
    tcase_add_test(t, integer_arithmetic);
    tcase_add_test(t, activations);
    tcase_add_test(t, softmax_against_oracle);
    tcase_add_test(t, batchnorm_against_oracle);
    tcase_add_test(t, transpose_and_concat);
    tcase_add_test(t, reshapes);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    model_folder_remove();
    return code;
}
