/* Weight certificates: shapes and widths against an oracle that adds up the weights by the definition, and
 * provers that lie about every clause. The prover under test is compiled here, without its own check that
 * lookups hold, so that lies reach the verifier. */
#define MICA_CHEAT
#include "certificate/certificate_prove.c"
#include "protocol/leaves_prove.c"

#include <check.h>
#include <stdio.h>

#include "certificate/certificate_builder.h"
#include "circuit_kit.h"
#include "suite.h"

#define BITS 40 /* of security: small proofs */

/* --- models: y = W x, the weights' bounds exact --- */

typedef struct shape {
    const char *name;
    uint32_t dim[MICA_MAX_RANK]; /* of W; 0 ends them */
    unsigned contracted;         /* bit i: axis i is summed */
    int32_t lo, hi;              /* range of W */
    int32_t x_lo, x_hi;
    unsigned spare; /* by how much the declared range exceeds the rows' */
    unsigned dense; /* if not 0: one in so many weights is random, the others are small */
} shape;

static const shape shapes[] = {
    {"matrix", {3, 5}, 2, -20, 20, -50, 50, 0, 0},
    {"transposed", {5, 3}, 1, -20, 17, -50, 30, 0, 0},
    {"power of two", {4, 8}, 2, -128, 127, 0, 255, 0, 0},
    {"unsigned", {3, 7}, 2, 0, 9, -3, 4, 0, 0},
    {"negative", {3, 7}, 2, -9, 0, -3, 4, 0, 0},
    {"one bit", {6, 5}, 2, -1, 1, 0, 1, 0, 0},
    {"zero", {3, 3}, 2, 0, 0, -4, 4, 0, 0},
    {"kernel", {3, 2, 3, 5}, 14, -100, 90, -128, 127, 0, 0},
    {"wide", {3, 9}, 2, -30000, 32000, -2000, 2000, 0, 0},
    {"wide and long", {2, 300}, 2, -30000, 32000, -300, 255, 0, 16},
    {"wide, one side", {2, 300}, 2, -30000, 32000, 0, 255, 5, 16},
    {"long", {1, 700}, 2, -127, 127, -30000, 30000, 0, 16},
    {"vector", {9}, 1, -77, 50, -100, 100, 0, 0},
    {"spare", {3, 5}, 2, -20, 20, -50, 50, 1000, 0},
};
#define N_SHAPES (int)(sizeof shapes / sizeof *shapes)

static unsigned rank_of(const shape *s) {
    unsigned rank = 0;
    while (rank < MICA_MAX_RANK && s->dim[rank])
        rank++;
    return rank;
}

/* The row of a cell of W, its contracted indices taken as 0. */
static size_t row_of(const shape *s, size_t cell) {
    size_t row = 0, unit = 1;
    for (unsigned i = rank_of(s); i-- > 0; cell /= s->dim[i], unit *= s->dim[i])
        row += s->contracted >> i & 1 ? 0 : cell % s->dim[i] * unit;
    return row;
}

static size_t cells_in(const shape *s) {
    size_t n = 1;
    for (unsigned i = 0; i < rank_of(s); i++)
        n *= s->dim[i];
    return n;
}

/* By the definition: the smallest and largest sum of a row. */
static void row_bounds(const shape *s, const int32_t *w, int64_t *lo, int64_t *hi) {
    *lo = *hi = 0;
    for (size_t row = 0; row < cells_in(s); row++) {
        int64_t least = 0, most = 0;
        for (size_t i = 0; i < cells_in(s); i++) {
            const int64_t a = (int64_t)w[i] * s->x_lo, b = (int64_t)w[i] * s->x_hi;
            if (row_of(s, i) == row) {
                least += a < b ? a : b;
                most += a < b ? b : a;
            }
        }
        *lo = least < *lo ? least : *lo;
        *hi = most > *hi ? most : *hi;
    }
}

static void describe(const shape *s, mica_contract *d, uint32_t *x_dim, uint32_t *out_dim) {
    unsigned n_out = 0, n_x = 0;
    d->n_labels = (uint8_t)rank_of(s);
    for (unsigned i = 0; i < d->n_labels; i++) {
        d->label_dim[i] = s->dim[i];
        d->a_view.axis[i] = (int32_t)i;
        if (s->contracted >> i & 1) {
            d->b_view.axis[n_x] = (int32_t)i;
            x_dim[n_x++] = s->dim[i];
        } else {
            d->out_label[n_out] = (uint8_t)i;
            out_dim[n_out++] = s->dim[i];
        }
    }
}

