/* Operators that move elements: lowered and run against the float reference, exactly wherever nothing is
 * rounded, and the reference against results written down by hand.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

#include "move_map.h"

#define EXACT 0

/* --- lowering --- */

static uint32_t integers(net *t, unsigned rank, const int64_t *dim) {
    return int_input(t, ONNX_INT32, rank, dim);
}

static uint32_t reals(net *t, unsigned n, const double *x) {
    const int64_t dim = n;
    const uint32_t v = constant(t, 0, 0, 1, &dim);
    memcpy((double *)(uintptr_t)t->g.value[v].real, x, n * sizeof *x);
    return v;
}

static void slices(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 7, 5, 6));
    output(t, op(t, "Slice", 5, x, shape_constant(t, SHAPE(1, -100)), shape_constant(t, SHAPE(-1, 4)),
                 shape_constant(t, SHAPE(1, -2)), shape_constant(t, SHAPE(2, 3))));
    output(t, op(t, "Slice", 5, x, shape_constant(t, SHAPE(-1, 100, 2)),
                 shape_constant(t, SHAPE(INT64_MIN, 0, 3)), shape_constant(t, SHAPE(1, 3, 2)),
                 shape_constant(t, SHAPE(-2, -1, 5))));
    output(t, op(t, "Slice", 3, x, shape_constant(t, SHAPE(0, 3)), shape_constant(t, SHAPE(INT64_MAX, 4))));
}

static void splits(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 7, 3)), sizes = shape_constant(t, SHAPE(2, 4, 1));
    for (int part = 0; part < 3; part++) {
        with_int(t, "axis", 1);
        with_int(t, "mica_part", part);
        with_int(t, "mica_parts", 3);
        output(t, op(t, "Split", 2, x, sizes));
    }
}

static void pads(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 4)), frame = shape_constant(t, SHAPE(0, 1, 2, 0, 3, 1));
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    const uint32_t value = shape_constant(t, SHAPE(5));
    t->g.value[value].onnx_dtype = ONNX_INT32;
    t->g.opset = 19;
    for (unsigned i = 0; i < 4; i++) {
        t->attr[t->n_attrs++] = (graph_attr){.name = "mode", .type = ATTR_STRING, .s = modes[i]};
        output(t, op(t, "Pad", 2, x, i == 1 ? shape_constant(t, SHAPE(0, 1, 2, 0, 2, 1)) : frame));
    }
    output(t, op(t, "Pad", 3, x, frame, value));
    output(t, op(t, "Pad", 3, x, shape_constant(t, SHAPE(0, -1, 2, 0, 1, -3)), value));
}

static void repeats(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 1, 2));
    output(t, op(t, "Expand", 2, x, shape_constant(t, SHAPE(3, 5, 1))));
    output(t, op(t, "Expand", 2, x, shape_constant(t, SHAPE(1, 1, 4, 2))));
    output(t, op(t, "Tile", 2, x, shape_constant(t, SHAPE(1, 2, 3, 2))));
}

static void new_axes(net *t) {
    const uint32_t x = integers(t, SHAPE(2, 3));
    output(t, op(t, "Expand", 2, x, shape_constant(t, SHAPE(4, 2, 3))));
    output(t, op(t, "Squeeze", 1, op(t, "Unsqueeze", 2, x, shape_constant(t, SHAPE(0, -1)))));
    output(t, op(t, "Squeeze", 2, op(t, "Unsqueeze", 2, x, shape_constant(t, SHAPE(1))),
                 shape_constant(t, SHAPE(-2))));
}

static void blocks(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 18, 2, 3)), y = integers(t, SHAPE(1, 2, 4, 6));
    for (unsigned i = 0; i < 2; i++) {
        t->attr[t->n_attrs++] = (graph_attr){.name = "mode", .type = ATTR_STRING, .s = i ? "CRD" : "DCR"};
        with_int(t, "blocksize", 3);
        output(t, op(t, "DepthToSpace", 1, x));
    }
    with_int(t, "blocksize", 2);
    const uint32_t deep = op(t, "SpaceToDepth", 1, y);
    output(t, deep);
    with_int(t, "blocksize", 2);
    output(t, op(t, "DepthToSpace", 1, deep));
    output(t, op(t, "Flatten", 1, deep));
}

