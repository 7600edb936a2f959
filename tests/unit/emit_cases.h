/* A program that holds a step of every form over many shapes, for the tests of generated code. Nothing but
 * the interpreter says what its cells are. */
#ifndef MICA_TESTS_EMIT_CASES_H
#define MICA_TESTS_EMIT_CASES_H

#include "program/program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 4096, WIDE = 1 << 30 };

/* --- building programs --- */

static void program_start(program *p) {
    mica_circuit *c = &p->circuit;
    memset(p, 0, sizeof *p);
    c->tensor = calloc(CAPACITY, sizeof *c->tensor);
    c->linear = calloc(CAPACITY, sizeof *c->linear);
    c->term = calloc(CAPACITY, sizeof *c->term);
    c->box = calloc(CAPACITY, sizeof *c->box);
    c->contract = calloc(CAPACITY, sizeof *c->contract);
    c->placement = calloc(CAPACITY, sizeof *c->placement);
    c->index = calloc(CAPACITY, sizeof *c->index);
    c->lookup = calloc(CAPACITY, sizeof *c->lookup);
    c->table = calloc(CAPACITY, sizeof *c->table);
    c->layer = calloc(CAPACITY, sizeof *c->layer);
    p->note = calloc(CAPACITY, sizeof *p->note);
    p->step = calloc(CAPACITY, sizeof *p->step);
}

static void program_end(program *p) {
    mica_circuit_free(&p->circuit);
    free(p->note);
    free(p->step);
}

static uint32_t add_layer(program *p, const char *name) {
    mica_layer *l = &p->circuit.layer[p->circuit.n_layers];
    (void)snprintf(l->name, sizeof l->name, "%s", name);
    (void)snprintf(l->op, sizeof l->op, "Test");
    return p->circuit.n_layers++;
}

static uint32_t add_tensor(program *p, mica_tensor_kind kind, unsigned rank, const uint32_t *dim, int32_t lo,
                           int32_t hi) {
    mica_circuit *c = &p->circuit;
    mica_tensor *t = &c->tensor[c->n_tensors];
    t->kind = kind;
    t->batched = kind != MICA_TENSOR_WEIGHT;
    t->rank = (uint8_t)rank;
    if (rank)
        memcpy(t->dim, dim, rank * sizeof *dim);
    t->lo = lo;
    t->hi = hi;
    t->layer = c->n_layers - 1;
    ck_assert_uint_lt(c->n_tensors, CAPACITY);
    return c->n_tensors++;
}

static step *add_step(program *p, step_kind kind, uint32_t t) {
    step *s = &p->step[p->n_steps++];
    s->kind = kind;
    s->layer = p->circuit.n_layers - 1;
    s->table = UINT32_MAX;
    for (unsigned i = 0; i < STEP_MAX_TENSORS; i++)
        s->tensor[i] = UINT32_MAX;
    s->tensor[0] = t;
    return s;
}

static uint32_t start_linear(program *p, unsigned rank, const uint32_t *dim, int32_t lo, int32_t hi,
                             unsigned shift) {
    mica_circuit *c = &p->circuit;
    const uint32_t t = add_tensor(p, MICA_TENSOR_LINEAR, rank, dim, lo, hi);
    mica_linear *l = &c->linear[c->n_linear];
    c->tensor[t].def = c->n_linear++;
    l->shift = (uint8_t)shift;
    l->first_term = c->n_terms;
    l->first_box = c->n_boxes;
    return t;
}

/* A term of the LINEAR added last; NULL view: the identity. */
static void add_term(program *p, uint32_t tensor, int32_t coef, const int32_t *view) {
    mica_circuit *c = &p->circuit;
    mica_term *t = &c->term[c->n_terms++];
    t->tensor = tensor;
    t->coef = coef;
    for (unsigned i = 0; i < c->tensor[tensor].rank; i++)
        t->view.axis[i] = view ? view[i] : (int32_t)i;
    c->linear[c->n_linear - 1].n_terms++;
}

