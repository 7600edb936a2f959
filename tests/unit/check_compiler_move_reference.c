/* Operators that move elements: the float reference against results written down by hand, on inputs 0, 1, 2,
 * ... */
#define _GNU_SOURCE
#include "lowering_kit.h"

#define MAX_RESULT 64
static void expect(const char *name, build_fn *build, unsigned rank, const int64_t *dim, const double *want) {
    net t;
    mica_status st = {0};
    double in[MAX_RESULT];
    net_create(&t, 1, false);
    build(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &st), "%s: %s", name, st.message);
    const graph_value *y = &t.g.value[t.g.output[0]];
    ck_assert_uint_eq(y->rank, rank);
    for (unsigned i = 0; i < rank; i++)
        ck_assert_msg(y->dim[i] == dim[i], "%s: dimension %u is %lld", name, i, (long long)y->dim[i]);
    double **value = graph_buffers_create(&t.g, &st);
    const double *list[1] = {in};
    for (int i = 0; i < MAX_RESULT; i++)
        in[i] = i;
    ck_assert_msg(graph_evaluate(&t.g, list, value, &st), "%s: %s", name, st.message);
    for (uint64_t i = 0; i < graph_elements(y); i++)
        ck_assert_msg(value[t.g.output[0]][i] == want[i], "%s: element %llu is %g, expected %g", name,
                      (unsigned long long)i, value[t.g.output[0]][i], want[i]);
    graph_buffers_free(&t.g, value);
    graph_free(&t.g);
}
#define EXPECT(build, shape, ...) expect(#build, build, shape, (const double[]){__VA_ARGS__})