static void triangles(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 2, 4, 5));
    output(t, op(t, "Trilu", 1, x));
    with_int(t, "upper", 0);
    output(t, op(t, "Trilu", 2, x, shape_constant(t, SHAPE(-1))));
    output(t, op(t, "Trilu", 2, x, shape_constant(t, SHAPE(9)))); /* nothing is left */
}

static void reversals(net *t) {
    with_int(t, "time_axis", 0);
    with_int(t, "batch_axis", 1);
    output(t, op(t, "ReverseSequence", 2, integers(t, SHAPE(4, 3, 2)), shape_constant(t, SHAPE(4, 1, 3))));
}

static void gathers(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 5, 4)), k = shape_constant(t, SHAPE(4, -5, 2, 2));
    with_int(t, "axis", 1);
    output(t, op(t, "Gather", 2, x, k));
    with_int(t, "axis", 2);
    output(t, op(t, "Gather", 2, x, shape_constant(t, SHAPE(3, 1))));
    const uint32_t one = shape_constant(t, SHAPE(-1));
    t->g.value[one].rank = 0;
    with_int(t, "axis", 1);
    output(t, op(t, "Gather", 2, x, one));
}

/* Indices of two axes, and embeddings: a constant that is picked from has no lookups to prove. */
static void gathers_of_planes(net *t) {
    const uint32_t x = integers(t, SHAPE(4, 3)), k = shape_constant(t, SHAPE(3, 0, 0, 1));
    t->g.value[k].rank = 2;
    t->g.value[k].dim[0] = t->g.value[k].dim[1] = 2;
    output(t, op(t, "Gather", 2, x, k));
    const uint32_t e = shape_constant(t, SHAPE(0, 2, 1, 3, 3, 0));
    t->g.value[e].rank = 2;
    t->g.value[e].dim[0] = 2;
    t->g.value[e].dim[1] = 3;
    output(t, op(t, "GatherElements", 2, x, e));
    const uint32_t nd = shape_constant(t, SHAPE(3, -1, 0, 0, 2, 1));
    t->g.value[nd].rank = 2;
    t->g.value[nd].dim[0] = 3;
    t->g.value[nd].dim[1] = 2;
    output(t, op(t, "GatherND", 2, x, nd));
}

static void scatters(net *t) {
    const uint32_t x = integers(t, SHAPE(4, 3)), u = integers(t, SHAPE(2, 3)), v = integers(t, SHAPE(2));
    const uint32_t e = shape_constant(t, SHAPE(0, 2, 1, 3, 3, -4));
    t->g.value[e].rank = 2;
    t->g.value[e].dim[0] = 2;
    t->g.value[e].dim[1] = 3;
    output(t, op(t, "ScatterElements", 3, x, e, u));
    const uint32_t rows = shape_constant(t, SHAPE(2, 0)), cells = shape_constant(t, SHAPE(3, 1, 0, -1));
    t->g.value[rows].rank = t->g.value[cells].rank = 2;
    t->g.value[rows].dim[1] = 1;
    t->g.value[cells].dim[0] = t->g.value[cells].dim[1] = 2;
    output(t, op(t, "ScatterND", 3, x, rows, u));
    output(t, op(t, "ScatterND", 3, x, cells, v));
}

static void computed_indices(net *t) {
    t->spread = 0.25; /* indices -2 .. 2 */
    const uint32_t k = int_input(t, ONNX_INT64, SHAPE(1, 4)), x = constant(t, 0, 1, SHAPE(3, 5)),
                   depth = shape_constant(t, SHAPE(3));
    output(t, op(t, "Gather", 2, x, k));
    output(t, op(t, "OneHot", 3, k, depth, reals(t, 2, (double[]){-1, 0.5})));
    with_int(t, "axis", 1);
    output(t, op(t, "OneHot", 3, k, depth, shape_constant(t, SHAPE(7, 90))));
}

static void computed_integer_rows(net *t) {
    t->spread = 0.25;
    const uint32_t k = int_input(t, ONNX_INT64, SHAPE(2, 2)), x = integers(t, SHAPE(2, 3, 4)),
                   e = shape_constant(t, SHAPE(5, 70, -9));
    with_int(t, "axis", 1);
    output(t, op(t, "Gather", 2, x, k));
    output(t, op(t, "Gather", 2, e, k));
}