/* W has its ends as cells, so that its range is tight; beside it lies a bias that no contraction reads. */
static void build(kit *k, const shape *s) {
    uint64_t seed = 11;
    int64_t lo, hi;
    uint32_t x_dim[MICA_MAX_RANK + 1] = {0}, out_dim[MICA_MAX_RANK + 1] = {0};
    mica_contract d = {0};
    describe(s, &d, x_dim, out_dim);
    kit_begin(k, 1);
    d.b = kit_input(k, s->x_lo, s->x_hi, x_dim);
    const uint32_t bias = kit_weight(k, -70001, 300, out_dim, &seed);
    d.a = kit_weight(k, s->lo, s->hi, s->dim, &seed);
    for (size_t i = 0; s->dense && i < cells_in(s); i++)
        k->weight[d.a][i] /= i % s->dense ? s->hi : 1;
    k->weight[d.a][0] = s->hi;
    k->weight[d.a][cells_in(s) - 1] = s->lo;
    k->weight[bias][0] = out_dim[0] > 1 ? 300 : -70001;
    if (out_dim[0] > 1)
        k->weight[bias][1] = -70001;
    row_bounds(s, k->weight[d.a], &lo, &hi);
    lo -= s->spare;
    hi += s->spare;
    const uint32_t acc = kit_contract(k, true, (int32_t)lo, (int32_t)hi, out_dim, d);
    const uint32_t y = kit_linear(k, acc, 0, (int32_t)lo - 70001, (int32_t)hi + 300);
    kit_term(k, acc, 1, kit_identity(k, acc));
    kit_term(k, bias, 1, kit_identity(k, bias));
    kit_step_add(k, KIT_EVALUATE, 0, y, KIT_END, KIT_END);
    kit_output(k, y);
    ck_assert(kit_finish(k, BITS));
}

/* Tensor ids of build's circuits. */
enum { T_X, T_BIAS, T_W, T_ACC };

/* Lookups of a part. */
static uint64_t part_lookups = CERTIFICATE_PART_LOOKUPS;

static bool make(const kit *k, uint8_t **file, size_t *size, mica_status *st) {
    return mica_certificate_make(&k->vk, k->weights, k->weights_size, file, size, st);
}

static bool verify(const mica_vk *vk, const uint8_t *file, size_t size, mica_verdict *v, mica_status *st) {
    const mica_verify_options options = {.min_security_bits = BITS};
    return certificate_verify(vk, part_lookups, file, size, &options, v, st);
}

START_TEST(honest) {
    const shape *s = &shapes[_i];
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    mica_certificate_report r;
    build(&k, s);
    ck_assert_msg(mica_certificate_report_make(&k.vk, &r, &st), "%s: %s", s->name, st.message);
    ck_assert_uint_eq(r.tensors, 2);
    ck_assert_msg(make(&k, &file, &size, &st), "%s: %s", s->name, st.message);
    ck_assert_msg(verify(&k.vk, file, size, &v, &st), "%s: %s %s %s", s->name, mica_verdict_name(v.code),
                  v.detail, st.message);
    ck_assert_int_eq(v.code, MICA_ACCEPT);
    ck_assert_uint_le(size - CERTIFICATE_HEAD_BYTES, r.proof_bytes_max);
    (void)printf("%-16s %4zu weights, %u products, %llu rows: %zu bytes, %.1f bits\n", s->name, cells_in(s),
                 r.products, (unsigned long long)r.rows, size, r.proven_bits);
    free(file);
    kit_free(&k);
}
END_TEST

/* --- lies --- */

/* A prover that knows the weights and is free to make any circuit its own. */
typedef struct liar {
    kit k;
    weight_store weights;
    uint8_t *node; /* of a tree that is not the weight file's */
} liar;

static void liar_begin(liar *l, const shape *s) {
    mica_status st = {0};
    build(&l->k, s);
    l->node = NULL;
    ck_assert_msg(weights_load(&l->weights, &l->k.vk, l->k.weights, l->k.weights_size, &st), "%s",
                  st.message);
}

static void liar_end(liar *l) {
    free(l->node);
    weights_free(&l->weights, &l->k.vk);
    kit_free(&l->k);
}

/* After a change of the parameters: their bytes and digest. */
static void rewrite_vk(kit *k) {
    mica_status st = {0};
    free(k->vk_bytes);
    ck_assert_msg(mica_vk_write(&k->vk, &k->vk_bytes, &k->vk_size, &st), "%s", st.message);
}

/* The verdict on what the prover makes of the liar's parameters and weights. */
static mica_verdict told(liar *l, const char *what) {
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    ck_assert_msg(certificate_make(&l->k.vk, part_lookups, &l->weights, &file, &size, &st), "%s: %s", what,
                  st.message);
    (void)verify(&l->k.vk, file, size, &v, &st);
    ck_assert_msg(st.code == MICA_OK && v.code != MICA_VERDICT_UNSET, "%s: no decision: %s", what,
                  st.message);
    free(file);
    return v;
}

