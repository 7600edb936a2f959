/* A prover of a neighbouring circuit: it differs from the verifier's in one place, and everything that the
 * prover does follows it. Lookups, claims and openings agree with one another then, and it must be the
 * changed relation that the verifier finds broken, in its layer. The same with a weight that is not the
 * committed one. */
#define MICA_CHEAT
#include "protocol/leaves_count_prove.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "circuit_samples.h"
#include "protocol/prover.h"

#define BATCH       3
#define SEED        57
#define SET(reason) (1u << (reason))

/* The i-th change of its kind, i >= 0. Leaves the circuit as it is if that place has nothing to change; false
 * if there is no such place. */
typedef bool change_fn(mica_circuit *c, uint32_t i);

static bool change_coefficient(mica_circuit *c, uint32_t i) {
    if (i < c->n_terms)
        c->term[i].coef += c->term[i].coef == -1 ? 2 : 1;
    return i < c->n_terms;
}

static bool change_constant(mica_circuit *c, uint32_t i) {
    if (i < c->n_boxes)
        c->box[i].coef++;
    return i < c->n_boxes;
}

/* Another index of an axis that is fixed. */
static bool change_view(mica_circuit *c, uint32_t i) {
    for (unsigned a = 0; i < c->n_terms && a < c->tensor[c->term[i].tensor].rank; a++) {
        int32_t *axis = &c->term[i].view.axis[a];
        if (MICA_VIEW_IS_AT(*axis)) {
            *axis = *axis == MICA_VIEW_AT(0) ? MICA_VIEW_AT(1) : MICA_VIEW_AT(0);
            break;
        }
    }
    return i < c->n_terms;
}

/* The first operand transposed: two of its axes of one size. */
static bool change_contraction(mica_circuit *c, uint32_t i) {
    mica_contract *d = i < c->n_contract ? &c->contract[i] : NULL;
    for (unsigned a = 1; d && a < c->tensor[d->a].rank; a++) {
        for (unsigned b = 0; b < a; b++) {
            const int32_t x = d->a_view.axis[a], y = d->a_view.axis[b];
            if (x >= 0 && y >= 0 && d->label_dim[x] == d->label_dim[y]) {
                d->a_view.axis[a] = y;
                d->a_view.axis[b] = x;
                return true;
            }
        }
    }
    return d != NULL;
}

static mica_factor *factor_of(mica_circuit *c, uint32_t i) {
    for (uint32_t j = 0; j < c->n_placement; j++) {
        if (i < c->placement[j].n_factors)
            return &c->placement[j].factor[i];
        i -= c->placement[j].n_factors;
    }
    return NULL;
}

/* A window one place further on. */
static bool change_window(mica_circuit *c, uint32_t i) {
    mica_factor *f = factor_of(c, i);
    if (f && f->n_indices == 0 && f->n_out && f->n_src && f->offset)
        f->offset++;
    return f != NULL;
}

/* Means that are twice as large. */
static bool change_norm(mica_circuit *c, uint32_t i) {
    mica_factor *f = factor_of(c, i);
    if (f)
        f->norm *= 2;
    return f != NULL;
}

static bool change_list(mica_circuit *c, uint32_t i) {
    if (i < c->n_indices)
        c->index[i] = c->index[i] == 0 ? 1 : 0;
    return i < c->n_indices;
}

/* Values of a table: saturated earlier. */
static bool change_table(mica_circuit *c, uint32_t i) {
    if (i < c->n_tables && c->table[i].def.hi_value > 8)
        c->table[i].def.hi_value = 8;
    return i < c->n_tables;
}

/* Another table that has the same shape. */
static bool change_lookup(mica_circuit *c, uint32_t i) {
    for (uint32_t t = 0; i < c->n_lookups && t < c->n_tables; t++) {
        const mica_table_def *own = &c->table[c->lookup[i].table].def, *d = &c->table[t].def;
        if (t != c->lookup[i].table && (d->kind == MICA_TABLE_RANGE) == (own->kind == MICA_TABLE_RANGE)) {
            c->lookup[i].table = t;
            break;
        }
    }
    return i < c->n_lookups;
}

/* A view decides at which point an operand is claimed; a value that is true elsewhere is found where the
 * operand's claims end. */
#define OPERANDS                                                                                             \
    (SET(MICA_REJECT_LINEAR) | SET(MICA_REJECT_CONTRACT) | SET(MICA_REJECT_PLACEMENT) |                      \
     SET(MICA_REJECT_PUBLIC) | SET(MICA_REJECT_OPENING))

static const struct {
    const char *what;
    change_fn *change;
    uint32_t reasons; /* that the verifier may give */
} changes[] = {
    {"coefficient", change_coefficient, SET(MICA_REJECT_LINEAR)},
    {"constant", change_constant, SET(MICA_REJECT_LINEAR)},
    {"fixed index", change_view, OPERANDS},
    {"contraction", change_contraction, OPERANDS},
    {"window", change_window, SET(MICA_REJECT_PLACEMENT)},
    {"divisor of means", change_norm, SET(MICA_REJECT_PLACEMENT)},
    {"list of cells", change_list, SET(MICA_REJECT_PLACEMENT)},
    {"table", change_table, SET(MICA_REJECT_LOGUP_LEAF)},
    {"table of a lookup", change_lookup, SET(MICA_REJECT_LOGUP_LEAF) | SET(MICA_REJECT_LOGUP_ROOT)},
};
#define CHANGES (sizeof changes / sizeof *changes)