static void add_box(program *p, int32_t coef, unsigned rank, const uint32_t *lo, const uint32_t *hi) {
    mica_circuit *c = &p->circuit;
    mica_box *b = &c->box[c->n_boxes++];
    b->coef = coef;
    for (unsigned i = 0; i < rank; i++) {
        b->lo[i] = lo ? lo[i] : 0;
        b->hi[i] = hi[i];
    }
    c->linear[c->n_linear - 1].n_boxes++;
}

/* A LINEAR copy of a tensor, so that its cells can be compared. */
static void add_copy(program *p, uint32_t t) {
    const mica_tensor x = p->circuit.tensor[t];
    const uint32_t v = start_linear(p, x.rank, x.dim, x.lo, x.hi, 0);
    add_term(p, t, 1, NULL);
    (void)add_step(p, STEP_EVALUATE, v);
}

/* --- contractions --- */

/* Labels are letters; the sizes of the letters used are looked up in `size`. */
typedef struct contract_case {
    const char *a, *b, *out;
    uint32_t size[26];
} contract_case;

static const contract_case contract_cases[] = {
    {"kn", "k", "n", {['k' - 'a'] = 13, ['n' - 'a'] = 24}},
    {"nk", "k", "n", {['k' - 'a'] = 37, ['n' - 'a'] = 10}},
    {"kn", "mk", "mn", {['k' - 'a'] = 9, ['n' - 'a'] = 33, ['m' - 'a'] = 6}},
    {"nk", "mk", "mn", {['k' - 'a'] = 64, ['n' - 'a'] = 7, ['m' - 'a'] = 5}},
    {"nk", "km", "mn", {['k' - 'a'] = 11, ['n' - 'a'] = 12, ['m' - 'a'] = 3}},
    {"hid", "hjd", "hij", {['h' - 'a'] = 3, ['i' - 'a'] = 5, ['j' - 'a'] = 6, ['d' - 'a'] = 8}},
    {"hij", "hjd", "hid", {['h' - 'a'] = 3, ['i' - 'a'] = 5, ['j' - 'a'] = 6, ['d' - 'a'] = 7}},
    {"ghij",
     "gjd",
     "ghid",
     {['g' - 'a'] = 2, ['h' - 'a'] = 3, ['i' - 'a'] = 4, ['j' - 'a'] = 5, ['d' - 'a'] = 20}},
    {"xyz", "xyz", "xyz", {['x' - 'a'] = 3, ['y' - 'a'] = 5, ['z' - 'a'] = 9}},
    {"xyz", "xy", "xyz", {['x' - 'a'] = 3, ['y' - 'a'] = 5, ['z' - 'a'] = 9}},
    {"xy", "xyz", "zyx", {['x' - 'a'] = 4, ['y' - 'a'] = 5, ['z' - 'a'] = 9}},
    {"k", "k", "", {['k' - 'a'] = 21}},
    {"kl", "kl", "", {['k' - 'a'] = 5, ['l' - 'a'] = 3}},
    {"n", "m", "nm", {['n' - 'a'] = 5, ['m' - 'a'] = 3}},
    {"", "", "", {0}},
    {"n", "", "n", {['n' - 'a'] = 1}},
    {"ockl",
     "cklxy",
     "oxy",
     {['o' - 'a'] = 4, ['c' - 'a'] = 3, ['k' - 'a'] = 3, ['l' - 'a'] = 3, ['x' - 'a'] = 7, ['y' - 'a'] = 7}},
    {"kab", "abk", "ab", {['k' - 'a'] = 3, ['a' - 'a'] = 2, ['b' - 'a'] = 6}},
    /* products of 16-bit matrices: odd depths, pairs of chunks, several loops of columns, a paired one */
    {"nk", "mk", "mn", {['k' - 'a'] = 33, ['n' - 'a'] = 40, ['m' - 'a'] = 9}},
    {"kn", "mk", "mn", {['k' - 'a'] = 2050, ['n' - 'a'] = 80, ['m' - 'a'] = 9}},
    {"mk", "nk", "nm", {['k' - 'a'] = 2050, ['n' - 'a'] = 8, ['m' - 'a'] = 70}},
    {"hid", "hjd", "hij", {['h' - 'a'] = 3, ['i' - 'a'] = 20, ['j' - 'a'] = 33, ['d' - 'a'] = 16}},
    {"hij", "hjd", "hid", {['h' - 'a'] = 3, ['i' - 'a'] = 20, ['j' - 'a'] = 17, ['d' - 'a'] = 9}},
    {"ok", "kxy", "oxy", {['o' - 'a'] = 9, ['k' - 'a'] = 20, ['x' - 'a'] = 7, ['y' - 'a'] = 11}},
};

