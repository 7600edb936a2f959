/* Models whose certificates are made and verified, and a prover that lies about them. The prover under test
 * is compiled here, without its own check that lookups hold, so that lies reach the verifier. */
#ifndef MICA_TESTS_CERTIFICATE_KIT_H
#define MICA_TESTS_CERTIFICATE_KIT_H

#define MICA_CHEAT
#include "certificate/certificate_prove.c"
#include "protocol/leaves_count_prove.c"

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

static inline unsigned rank_of(const shape *s) {
    unsigned rank = 0;
    while (rank < MICA_MAX_RANK && s->dim[rank])
        rank++;
    return rank;
}

/* The row of a cell of W, its contracted indices taken as 0. */
static inline size_t row_of(const shape *s, size_t cell) {
    size_t row = 0, unit = 1;
    for (unsigned i = rank_of(s); i-- > 0; cell /= s->dim[i], unit *= s->dim[i])
        row += s->contracted >> i & 1 ? 0 : cell % s->dim[i] * unit;
    return row;
}

static inline size_t cells_in(const shape *s) {
    size_t n = 1;
    for (unsigned i = 0; i < rank_of(s); i++)
        n *= s->dim[i];
    return n;
}

/* By the definition: the smallest and largest sum of a row. */
static inline void row_bounds(const shape *s, const int32_t *w, int64_t *lo, int64_t *hi) {
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

static inline void describe(const shape *s, mica_contract *d, uint32_t *x_dim, uint32_t *out_dim) {
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
static inline void build(kit *k, const shape *s) {
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

static inline bool make(const kit *k, uint8_t **file, size_t *size, mica_status *st) {
    return mica_certificate_make(&k->vk, k->weights, k->weights_size, file, size, st);
}

static inline bool verify(const mica_vk *vk, const uint8_t *file, size_t size, mica_verdict *v,
                          mica_status *st) {
    const mica_verify_options options = {.min_security_bits = BITS};
    return certificate_verify(vk, part_lookups, file, size, &options, v, st);
}

/* --- a lying prover --- */

/* A prover that knows the weights and is free to make any circuit its own. */
typedef struct liar {
    kit k;
    weight_store weights;
    uint8_t *node; /* of a tree that is not the weight file's */
} liar;

static inline void liar_begin(liar *l, const shape *s) {
    mica_status st = {0};
    build(&l->k, s);
    l->node = NULL;
    ck_assert_msg(
        weights_load(&l->weights, &l->k.vk, &(weight_file){l->k.weights, l->k.weights_size, false}, &st),
        "%s", st.message);
}

static inline void liar_end(liar *l) {
    free(l->node);
    weights_free(&l->weights, &l->k.vk);
    kit_free(&l->k);
}

/* After a change of the parameters: their bytes and digest. */
static inline void rewrite_vk(kit *k) {
    mica_status st = {0};
    free(k->vk_bytes);
    ck_assert_msg(mica_vk_write(&k->vk, &k->vk_bytes, &k->vk_size, &st), "%s", st.message);
}

/* The verdict on what the prover makes of the liar's parameters and weights. */
static inline mica_verdict told(liar *l, const char *what) {
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
static inline void must_fail(liar *l, const char *shape_name, const char *what) {
    const mica_verdict v = told(l, what);
    ck_assert_msg(v.code == MICA_REJECT_LOGUP_ROOT, "%s, %s: %s", shape_name, what,
                  mica_verdict_name(v.code));
}

/* One end of a tensor's range. */
typedef struct range_end {
    const char *what;
    uint32_t tensor;
    bool high;
} range_end;

/* Whether some cell of the tensor is at that end, so that a narrower range is a lie. */
static inline bool is_reached(const liar *l, const shape *s, const range_end *e) {
    const mica_tensor *x = &l->k.tensor[e->tensor];
    const int32_t end = e->high ? x->hi : x->lo;
    bool reached = e->tensor == T_ACC && s->spare == 0;
    for (size_t i = 0; e->tensor != T_ACC && i < padded_cells(x); i++)
        reached |= l->weights.value[e->tensor][i] == end;
    return reached && end != 0; /* a range contains 0 */
}

#endif
