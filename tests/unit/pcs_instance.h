/* What the tests of the commitment scheme share: shapes, random instances, a prover and a verifier around
 * them. */
#ifndef MICA_TESTS_PCS_INSTANCE_H
#define MICA_TESTS_PCS_INSTANCE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_schedule.h"
#include "poly/mle.h"
#include "suite.h"

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define MAX_CLAIMS 24

/* --- random numbers --- */

static uint64_t seed;

static inline uint64_t next(void) {
    uint64_t z = seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline m31 random_m31(void) {
    return m31_reduce64(next());
}

static inline qm31 random_qm31(void) {
    return (qm31){{random_m31(), random_m31(), random_m31(), random_m31()}};
}

/* A cell of a row of one of four kinds: any element, 16 and 12 bits with sign, zero; of 12 bits every other
 * row is narrow (poly/narrow_prove.h). */
static inline m31 random_cell(uint32_t row) {
    const uint64_t x = next();
    const unsigned bits = row % 4 == 1 ? 16 : 12;
    if (row % 4 == 0)
        return m31_reduce64(x);
    const int32_t v = (int32_t)(x >> (64 - bits)) - (1 << (bits - 1));
    return row % 4 == 3 ? 0 : m31_from_i32(row % 8 == 6 && v < -2047 ? -2047 : v);
}

/* --- shapes --- */

typedef enum presence { ALL, ODD_COUNT, HOLES, LAST_ONLY } presence;

typedef struct group_case {
    unsigned a, b, r;
    presence present;
} group_case;

typedef struct level_case {
    unsigned a, r;
} level_case;

typedef struct opening_case {
    const char *name;
    unsigned n_groups;
    group_case group[4];
    unsigned n_levels;
    level_case level[4];
    unsigned queries, pow_bits;
} opening_case;

static const opening_case cases[] = {
    {"one group in the clear", 1, {{3, 4, 1, ALL}}, 0, {{0, 0}}, 6, 0},
    {"one cell", 1, {{0, 0, 1, ALL}}, 0, {{0, 0}}, 3, 0}, /* all leaves are opened: any nonce would do */
    {"one row", 1, {{0, 6, 2, ALL}}, 1, {{2, 2}}, 6, 3},
    {"one column", 1, {{5, 0, 2, ODD_COUNT}}, 0, {{0, 0}}, 5, 0},
    {"one column under a level", 1, {{4, 0, 1, HOLES}}, 1, {{0, 1}}, 4, 0},
    {"one level", 1, {{4, 7, 2, ODD_COUNT}}, 1, {{3, 2}}, 8, 5},
    {"two groups, equal lengths", 2, {{4, 6, 2, ODD_COUNT}, {3, 6, 3, HOLES}}, 1, {{3, 3}}, 8, 6},
    {"two groups in the clear, padded stack", 2, {{2, 3, 1, ALL}, {4, 5, 2, HOLES}}, 0, {{0, 0}}, 7, 2},
    {"three groups", 3, {{2, 3, 1, ALL}, {5, 7, 2, HOLES}, {3, 5, 3, ODD_COUNT}}, 2, {{3, 2}, {2, 1}}, 8, 4},
    {"three levels", 2, {{3, 9, 1, ALL}, {1, 8, 2, LAST_ONLY}}, 3, {{3, 2}, {2, 3}, {3, 1}}, 9, 3},
    {"levels down to one element", 2, {{2, 4, 1, ALL}, {2, 1, 1, HOLES}}, 2, {{3, 1}, {2, 2}}, 4, 0},
    {"four groups, one tiny",
     4,
     {{6, 2, 2, HOLES}, {0, 8, 1, ALL}, {4, 0, 1, ALL}, {2, 8, 1, LAST_ONLY}},
     1,
     {{4, 1}},
     5,
     0},
    {"longer than one block of the form", 1, {{2, 11, 1, ALL}}, 1, {{4, 2}}, 10, 0},
    {"queries that share their top points", 1, {{1, 13, 1, ALL}}, 1, {{4, 3}}, 61, 0},
    {"rows of all kinds", 2, {{3, 9, 2, ALL}, {2, 11, 1, HOLES}}, 1, {{3, 2}}, 37, 0},
};

#define SHARED_LOW 9 /* coordinates that claims of one pass have in common (pcs_classes_prove.c) */

/* --- an instance: matrices, commitments, claims --- */

typedef struct instance {
    const opening_case *c;
    pcs_params p;
    m31 *matrix[4];
    pcs_committed group[4];
    uint8_t root[4][MERKLE_DIGEST];
    pcs_claim claim[MAX_CLAIMS];
    size_t n_claims;
    mica_arena arena;
    mica_status st;
    uint8_t *proof;
    size_t size, capacity;
    mica_verdict verdict;
} instance;

static inline uint32_t *choose_present(const group_case *g, uint32_t *n) {
    const uint32_t rows = 1u << g->a;
    uint32_t *present = malloc(rows * sizeof *present);
    ck_assert(present != NULL);
    *n = 0;
    for (uint32_t i = 0; i < rows; i++) {
        const bool last = i + 1 == rows;
        const bool take = g->present == ALL || (g->present == ODD_COUNT && (!last || rows == 1)) ||
                          (g->present == HOLES && (last || i % 3 == 1)) || (g->present == LAST_ONLY && last);
        if (take)
            present[(*n)++] = i;
    }
    return present;
}

static inline pcs_params make_params(const opening_case *c) {
    pcs_params p = {
        .n_groups = c->n_groups, .n_levels = c->n_levels, .query_pow_bits = c->pow_bits, .digest_bytes = 26};
    for (unsigned g = 0; g < c->n_groups; g++) {
        pcs_shape *s = &p.group[g];
        *s = (pcs_shape){.row_vars = c->group[g].a,
                         .col_vars = c->group[g].b,
                         .rate_bits = c->group[g].r,
                         .digest_bytes = 32 - g % 4 * 3};
        s->present = choose_present(&c->group[g], &s->n_present);
        p.group_queries[g] = c->queries + g;
    }
    pcs_stack_groups(&p);
    p.final_vars = p.message_vars;
    for (unsigned l = 0; l < c->n_levels; l++) {
        p.final_vars -= c->level[l].a;
        p.level[l] = (pcs_level){c->level[l].a, p.final_vars, c->level[l].r, c->queries};
    }
    ck_assert(pcs_params_wellformed(&p));
    return p;
}

/* The definition, slowly: sum over all cells of P[row][col] eq(zr, row) eq(zc, col). */
static inline qm31 evaluate(const instance *x, unsigned g, const qm31 *point) {
    const pcs_shape *s = &x->p.group[g];
    qm31 sum = qm31_zero();
    for (size_t i = 0; i < (size_t)1 << (s->row_vars + s->col_vars); i++) {
        const qm31 weight = mle_eq_index(point, s->row_vars + s->col_vars, i);
        sum = qm31_add(sum, qm31_mul_m31(weight, x->matrix[g][i]));
    }
    return sum;
}

/* Claims of several kinds on every group; the first is on a group with the most rows. */
static inline void add_claim(instance *x, unsigned g, const qm31 *shared, unsigned n_shared, unsigned kind) {
    const pcs_shape *s = &x->p.group[g];
    const unsigned n = s->row_vars + s->col_vars;
    qm31 *point = calloc(n + 1, sizeof *point);
    ck_assert(point != NULL && x->n_claims < MAX_CLAIMS);
    for (unsigned v = 0; v < n; v++) {
        point[v] = random_qm31();
        const bool selector = (kind == 1 && v >= s->col_vars + s->row_vars / 2) ||      /* rows on top */
                              (kind == 2 && v < s->col_vars && v >= s->col_vars / 2) || /* part of a row */
                              (kind == 3 && v % 2 == 0) || kind == 4 ||                 /* scattered, all */
                              (kind == 5 && v + 1 == s->col_vars);                      /* half of a row */
        if (selector)
            point[v] = qm31_from_m31((m31)(next() & 1));
    }
    if (n_shared)
        memcpy(point, shared, n_shared * sizeof *point);
    x->claim[x->n_claims++] = (pcs_claim){g, point, evaluate(x, g, point)};
}

static inline void make_claims(instance *x) {
    unsigned tallest = 0;
    for (unsigned g = 0; g < x->p.n_groups; g++)
        tallest = x->p.group[g].row_vars > x->p.group[tallest].row_vars ? g : tallest;
    add_claim(x, tallest, NULL, 0, 0);
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        const unsigned kinds = x->p.n_groups > 3 ? 3 : 5;
        for (unsigned kind = 0; kind < kinds; kind++)
            add_claim(x, g, NULL, 0, kind);
    }
    const qm31 *first = x->claim[0].point;
    const unsigned columns = x->p.group[tallest].col_vars;
    add_claim(x, tallest, first, columns, 1); /* same columns, other rows: one class */
    if (columns > SHARED_LOW) {
        add_claim(x, tallest, first, SHARED_LOW, 0); /* one pass with others */
        add_claim(x, tallest, first, SHARED_LOW, 5);
    }
    x->claim[x->n_claims++] =
        (pcs_claim){x->claim[1].group, x->claim[1].point, x->claim[1].value}; /* twice */
}