static unsigned letters_dims(const contract_case *k, const char *letters, uint32_t *dim) {
    unsigned n = 0;
    for (; letters[n]; n++)
        dim[n] = k->size[letters[n] - 'a'];
    return n;
}

/* a's cells lie in [-reach, reach]. */
static void add_contract_case(program *p, const contract_case *k, bool weight, int32_t reach) {
    mica_circuit *c = &p->circuit;
    char labels[32] = "", name[MICA_NAME_BYTES];
    uint32_t dim[MICA_MAX_RANK];
    for (const char *l = k->a; *l; l++)
        labels[strlen(labels)] = *l;
    for (const char *l = k->b; *l; l++) {
        if (!strchr(labels, *l))
            labels[strlen(labels)] = *l;
    }
    (void)snprintf(name, sizeof name, "%s,%s->%s", k->a, k->b, k->out);
    (void)add_layer(p, name);
    unsigned n = letters_dims(k, k->a, dim);
    const uint32_t a = add_tensor(p, weight ? MICA_TENSOR_WEIGHT : MICA_TENSOR_INPUT, n, dim, -reach, reach);
    n = letters_dims(k, k->b, dim);
    const uint32_t b = add_tensor(p, MICA_TENSOR_INPUT, n, dim, -100, 100);
    n = letters_dims(k, k->out, dim);
    const uint32_t v = add_tensor(p, MICA_TENSOR_CONTRACT, n, dim, -WIDE, WIDE);
    mica_contract *m = &c->contract[c->n_contract];
    c->tensor[v].def = c->n_contract++;
    m->a = a;
    m->b = b;
    m->n_labels = (uint8_t)strlen(labels);
    for (unsigned i = 0; labels[i]; i++)
        m->label_dim[i] = k->size[labels[i] - 'a'];
    for (unsigned i = 0; k->a[i]; i++)
        m->a_view.axis[i] = (int32_t)(strchr(labels, k->a[i]) - labels);
    for (unsigned i = 0; k->b[i]; i++)
        m->b_view.axis[i] = (int32_t)(strchr(labels, k->b[i]) - labels);
    for (unsigned i = 0; k->out[i]; i++)
        m->out_label[i] = (uint8_t)(strchr(labels, k->out[i]) - labels);
    (void)add_step(p, STEP_EVALUATE, v);
    add_copy(p, v);
}

/* --- convolutions: groups * c_in channels in, groups * c_out out; kernel, stride, pad, dilation per axis ---
 */

typedef struct conv_case {
    uint32_t groups, c_in, c_out;
    uint32_t in[2], kernel[2], stride[2], pad[2], dilation[2], out[2];
} conv_case;

