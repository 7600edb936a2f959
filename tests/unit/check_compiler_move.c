/* Operators that move elements: lowered and run against the float reference, exactly wherever nothing is
 * rounded. */
#define _GNU_SOURCE
#include "lowering_kit.h"

static uint32_t integers(net *t, unsigned rank, const int64_t *dim) {
    return int_input(t, ONNX_INT32, rank, dim);
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
    output(t, op(t, "OneHot", 3, k, depth, constant_list(t, 2, (double[]){-1, 0.5})));
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
    return op(t, "Resize", 3, x, GRAPH_NO_VALUE, constant_list(t, 4, (double[]){1, 1, height, width}));
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
    output(t, op(t, "Upsample", 2, x, constant_list(t, 4, (double[]){1, 1, 2, 3})));
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

static const op_case cases[] = {
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
    run_op_case(&cases[_i]);
}
END_TEST

int main(void) {
    Suite *s = suite_create("move");
    TCase *t = tcase_create("lowering");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, operators, 0, N_CASES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
