/* Provers that lie about every clause of a weight certificate. */
#include "certificate_kit.h"

/* p = min(p, most): the other part of a weight then takes what is left. Its padding stays zero. */
static int32_t most_positive;
static void cap_positive(const certificate *k, uint32_t t, int32_t *cells) {
    const mica_tensor *x = &k->vk.circuit.tensor[t];
    if (x->kind != MICA_TENSOR_WITNESS || !k->rule[t].width || k->rule[t].source >= k->n_weights)
        return;
    for (size_t i = 0; i < padded_cells(x); i++)
        cells[i] = cells[i] > most_positive ? most_positive : cells[i];
}

/* The parameters promise one less than the weights have. */
START_TEST(narrowed_ranges) {
    static const range_end ends[] = {{"largest weight", T_W, true},  {"smallest weight", T_W, false},
                                     {"largest sum", T_ACC, true},   {"smallest sum", T_ACC, false},
                                     {"largest bias", T_BIAS, true}, {"smallest bias", T_BIAS, false}};
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        liar l;
        liar_begin(&l, &shapes[_i]);
        if (is_reached(&l, &shapes[_i], &ends[i])) {
            mica_tensor *x = &l.k.tensor[ends[i].tensor];
            x->hi -= ends[i].high;
            x->lo += !ends[i].high;
            rewrite_vk(&l.k);
            must_fail(&l, shapes[_i].name, ends[i].what);
            most_positive = x->hi; /* what is too much becomes the negative part's */
            certificate_cheat = cap_positive;
            must_fail(&l, shapes[_i].name, ends[i].what);
            certificate_cheat = NULL;
        }
        liar_end(&l);
    }
}
END_TEST

/* Commits to the weights as they are now, padding included. */
static void recommit(liar *l) {
    mica_arena arena;
    mica_status st = {0};
    uint8_t root[MERKLE_DIGEST];
    pcs_committed group;
    const pcs_shape *group_shape = &l->weights.group.shape;
    ck_assert(arena_create(&arena, pcs_commit_workspace(group_shape, false), &st));
    ck_assert_msg(pcs_commit(&group, group_shape, l->weights.matrix, false, &arena, root, &st), "%s",
                  st.message);
    const size_t nodes = (size_t)2 * MERKLE_DIGEST << group.tree.log_leaves;
    free(l->node);
    l->node = malloc(nodes);
    memcpy(l->node, group.tree.node, nodes);
    l->weights.group.tree.node = l->node;
    memcpy(l->k.vk.weight_root, root, sizeof root);
    arena_destroy(&arena);
    rewrite_vk(&l->k);
}

static void set_weight(liar *l, uint32_t tensor, size_t cell, int32_t x) {
    l->weights.value[tensor][cell] = x;
    l->weights.matrix[layout_find(&l->weights.layout, tensor)->offset + cell] = m31_from_i32(x);
}

static bool is_padding(const mica_tensor *x, size_t cell) {
    for (unsigned i = x->rank; i-- > 0; cell >>= mica_log2_ceil(x->dim[i])) {
        if ((cell & (((size_t)1 << mica_log2_ceil(x->dim[i])) - 1)) >= x->dim[i])
            return true;
    }
    return false;
}

/* A cell of the padding that its row of the commitment holds. */
static bool find_padding(const liar *l, uint32_t tensor, size_t *cell) {
    const mica_tensor *x = &l->k.tensor[tensor];
    const layout *at = &l->weights.layout;
    for (*cell = 0; *cell < padded_cells(x); ++*cell) {
        const uint64_t row = (layout_find(at, tensor)->offset + *cell) >> at->shape.col_vars;
        for (uint32_t i = 0; is_padding(x, *cell) && i < at->shape.n_present; i++) {
            if (at->shape.present[i] == row)
                return true;
        }
    }
    return false;
}

START_TEST(nonzero_padding) {
    const shape *s = &shapes[_i];
    for (uint32_t tensor = T_BIAS; tensor <= T_W; tensor++) {
        liar l;
        size_t cell;
        liar_begin(&l, s);
        for (int x = -1; x <= 1 && find_padding(&l, tensor, &cell); x += 2) {
            set_weight(&l, tensor, cell, x);
            recommit(&l);
            must_fail(&l, s->name, "padding");
            most_positive = 0; /* the negative part takes it all */
            certificate_cheat = cap_positive;
            must_fail(&l, s->name, "padding, as a negative part");
            certificate_cheat = NULL;
        }
        liar_end(&l);
    }
}
END_TEST

