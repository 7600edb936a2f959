/* Gather and Scatter operators whose indices arrive with the input: integers exactly, reals as well as their
 * inputs. */
#include "lowering_kit.h"

#include "mica/statement.h"

#define INDICES ONNX_INT64

static uint32_t indices(net *t, unsigned rank, const int64_t *dim) {
    return int_input(t, INDICES, rank, dim);
}

static uint32_t integers(net *t, unsigned rank, const int64_t *dim) {
    return int_input(t, ONNX_INT32, rank, dim);
}

/* --- gathering --- */

static void gather_every_axis(net *t) {
    const uint32_t x = integers(t, SHAPE(3, 4, 5));
    for (int64_t axis = -3; axis < 3; axis++) {
        with_int(t, "axis", axis);
        output(t, op(t, "Gather", 2, x, indices(t, SHAPE(2, 3))));
    }
}

static void gather_elements_every_axis(net *t) {
    const uint32_t x = integers(t, SHAPE(3, 4, 5));
    for (int64_t axis = -3; axis < 3; axis++) {
        with_int(t, "axis", axis);
        output(t, op(t, "GatherElements", 2, x, indices(t, SHAPE(3, 4, 5))));
    }
}

/* Fewer indices than entries along the other axes, more along their own. */
static void gather_elements_corner(net *t) {
    const uint32_t x = integers(t, SHAPE(3, 4));
    with_int(t, "axis", 1);
    output(t, op(t, "GatherElements", 2, x, indices(t, SHAPE(2, 6))));
    with_int(t, "axis", 1);
    output(t, op(t, "GatherElements", 2, x, indices(t, SHAPE(1, 3))));
    with_int(t, "axis", 0);
    output(t, op(t, "GatherElements", 2, x, indices(t, SHAPE(1, 1))));
    with_int(t, "axis", 0);
    output(t, op(t, "GatherElements", 2, integers(t, SHAPE(1, 4)), indices(t, SHAPE(3, 4))));
    with_int(t, "axis", 0);
    output(t, op(t, "GatherElements", 2, integers(t, SHAPE(1)), indices(t, SHAPE(1))));
}

static void gather_nd(net *t) {
    const uint32_t x = integers(t, SHAPE(3, 3, 4));
    output(t, op(t, "GatherND", 2, x, indices(t, SHAPE(5, 1))));
    output(t, op(t, "GatherND", 2, x, indices(t, SHAPE(2, 2, 2))));
    output(t, op(t, "GatherND", 2, integers(t, SHAPE(3, 3, 3)), indices(t, SHAPE(4, 3))));
    output(t, op(t, "GatherND", 2, x, indices(t, SHAPE(2))));
    with_int(t, "batch_dims", 1);
    output(t, op(t, "GatherND", 2, x, indices(t, SHAPE(3, 2, 1))));
    with_int(t, "batch_dims", 2);
    output(t, op(t, "GatherND", 2, x, indices(t, SHAPE(3, 3, 1))));
}

/* Constants and computed reals as data; positions that the network computes. */
static void gather_other_data(net *t) {
    const uint32_t x = input(t, SHAPE(4, 6)), table = constant(t, 0, 2, SHAPE(4, 6));
    with_int(t, "axis", 1);
    output(t, op(t, "GatherElements", 2, table, indices(t, SHAPE(4, 2))));
    output(t, op(t, "GatherND", 2, table, indices(t, SHAPE(3, 1))));
    with_int(t, "axis", 1);
    const uint32_t best = op(t, "ArgMax", 1, x);
    with_int(t, "axis", 1);
    output(t, op(t, "GatherElements", 2, x, best));
    with_int(t, "axis", 1);
    output(t, op(t, "GatherElements", 2, op(t, "Tanh", 1, x), indices(t, SHAPE(4, 2))));
}

static void gather_batched(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 4, 3));
    for (int64_t axis = 1; axis < 3; axis++) {
        with_int(t, "axis", axis);
        output(t, op(t, "GatherElements", 2, x, indices(t, SHAPE(1, 4, 3))));
    }
}

/* --- scattering --- */

static const char *const reductions[] = {"none", "add", "mul", "max", "min"};

static void scatter_elements(net *t, uint32_t x, int64_t axis, uint32_t k, uint32_t u) {
    for (unsigned r = 0; r < 5; r++) {
        with_int(t, "axis", axis);
        with_text(t, "reduction", reductions[r]);
        output(t, op(t, "ScatterElements", 3, x, k, u));
    }
}

static void scatter_elements_axis(net *t) {
    t->spread = 0.5; /* products of integers up to 6 */
    const uint32_t x = integers(t, SHAPE(3, 4)), k = indices(t, SHAPE(3, 4));
    scatter_elements(t, x, 1, k, integers(t, SHAPE(3, 4)));
}

static void scatter_elements_first_axis(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(5, 2, 2)), k = indices(t, SHAPE(3, 2, 2));
    scatter_elements(t, x, -3, k, integers(t, SHAPE(3, 2, 2)));
}

/* The first rows and columns of x: enough samples of every integer. */
static uint32_t corner(net *t, uint32_t x, int64_t rows, int64_t columns) {
    const int64_t end[2] = {rows, columns};
    return op(t, "Slice", 3, x, shape_constant(t, SHAPE(0, 0)), shape_constant(t, 2, end));
}