static const conv_case conv_cases[] = {
    {1, 1, 6, {28, 28}, {5, 5}, {1, 1}, {0, 0}, {1, 1}, {24, 24}},
    {1, 3, 8, {28, 28}, {5, 5}, {1, 1}, {2, 2}, {1, 1}, {28, 28}},
    {1, 3, 5, {9, 20}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {5, 10}},
    {1, 2, 4, {40, 40}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {20, 20}},
    {1, 8, 16, {7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {7, 7}},
    {1, 8, 3, {4, 4}, {4, 4}, {1, 1}, {0, 0}, {1, 1}, {1, 1}},
    {4, 1, 1, {18, 18}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {18, 18}},
    {3, 2, 4, {17, 33}, {3, 2}, {1, 1}, {2, 1}, {2, 1}, {17, 34}},
    {1, 4, 4, {1, 50}, {1, 7}, {1, 3}, {0, 3}, {1, 1}, {1, 17}},
    {1, 4, 4, {30, 1}, {4, 1}, {1, 1}, {1, 0}, {2, 1}, {26, 1}},
    {1, 5, 7, {12, 12}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, {12, 12}},
    {1, 2, 2, {3, 3}, {3, 3}, {1, 1}, {9, 9}, {1, 1}, {19, 19}},
    {1, 2, 4, {16, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {16, 32}}, /* no padding cells behind the border */
    {1, 2, 3, {16, 16}, {3, 3}, {1, 1}, {1, 1}, {2, 2}, {14, 14}},
    {3, 4, 8, {17, 33}, {3, 2}, {2, 1}, {2, 1}, {2, 1}, {9, 34}},
    {1, 64, 9, {16, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {16, 32}}, /* several panels */
    {1, 3, 17, {9, 2}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {9, 2}},
    {1, 2, 8, {3, 3}, {3, 3}, {1, 1}, {9, 9}, {1, 1}, {19, 19}},
};

static mica_factor window_factor(unsigned out_k, unsigned out_o, unsigned src, const conv_case *k,
                                 unsigned axis) {
    mica_factor f = {0};
    f.n_out = 2;
    f.n_src = 1;
    f.out_axis[0] = (uint8_t)out_k;
    f.out_axis[1] = (uint8_t)out_o;
    f.src_axis[0] = (uint8_t)src;
    f.out_stride[0] = (int32_t)k->dilation[axis];
    f.out_stride[1] = (int32_t)k->stride[axis];
    f.offset = -(int32_t)k->pad[axis];
    return f;
}

static mica_factor pass_factor(unsigned out, unsigned src) {
    mica_factor f = {0};
    f.n_out = f.n_src = 1;
    f.out_axis[0] = (uint8_t)out;
    f.src_axis[0] = (uint8_t)src;
    f.out_stride[0] = 1;
    return f;
}

static uint32_t add_placement(program *p, uint32_t src, unsigned rank, const uint32_t *dim,
                              const mica_factor *f, unsigned n) {
    mica_circuit *c = &p->circuit;
    const uint32_t v = add_tensor(p, MICA_TENSOR_PLACEMENT, rank, dim, -WIDE, WIDE);
    mica_placement *m = &c->placement[c->n_placement];
    c->tensor[v].def = c->n_placement++;
    m->src = src;
    m->n_factors = (uint8_t)n;
    memcpy(m->factor, f, n * sizeof *f);
    (void)add_step(p, STEP_EVALUATE, v);
    return v;
}

static void add_conv_case(program *p, const conv_case *k, bool copied) {
    mica_circuit *c = &p->circuit;
    char name[MICA_NAME_BYTES];
    (void)snprintf(name, sizeof name, "conv %u*%u->%u, %ux%u", k->groups, k->c_in, k->c_out, k->in[0],
                   k->in[1]);
    (void)add_layer(p, name);
    const uint32_t x_dim[4] = {k->groups, k->c_in, k->in[0], k->in[1]};
    const uint32_t w_dim[5] = {k->groups, k->c_out, k->c_in, k->kernel[0], k->kernel[1]};
    const uint32_t patch_dim[6] = {k->groups, k->c_in, k->kernel[0], k->kernel[1], k->out[0], k->out[1]};
    const uint32_t out_dim[4] = {k->groups, k->c_out, k->out[0], k->out[1]};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 4, x_dim, -128, 127);
    const uint32_t w = add_tensor(p, MICA_TENSOR_WEIGHT, 5, w_dim, -128, 127);
    const mica_factor f[4] = {pass_factor(0, 0), pass_factor(1, 1), window_factor(2, 4, 2, k, 0),
                              window_factor(3, 5, 3, k, 1)};
    const uint32_t patches = add_placement(p, x, 6, patch_dim, f, 4);
    const uint32_t v = add_tensor(p, MICA_TENSOR_CONTRACT, 4, out_dim, -WIDE, WIDE);
    /* labels: g o c ky kx y x */
    const mica_contract m = {7,
                             {k->groups, k->c_out, k->c_in, k->kernel[0], k->kernel[1], k->out[0], k->out[1]},
                             {0, 1, 5, 6},
                             w,
                             patches,
                             {{0, 1, 2, 3, 4}},
                             {{0, 2, 3, 4, 5, 6}}};
    c->contract[c->n_contract] = m;
    c->tensor[v].def = c->n_contract++;
    (void)add_step(p, STEP_EVALUATE, v);
    add_copy(p, v);
    if (copied)
        add_copy(p, patches);
}

/* --- the other forms --- */

static uint32_t add_table(program *p, mica_table_kind kind, unsigned bits) {
    mica_table *t = &p->circuit.table[p->circuit.n_tables];
    t->def.kind = kind;
    t->def.bits = (uint8_t)bits;
    t->def.lo_key = -(1 << (bits - 1));
    return p->circuit.n_tables++;
}

/* A scaled table: one that is a clamp for finer = 0, and of values twice as fine as the keys for 1. */
static uint32_t add_scaled_table(program *p, mica_table_kind kind, int finer, int32_t lo, int32_t hi) {
    const uint32_t k = add_table(p, kind, 16);
    mica_table_def *def = &p->circuit.table[k].def;
    def->in_scale = (mica_dyadic){1 << 30, -30};
    def->out_scale = (mica_dyadic){1 << 30, -30 - finer};
    def->lo_value = lo;
    def->hi_value = hi;
    return k;
}

/* y = f of (3 x - 2 sum over an axis of z + per-channel bias + box) / 2^shift, remainder in limbs. RANGE: no
 * y. */
static void add_requantise_case(program *p, unsigned shift, unsigned n_limbs, mica_table_kind f, int finer) {
    (void)add_layer(p, "requantise");
    const uint32_t dim[3] = {3, 5, 9}, z_dim[3] = {3, 4, 9}, bias_dim[1] = {3}, lo[3] = {0, 1, 2},
                   hi[3] = {2, 4, 9};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, -1000, 1000);
    const uint32_t z = add_tensor(p, MICA_TENSOR_INPUT, 3, z_dim, -1000, 1000);
    const uint32_t bias = add_tensor(p, MICA_TENSOR_WEIGHT, 1, bias_dim, -5000, 5000);
    uint32_t limb[4];
    const unsigned low[4] = {0, shift / 2, shift, shift};
    for (unsigned i = 0; i < n_limbs; i++) {
        const unsigned width = (i + 1 < n_limbs ? low[i + 1] : shift) - low[i];
        limb[i] = add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, (1 << width) - 1);
    }
    const uint32_t h = start_linear(p, 3, dim, -(1 << 15), (1 << 15) - 1, shift);
    const int32_t z_view[3] = {0, MICA_VIEW_SUM, 2}, bias_view[1] = {0}, at_view[3] = {0, MICA_VIEW_AT(3), 2};
    add_term(p, x, 3, NULL);
    add_term(p, z, -2, z_view);
    add_term(p, z, 1, at_view);
    add_term(p, bias, 1, bias_view);
    for (unsigned i = 0; i < n_limbs; i++)
        add_term(p, limb[i], -(1 << low[i]), NULL);
    if (shift)
        add_box(p, 1 << (shift - 1), 3, NULL, dim);
    add_box(p, -77, 3, lo, hi);
    step *s = add_step(p, STEP_REQUANTISE, h);
    s->n_limbs = n_limbs;
    for (unsigned i = 0; i < n_limbs; i++)
        s->tensor[2 + i] = limb[i];
    if (f == MICA_TABLE_RELU)
        s->table = add_table(p, f, 16);
    else if (f != MICA_TABLE_RANGE)
        s->table = add_scaled_table(p, f, finer, -20, 1000);
    if (f != MICA_TABLE_RANGE)
        s->tensor[1] = add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, -20, 1 << 15);
}