static void one_hot(net *t) {
    const uint32_t depth = shape_constant(t, SHAPE(3));
    output(t, op(t, "OneHot", 3, shape_constant(t, SHAPE(0, 2, -1, 7)), depth, integers(t, SHAPE(2))));
}

static void concatenations(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 4)), y = integers(t, SHAPE(1, 2, 4)),
                   c = shape_constant(t, SHAPE(7, -9));
    t->g.value[c].onnx_dtype = ONNX_INT32;
    t->g.value[c].rank = 3;
    t->g.value[c].dim[0] = t->g.value[c].dim[1] = 1;
    t->g.value[c].dim[2] = 2;
    const uint32_t tiled = op(t, "Tile", 2, c, shape_constant(t, SHAPE(1, 1, 2)));
    with_int(t, "axis", 1);
    output(t, op(t, "Concat", 4, x, tiled, y, x));
}

/* Inputs of different magnitudes get one scale: what moves is not rounded. */
static void concatenation_of_reals(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4)), y = input(t, SHAPE(1, 2, 4));
    with_int(t, "axis", 1);
    const uint32_t both = op(t, "Concat", 2, x, y);
    output(t, both);
    output(t, op(t, "Pad", 3, both, shape_constant(t, SHAPE(0, 1, 1, 0, 1, 1)), number(t, 0.5)));
}

static void running_sums(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 5)), axis = shape_constant(t, SHAPE(2)),
                   other = shape_constant(t, SHAPE(-2));
    output(t, op(t, "CumSum", 2, x, axis));
    with_int(t, "exclusive", 1);
    output(t, op(t, "CumSum", 2, x, other));
    with_int(t, "reverse", 1);
    output(t, op(t, "CumSum", 2, x, axis));
    with_int(t, "reverse", 1);
    with_int(t, "exclusive", 1);
    output(t, op(t, "CumSum", 2, x, axis));
}

static uint32_t resized(net *t, uint32_t x, const char *mode, const char *coordinates, const char *nearest,
                        double height, double width) {
    t->attr[t->n_attrs++] = (graph_attr){.name = "mode", .type = ATTR_STRING, .s = mode};
    t->attr[t->n_attrs++] =
        (graph_attr){.name = "coordinate_transformation_mode", .type = ATTR_STRING, .s = coordinates};
    t->attr[t->n_attrs++] = (graph_attr){.name = "nearest_mode", .type = ATTR_STRING, .s = nearest};
    return op(t, "Resize", 3, x, GRAPH_NO_VALUE, reals(t, 4, (double[]){1, 1, height, width}));
}

static void resizes_to_nearest(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 2, 3, 5));
    static const char *const coordinates[] = {"half_pixel",           "asymmetric",
                                              "align_corners",        "pytorch_half_pixel",
                                              "tf_half_pixel_for_nn", "half_pixel_symmetric"};
    static const char *const rounding[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < 4; j++)
            output(t, resized(t, x, "nearest", coordinates[i], rounding[j], 2, i & 1 ? 0.7 : 1.5));
}

static void resizes_between(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 3, 5));
    output(t, resized(t, x, "linear", "half_pixel", "floor", 2, 2));
    output(t, resized(t, x, "linear", "align_corners", "floor", 2, 0.6));
    output(t, resized(t, x, "linear", "asymmetric", "floor", 1, 1.7));
    output(t, resized(t, x, "cubic", "half_pixel", "floor", 2, 1.3));
    output(t, resized(t, x, "linear", "half_pixel", "floor", 1, 1));
}

static void upsampled(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 2, 3, 2));
    t->g.opset = 9;
    output(t, op(t, "Upsample", 2, x, reals(t, 4, (double[]){1, 1, 2, 3})));
}

static uint32_t product(net *t, const char *equation, uint32_t x, uint32_t y) {
    t->attr[t->n_attrs++] = (graph_attr){.name = "equation", .type = ATTR_STRING, .s = equation};
    return op(t, "Einsum", y == GRAPH_NO_VALUE ? 1 : 2, x, y);
}

