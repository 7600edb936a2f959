/* Small circuits that use every relation, with odd shapes. */
#ifndef MICA_TESTS_CIRCUIT_SAMPLES_H
#define MICA_TESTS_CIRCUIT_SAMPLES_H

#include "circuit_kit.h"

/* x[5] -> W[3,5] x + bias -> requantise (s bits dropped) -> y[3] */
static void build_gemm(kit *k) {
    uint64_t seed = 7;
    kit_begin(k, 8);
    const uint32_t x = kit_input(k, -50, 50, (uint32_t[]){5, 0});
    const uint32_t w = kit_weight(k, -20, 20, (uint32_t[]){3, 5, 0}, &seed);
    const uint32_t bias = kit_weight(k, -300, 300, (uint32_t[]){3, 0}, &seed);
    const uint32_t acc = kit_contract(k, true, -5000, 5000, (uint32_t[]){3, 0},
                                      (mica_contract){.n_labels = 2,
                                                      .label_dim = {3, 5},
                                                      .out_label = {0},
                                                      .a = w,
                                                      .b = x,
                                                      .a_view = {{0, 1}},
                                                      .b_view = {{1}}});
    const uint32_t sum = kit_linear(k, acc, 0, -5300, 5300);
    kit_term(k, acc, 1, kit_identity(k, acc));
    kit_term(k, bias, 1, kit_identity(k, bias));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    const uint32_t y = kit_requantise(k, sum, 5, 10, MICA_TABLE_RELU_SCALED, 0.25, 0, 63);
    kit_output(k, y);
}

/* Exact integers out: no lookups at all. */
static void build_linear_only(kit *k) {
    uint64_t seed = 9;
    kit_begin(k, 3);
    const uint32_t x = kit_input(k, -50, 50, (uint32_t[]){7, 0});
    const uint32_t w = kit_weight(k, -20, 20, (uint32_t[]){7, 2, 0}, &seed);
    const uint32_t acc = kit_contract(k, true, -7000, 7000, (uint32_t[]){2, 0},
                                      (mica_contract){.n_labels = 2,
                                                      .label_dim = {2, 7},
                                                      .out_label = {0},
                                                      .a = w,
                                                      .b = x,
                                                      .a_view = {{1, 0}},
                                                      .b_view = {{1}}});
    const uint32_t y = kit_linear(k, acc, 0, -7003, 7003);
    kit_term(k, acc, 1, kit_identity(k, acc));
    kit_box(k, 3);
    kit_step_add(k, KIT_EVALUATE, 0, y, KIT_END, KIT_END);
    kit_output(k, y);
}

static mica_factor window(unsigned kernel, unsigned out, unsigned src, int32_t dilation, int32_t stride,
                          int32_t pad) {
    return (mica_factor){.n_out = 2,
                         .n_src = 1,
                         .out_axis = {(uint8_t)kernel, (uint8_t)out},
                         .src_axis = {(uint8_t)src},
                         .out_stride = {dilation, stride},
                         .offset = -pad};
}

static mica_factor pass(unsigned out, unsigned src) {
    return (mica_factor){
        .n_out = 1, .n_src = 1, .out_axis = {(uint8_t)out}, .src_axis = {(uint8_t)src}, .out_stride = {1}};
}

/* x[2,5,6] -> 3x2 convolution (stride 2 and 1, padding 1 and 0) to [3,3,5] -> ReLU -> 2x2 maximum (stride 1,
 * 2) -> [3,2,2] -> product with a per-channel weight -> contraction over all axes to [4], exact. */