/* A sum whose partial sums leave 32 bits. */
static void add_wide_case(program *p) {
    (void)add_layer(p, "wide");
    const uint32_t dim[2] = {4, 8};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 2, dim, -1000, 1000);
    const uint32_t v = start_linear(p, 2, dim, -WIDE, WIDE, 0);
    add_term(p, x, 2000000, NULL);
    add_term(p, x, -1999999, NULL);
    add_term(p, x, 1, NULL);
    add_box(p, -5, 2, NULL, dim);
    (void)add_step(p, STEP_EVALUATE, v);
    (void)add_layer(p, "wide requantised");
    const uint32_t limb = add_tensor(p, MICA_TENSOR_WITNESS, 2, dim, 0, (1 << 20) - 1);
    const uint32_t h = start_linear(p, 2, dim, -4000, 4000, 20);
    add_term(p, x, 2000000, NULL);
    add_term(p, x, 2000000, NULL);
    add_term(p, limb, -1, NULL);
    add_box(p, 1 << 19, 2, NULL, dim);
    step *s = add_step(p, STEP_REQUANTISE, h);
    s->n_limbs = 1;
    s->tensor[2] = limb;
}

/* Views: sum over all axes, a fixed index, broadcast, transposition; scalars. */
static void add_view_cases(program *p) {
    (void)add_layer(p, "views */ of \\ hostile\nname \xff");
    const uint32_t dim[3] = {3, 4, 6}, turned[3] = {6, 3, 4};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, -1000, 1000);
    const uint32_t s = add_tensor(p, MICA_TENSOR_INPUT, 0, NULL, -1000, 1000);
    const int32_t all[3] = {MICA_VIEW_SUM, MICA_VIEW_SUM, MICA_VIEW_SUM}, turn[3] = {1, 2, 0};
    const int32_t one[3] = {MICA_VIEW_AT(2), MICA_VIEW_AT(1), MICA_VIEW_AT(5)};
    (void)add_step(p, STEP_EVALUATE, start_linear(p, 0, NULL, -WIDE, WIDE, 0));
    add_term(p, x, 1, all);
    add_term(p, x, 7, one);
    add_term(p, s, -3, NULL);
    const uint32_t t = start_linear(p, 3, turned, -WIDE, WIDE, 0);
    add_term(p, x, -1, turn);
    add_term(p, s, 5, NULL);
    add_term(p, x, 1, all);
    (void)add_step(p, STEP_EVALUATE, t);
    const uint32_t lo[3] = {1, 0, 2}, hi[3] = {2, 4, 5};
    const uint32_t boxed = start_linear(p, 3, dim, -WIDE, WIDE, 0);
    add_term(p, x, 2, NULL);
    add_box(p, 1000, 3, lo, hi);
    add_box(p, -9, 3, NULL, hi);
    (void)add_step(p, STEP_EVALUATE, boxed);
}