static void products(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 4)), y = integers(t, SHAPE(1, 4, 5)),
                   z = integers(t, SHAPE(1, 5, 4));
    output(t, product(t, "bij,bjk->bik", x, y));
    output(t, product(t, "b i j, b k j -> b k i", x, z));
    output(t, product(t, "...ij,...jk", x, y));
    output(t, product(t, "bij->bi", x, GRAPH_NO_VALUE));
    output(t, product(t, "bij->bji", x, GRAPH_NO_VALUE));
    output(t, product(t, "bjk,bkj->bkj", y, z));
    output(t, product(t, "bik,bjk->bijk", x, z));
    const uint32_t w = shape_constant(t, SHAPE(1, -2, 3, 4, 5, 0, 7, 8, -9, 1, 2, 3));
    t->g.value[w].onnx_dtype = ONNX_INT32;
    t->g.value[w].rank = 2;
    t->g.value[w].dim[0] = 3;
    t->g.value[w].dim[1] = 4;
    output(t, product(t, "bij,ij->bj", x, w));
    output(t, product(t, "ij,bjk->bki", w, y));
}

static void products_of_reals(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 2, 4)), w = constant(t, 0, 1, SHAPE(2, 4, 5));
    output(t, product(t, "bthd,hdm->btm", x, w));
    output(t, product(t, "bthd,bshd->bhts", x, input(t, SHAPE(1, 6, 2, 4))));
}

static void casts(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 2)), b = int_input(t, ONNX_BOOL, SHAPE(1, 3, 2));
    with_int(t, "to", ONNX_FLOAT);
    const uint32_t real = op(t, "Cast", 1, x);
    output(t, real);
    with_int(t, "to", ONNX_INT64);
    output(t, op(t, "Cast", 1, real));
    with_int(t, "to", ONNX_FLOAT);
    output(t, op(t, "Cast", 1, b));
    with_int(t, "to", ONNX_INT64);
    output(t, op(t, "Cast", 1, x));
}

static void truth_of_numbers(net *t) {
    t->spread = 0.25; /* -2 .. 2: many zeros */
    const uint32_t x = integers(t, SHAPE(1, 3, 20));
    with_int(t, "to", ONNX_BOOL);
    output(t, op(t, "Cast", 1, x));
}

/* Fractions are cut off; only values within the resolution of an integer may differ. */
static void truncations(net *t) {
    t->spread = 4;
    const uint32_t x = input(t, SHAPE(1, 3, 200));
    with_int(t, "to", ONNX_INT32);
    output(t, op(t, "Cast", 1, x));
}

/* An input that only its shape is taken of, and an output that nothing decides. */
static void known_outputs(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 3, 2)), unread = integers(t, SHAPE(1, 4)),
                   number_input = integers(t, SHAPE(2));
    output(t, op(t, "Shape", 1, unread));
    output(t, op(t, "Size", 1, number_input));
    output(t, op(t, "Identity", 1, x));
    output(t, op(t, "EyeLike", 1, op(t, "Squeeze", 1, x)));
}

/* A long way: heads split, moved, cut, joined. */
static void chain(net *t) {
    const uint32_t x = integers(t, SHAPE(1, 6, 8));
    const uint32_t heads = op(t, "Reshape", 2, x, shape_constant(t, SHAPE(1, 6, 2, 4)));
    with_ints(t, "perm", SHAPE(0, 2, 1, 3));
    const uint32_t moved = op(t, "Transpose", 1, heads);
    const uint32_t first = op(t, "Slice", 4, moved, shape_constant(t, SHAPE(0)), shape_constant(t, SHAPE(2)),
                              shape_constant(t, SHAPE(3))),
                   second = op(t, "Slice", 4, moved, shape_constant(t, SHAPE(2)), shape_constant(t, SHAPE(4)),
                               shape_constant(t, SHAPE(3)));
    with_int(t, "axis", -1);
    const uint32_t turned = op(t, "Concat", 2, second, first);
    with_ints(t, "perm", SHAPE(0, 2, 1, 3));
    output(t, op(t, "Reshape", 2, op(t, "Transpose", 1, turned), shape_constant(t, SHAPE(1, 6, 8))));
    output(t, op(t, "Slice", 5, op(t, "Flatten", 1, moved), shape_constant(t, SHAPE(-1)),
                 shape_constant(t, SHAPE(-40)), shape_constant(t, SHAPE(1)), shape_constant(t, SHAPE(-3))));
}

