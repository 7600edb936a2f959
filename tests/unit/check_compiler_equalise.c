/* Equal ranges between convolutions: the outputs are the same numbers to the last bit, small channels grow,
 * and no channel or row of weights outgrows the largest; a value that something else reads keeps its
 * channels. */
#include "lowering_kit.h"

#include "graph/passes.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 6 };

/* Rows of unlike size: channel c of six is 4^-c of the first. */
static uint32_t uneven(net *t, int64_t per_group) {
    const uint32_t w = constant(t, 0, 1, SHAPE(CHANNELS, per_group, 3, 3));
    double *x = (double *)t->g.value[w].real;
    const uint64_t row = 9 * (uint64_t)per_group;
    for (uint64_t i = 0; i < CHANNELS * row; i++)
        x[i] = ldexp(x[i], -2 * (int)(i / row));
    return w;
}

static uint32_t first_half(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 8, 8));
    const uint32_t y = op(t, "Conv", 3, x, uneven(t, 2), constant(t, 0, 0.001, SHAPE(CHANNELS)));
    const uint32_t z = op(t, "Relu", 1, y);
    const int64_t kernel[2] = {2, 2};
    with_ints(t, "kernel_shape", 2, kernel);
    return op(t, "MaxPool", 1, z);
}

/* Grouped and whole convolutions read the same value. */
static void two_readers(net *t) {
    const uint32_t v = first_half(t);
    with_int(t, "group", 3);
    const uint32_t a = op(t, "Conv", 2, v, constant(t, 0, 1, SHAPE(9, 2, 3, 3)));
    output(t, op(t, "ReduceMean", 1, a));
    output(t, op(t, "Conv", 2, v, constant(t, 0, 1, SHAPE(4, CHANNELS, 1, 1))));
}

static void other_reader(net *t) {
    const uint32_t v = first_half(t);
    output(t, op(t, "Conv", 2, v, constant(t, 0, 1, SHAPE(4, CHANNELS, 1, 1))));
    output(t, op(t, "Sigmoid", 1, v));
}

static void bent(net *t) { /* a bound is not homogeneous */
    const uint32_t x = input(t, SHAPE(1, 2, 8, 8));
    const uint32_t y = op(t, "Clip", 3, op(t, "Conv", 2, x, uneven(t, 2)), number(t, 0), number(t, 6));
    output(t, op(t, "Conv", 2, y, constant(t, 0, 1, SHAPE(4, CHANNELS, 1, 1))));
}

/* Largest magnitude of each channel of the first convolution's output, and all outputs one after the other.
 */
static void evaluate(net *t, const double *const *sample, double most[CHANNELS], double *out,
                     uint64_t *n_out) {
    const graph *g = &t->g;
    double **value = graph_buffers_create(g, &t->st);
    ck_assert_msg(value && graph_evaluate(g, sample, value, &t->st), "%s", t->st.message);
    memset(most, 0, CHANNELS * sizeof *most);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const graph_node *n = &g->node[i];
        if (n->removed || n->kind != OP_CONV || n->in[0] != g->input[0])
            continue;
        const uint64_t cells = graph_elements(&g->value[n->out[0]]);
        for (uint64_t j = 0; j < cells; j++)
            most[j / (cells / CHANNELS)] = fmax(most[j / (cells / CHANNELS)], fabs(value[n->out[0]][j]));
    }
    *n_out = 0;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const uint64_t cells = graph_elements(&g->value[g->output[i]]);
        memcpy(out + *n_out, value[g->output[i]], cells * sizeof *out);
        *n_out += cells;
    }
    graph_buffers_free(g, value);
}

typedef struct equalise_case {
    build_fn *build;
    bool changes;
} equalise_case;

static const equalise_case cases[] = {{two_readers, true}, {other_reader, false}, {bent, false}};

START_TEST(channels_are_equalised) {
    net t;
    double before[CHANNELS], after[CHANNELS], want[2048], got[2048];
    uint64_t n_want, n_got;
    net_create(&t, 7, true);
    cases[_i].build(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &t.st) && graph_fold_constants(&t.g, &t.st) &&
                      graph_canonicalise(&t.g, &t.st),
                  "%s", t.st.message);
    double ***s = make_samples(&t);
    const double *const *const *samples = (const double *const *const *)s;
    evaluate(&t, samples[0], before, want, &n_want);
    ck_assert_msg(graph_equalise(&t.g, samples, 1, &t.st), "%s", t.st.message);
    evaluate(&t, samples[0], after, got, &n_got);
    ck_assert(n_want == n_got && n_want > 0 && memcmp(want, got, n_want * sizeof *want) == 0);
    double largest = 0;
    for (unsigned c = 0; c < CHANNELS; c++)
        largest = fmax(largest, before[c]);
    for (unsigned c = 0; c < CHANNELS; c++) {
        ck_assert_double_le(after[c], largest);
        if (!cases[_i].changes)
            ck_assert_double_eq(after[c], before[c]);
        else if (before[c] < largest / 64)
            ck_assert_double_ge(after[c], 8 * before[c]);
    }
    free_samples(&t, s);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("equalise");
    TCase *c = tcase_create("equalise");
    tcase_add_loop_test(c, channels_are_equalised, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(s, c);
    return suite_run(s);
}