static void add_max_case(program *p) {
    (void)add_layer(p, "max");
    const uint32_t in_dim[2] = {5, 12}, dim[2] = {5, 6};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 2, in_dim, -1000, 1000);
    const uint32_t pair_dim[3] = {5, 6, 2};
    mica_factor f[2] = {pass_factor(0, 0), {0}};
    f[1].n_out = 2;
    f[1].n_src = 1;
    f[1].out_axis[0] = 1;
    f[1].out_axis[1] = 2;
    f[1].src_axis[0] = 1;
    f[1].out_stride[0] = 2;
    f[1].out_stride[1] = 1;
    const uint32_t pairs = add_placement(p, x, 3, pair_dim, f, 2);
    const uint32_t top = add_tensor(p, MICA_TENSOR_WITNESS, 2, dim, -1000, 1000);
    const int32_t first[3] = {0, 1, MICA_VIEW_AT(0)}, second[3] = {0, 1, MICA_VIEW_AT(1)};
    const uint32_t d = start_linear(p, 2, dim, -2000, 2000, 0);
    add_term(p, pairs, 1, first);
    add_term(p, pairs, -1, second);
    add_box(p, 3, 2, NULL, dim);
    const uint32_t r = start_linear(p, 2, dim, 0, 2000, 0);
    add_term(p, top, 1, NULL);
    add_term(p, pairs, -1, second);
    step *s = add_step(p, STEP_MAX, top);
    s->tensor[1] = d;
    s->tensor[2] = r;
    p->circuit.tensor[top].hi = 1003;
}