static void mode(net *t, const char *name, const char *text) {
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_STRING, .s = text};
}
static void slice_back(net *t) {
    output(t, op(t, "Slice", 5, input(t, SHAPE(2, 5)), shape_constant(t, SHAPE(-2, 3)),
                 shape_constant(t, SHAPE(9, -9)), shape_constant(t, SHAPE(0, 1)),
                 shape_constant(t, SHAPE(1, -2))));
}
static void pad_reflect(net *t) {
    mode(t, "mode", "reflect");
    output(t, op(t, "Pad", 2, input(t, SHAPE(3)), shape_constant(t, SHAPE(2, 2))));
}
static void pad_reflect_far(net *t) {
    mode(t, "mode", "reflect");
    output(t, op(t, "Pad", 2, input(t, SHAPE(3)), shape_constant(t, SHAPE(5, 0))));
}
static void pad_wrap(net *t) {
    mode(t, "mode", "wrap");
    output(t, op(t, "Pad", 2, input(t, SHAPE(3)), shape_constant(t, SHAPE(2, 4))));
}
static void pad_crop(net *t) {
    output(t, op(t, "Pad", 3, input(t, SHAPE(4)), shape_constant(t, SHAPE(-1, 2)), number(t, 9)));
}
static void depth_dcr(net *t) {
    with_int(t, "blocksize", 2);
    output(t, op(t, "DepthToSpace", 1, input(t, SHAPE(1, 8, 1, 2))));
}
static void depth_crd(net *t) {
    with_int(t, "blocksize", 2);
    mode(t, "mode", "CRD");
    output(t, op(t, "DepthToSpace", 1, input(t, SHAPE(1, 8, 1, 2))));
}
static void to_depth(net *t) {
    with_int(t, "blocksize", 2);
    output(t, op(t, "SpaceToDepth", 1, input(t, SHAPE(1, 1, 2, 4))));
}
static void to_depth_crd(net *t) {
    with_int(t, "blocksize", 2);
    mode(t, "mode", "CRD");
    output(t, op(t, "SpaceToDepth", 1, input(t, SHAPE(1, 2, 2, 2))));
}
static void tril(net *t) {
    with_int(t, "upper", 0);
    output(t, op(t, "Trilu", 2, input(t, SHAPE(3, 3)), shape_constant(t, SHAPE(-1))));
}
static void reverse(net *t) {
    with_int(t, "time_axis", 1);
    with_int(t, "batch_axis", 0);
    output(t, op(t, "ReverseSequence", 2, input(t, SHAPE(2, 4)), shape_constant(t, SHAPE(3, 1))));
}
static void gather_scalar(net *t) {
    with_int(t, "axis", 1);
    const uint32_t k = shape_constant(t, SHAPE(-1));
    t->g.value[k].rank = 0;
    output(t, op(t, "Gather", 2, input(t, SHAPE(2, 3)), k));
}
static void gather_nd_batch(net *t) {
    with_int(t, "batch_dims", 1);
    const uint32_t k = shape_constant(t, SHAPE(1, 0));
    t->g.value[k].rank = 2;
    t->g.value[k].dim[1] = 1;
    output(t, op(t, "GatherND", 2, input(t, SHAPE(2, 2, 2)), k));
}
static void scatter_add(net *t) {
    mode(t, "reduction", "add");
    output(t, op(t, "ScatterElements", 3, input(t, SHAPE(4)), shape_constant(t, SHAPE(1, 1, -1)),
                 constant_list(t, 3, (double[]){10, 20, 30})));
}
static void hot(net *t) {
    with_int(t, "axis", 0);
    output(t, op(t, "OneHot", 3, shape_constant(t, SHAPE(2, -3, 5)), shape_constant(t, SHAPE(3)),
                 input(t, SHAPE(2))));
}
static void sums_back(net *t) {
    with_int(t, "reverse", 1);
    with_int(t, "exclusive", 1);
    output(t, op(t, "CumSum", 2, input(t, SHAPE(2, 3)), shape_constant(t, SHAPE(1))));
}
static void linear_up(net *t) {
    mode(t, "mode", "linear");
    output(t, op(t, "Resize", 3, input(t, SHAPE(3)), GRAPH_NO_VALUE, constant_list(t, 1, (double[]){2})));
}
static void nearest_up(net *t) {
    mode(t, "mode", "nearest");
    output(t, op(t, "Resize", 3, input(t, SHAPE(2)), GRAPH_NO_VALUE, constant_list(t, 1, (double[]){2.5})));
}
static void corners(net *t) {
    mode(t, "mode", "linear");
    mode(t, "coordinate_transformation_mode", "align_corners");
    output(t, op(t, "Resize", 4, input(t, SHAPE(3)), GRAPH_NO_VALUE, GRAPH_NO_VALUE,
                 shape_constant(t, SHAPE(5))));
}
static void corners_of_a_fraction(net *t) { /* 3 * 0.75 = 2.25 positions */
    mode(t, "mode", "linear");
    mode(t, "coordinate_transformation_mode", "align_corners");
    output(t, op(t, "Resize", 3, input(t, SHAPE(3)), GRAPH_NO_VALUE, constant_list(t, 1, (double[]){0.75})));
}
static void cropped(net *t) {
    mode(t, "mode", "linear");
    mode(t, "coordinate_transformation_mode", "tf_crop_and_resize");
    with_float(t, "extrapolation_value", 7);
    output(t, op(t, "Resize", 4, input(t, SHAPE(5)), constant_list(t, 2, (double[]){0.5, 1.25}),
                 GRAPH_NO_VALUE, shape_constant(t, SHAPE(4))));
}
static void einsum_implicit(net *t) { /* the output is "ac" */
    const uint32_t x = input(t, SHAPE(2, 3)), y = op(t, "Reshape", 2, x, shape_constant(t, SHAPE(3, 2)));
    mode(t, "equation", "cb, ba");
    output(t, op(t, "Einsum", 2, x, y));
}
static void to_nibbles(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(4)), number(t, -7.5));
    with_int(t, "to", ONNX_INT4);
    output(t, op(t, "Cast", 1, x));
}
static void max_places(net *t) {
    const uint32_t x = op(t, "Abs", 1, op(t, "Sub", 2, input(t, SHAPE(1, 2, 2, 3)), number(t, 6)));
    with_ints(t, "kernel_shape", SHAPE(2, 2));
    with_int(t, "mica_part", 1);
    output(t, op(t, "MaxPool", 1, x));
}
static void row_mean(net *t) {
    with_int(t, "mica_part", 1);
    output(t, op(t, "LayerNormalization", 2, input(t, SHAPE(2, 3)), number(t, 1)));
}
static void row_deviation(net *t) {
    with_int(t, "mica_part", 2);
    with_float(t, "epsilon", 0);
    output(t, op(t, "LayerNormalization", 2, input(t, SHAPE(2, 2)), number(t, 1)));
}
static void to_integers(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(4)), number(t, -0.75));
    with_int(t, "to", ONNX_INT8);
    output(t, op(t, "Cast", 1, x));
}