static void build_conv(kit *k) {
    uint64_t seed = 3;
    kit_begin(k, 5);
    const uint32_t x = kit_input(k, -100, 100, (uint32_t[]){2, 5, 6, 0});
    const uint32_t w = kit_weight(k, -30, 30, (uint32_t[]){3, 2, 3, 2, 0}, &seed);
    const uint32_t patches = kit_placement(
        k, -100, 100, (uint32_t[]){2, 3, 2, 3, 5, 0},
        (mica_placement){.src = x,
                         .n_factors = 3,
                         .factor = {pass(0, 0), window(1, 3, 1, 1, 2, 1), window(2, 4, 2, 1, 1, 0)}});
    const uint32_t acc = kit_contract(k, true, -40000, 40000, (uint32_t[]){3, 3, 5, 0},
                                      (mica_contract){.n_labels = 6,
                                                      .label_dim = {3, 2, 3, 2, 3, 5},
                                                      .out_label = {0, 4, 5},
                                                      .a = w,
                                                      .b = patches,
                                                      .a_view = {{0, 1, 2, 3}},
                                                      .b_view = {{1, 2, 3, 4, 5}}});
    const uint32_t sum = kit_linear(k, acc, 0, -40000, 40000);
    kit_term(k, acc, 1, kit_identity(k, acc));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    const uint32_t y = kit_requantise(k, sum, 7, 10, MICA_TABLE_RELU_SCALED, 0.5, 0, 200);
    /* maximum of the two rows, then of the two columns */
    const uint32_t taps = kit_placement(
        k, 0, 200, (uint32_t[]){3, 2, 2, 2, 2, 0},
        (mica_placement){.src = y,
                         .n_factors = 3,
                         .factor = {pass(0, 0), window(1, 3, 1, 1, 1, 0), window(2, 4, 2, 1, 2, 0)}});
    const uint32_t relu = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RELU, .bits = 9, .lo_key = -256});
    uint32_t m[3];
    for (uint32_t i = 0; i < 3; i++) {
        m[i] = kit_witness(k, true, 0, 200, (uint32_t[]){3, 2, 2, 0});
        const mica_view a = {{0, MICA_VIEW_AT(i), MICA_VIEW_AT(0), 1, 2}},
                        b = {{0, MICA_VIEW_AT(i), MICA_VIEW_AT(1), 1, 2}};
        const uint32_t d = kit_linear(k, m[i], 0, -200, 200);
        kit_term(k, i < 2 ? taps : m[0], 1, i < 2 ? a : kit_identity(k, m[0]));
        kit_term(k, i < 2 ? taps : m[1], -1, i < 2 ? b : kit_identity(k, m[1]));
        const uint32_t r = kit_linear(k, m[i], 0, 0, 200);
        kit_term(k, m[i], 1, kit_identity(k, m[i]));
        kit_term(k, i < 2 ? taps : m[1], -1, i < 2 ? b : kit_identity(k, m[1]));
        kit_lookup(k, relu, d, r);
        kit_step_add(k, KIT_MAX_OF, relu, m[i], d, r);
    }
    const uint32_t scale = kit_weight(k, 1, 9, (uint32_t[]){3, 0}, &seed);
    k->tensor[scale].lo = 0;
    const uint32_t product = kit_contract(k, true, 0, 1800, (uint32_t[]){3, 2, 2, 0},
                                          (mica_contract){.n_labels = 3,
                                                          .label_dim = {3, 2, 2},
                                                          .out_label = {0, 1, 2},
                                                          .a = scale,
                                                          .b = m[2],
                                                          .a_view = {{0}},
                                                          .b_view = {{0, 1, 2}}});
    const uint32_t p = kit_linear(k, product, 0, 0, 1800);
    kit_term(k, product, 1, kit_identity(k, product));
    kit_step_add(k, KIT_EVALUATE, 0, p, KIT_END, KIT_END);
    const uint32_t dense = kit_weight(k, -9, 9, (uint32_t[]){2, 3, 4, 2, 0}, &seed); /* (h, c, out, w) */
    const uint32_t out = kit_contract(k, true, -300000, 300000, (uint32_t[]){4, 0},
                                      (mica_contract){.n_labels = 4,
                                                      .label_dim = {4, 3, 2, 2},
                                                      .out_label = {0},
                                                      .a = dense,
                                                      .b = p,
                                                      .a_view = {{2, 1, 0, 3}},
                                                      .b_view = {{1, 2, 3}}});
    const uint32_t last = kit_linear(k, out, 0, -300000, 300000);
    kit_term(k, out, 1, kit_identity(k, out));
    kit_step_add(k, KIT_EVALUATE, 0, last, KIT_END, KIT_END);
    kit_output(k, last);
}