static void add_lookup_case(program *p) {
    (void)add_layer(p, "lookup");
    const uint32_t dim[3] = {2, 3, 16};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, -128, 127);
    step *s = add_step(p, STEP_LOOKUP, x);
    s->table = add_table(p, MICA_TABLE_RELU, 8);
    s->tensor[1] = add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, 127);
}

static void add_divide_case(program *p) {
    (void)add_layer(p, "divide");
    const uint32_t dim[3] = {2, 3, 10};
    const int32_t rows[3] = {0, 1, MICA_VIEW_SUM};
    const uint32_t e = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, 0, 60000);
    const uint32_t s = start_linear(p, 2, dim, 0, 600001, 0);
    add_term(p, e, 1, rows);
    add_box(p, 1, 2, NULL, dim);
    (void)add_step(p, STEP_EVALUATE, s);
    step *d = add_step(p, STEP_DIVIDE, add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, 1 << 12));
    d->tensor[1] = e;
    d->tensor[2] = s;
    d->param = 12;
}

static void add_quotient_cases(program *p) {
    (void)add_layer(p, "quotient and root");
    const uint32_t dim[3] = {2, 3, 10};
    const uint32_t e = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, 0, INT32_MAX - 1);
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, 0, 60000);
    const uint32_t s = start_linear(p, 3, dim, 0, 60001, 0);
    add_term(p, x, 1, NULL);
    add_box(p, 1, 3, NULL, dim);
    (void)add_step(p, STEP_EVALUATE, s);
    step *d = add_step(p, STEP_QUOTIENT, add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, INT32_MAX - 1));
    d->tensor[1] = e;
    d->tensor[2] = s;
    step *r = add_step(p, STEP_ROOT, add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, 46340));
    r->tensor[1] = e;
}

/* Three ranks of rows with ties, and one rank. */
static void add_top_cases(program *p) {
    (void)add_layer(p, "ranks");
    const uint32_t dim[3] = {2, 3, 10}, ranked[4] = {2, 3, 3, 10};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, -3, 3);
    step *s = add_step(p, STEP_TOP, add_tensor(p, MICA_TENSOR_WITNESS, 4, ranked, 0, 1));
    s->tensor[1] = x;
    s = add_step(p, STEP_TOP, add_tensor(p, MICA_TENSOR_WITNESS, 3, dim, 0, 1));
    s->tensor[1] = x;
}