/* The one check that stands against wrong integers: some lookup has no row. */
static void must_fail(liar *l, const char *shape_name, const char *what) {
    const mica_verdict v = told(l, what);
    ck_assert_msg(v.code == MICA_REJECT_LOGUP_ROOT, "%s, %s: %s", shape_name, what,
                  mica_verdict_name(v.code));
}

/* p = min(p, most): the other part of a weight then takes what is left. Its padding stays zero. */
static int32_t most_positive;
static void cap_positive(const certificate *k, uint32_t t, int32_t *cells) {
    const mica_tensor *x = &k->vk.circuit.tensor[t];
    if (x->kind != MICA_TENSOR_WITNESS || !k->rule[t].width || k->rule[t].source >= k->n_weights)
        return;
    for (size_t i = 0; i < padded_cells(x); i++)
        cells[i] = cells[i] > most_positive ? most_positive : cells[i];
}

/* One end of a tensor's range. */
typedef struct range_end {
    const char *what;
    uint32_t tensor;
    bool high;
} range_end;

/* Whether some cell of the tensor is at that end, so that a narrower range is a lie. */
static bool is_reached(const liar *l, const shape *s, const range_end *e) {
    const mica_tensor *x = &l->k.tensor[e->tensor];
    const int32_t end = e->high ? x->hi : x->lo;
    bool reached = e->tensor == T_ACC && s->spare == 0;
    for (size_t i = 0; e->tensor != T_ACC && i < padded_cells(x); i++)
        reached |= l->weights.value[e->tensor][i] == end;
    return reached && end != 0; /* a range contains 0 */
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
        ck_assert(weights_load(&l.weights, &l.k.vk, l.k.weights, l.k.weights_size, &st));
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

/* --- parts --- */

/* Every tensor is a part of its own: the bias, then the weights. */
START_TEST(parts) {
    const shape *s = &shapes[_i];
    mica_certificate_report whole, cut_up;
    mica_status st = {0};
    mica_verdict v;
    uint8_t *file, *other;
    size_t size, other_size;
    liar l;
    liar_begin(&l, s);
    ck_assert(certificate_report(&l.k.vk, part_lookups, &whole, &st));
    ck_assert(certificate_make(&l.k.vk, part_lookups, &l.weights, &other, &other_size, &st));
    part_lookups = 1;
    ck_assert_msg(certificate_report(&l.k.vk, part_lookups, &cut_up, &st), "%s: %s", s->name, st.message);
    ck_assert(whole.parts == 1 && cut_up.parts == 2 && cut_up.tensors == 2 &&
              cut_up.weights == whole.weights && cut_up.products == whole.products &&
              cut_up.rows == whole.rows);
    ck_assert(certificate_make(&l.k.vk, part_lookups, &l.weights, &file, &size, &st));
    ck_assert(verify(&l.k.vk, file, size, &v, &st));

    /* One part is not the whole, nor twice the same; nor are the parts of another cut. */
    const uint64_t first = load_u64(file + CERTIFICATE_HEAD_BYTES) + CERTIFICATE_LENGTH_BYTES;
    const size_t rest = size - CERTIFICATE_HEAD_BYTES - first;
    ck_assert(!verify(&l.k.vk, file, CERTIFICATE_HEAD_BYTES + first, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    ck_assert(!verify(&l.k.vk, other, other_size, &v, &st) && v.code != MICA_ACCEPT);
    uint8_t *twice = malloc(CERTIFICATE_HEAD_BYTES + 2 * first + rest);
    memcpy(twice, file, CERTIFICATE_HEAD_BYTES + first);
    memcpy(twice + CERTIFICATE_HEAD_BYTES + first, file + CERTIFICATE_HEAD_BYTES, first);
    ck_assert(!verify(&l.k.vk, twice, CERTIFICATE_HEAD_BYTES + 2 * first, &v, &st) && v.code != MICA_ACCEPT);
    memcpy(twice + CERTIFICATE_HEAD_BYTES, file + CERTIFICATE_HEAD_BYTES + first, rest);
    memcpy(twice + CERTIFICATE_HEAD_BYTES + rest, file + CERTIFICATE_HEAD_BYTES, first);
    ck_assert(!verify(&l.k.vk, twice, size, &v, &st) && v.code != MICA_ACCEPT);
    free(twice);
    free(other);
    free(file);

    /* A lie in either is found. */
    for (uint32_t tensor = T_BIAS; tensor <= T_W; tensor++) {
        const range_end end = {"smallest weight", tensor, false};
        mica_tensor *x = &l.k.tensor[tensor];
        if (!is_reached(&l, s, &end))
            continue;
        x->lo++;
        rewrite_vk(&l.k);
        must_fail(&l, s->name, "in parts");
        x->lo--;
    }
    part_lookups = CERTIFICATE_PART_LOOKUPS;
    liar_end(&l);
}
END_TEST

/* --- certificates of something else --- */

START_TEST(other_parameters) {
    kit k, other;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[0]);
    build(&other, &shapes[13]); /* the same weights, another bound */
    ck_assert_mem_eq(k.vk.weight_root, other.vk.weight_root, MICA_DIGEST_BYTES);
    ck_assert(make(&k, &file, &size, &st));
    ck_assert(!verify(&other.vk, file, size, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_STATEMENT);
    memcpy(file + 12, other.vk.digest, MICA_DIGEST_BYTES); /* says that it is theirs */
    ck_assert(!verify(&other.vk, file, size, &v, &st));
    ck_assert_int_ne(v.code, MICA_ACCEPT);
    memcpy(file + 12, k.vk.digest, MICA_DIGEST_BYTES);

    k.vk.weight_root[5] ^= 1; /* another commitment */
    rewrite_vk(&k);
    memcpy(file + 12, k.vk.digest, MICA_DIGEST_BYTES);
    ck_assert(!verify(&k.vk, file, size, &v, &st));
    ck_assert_int_ne(v.code, MICA_ACCEPT);
    ck_assert_int_eq(st.code, MICA_OK);
    free(file);
    kit_free(&other);
    kit_free(&k);
}
END_TEST

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

START_TEST(damaged) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[_i]);
    ck_assert(make(&k, &file, &size, &st));
    for (size_t i = 0; i < size; i += i < CERTIFICATE_HEAD_BYTES ? 1 : 97) {
        file[i] ^= (uint8_t)(1 << i % 8);
        st = (mica_status){0};
        ck_assert_msg(!verify(&k.vk, file, size, &v, &st), "byte %zu", i);
        ck_assert_msg(v.code != MICA_ACCEPT && (st.code == MICA_ERR_FORMAT) == (i < 12), "byte %zu", i);
        file[i] ^= (uint8_t)(1 << i % 8);
    }
    st = (mica_status){0};
    for (size_t n = 0; n < size; n += n < CERTIFICATE_HEAD_BYTES + 40 ? 1 : 211) {
        uint8_t *cut = malloc(n + 1); /* of its own: reads beyond it are seen */
        memcpy(cut, file, n);
        st = (mica_status){0};
        ck_assert_msg(!verify(&k.vk, cut, n, &v, &st), "%zu bytes", n);
        ck_assert((st.code == MICA_ERR_FORMAT) == (n < 12));
        free(cut);
    }
    uint8_t *longer = calloc(1, size + 1);
    memcpy(longer, file, size);
    st = (mica_status){0};
    ck_assert(!verify(&k.vk, longer, size + 1, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    ck_assert(verify(&k.vk, file, size, &v, &st));
    free(longer);
    free(file);
    kit_free(&k);
}
END_TEST

/* A verifier asks for more bits than the parameters have. */
START_TEST(few_bits) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[0]);
    ck_assert(make(&k, &file, &size, &st));
    ck_assert(!mica_certificate_verify(&k.vk, file, size, NULL, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_SECURITY);
    free(file);
    kit_free(&k);
}
END_TEST

/* Parameters without weights: a head, and nothing behind it. */
START_TEST(no_weights) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    kit_begin(&k, 1);
    const uint32_t x = kit_input(&k, -5, 5, (uint32_t[]){3, 0});
    const uint32_t y = kit_linear(&k, x, 0, -10, 10);
    kit_term(&k, x, 2, kit_identity(&k, x));
    kit_output(&k, y);
    ck_assert(kit_finish(&k, BITS));
    ck_assert(make(&k, &file, &size, &st));
    ck_assert_uint_eq(size, CERTIFICATE_HEAD_BYTES);
    ck_assert(verify(&k.vk, file, size, &v, &st));
    ck_assert(!verify(&k.vk, file, size - 1, &v, &st));
    file = realloc(file, size + 1);
    file[size] = 0;
    ck_assert(!verify(&k.vk, file, size + 1, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("certificate");
    TCase *c = tcase_create("certificate");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, honest, 0, N_SHAPES);
    tcase_add_loop_test(c, narrowed_ranges, 0, N_SHAPES);
    tcase_add_loop_test(c, nonzero_padding, 0, N_SHAPES);
    tcase_add_loop_test(c, wrong_cells, 0, N_SHAPES);
    tcase_add_test(c, shared_weights);
    tcase_add_loop_test(c, parts, 0, N_SHAPES);
    tcase_add_test(c, other_parameters);
    tcase_add_test(c, other_columns);
    tcase_add_loop_test(c, damaged, 0, 2);
    tcase_add_test(c, few_bits);
    tcase_add_test(c, no_weights);
    suite_add_tcase(s, c);
    return suite_run(s);
}