static inline instance *instance_new(const opening_case *c, bool keep_codeword) {
    instance *x = calloc(1, sizeof *x);
    ck_assert(x != NULL);
    x->c = c;
    x->p = make_params(c);
    size_t workspace = 0;
    for (unsigned g = 0; g < x->p.n_groups; g++)
        workspace += pcs_commit_workspace(&x->p.group[g], keep_codeword);
    workspace += pcs_open_workspace(&x->p, MAX_CLAIMS);
    ck_assert(arena_create(&x->arena, workspace, &x->st));
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        const pcs_shape *s = &x->p.group[g];
        x->matrix[g] = calloc((size_t)1 << (s->row_vars + s->col_vars), sizeof(m31));
        ck_assert(x->matrix[g] != NULL);
        for (uint32_t i = 0; i < s->n_present; i++) {
            for (size_t j = 0; j < (size_t)1 << s->col_vars; j++)
                x->matrix[g][((size_t)s->present[i] << s->col_vars) + j] = random_cell(s->present[i]);
        }
        ck_assert(pcs_commit(&x->group[g], s, x->matrix[g], keep_codeword, &x->arena, x->root[g], &x->st));
        ck_assert((x->group[g].codeword != NULL) == keep_codeword);
    }
    make_claims(x);
    x->capacity = pcs_proof_bytes(&x->p, NULL);
    x->proof = malloc(x->capacity + 1);
    ck_assert(x->proof != NULL);
    return x;
}