/* Rows by list, one of them of two axes, next to an axis that passes. */
static void add_listed_case(program *p, uint32_t x) {
    static const uint32_t list[] = {8, MICA_NO_CELL, 0, 8, 20, 3, MICA_NO_CELL, 11};
    const uint32_t picked[3] = {2, 9, 4};
    mica_circuit *c = &p->circuit;
    mica_factor f[2] = {pass_factor(1, 2), {0}};
    (void)add_layer(p, "listed rows");
    f[1].n_out = f[1].n_src = 2;
    f[1].out_axis[1] = 2;
    f[1].src_axis[1] = 1;
    f[1].first_index = c->n_indices;
    f[1].n_indices = sizeof list / sizeof *list;
    memcpy(c->index + c->n_indices, list, sizeof list);
    c->n_indices += f[1].n_indices;
    add_copy(p, add_placement(p, x, 3, picked, f, 2));
}

/* Mean pooling with a border that does not count, a reshape, and a placement of a placement. */
static void add_placement_cases(program *p) {
    (void)add_layer(p, "mean pooling");
    const uint32_t dim[3] = {3, 7, 9}, pooled[5] = {3, 3, 3, 4, 5};
    const conv_case k = {1, 3, 3, {7, 9}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {4, 5}};
    const uint32_t x = add_tensor(p, MICA_TENSOR_INPUT, 3, dim, -100, 100);
    mica_factor f[3] = {pass_factor(0, 0), window_factor(1, 3, 1, &k, 0), window_factor(2, 4, 2, &k, 1)};
    f[1].norm = f[2].norm = 6;
    add_copy(p, add_placement(p, x, 5, pooled, f, 3));
    (void)add_layer(p, "reshape");
    const uint32_t flat[2] = {21, 9}, again[1] = {200};
    mica_factor g[2] = {{0}, pass_factor(1, 2)};
    g[0].n_out = 1;
    g[0].n_src = 2;
    g[0].src_axis[1] = 1;
    g[0].out_stride[0] = 1;
    const uint32_t rows = add_placement(p, x, 2, flat, g, 2);
    mica_factor h = {0};
    h.n_out = 1;
    h.n_src = 2;
    h.src_axis[1] = 1;
    h.out_stride[0] = -1;
    h.offset = 193; /* reversed, and longer than its source */
    add_copy(p, add_placement(p, rows, 1, again, &h, 1));
    add_listed_case(p, x);
    (void)add_layer(p, "one cell without a source");
    const uint32_t no_dim[1] = {0};
    mica_factor none = {.n_src = 3, .src_axis = {0, 1, 2}, .offset = -1};
    add_copy(p, add_placement(p, x, 0, no_dim, &none, 1));
}

static void build_program(program *p) {
    program_start(p);
    for (size_t i = 0; i < sizeof contract_cases / sizeof *contract_cases; i++) {
        add_contract_case(p, &contract_cases[i], false, 100);
        add_contract_case(p, &contract_cases[i], true, 100);
    }
    static const contract_case wide = {
        "nk", "mk", "mn", {['k' - 'a'] = 33, ['n' - 'a'] = 40, ['m' - 'a'] = 9}};
    add_contract_case(p, &wide, true, INT16_MAX);
    add_contract_case(p, &wide, true, INT16_MAX + 2); /* does not fit into 16 bits */
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
        add_conv_case(p, &conv_cases[i], false);
        add_conv_case(p, &conv_cases[i], true);
    }
    add_requantise_case(p, 7, 1, MICA_TABLE_RELU, 0);
    add_requantise_case(p, 12, 2, MICA_TABLE_RELU_SCALED, 1);
    add_requantise_case(p, 0, 0, MICA_TABLE_RELU_SCALED, 0);
    add_requantise_case(p, 3, 1, MICA_TABLE_RANGE, 0);
    add_requantise_case(p, 7, 1, MICA_TABLE_IDENTITY, 0);
    add_requantise_case(p, 4, 1, MICA_TABLE_IDENTITY, 1);
    add_wide_case(p);
    add_view_cases(p);
    add_max_case(p);
    add_lookup_case(p);
    add_divide_case(p);
    add_quotient_cases(p);
    add_top_cases(p);
    add_placement_cases(p);
    (void)add_layer(p, "nothing");
}

#endif