/* Two inputs [3,4]: elementwise product (batch paired), mean over an axis with counts, flatten by a placement
 * of both axes, concatenation of two placements, a sum, and a broadcast. */
static void build_elementwise(kit *k) {
    kit_begin(k, 6);
    const uint32_t a = kit_input(k, -30, 30, (uint32_t[]){3, 5, 0}),
                   b = kit_input(k, -40, 40, (uint32_t[]){3, 5, 0});
    const uint32_t ab = kit_contract(k, true, -1200, 1200, (uint32_t[]){3, 5, 0},
                                     (mica_contract){.n_labels = 2,
                                                     .label_dim = {3, 5},
                                                     .out_label = {0, 1},
                                                     .a = a,
                                                     .b = b,
                                                     .a_view = {{0, 1}},
                                                     .b_view = {{0, 1}}});
    const uint32_t p = kit_linear(k, ab, 0, -1200, 1200);
    kit_term(k, ab, 1, kit_identity(k, ab));
    kit_step_add(k, KIT_EVALUATE, 0, p, KIT_END, KIT_END);
    const uint32_t y = kit_requantise(k, p, 3, 9, MICA_TABLE_IDENTITY, 1.0, -100, 100);
    /* average over windows of 3 with padding 1 that does not count: 6/count */
    mica_factor mean = window(1, 2, 1, 1, 1, 1);
    mean.norm = 6;
    const uint32_t avg =
        kit_placement(k, -600, 600, (uint32_t[]){3, 3, 5, 0},
                      (mica_placement){.src = y, .n_factors = 2, .factor = {pass(0, 0), mean}});
    const uint32_t flat_src = kit_linear(k, y, 0, -1900, 1900);
    kit_term(k, avg, 1, (mica_view){{0, MICA_VIEW_SUM, 1}});
    kit_term(k, y, 1, kit_identity(k, y));
    kit_step_add(k, KIT_EVALUATE, 0, flat_src, KIT_END, KIT_END);
    const mica_factor flatten = {
        .n_out = 1, .n_src = 2, .out_axis = {0}, .src_axis = {0, 1}, .out_stride = {1}, .offset = 0};
    mica_factor shifted = flatten;
    shifted.offset = -15; /* the second half of the concatenation */
    const uint32_t first =
        kit_placement(k, -1900, 1900, (uint32_t[]){30, 0},
                      (mica_placement){.src = flat_src, .n_factors = 1, .factor = {flatten}});
    const uint32_t second = kit_placement(k, -100, 100, (uint32_t[]){30, 0},
                                          (mica_placement){.src = y, .n_factors = 1, .factor = {shifted}});
    const uint32_t out = kit_linear(k, first, 0, -4000, 4000);
    kit_term(k, first, 1, kit_identity(k, first));
    kit_term(k, second, 2, kit_identity(k, second));
    kit_term(k, y, -1, (mica_view){{MICA_VIEW_SUM, MICA_VIEW_AT(3)}}); /* broadcast of a sum */
    kit_step_add(k, KIT_EVALUATE, 0, out, KIT_END, KIT_END);
    kit_output(k, out);
    kit_output(k, y);
}

/* x[3,5,2] -> rows 2, none, 0, 2 of axis 0 and a permuted plane of the others, plus cells picked one by one:
 * factors with lists, next to one that passes, one that fixes a source axis and one that has no source axis.
 */