static void scatter_elements_corner(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(4, 3)), u = integers(t, SHAPE(4, 3));
    scatter_elements(t, x, 1, indices(t, SHAPE(2, 2)), corner(t, u, 2, 2));
    scatter_elements(t, x, 1, indices(t, SHAPE(1, 2)), corner(t, u, 1, 2));
    scatter_elements(t, x, 0, indices(t, SHAPE(1, 1)), corner(t, u, 1, 1));
}

static void scatter_batched(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(1, 5));
    scatter_elements(t, x, 1, indices(t, SHAPE(1, 3)), integers(t, SHAPE(1, 3)));
}

static void scatter_nd(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(3, 3, 2)), u = integers(t, SHAPE(4, 3, 2)),
                   single = integers(t, SHAPE(2, 2, 2));
    const uint32_t k = indices(t, SHAPE(4, 1)), pairs = indices(t, SHAPE(2, 2, 2));
    for (unsigned r = 0; r < 5; r++) {
        with_text(t, "reduction", reductions[r]);
        output(t, op(t, "ScatterND", 3, x, k, u));
        with_text(t, "reduction", reductions[r]);
        output(t, op(t, "ScatterND", 3, x, pairs, single));
    }
}

/* Reductions at constant places, where nothing arrives but elements. */
static void scatter_constant_places(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(5)), k = shape_constant(t, SHAPE(1, -4, 3)),
                   u = integers(t, SHAPE(3));
    scatter_elements(t, x, 0, k, u);
}

/* Reals: replaced and moved elements share one scale. */
static void scatter_reals(net *t) {
    const uint32_t x = input(t, SHAPE(4, 3)), u = input(t, SHAPE(2, 3)), k = indices(t, SHAPE(2, 3));
    scatter_elements(t, x, 0, k, u);
    output(t, op(t, "ScatterND", 3, constant(t, 0, 1, SHAPE(4, 3)), indices(t, SHAPE(2, 1)), u));
    output(t, op(t, "ScatterND", 3, x, indices(t, SHAPE(2, 1)), constant(t, 0, 1, SHAPE(2, 3))));
}

static const op_case cases[] = {
    {"Gather", gather_every_axis, false, 0, 0},
    {"GatherElements", gather_elements_every_axis, false, 0, 0},
    {"GatherElements, corner", gather_elements_corner, false, 0, 0},
    {"GatherND", gather_nd, false, 0, 0},
    {"other data", gather_other_data, false, 0.002, 0.01},
    {"batched gather", gather_batched, true, 0, 0},
    {"ScatterElements", scatter_elements_axis, false, 0, 0},
    {"ScatterElements, first axis", scatter_elements_first_axis, false, 0, 0},
    {"ScatterElements, corner", scatter_elements_corner, false, 0, 0},
    {"batched scatter", scatter_batched, true, 0, 0},
    {"ScatterND", scatter_nd, false, 0, 0},
    {"constant places", scatter_constant_places, false, 0, 0},
    {"scattered reals", scatter_reals, false, 0.002, 0.01},
};
#define CASES (int)(sizeof cases / sizeof *cases)

START_TEST(indices_at_run_time) {
    run_op_case(&cases[_i]);
}
END_TEST

/* The declared range of an input that holds indices is that of the axis, whatever the samples are, and no
 * other value is taken for one. */
START_TEST(declared_range) {
    net t;
    calibration cal;
    program p;
    const lowering_options options = {.max_batch = 1};
    const double x[5] = {1, 2, 3, 4, 5}, k[2] = {1, 1};
    const double *sample_of_inputs[2] = {x, k};
    const double *const *samples[1] = {sample_of_inputs};
    net_create(&t, 1, false);
    const uint32_t data = input(&t, SHAPE(5)), at = indices(&t, SHAPE(2));
    const int64_t two[2] = {2, 1};
    output(&t, op(&t, "GatherND", 2, data, op(&t, "Reshape", 2, at, shape_constant(&t, 2, two))));
    ck_assert_msg(graph_infer_shapes(&t.g, &t.st) && calibration_collect(&cal, &t.g, samples, 1, &t.st) &&
                      lower_graph(&p, NULL, &t.g, &cal, &options, &t.st),
                  "%s", t.st.message);
    const mica_tensor *range = &p.circuit.tensor[p.circuit.input[1].tensor];
    ck_assert_int_eq(range->lo, -5);
    ck_assert_int_eq(range->hi, 4);
    const double inside[2] = {-5, 4}, outside[2] = {0, 5};
    int32_t cells[2];
    ck_assert(mica_port_quantise(&p.circuit, &p.circuit.input[1], inside, cells, NULL, &t.st));
    ck_assert(cells[0] == -5 && cells[1] == 4);
    ck_assert(!mica_port_quantise(&p.circuit, &p.circuit.input[1], outside, cells, NULL, &t.st));
    ck_assert_ptr_nonnull(strstr(t.st.message, "value 1 is 5, but an index is in [-5, 4]"));
    program_free(&p);
    calibration_free(&cal);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("indices at run time");
    TCase *c = tcase_create("indices");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, indices_at_run_time, 0, CASES);
    tcase_add_test(c, declared_range);
    suite_add_tcase(s, c);
    return suite_run(s);
}