static change_fn *present;
static uint32_t place;

static void make_neighbour(mica_prover *p) {
    mica_status st = {0};
    ck_assert(present(&p->vk.circuit, place));
    for (uint32_t t = 0; t < p->vk.circuit.n_tables; t++)
        free(p->table[t]);
    free(p->table);
    ck_assert(prover_fill_tables(p, &st));
}

static bool differs(const mica_circuit *a, const mica_circuit *b) {
    uint8_t *x, *y;
    size_t n, m;
    mica_status st = {0};
    ck_assert(mica_circuit_write(a, &x, &n, &st) && mica_circuit_write(b, &y, &m, &st));
    const bool differ = n != m || memcmp(x, y, n) != 0;
    free(x);
    free(y);
    return differ;
}

static uint8_t *honest; /* the proof of the circuit as it is */
static size_t honest_size;

static void prove_honest(kit *k) {
    mica_status st = {0};
    free(honest);
    ck_assert(kit_prove(k, BATCH, SEED, &honest, &honest_size, &st));
}

/* Proves the changed circuit; false if that told no lie, or the prover cannot. */
static bool try_change(kit *k, const char *name, const char *what, uint32_t reasons, unsigned *count) {
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    if (!kit_prove(k, BATCH, SEED, &file, &size, &st))
        return false;
    const bool accepted = kit_verify(k, file, size, &v, &st);
    /* Cells that are found by another rule than the form, as remainders are, do not follow it: no lie is
     * told. */
    const bool lie = size != honest_size || memcmp(file, honest, size) != 0;
    free(file);
    ck_assert_msg(accepted == !lie, "%s, %s %u: accepted", name, what, place);
    if (!lie)
        return false;
    if (v.code == MICA_REJECT_STATEMENT) /* an output that leaves its range */
        return false;
    ck_assert_msg(v.code < 32 && reasons >> v.code & 1, "%s, %s %u: %s (%s)", name, what, place,
                  mica_verdict_name(v.code), v.detail);
    ck_assert(v.layer == 0 || v.layer == UINT32_MAX); /* the one layer, where the reason has one */
    ++*count;
    return true;
}

static unsigned found[CHANGES + 1];

START_TEST(neighbours_are_rejected) {
    for (int s = 0; s < SAMPLES; s++) {
        for (size_t j = 0; j < CHANGES; j++) {
            for (place = 0;; place++) {
                kit k;
                mica_vk vk;
                mica_status st = {0};
                samples[s].build(&k);
                ck_assert(kit_finish(&k, 40));
                ck_assert(mica_vk_read(&vk, k.vk_bytes, k.vk_size, &st));
                prove_honest(&k);
                present = changes[j].change;
                const bool there = present(&k.c, place); /* for the forward pass; the parameters are made */
                k.cheat_prover = make_neighbour;
                if (there && differs(&k.c, &vk.circuit))
                    (void)try_change(&k, samples[s].name, changes[j].what, changes[j].reasons, &found[j]);
                mica_vk_free(&vk);
                kit_free(&k);
                if (!there)
                    break;
            }
        }
    }
    for (size_t j = 0; j < CHANGES; j++) {
        (void)printf("%-18s %3u neighbours rejected\n", changes[j].what, found[j]);
        ck_assert_uint_gt(found[j], 0);
    }
}
END_TEST

/* In the prover's memory, after its weights have been found to be those of the commitment: the forward pass
 * and all claims are those of other weights. */
static void change_weight(mica_prover *p) {
    m31 *cell = p->weights.matrix + layout_find(&p->weights.layout, place)->offset;
    p->weights.value[place][0]++;
    *cell = m31_add(*cell, 1);
}

START_TEST(other_weights_are_rejected) {
    unsigned count = 0;
    for (int s = 0; s < SAMPLES; s++) {
        kit k;
        samples[s].build(&k);
        ck_assert(kit_finish(&k, 40));
        prove_honest(&k);
        k.cheat_prover = change_weight;
        for (place = 0; place < k.c.n_tensors; place++) {
            if (k.tensor[place].kind == MICA_TENSOR_WEIGHT)
                (void)try_change(&k, samples[s].name, "weight",
                                 SET(MICA_REJECT_MERKLE) | SET(MICA_REJECT_OPENING), &count);
        }
        kit_free(&k);
    }
    (void)printf("%-18s %3u neighbours rejected\n", "weight", count);
    ck_assert_uint_gt(count, 5);
}
END_TEST

int main(void) {
    Suite *s = suite_create("neighbouring circuits");
    TCase *t = tcase_create("neighbours");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, neighbours_are_rejected);
    tcase_add_test(t, other_weights_are_rejected);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