/* One cell of one tensor of the certificate is wrong, and what follows from it is computed from it. */
static struct {
    uint32_t tensor;
    size_t cell;
    int32_t by;
} slip;

static void slip_cell(const certificate *k, uint32_t t, int32_t *cells) {
    (void)k;
    if (t == slip.tensor)
        cells[slip.cell] += slip.by;
}

/* p and n may both be larger than they need be, as long as their ranges and the row's bounds admit it: a lie
 * that is none. w = p - n as before. */
static bool is_harmless(const liar *l, const certificate *k, const shape *s) {
    const mica_tensor *x = &k->vk.circuit.tensor[slip.tensor], *w = &l->k.tensor[T_W],
                      *acc = &l->k.tensor[T_ACC];
    const certificate_rule r = k->rule[slip.tensor];
    const bool whole =
        w->hi < 1 << CERT_MIN_DIGIT && -w->lo < 1 << CERT_MIN_DIGIT; /* n is p - w, no digits */
    if (x->kind != MICA_TENSOR_WITNESS || !r.width || r.source >= k->n_weights ||
        k->weight[r.source] != T_W || !whole || is_padding(x, slip.cell))
        return false;
    const int32_t cell = l->weights.value[T_W][slip.cell], p = (cell > 0 ? cell : 0) + slip.by;
    size_t dense = 0, row = 0; /* the row of the cell, by its valid index */
    for (size_t at = 0; at < padded_cells(x); at++) {
        if (at == slip.cell)
            row = row_of(s, dense);
        dense += !is_padding(x, at);
    }
    int64_t least = 0, most = 0;
    for (size_t i = 0; i < cells_in(s); i++) {
        const int64_t a = (int64_t)l->k.weight[T_W][i] * s->x_lo, b = (int64_t)l->k.weight[T_W][i] * s->x_hi;
        if (row_of(s, i) == row) {
            least += a < b ? a : b;
            most += a < b ? b : a;
        }
    }
    const int64_t more = (int64_t)slip.by * (s->x_hi - s->x_lo);
    return p >= 0 && p <= w->hi && p - cell >= 0 && p - cell <= -w->lo && most + more <= acc->hi &&
           least - more >= acc->lo;
}

START_TEST(wrong_cells) {
    const shape *s = &shapes[_i];
    certificate c;
    mica_status st = {0};
    liar l;
    unsigned tried = 0, harmless = 0;
    liar_begin(&l, s);
    ck_assert_msg(certificate_derive(&c, &l.k.vk, part_lookups, 0, &st), "%s", st.message);
    certificate_cheat = slip_cell;
    for (uint32_t t = c.n_weights; t < c.vk.circuit.n_tensors; t++) {
        const mica_tensor *x = &c.vk.circuit.tensor[t];
        if (x->kind == MICA_TENSOR_WITNESS && !c.rule[t].width)
            continue; /* multiplicities are counted later */
        const size_t n = padded_cells(x), stride = n > 6 ? n / 6 | 1 : 1; /* odd: meets padding, too */
        for (size_t cell = 0; cell < n; cell += stride) {
            char what[128];
            slip.tensor = t;
            slip.cell = cell;
            slip.by = ++tried & 1 ? 1 : -1;
            (void)snprintf(what, sizeof what, "%s: tensor %u, cell %zu by %d", s->name, t, cell, slip.by);
            const mica_verdict v = told(&l, what);
            const bool none = is_harmless(&l, &c, s);
            harmless += none;
            ck_assert_msg(v.code == MICA_ACCEPT ? none : !none, "%s: %s", what, mica_verdict_name(v.code));
        }
    }
    certificate_cheat = NULL;
    (void)printf("%-16s %3u lies, %u of them none\n", s->name, tried, harmless);
    certificate_free(&c);
    liar_end(&l);
}
END_TEST

/* --- one tensor in two products: at a fixed index, as second operand; with a paired axis --- */

enum { G = 4, O = 3, K = 5 };
enum { S_X, S_Z, S_W, S_SLICE, S_PAIRED };