START_TEST(reference) {
    EXPECT(slice_back, SHAPE(2, 2), 3, 1, 8, 6);
    EXPECT(pad_reflect, SHAPE(7), 2, 1, 0, 1, 2, 1, 0);
    EXPECT(pad_reflect_far, SHAPE(8), 1, 0, 1, 2, 1, 0, 1, 2);
    EXPECT(pad_wrap, SHAPE(9), 1, 2, 0, 1, 2, 0, 1, 2, 0);
    EXPECT(pad_crop, SHAPE(5), 1, 2, 3, 9, 9);
    EXPECT(depth_dcr, SHAPE(1, 2, 2, 4), 0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15);
    EXPECT(depth_crd, SHAPE(1, 2, 2, 4), 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    EXPECT(to_depth, SHAPE(1, 4, 1, 2), 0, 2, 1, 3, 4, 6, 5, 7);
    EXPECT(to_depth_crd, SHAPE(1, 8, 1, 1), 0, 1, 2, 3, 4, 5, 6, 7);
    EXPECT(tril, SHAPE(3, 3), 0, 0, 0, 3, 0, 0, 6, 7, 0);
    EXPECT(reverse, SHAPE(2, 4), 2, 1, 0, 3, 4, 5, 6, 7);
    EXPECT(gather_scalar, SHAPE(2), 2, 5);
    EXPECT(gather_nd_batch, SHAPE(2, 2), 2, 3, 4, 5);
    EXPECT(scatter_add, SHAPE(4), 0, 31, 2, 33);
    EXPECT(hot, SHAPE(3, 3), 0, 1, 0, 0, 0, 0, 1, 0, 0);
    EXPECT(sums_back, SHAPE(2, 3), 3, 2, 0, 9, 5, 0);
    EXPECT(linear_up, SHAPE(6), 0, 0.25, 0.75, 1.25, 1.75, 2);
    EXPECT(nearest_up, SHAPE(5), 0, 0, 0, 1, 1);
    EXPECT(corners, SHAPE(5), 0, 0.5, 1, 1.5, 2);
    EXPECT(corners_of_a_fraction, SHAPE(2), 0, 1.6);
    EXPECT(cropped, SHAPE(4), 2, 3, 4, 7);
    EXPECT(einsum_implicit, SHAPE(2, 2), 10, 28, 13, 40);
    EXPECT(to_integers, SHAPE(4), 0, 0, -1, -2);
    EXPECT(to_nibbles, SHAPE(4), 0, -7, 1, -6);
    EXPECT(max_places, SHAPE(1, 2, 1, 2), 0, 1, 10, 11);
    EXPECT(row_mean, SHAPE(2, 1), 1, 4);
    EXPECT(row_deviation, SHAPE(2, 1), 2, 2);
}
END_TEST

int main(void) {
    Suite *s = suite_create("move reference");
    TCase *t = tcase_create("reference");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, reference);
    suite_add_tcase(s, t);
    return suite_run(s);
}