static inline void instance_free(instance *x) {
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        free((void *)(uintptr_t)x->p.group[g].present);
        free(x->matrix[g]);
    }
    for (size_t j = 0; j + 1 < x->n_claims; j++) /* the last shares its point */
        free((void *)(uintptr_t)x->claim[j].point);
    arena_destroy(&x->arena);
    free(x->proof);
    free(x);
}

static inline void absorb_roots(const instance *x, mica_channel *ch) {
    for (unsigned g = 0; g < x->p.n_groups; g++)
        transcript_absorb(&ch->transcript, TAG_WITNESS_ROOT, x->root[g], MERKLE_DIGEST);
}

static inline void prove(instance *x) {
    mica_channel ch;
    channel_init_write(&ch, x->proof, x->capacity);
    absorb_roots(x, &ch);
    ck_assert_msg(pcs_open(&ch, &x->p, x->group, x->claim, x->n_claims, &x->arena, &x->st), "%s: %s",
                  x->c->name, x->st.message);
    ck_assert(!ch.overflow);
    x->size = ch.out_size;
}

static inline bool verify_bytes(instance *x, const uint8_t *proof, size_t size) {
    mica_channel ch;
    mica_arena arena;
    x->verdict = (mica_verdict){MICA_VERDICT_UNSET, 0, 0, ""};
    ck_assert(arena_create(&arena, pcs_verify_workspace(&x->p, x->n_claims), &x->st));
    channel_init_read(&ch, proof, size, &x->verdict);
    absorb_roots(x, &ch);
    const bool ok = pcs_verify(&ch, &x->p, (const uint8_t(*)[MERKLE_DIGEST])x->root, x->claim, x->n_claims,
                               &arena, &x->st) &&
                    channel_end(&ch);
    ck_assert_msg(x->st.code == MICA_OK, "%s: %s", x->c->name, x->st.message);
    ck_assert(ok == (x->verdict.code == MICA_VERDICT_UNSET));
    ck_assert_uint_eq(arena.used, 0);
    arena_destroy(&arena);
    return ok;
}

static inline bool verify(instance *x) {
    return verify_bytes(x, x->proof, x->size);
}

static inline void expect_rejected(instance *x, mica_verdict_code code, const char *what) {
    const bool accepted = verify(x);
    ck_assert_msg(!accepted, "%s: %s was accepted", x->c->name, what);
    ck_assert_msg(x->verdict.code == code, "%s: %s: %s (%s), expected %s", x->c->name, what,
                  mica_verdict_name(x->verdict.code), x->verdict.detail, mica_verdict_name(code));
}

static inline int run_suite(const char *name, void (*add)(TCase *)) {
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 120);
    add(c);
    suite_add_tcase(s, c);
    return suite_run(s);
}

#endif