static void build_listed(kit *k) {
    static const uint32_t rows[] = {2, MICA_NO_CELL, 0, 2};
    static const uint32_t plane[] = {9, 1, 4, MICA_NO_CELL, 0, 9};
    static const uint32_t cells[] = {MICA_NO_CELL, 7, 29, 0, 7, 12, MICA_NO_CELL, 3, 30 - 1, 11, 5, 5};
    uint64_t seed = 11;
    kit_begin(k, 5);
    const uint32_t x = kit_input(k, -50, 50, (uint32_t[]){3, 5, 2, 0});
    const uint32_t bias = kit_weight(k, -90, 90, (uint32_t[]){3, 2, 0}, &seed);
    const mica_factor one = {.n_out = 1, .n_src = 1, .out_axis = {0}, .src_axis = {0}},
                      two = {.n_out = 2, .n_src = 2, .out_axis = {1, 2}, .src_axis = {1, 2}},
                      all = {.n_out = 3, .n_src = 3, .out_axis = {2, 0, 1}, .src_axis = {0, 1, 2}},
                      repeated = {.n_out = 1, .out_axis = {0}},
                      fixed = {.n_src = 1, .src_axis = {0}, .offset = 2};
    mica_placement p = {.src = x, .n_factors = 2};
    p.factor[0] = kit_listed(k, one, 4, rows);
    p.factor[1] = kit_listed(k, two, 6, plane);
    const uint32_t a = kit_placement(k, -50, 50, (uint32_t[]){4, 3, 2, 0}, p);
    p = (mica_placement){.src = x, .n_factors = 1, .factor = {kit_listed(k, all, 12, cells)}};
    const uint32_t b = kit_placement(k, -50, 50, (uint32_t[]){2, 3, 2, 0}, p);
    p = (mica_placement){.src = x, .n_factors = 4, .factor = {repeated, fixed, pass(1, 1), pass(2, 2)}};
    const uint32_t c = kit_placement(k, -50, 50, (uint32_t[]){4, 5, 2, 0}, p);
    p = (mica_placement){.src = bias, .n_factors = 2, .factor = {kit_listed(k, one, 3, rows), pass(1, 1)}};
    const uint32_t d = kit_placement(k, -90, 90, (uint32_t[]){3, 2, 0}, p);
    const uint32_t sum = kit_linear(k, a, 0, -800, 800);
    kit_term(k, a, 1, kit_identity(k, a));
    kit_term(k, b, 3, (mica_view){{MICA_VIEW_AT(1), 1, 2}});
    kit_term(k, bias, 1, (mica_view){{1, 2}});
    kit_term(k, d, 2, (mica_view){{1, 2}});
    kit_term(k, c, -1, (mica_view){{0, MICA_VIEW_SUM, 2}});
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    kit_output(k, sum);
}

/* Inputs of every visibility; outputs that are virtual, witnesses, inputs and single numbers, shown twice, by
 * digest or not at all; a weight that only a private output reads. */
static void build_ports(kit *k) {
    uint64_t seed = 5;
    const uint32_t plane[] = {3, 5, 0}, two[] = {2, 0};
    kit_begin(k, 3);
    const uint32_t a = kit_hidden_input(k, MICA_COMMITTED, -21, 2, (const uint8_t[]){3, 4}, plane);
    const uint32_t b = kit_input(k, -9, 9, plane);
    const uint32_t c = kit_hidden_input(k, MICA_PRIVATE, 0, 1, (const uint8_t[]){5}, plane);
    const uint32_t sum = kit_linear(k, a, 0, -400, 400);
    kit_term(k, a, 2, kit_identity(k, a));
    kit_term(k, b, 1, kit_identity(k, b));
    kit_term(k, c, -3, kit_identity(k, c));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    const uint32_t y = kit_requantise(k, sum, 2, 8, MICA_TABLE_RELU_SCALED, 1.0, 0, 90);
    const uint32_t w = kit_weight(k, -5, 5, (uint32_t[]){2, 3, 5, 0}, &seed);
    const uint32_t product = kit_contract(k, true, -7000, 7000, two,
                                          (mica_contract){.n_labels = 3,
                                                          .label_dim = {2, 3, 5},
                                                          .out_label = {0},
                                                          .a = w,
                                                          .b = y,
                                                          .a_view = {{0, 1, 2}},
                                                          .b_view = {{1, 2}}});
    const uint32_t dense = kit_linear(k, product, 0, -7000, 7000);
    kit_term(k, product, 1, kit_identity(k, product));
    kit_step_add(k, KIT_EVALUATE, 0, dense, KIT_END, KIT_END);
    const uint32_t like = kit_witness(k, true, 0, 0, (uint32_t[]){0}); /* a shape; looked up below */
    kit_lookup(k, kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE}), like, KIT_END);
    const uint32_t one = kit_linear(k, like, 0, -1400, 1400);
    kit_term(k, y, 1, (mica_view){{MICA_VIEW_AT(1), MICA_VIEW_SUM}});
    kit_term(k, b, 1, (mica_view){{MICA_VIEW_SUM, MICA_VIEW_AT(0)}});
    kit_step_add(k, KIT_EVALUATE, 0, one, KIT_END, KIT_END);
    const struct {
        uint32_t tensor;
        mica_visibility visibility;
    } shown[] = {{sum, MICA_COMMITTED}, {y, MICA_COMMITTED}, {y, MICA_PUBLIC},    {dense, MICA_PRIVATE},
                 {one, MICA_COMMITTED}, {a, MICA_PUBLIC},    {b, MICA_COMMITTED}, {one, MICA_PRIVATE}};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        kit_output(k, shown[i].tensor);
        k->output[i].visibility = shown[i].visibility;
    }
}