static const struct {
    const char *name;
    build_fn *build;
    bool batched;
    double mean, max; /* error over the output's range */
} cases[] = {
    {"slices", slices, true, EXACT, EXACT},
    {"splits", splits, true, EXACT, EXACT},
    {"pads", pads, true, EXACT, EXACT},
    {"repeats", repeats, true, EXACT, EXACT},
    {"new_axes", new_axes, false, EXACT, EXACT},
    {"blocks", blocks, true, EXACT, EXACT},
    {"triangles", triangles, true, EXACT, EXACT},
    {"reversals", reversals, false, EXACT, EXACT},
    {"gathers", gathers, true, EXACT, EXACT},
    {"gathers_of_planes", gathers_of_planes, false, EXACT, EXACT},
    {"scatters", scatters, false, EXACT, EXACT},
    {"computed_indices", computed_indices, true, 0.001, 0.003},
    {"computed_integer_rows", computed_integer_rows, false, EXACT, EXACT},
    {"one_hot", one_hot, false, EXACT, EXACT},
    {"concatenations", concatenations, true, EXACT, EXACT},
    {"concatenation_of_reals", concatenation_of_reals, true, 0.0005, 0.0005}, /* the inputs' own rounding */
    {"running_sums", running_sums, true, EXACT, EXACT},
    {"resizes_to_nearest", resizes_to_nearest, true, EXACT, EXACT},
    {"resizes_between", resizes_between, true, 0.002, 0.008},
    {"upsampled", upsampled, true, EXACT, EXACT},
    {"products", products, true, EXACT, EXACT},
    {"products_of_reals", products_of_reals, true, 0.001, 0.003},
    {"casts", casts, true, EXACT, EXACT},
    {"truth_of_numbers", truth_of_numbers, true, EXACT, EXACT},
    {"truncations", truncations, true, 0.002, 0.2},
    {"known_outputs", known_outputs, false, EXACT, EXACT},
    {"chain", chain, true, EXACT, EXACT},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(operators) {
    run_case(cases[_i].name, cases[_i].build, 7100 + (uint64_t)_i, cases[_i].batched, cases[_i].mean,
             cases[_i].max);
}
END_TEST

/* --- the reference, on inputs 0, 1, 2, ... --- */

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
                 reals(t, 3, (double[]){10, 20, 30})));
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
    output(t, op(t, "Resize", 3, input(t, SHAPE(3)), GRAPH_NO_VALUE, reals(t, 1, (double[]){2})));
}
static void nearest_up(net *t) {
    mode(t, "mode", "nearest");
    output(t, op(t, "Resize", 3, input(t, SHAPE(2)), GRAPH_NO_VALUE, reals(t, 1, (double[]){2.5})));
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
    output(t, op(t, "Resize", 3, input(t, SHAPE(3)), GRAPH_NO_VALUE, reals(t, 1, (double[]){0.75})));
}
static void cropped(net *t) {
    mode(t, "mode", "linear");
    mode(t, "coordinate_transformation_mode", "tf_crop_and_resize");
    with_float(t, "extrapolation_value", 7);
    output(t, op(t, "Resize", 4, input(t, SHAPE(5)), reals(t, 2, (double[]){0.5, 1.25}), GRAPH_NO_VALUE,
                 shape_constant(t, SHAPE(4))));
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

/* --- factors of a movement --- */

/* The movement that the groups describe, cell by cell. */
static uint32_t product_of(const move_map *m, unsigned rank, const uint32_t *dim, unsigned src_rank,
                           const uint32_t *src_dim, uint32_t e) {
    uint32_t index[MICA_MAX_RANK], cell = 0, source[MICA_MAX_RANK] = {0};
    for (unsigned a = rank; a-- > 0; e /= dim[a])
        index[a] = e % dim[a];
    for (unsigned j = 0; j < m->n_groups; j++) {
        const move_group *g = &m->group[j];
        int64_t row = 0, flat = g->offset, cells = 1;
        for (unsigned i = 0; i < g->n_out; i++) {
            row = row * dim[g->out[i]] + index[g->out[i]];
            flat += (int64_t)g->stride[i] * index[g->out[i]];
        }
        for (unsigned i = 0; i < g->n_src; i++)
            cells *= src_dim[g->src[i]];
        if (!g->affine)
            flat = g->cell[row] == MICA_NO_CELL ? -1 : (int64_t)g->cell[row];
        if (flat < 0 || flat >= cells)
            return MICA_NO_CELL;
        for (unsigned i = g->n_src; i-- > 0; flat /= src_dim[g->src[i]])
            source[g->src[i]] = (uint32_t)(flat % src_dim[g->src[i]]);
    }
    for (unsigned b = 0; b < src_rank; b++)
        cell = cell * src_dim[b] + source[b];
    return cell;
}

static void check_movement(const char *name, unsigned rank, const uint32_t *dim, unsigned src_rank,
                           const uint32_t *src_dim, const uint32_t *from, move_map *m) {
    mica_status st = {0};
    uint32_t cells = 1;
    for (unsigned i = 0; i < rank; i++)
        cells *= dim[i];
    ck_assert_msg(move_map_create(m, rank, dim, src_rank, src_dim, from, &st), "%s", st.message);
    for (uint32_t e = 0; e < cells; e++) {
        const uint32_t got = m->empty ? MICA_NO_CELL : product_of(m, rank, dim, src_rank, src_dim, e);
        ck_assert_msg(got == from[e], "%s: cell %u comes from %u, expected %u", name, e, got, from[e]);
    }
}

/* Products of random lists are taken apart again; one cell changed is seen. */
START_TEST(movements_are_taken_apart) {
    static const uint32_t dim[] = {4, 3, 5}, src_dim[] = {3, 7, 2};
    uint64_t seed = 40 + (uint64_t)_i;
    uint32_t list[3][5], from[60];
    move_map m;
    for (unsigned a = 0; a < 3; a++)
        for (unsigned i = 0; i < dim[a]; i++)
            list[a][i] = random_double(&seed) < -0.6
                             ? MICA_NO_CELL
                             : (uint32_t)((random_double(&seed) + 1) / 2 * src_dim[a]);
    for (uint32_t e = 0; e < 60; e++) {
        const uint32_t x = list[0][e / 15], y = list[1][e / 5 % 3], z = list[2][e % 5];
        from[e] =
            x == MICA_NO_CELL || y == MICA_NO_CELL || z == MICA_NO_CELL ? MICA_NO_CELL : (x * 7 + y) * 2 + z;
    }
    check_movement("product", 3, dim, 3, src_dim, from, &m);
    for (unsigned j = 0; j < m.n_groups; j++)
        ck_assert_msg(m.group[j].n_out <= 1, "seed %d: axes that are independent share a factor", 40 + _i);
    move_map_free(&m);
    const unsigned changed = (unsigned)((random_double(&seed) + 1) * 30);
    from[changed] = from[changed] == 5 ? MICA_NO_CELL : 5;
    check_movement("one cell changed", 3, dim, 3, src_dim, from, &m);
    move_map_free(&m);
    for (uint32_t e = 0; e < 60; e++)
        from[e] = random_double(&seed) < 0 ? MICA_NO_CELL : (uint32_t)((random_double(&seed) + 1) * 21);
    check_movement("random", 3, dim, 3, src_dim, from, &m);
    move_map_free(&m);
}
END_TEST

START_TEST(strides_are_found) {
    static const uint32_t dim[] = {2, 3}, flat[] = {6}, back[] = {5, 4, 3, 2, 1, 0},
                          diagonal[] = {0, 3, MICA_NO_CELL, 1, 4, 2};
    move_map m;
    check_movement("reversal", 2, dim, 1, flat, back, &m);
    ck_assert(m.n_groups == 1 && m.group[0].affine && m.group[0].stride[0] == -3 &&
              m.group[0].stride[1] == -1);
    move_map_free(&m);
    check_movement("diagonal", 2, dim, 1, flat, diagonal, &m);
    ck_assert(m.n_groups == 1 && !m.group[0].affine);
    move_map_free(&m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("move");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, operators, 0, N_CASES);
    tcase_add_test(tc, reference);
    tcase_add_loop_test(tc, movements_are_taken_apart, 0, 40);
    tcase_add_test(tc, strides_are_found);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