/* The largest and smallest sum of w x along the last axis, x in [-30, 20], over the rows from `first` on. */
static void sums(const int32_t *w, unsigned first, unsigned rows, int32_t *lo, int32_t *hi) {
    *lo = *hi = 0;
    for (unsigned r = first; r < first + rows; r++) {
        int32_t least = 0, most = 0;
        for (unsigned k = 0; k < K; k++) {
            const int32_t x = w[r * K + k];
            least += x > 0 ? x * -30 : x * 20;
            most += x > 0 ? x * 20 : x * -30;
        }
        *lo = least < *lo ? least : *lo;
        *hi = most > *hi ? most : *hi;
    }
}

static void build_shared(kit *k) {
    uint64_t seed = 5;
    int32_t lo, hi;
    kit_begin(k, 1);
    const uint32_t x = kit_input(k, -30, 20, (uint32_t[]){K, 0});
    const uint32_t z = kit_input(k, -30, 20, (uint32_t[]){G, K, 0});
    const uint32_t w = kit_weight(k, -40, 40, (uint32_t[]){G, O, K, 0}, &seed);
    sums(k->weight[w], 2 * O, O, &lo, &hi);
    const uint32_t slice = kit_contract(k, true, lo, hi, (uint32_t[]){O, 0},
                                        (mica_contract){.n_labels = 2,
                                                        .label_dim = {O, K},
                                                        .out_label = {0},
                                                        .a = x,
                                                        .b = w,
                                                        .a_view = {{1}},
                                                        .b_view = {{MICA_VIEW_AT(2), 0, 1}}});
    sums(k->weight[w], 0, G * O, &lo, &hi);
    const uint32_t paired = kit_contract(k, true, lo, hi, (uint32_t[]){O, G, 0},
                                         (mica_contract){.n_labels = 3,
                                                         .label_dim = {G, O, K},
                                                         .out_label = {1, 0},
                                                         .a = w,
                                                         .b = z,
                                                         .a_view = {{0, 1, 2}},
                                                         .b_view = {{0, 2}}});
    const uint32_t y = kit_linear(k, paired, 0, -20000, 20000);
    const mica_view rows = {{0}};
    kit_term(k, slice, 1, rows);
    kit_term(k, paired, 1, kit_identity(k, paired));
    kit_step_add(k, KIT_EVALUATE, 0, y, KIT_END, KIT_END);
    kit_output(k, y);
    ck_assert(kit_finish(k, BITS));
}

START_TEST(shared_weights) {
    mica_certificate_report r;
    mica_status st = {0};
    liar l;
    for (unsigned lie = 0; lie < 5; lie++) {
        build_shared(&l.k);
        l.node = NULL;
        ck_assert(mica_certificate_report_make(&l.k.vk, &r, &st));
        ck_assert_uint_eq(r.products, 2);
        ck_assert_uint_eq(r.rows, O + G * O);
        ck_assert(
            weights_load(&l.weights, &l.k.vk, &(weight_file){l.k.weights, l.k.weights_size, false}, &st));
        mica_tensor *x = &l.k.tensor[lie < 3 ? S_SLICE : S_PAIRED];
        x->hi -= lie == 1 || lie == 3;
        x->lo += lie == 2 || lie == 4;
        rewrite_vk(&l.k);
        if (lie)
            must_fail(&l, "shared", "a sum");
        else
            ck_assert_int_eq(told(&l, "the truth").code, MICA_ACCEPT);
        liar_end(&l);
    }
}
END_TEST

/* --- weights that are not the committed ones --- */

/* The statement and the root are those of the weights' commitment, whose columns are not. */
START_TEST(other_columns) {
    liar l;
    liar_begin(&l, &shapes[2]);
    set_weight(&l, T_W, 3, l.weights.value[T_W][3] ? 0 : 1);
    const mica_verdict v = told(&l, "a weight changed after the commitment");
    ck_assert_msg(v.code == MICA_REJECT_MERKLE || v.code == MICA_REJECT_OPENING, "%s",
                  mica_verdict_name(v.code));
    liar_end(&l);
}
END_TEST

int main(void) {
    Suite *s = suite_create("certificate: lies");
    TCase *c = tcase_create("certificate");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, narrowed_ranges, 0, N_SHAPES);
    tcase_add_loop_test(c, nonzero_padding, 0, N_SHAPES);
    tcase_add_loop_test(c, wrong_cells, 0, N_SHAPES);
    tcase_add_test(c, shared_weights);
    tcase_add_test(c, other_columns);
    suite_add_tcase(s, c);
    return suite_run(s);
}