/* Nothing is shown but digests, and there is nothing between input and output. */
static void build_digests(kit *k) {
    kit_begin(k, 4);
    const uint32_t x =
        kit_hidden_input(k, MICA_COMMITTED, -128, 1, (const uint8_t[]){8}, (uint32_t[]){7, 9, 0});
    const uint32_t y = kit_linear(k, x, 0, -384, 381);
    kit_term(k, x, 3, kit_identity(k, x));
    kit_step_add(k, KIT_EVALUATE, 0, y, KIT_END, KIT_END);
    kit_output(k, y);
    k->output[0].visibility = MICA_COMMITTED;
}

/* x[6] -> two contractions with the limbs of weights 16 high + low: their accumulators A and B meet as
 * A + floor((B + 8) / 16), which is requantised. */
static void build_two_limbs(kit *k) {
    uint64_t seed = 11;
    const uint32_t three[] = {3, 0};
    mica_contract product = {
        .n_labels = 2, .label_dim = {3, 6}, .out_label = {0}, .a_view = {{0, 1}}, .b_view = {{1}}};
    kit_begin(k, 4);
    product.b = kit_input(k, -40, 40, (uint32_t[]){6, 0});
    product.a = kit_weight(k, -20, 20, (uint32_t[]){3, 6, 0}, &seed);
    const uint32_t high = kit_contract(k, true, -4800, 4800, three, product);
    product.a = kit_weight(k, -8, 7, (uint32_t[]){3, 6, 0}, &seed);
    const uint32_t low = kit_contract(k, true, -1920, 1920, three, product);
    const uint32_t rest = kit_linear(k, low, 0, -1920, 1920);
    kit_term(k, low, 1, kit_identity(k, low));
    kit_step_add(k, KIT_EVALUATE, 0, rest, KIT_END, KIT_END);
    const uint32_t carry = kit_requantise(k, rest, 4, 8, MICA_TABLE_IDENTITY, 1.0, -120, 120);
    const uint32_t sum = kit_linear(k, high, 0, -4920, 4920);
    kit_term(k, high, 1, kit_identity(k, high));
    kit_term(k, carry, 1, kit_identity(k, carry));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    kit_output(k, kit_requantise(k, sum, 5, 10, MICA_TABLE_RELU_SCALED, 0.25, 0, 63));
}

typedef struct sample {
    const char *name;
    void (*build)(kit *);
} sample;
static const sample samples[] = {{"gemm", build_gemm},       {"linear only", build_linear_only},
                                 {"conv", build_conv},       {"elementwise", build_elementwise},
                                 {"listed", build_listed},   {"ports", build_ports},
                                 {"digests", build_digests}, {"two limbs", build_two_limbs}};
#define SAMPLES (int)(sizeof samples / sizeof *samples)

#endif
