/* ConvTranspose: the reference against results that scatter every input, and lowered against the reference.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

/* --- the reference --- */

typedef struct transposed_case {
    int64_t in[2], kernel[2], stride[2], dilation[2], pads[4], output_padding[2], output_shape[2], out[2];
    const char *auto_pad;
    int64_t group, c_in, c_out; /* channels per group */
    int64_t begin[2];           /* padding that the case amounts to */
} transposed_case;

static const transposed_case cases[] = {
    {{3, 4}, {3, 2}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {0, 0}, {5, 5}, NULL, 1, 2, 3, {0, 0}},
    {{3, 4}, {3, 3}, {2, 3}, {1, 1}, {1, 2, 0, 1}, {0, 0}, {0, 0}, {6, 9}, NULL, 1, 1, 2, {1, 2}},
    {{3, 2}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 0}, {0, 0}, {7, 4}, NULL, 2, 2, 2, {0, 0}},
    {{4, 3}, {2, 3}, {3, 2}, {2, 3}, {1, 0, 1, 4}, {2, 1}, {0, 0}, {12, 8}, NULL, 3, 1, 2, {1, 0}},
    {{3, 3}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {0, 0}, {6, 6}, "SAME_UPPER", 1, 1, 2, {0, 0}},
    {{3, 3}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {0, 0}, {6, 6}, "SAME_LOWER", 1, 1, 2, {1, 1}},
    {{3, 3}, {2, 4}, {3, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {0, 0}, {8, 8}, "VALID", 1, 1, 2, {0, 0}},
    {{3, 3}, {3, 3}, {3, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, {10, 6}, {10, 6}, NULL, 1, 1, 2, {0, 1}},
    {{1, 1}, {3, 1}, {2, 4}, {1, 1}, {1, 0, 0, 0}, {0, 2}, {0, 0}, {2, 3}, NULL, 1, 3, 1, {1, 0}},
};
#define CASES (sizeof cases / sizeof *cases)

static uint32_t transposed(net *t, const transposed_case *c, uint32_t x, uint32_t *w, uint32_t *b) {
    *w = constant(t, 0, 0.4, SHAPE(c->group * c->c_in, c->c_out, c->kernel[0], c->kernel[1]));
    *b = constant(t, 0, 0.5, SHAPE(c->group * c->c_out));
    with_int(t, "group", c->group);
    with_ints(t, "strides", 2, c->stride);
    with_ints(t, "dilations", 2, c->dilation);
    with_ints(t, "output_padding", 2, c->output_padding);
    if (c->auto_pad)
        t->attr[t->n_attrs++] = (graph_attr){.name = "auto_pad", .type = ATTR_STRING, .s = c->auto_pad};
    else if (!c->output_shape[0])
        with_ints(t, "pads", 4, c->pads);
    if (c->output_shape[0])
        with_ints(t, "output_shape", 2, c->output_shape);
    return op(t, "ConvTranspose", 3, x, *w, *b);
}

/* Every input cell is added to the outputs that it reaches. */
static void scatter(const transposed_case *c, const double *x, const double *w, const double *b, double *y) {
    const int64_t plane = c->out[0] * c->out[1], taps = c->kernel[0] * c->kernel[1];
    for (int64_t i = 0; i < c->group * c->c_out * plane; i++)
        y[i] = b[i / plane];
    for (int64_t i = 0; i < c->group * c->c_in * c->in[0] * c->in[1]; i++)
        for (int64_t m = 0; m < c->c_out; m++)
            for (int64_t k = 0; k < taps; k++) {
                const int64_t ch = i / (c->in[0] * c->in[1]), group = ch / c->c_in;
                const int64_t row =
                    i / c->in[1] % c->in[0] * c->stride[0] - c->begin[0] + k / c->kernel[1] * c->dilation[0];
                const int64_t column =
                    i % c->in[1] * c->stride[1] - c->begin[1] + k % c->kernel[1] * c->dilation[1];
                if (row >= 0 && row < c->out[0] && column >= 0 && column < c->out[1])
                    y[((group * c->c_out + m) * c->out[0] + row) * c->out[1] + column] +=
                        x[i] * w[(ch * c->c_out + m) * taps + k];
            }
}

START_TEST(reference_scatters) {
    const transposed_case *c = &cases[_i];
    net t;
    uint32_t w, b;
    net_create(&t, (uint64_t)_i + 1, true);
    const uint32_t x = input(&t, SHAPE(1, c->group * c->c_in, c->in[0], c->in[1]));
    const uint32_t y = transposed(&t, c, x, &w, &b);
    output(&t, y);
    ck_assert_msg(graph_infer_shapes(&t.g, &t.st), "case %d: %s", _i, t.st.message);
    const graph_value *out = &t.g.value[y];
    ck_assert_msg(out->rank == 4 && out->dim[1] == c->group * c->c_out && out->dim[2] == c->out[0] &&
                      out->dim[3] == c->out[1],
                  "case %d: shape [%lld, %lld, %lld]", _i, (long long)out->dim[1], (long long)out->dim[2],
                  (long long)out->dim[3]);
    double ***samples = make_samples(&t), *want = calloc(graph_elements(out), sizeof *want);
    double **value = graph_buffers_create(&t.g, &t.st);
    ck_assert(value && graph_evaluate(&t.g, (const double *const *)samples[0], value, &t.st));
    scatter(c, samples[0][0], t.g.value[w].real, t.g.value[b].real, want);
    for (uint64_t i = 0; i < graph_elements(out); i++)
        ck_assert_msg(value[y][i] - want[i] < 1e-12 && want[i] - value[y][i] < 1e-12,
                      "case %d, element %llu: %.17g, expected %.17g", _i, (unsigned long long)i, value[y][i],
                      want[i]);
    graph_buffers_free(&t.g, value);
    free(want);
    free_samples(&t, samples);
    graph_free(&t.g);
}
END_TEST

/* --- the lowering --- */

static const transposed_case *lowered;

static void one_case(net *t) {
    uint32_t w, b;
    const uint32_t x = input(t, SHAPE(1, lowered->group * lowered->c_in, lowered->in[0], lowered->in[1]));
    output(t, op(t, "Relu", 1, transposed(t, lowered, x, &w, &b)));
}

static void one_dimension(net *t) {
    with_ints(t, "strides", SHAPE(3));
    output(t, op(t, "ConvTranspose", 2, input(t, SHAPE(1, 2, 5)), constant(t, 0, 0.4, SHAPE(2, 3, 4))));
}

static void three_dimensions(net *t) {
    with_ints(t, "strides", SHAPE(2, 1, 2));
    with_ints(t, "pads", SHAPE(0, 1, 0, 1, 0, 1));
    output(t, op(t, "ConvTranspose", 2, input(t, SHAPE(1, 2, 2, 3, 2)),
                 constant(t, 0, 0.4, SHAPE(2, 2, 2, 2, 3))));
}

/* Channels that are two axes, and one that is read again by a Conv. */
static void between_convolutions(net *t) {
    with_int(t, "group", 2);
    const uint32_t a = op(t, "Conv", 2, input(t, SHAPE(1, 4, 5, 4)), constant(t, 0, 0.4, SHAPE(6, 2, 2, 2)));
    with_ints(t, "strides", SHAPE(2, 2));
    const uint32_t b = op(t, "ConvTranspose", 2, op(t, "Relu", 1, a), constant(t, 0, 0.4, SHAPE(6, 3, 2, 2)));
    output(t, op(t, "Conv", 2, op(t, "Relu", 1, b), constant(t, 0, 0.4, SHAPE(2, 3, 3, 3))));
}

START_TEST(lowered_cases) {
    lowered = &cases[_i];
    char name[32];
    (void)snprintf(name, sizeof name, "case %d", _i);
    run_case(name, one_case, 11 + (uint64_t)_i, true, 0.01, 0.05);
    run_case(name, one_case, 31 + (uint64_t)_i, false, 0.01, 0.05);
}
END_TEST

START_TEST(lowered_graphs) {
    run_case("one dimension", one_dimension, 51, true, 0.01, 0.05);
    run_case("three dimensions", three_dimensions, 52, true, 0.01, 0.05);
    run_case("between convolutions", between_convolutions, 53, true, 0.01, 0.05);
}
END_TEST

/* --- what is refused --- */

static void expect_refusal(const char *want, const char *attr, unsigned n, const int64_t *x) {
    net t;
    net_create(&t, 1, true);
    with_ints(&t, attr, n, x);
    output(&t,
           op(&t, "ConvTranspose", 2, input(&t, SHAPE(1, 2, 3, 3)), constant(&t, 0, 1, SHAPE(2, 1, 2, 2))));
    ck_assert(!graph_infer_shapes(&t.g, &t.st));
    ck_assert_msg(strstr(t.st.message, want) != NULL, "%s", t.st.message);
    graph_free(&t.g);
}

START_TEST(refusals) {
    expect_refusal("would have", "pads", SHAPE(2, 0, 2, 0));
    expect_refusal("output_padding", "output_padding", SHAPE(1));
    expect_refusal("output_shape", "output_shape", SHAPE(-1, 4));
    expect_refusal("strides[0]", "strides", SHAPE(0, 1));
}
END_TEST

int main(void) {
    Suite *s = suite_create("convtranspose");
    TCase *c = tcase_create("convtranspose");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, reference_scatters, 0, CASES);
    tcase_add_loop_test(c, lowered_cases, 0, CASES);
    tcase_add_test(c, lowered_graphs);
    tcase_add_test(c, refusals);
    suite_add_tcase(s, c);
    return suite_run(s);
}
