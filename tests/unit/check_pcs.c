/* Opening of commitments: honest runs over many shapes, corrupted proofs, cheating provers.
 *
 * The prover under test is this file's own copy of the opening with the hooks of pcs/pcs_cheat.h; everything
 * else comes from the libraries. */
#define MICA_CHEAT
#include "pcs/pcs_open_prove.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define MAX_CLAIMS 24
#define NO_CLAIM   SIZE_MAX

/* --- random numbers --- */

static uint64_t seed;

static uint64_t next(void) {
    uint64_t z = seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static m31 random_m31(void) {
    return m31_reduce64(next());
}

static qm31 random_qm31(void) {
    return (qm31){{random_m31(), random_m31(), random_m31(), random_m31()}};
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
};

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

static uint32_t *choose_present(const group_case *g, uint32_t *n) {
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

static pcs_params make_params(const opening_case *c) {
    pcs_params p = {.n_groups = c->n_groups, .n_levels = c->n_levels, .query_pow_bits = c->pow_bits};
    for (unsigned g = 0; g < c->n_groups; g++) {
        pcs_shape *s = &p.group[g];
        *s = (pcs_shape){.row_vars = c->group[g].a, .col_vars = c->group[g].b, .rate_bits = c->group[g].r};
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
static qm31 evaluate(const instance *x, unsigned g, const qm31 *point) {
    const pcs_shape *s = &x->p.group[g];
    qm31 sum = qm31_zero();
    for (size_t i = 0; i < (size_t)1 << (s->row_vars + s->col_vars); i++) {
        const qm31 weight = mle_eq_index(point, s->row_vars + s->col_vars, i);
        sum = qm31_add(sum, qm31_mul_m31(weight, x->matrix[g][i]));
    }
    return sum;
}

/* Claims of several kinds on every group; the first is on a group with the most rows. */
static void add_claim(instance *x, unsigned g, const qm31 *column_part, unsigned kind) {
    const pcs_shape *s = &x->p.group[g];
    const unsigned n = s->row_vars + s->col_vars;
    qm31 *point = calloc(n + 1, sizeof *point);
    ck_assert(point != NULL && x->n_claims < MAX_CLAIMS);
    for (unsigned v = 0; v < n; v++) {
        point[v] = random_qm31();
        const bool selector = (kind == 1 && v >= s->col_vars + s->row_vars / 2) ||      /* rows on top */
                              (kind == 2 && v < s->col_vars && v >= s->col_vars / 2) || /* part of a row */
                              (kind == 3 && v % 2 == 0) || kind == 4;                   /* scattered, all */
        if (selector)
            point[v] = qm31_from_m31((m31)(next() & 1));
    }
    if (column_part)
        memcpy(point, column_part, s->col_vars * sizeof *point);
    x->claim[x->n_claims++] = (pcs_claim){g, point, evaluate(x, g, point)};
}

static void make_claims(instance *x) {
    unsigned tallest = 0;
    for (unsigned g = 0; g < x->p.n_groups; g++)
        tallest = x->p.group[g].row_vars > x->p.group[tallest].row_vars ? g : tallest;
    add_claim(x, tallest, NULL, 0);
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        const unsigned kinds = x->p.n_groups > 3 ? 3 : 5;
        for (unsigned kind = 0; kind < kinds; kind++)
            add_claim(x, g, NULL, kind);
    }
    add_claim(x, tallest, x->claim[0].point, 1); /* same columns, other rows: one class */
    x->claim[x->n_claims++] =
        (pcs_claim){x->claim[1].group, x->claim[1].point, x->claim[1].value}; /* twice */
}

static instance *instance_new(const opening_case *c, bool keep_codeword) {
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
                x->matrix[g][((size_t)s->present[i] << s->col_vars) + j] = random_m31();
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

static void instance_free(instance *x) {
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

static void absorb_roots(const instance *x, mica_channel *ch) {
    for (unsigned g = 0; g < x->p.n_groups; g++)
        transcript_absorb(&ch->transcript, TAG_WITNESS_ROOT, x->root[g], MERKLE_DIGEST);
}

static void prove(instance *x) {
    mica_channel ch;
    channel_init_write(&ch, x->proof, x->capacity);
    absorb_roots(x, &ch);
    ck_assert_msg(pcs_open(&ch, &x->p, x->group, x->claim, x->n_claims, &x->arena, &x->st), "%s: %s",
                  x->c->name, x->st.message);
    ck_assert(!ch.overflow);
    x->size = ch.out_size;
}

static bool verify_bytes(instance *x, const uint8_t *proof, size_t size) {
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

static bool verify(instance *x) {
    return verify_bytes(x, x->proof, x->size);
}

static void expect_rejected(instance *x, mica_verdict_code code, const char *what) {
    const bool accepted = verify(x);
    ck_assert_msg(!accepted, "%s: %s was accepted", x->c->name, what);
    ck_assert_msg(x->verdict.code == code, "%s: %s: %s (%s), expected %s", x->c->name, what,
                  mica_verdict_name(x->verdict.code), x->verdict.detail, mica_verdict_name(code));
}

/* --- honest --- */

START_TEST(honest_is_accepted) {
    const opening_case *c = &cases[_i];
    for (seed = 1; seed <= 4; seed++) {
        const uint64_t first = seed << 32;
        seed = first;
        instance *x = instance_new(c, true);
        prove(x);
        ck_assert_msg(verify(x), "%s seed %llu: %s", c->name, (unsigned long long)first, x->verdict.detail);
        ck_assert(x->size <= x->capacity);
        instance_free(x);
        seed = first >> 32;
    }
}
END_TEST

/* Codewords kept or not, one thread or several: the same bytes. */
START_TEST(proofs_are_deterministic) {
    const opening_case *c = &cases[_i];
    uint8_t *reference = NULL;
    size_t size = 0;
    for (unsigned variant = 0; variant < 4; variant++) {
        parallel_set_workers(variant & 1 ? 3 : 1);
        seed = 77;
        instance *x = instance_new(c, variant >> 1);
        prove(x);
        if (reference) {
            ck_assert_msg(x->size == size && memcmp(x->proof, reference, size) == 0, "%s variant %u", c->name,
                          variant);
        } else {
            size = x->size;
            reference = malloc(size);
            memcpy(reference, x->proof, size);
        }
        instance_free(x);
    }
    parallel_set_workers(0);
    free(reference);
}
END_TEST

START_TEST(expected_size_is_the_mean) {
    seed = 5;
    const opening_case *c = &cases[_i];
    uint64_t total = 0;
    size_t expected = 0;
    const unsigned runs = 40;
    instance *x = instance_new(c, true);
    pcs_proof_bytes(&x->p, &expected);
    for (unsigned i = 0; i < runs; i++) {
        /* Proofs of a false claim: only the challenges and thereby the query sets differ. */
        x->claim[0].value.v[3] = i;
        prove(x);
        total += x->size;
    }
    const uint64_t mean = total / runs;
    ck_assert_msg(mean * 100 < expected * 106 && mean * 106 > expected * 100, "%s: mean %llu, expected %zu",
                  c->name, (unsigned long long)mean, expected);
    instance_free(x);
}
END_TEST

/* --- corrupted --- */

START_TEST(wrong_value_is_rejected) {
    seed = 11;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    for (size_t j = 0; j < x->n_claims; j++) {
        const qm31 value = x->claim[j].value;
        x->claim[j].value.v[j % 4] = m31_add(value.v[j % 4], 1);
        ck_assert_msg(!verify(x), "%s: claim %zu", x->c->name, j);
        x->claim[j].value = value;
    }
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

/* The prover follows the protocol for a value that is wrong: both sides agree on the transcript. */
START_TEST(false_claim_is_rejected) {
    seed = 12;
    instance *x = instance_new(&cases[_i], true);
    for (size_t j = 0; j < x->n_claims; j++) {
        const qm31 value = x->claim[j].value;
        x->claim[j].value.v[j % 4] = m31_add(value.v[j % 4], 1);
        prove(x);
        expect_rejected(x, MICA_REJECT_OPENING, "a false claim");
        x->claim[j].value = value;
    }
    instance_free(x);
}
END_TEST

START_TEST(every_byte_counts) {
    seed = 13;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    for (size_t at = 0; at < x->size; at++) {
        const uint8_t flip = (uint8_t)(1u << (at % 8));
        x->proof[at] ^= flip;
        ck_assert_msg(!verify(x), "%s: byte %zu", x->c->name, at);
        x->proof[at] ^= flip;
    }
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

START_TEST(other_lengths_are_rejected) {
    seed = 14;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    const size_t step = x->size > 400 ? x->size / 200 : 1;
    for (size_t size = 0; size < x->size; size += step) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond it */
        memcpy(exact, x->proof, size);
        ck_assert_msg(!verify_bytes(x, exact, size), "%s: %zu of %zu bytes", x->c->name, size, x->size);
        ck_assert_int_eq(x->verdict.code, MICA_REJECT_MALFORMED);
        free(exact);
    }
    x->proof[x->size++] = 0;
    expect_rejected(x, MICA_REJECT_MALFORMED, "a trailing byte");
    instance_free(x);
}
END_TEST

START_TEST(other_root_is_rejected) {
    seed = 15;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    /* The transcript absorbs the root here; in the weights' case the vk digest does. Both must notice. */
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        x->root[g][7] ^= 16;
        ck_assert(!verify(x));
        x->root[g][7] ^= 16;
    }
    instance_free(x);
}
END_TEST

START_TEST(too_small_buffer_is_reported) {
    seed = 16;
    instance *x = instance_new(&cases[_i], true);
    mica_channel ch;
    prove(x);
    channel_init_write(&ch, x->proof, x->size - 1);
    absorb_roots(x, &ch);
    ck_assert(!pcs_open(&ch, &x->p, x->group, x->claim, x->n_claims, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_MEMORY);
    instance_free(x);
}
END_TEST

/* --- cheating --- */

/* Follows how far the verifier's claim is off, so that a message can be forged to make up for it exactly. */
typedef struct cheat_state {
    qm31 error;
    unsigned lie_level, lie_variable; /* round in which g(0) is shifted, the sum kept right */
    qm31 lie;
    unsigned forge_step; /* step whose message makes up for the error; UINT32_MAX: none */
    bool forged;
    unsigned column_step, column_source; /* source whose first column is altered; UINT32_MAX: none */
} cheat_state;

static void cheat_round(void *ctx, unsigned level, unsigned variable, qm31 message[2]) {
    const cheat_state *s = ctx;
    if (level == s->lie_level && variable == s->lie_variable)
        message[0] = qm31_add(message[0], s->lie);
}

/* Honest rounds on a claim off by e end off by x e; a lie of d in g(0), and so of -d in g(1), adds (1 - 2x)
 * d. */
static void cheat_point(void *ctx, unsigned level, unsigned variable, qm31 x) {
    cheat_state *s = ctx;
    s->error = qm31_mul(s->error, x);
    if (level == s->lie_level && variable == s->lie_variable) {
        const qm31 factor = qm31_sub(qm31_one(), qm31_add(x, x));
        s->error = qm31_add(s->error, qm31_mul(factor, s->lie));
    }
}

static void cheat_message(void *ctx, unsigned step, qvec message, qvec form, size_t n) {
    cheat_state *s = ctx;
    if (step != s->forge_step)
        return;
    for (size_t i = 0; i < n && !s->forged; i++) {
        const qm31 f = qvec_get(form, i);
        if (qm31_is_zero(f))
            continue;
        const qm31 shift = qm31_mul(s->error, qm31_inv(f));
        qvec_set(message, i, qm31_add(qvec_get(message, i), shift));
        s->forged = true;
        s->error = qm31_zero();
    }
}

static void cheat_columns(void *ctx, unsigned step, unsigned source, const uint32_t *index, m31 *column,
                          size_t n, size_t n_words) {
    const cheat_state *s = ctx;
    (void)index;
    if (step == s->column_step && source == s->column_source)
        column[(n - 1) * n_words] = m31_add(column[(n - 1) * n_words], 1);
}

static const cheat_state honest_state = {
    .lie_level = UINT32_MAX, .forge_step = UINT32_MAX, .column_step = UINT32_MAX};

static void prove_cheating(instance *x, cheat_state *s) {
    const pcs_cheat cheat = {s, cheat_round, cheat_point, cheat_message, cheat_columns};
    pcs_cheating = &cheat;
    prove(x);
    pcs_cheating = NULL;
}

/* The hooks alone change nothing. */
START_TEST(idle_hooks_are_honest) {
    seed = 20;
    instance *x = instance_new(&cases[_i], true);
    cheat_state s = honest_state;
    prove_cheating(x, &s);
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

/* A false claim whose error is repaired by a forged message at every step in turn: a wrong y (step 0), a
 * wrong folded message, a wrong clear message (the last). The linear form then holds; only the queries can
 * tell. */
START_TEST(forged_message_is_rejected) {
    seed = 21;
    instance *x = instance_new(&cases[_i], true);
    const qm31 value = x->claim[0].value;
    for (unsigned step = 0; step <= x->p.n_levels; step++) {
        cheat_state s = honest_state;
        s.error = random_qm31();
        s.forge_step = step;
        x->claim[0].value = qm31_add(value, s.error);
        prove_cheating(x, &s);
        ck_assert_msg(s.forged, "%s: step %u", x->c->name, step);
        expect_rejected(x, MICA_REJECT_OPENING, "a forged message");
        ck_assert_uint_eq(x->verdict.round, x->p.n_levels);
        /* With the clear message forged the form holds, and it must be the columns that give it away. */
        if (step == x->p.n_levels)
            ck_assert_ptr_ne(strstr(x->verdict.detail, "column"), NULL);
        x->claim[0].value = value;
    }
    instance_free(x);
}
END_TEST

/* The forgery is exact: the form holds on it, and it is the queries that catch it. */
START_TEST(forged_message_satisfies_the_form) {
    seed = 22;
    instance *x = instance_new(&cases[_i], true);
    cheat_state s = honest_state;
    s.error = random_qm31();
    s.forge_step = x->p.n_levels;
    x->claim[0].value = qm31_add(x->claim[0].value, s.error);
    prove_cheating(x, &s);
    ck_assert(!verify(x));
    ck_assert_ptr_ne(strstr(x->verdict.detail, "queried column"), NULL);
    s = honest_state; /* the same lie without the forgery fails on the form instead */
    prove_cheating(x, &s);
    ck_assert(!verify(x));
    ck_assert_ptr_ne(strstr(x->verdict.detail, "linear form"), NULL);
    instance_free(x);
}
END_TEST

/* A lie in one round with the sum right, left alone or repaired by the next message. */
START_TEST(round_lie_is_rejected) {
    seed = 23;
    instance *x = instance_new(&cases[_i], true);
    for (unsigned level = 0; level <= x->p.n_levels; level++) {
        const unsigned rounds = level ? x->p.level[level - 1].row_vars : pcs_row_vars(&x->p);
        for (unsigned v = 0; v < rounds; v++) {
            for (unsigned repair = 0; repair < 2; repair++) {
                cheat_state s = honest_state;
                s.lie_level = level;
                s.lie_variable = v;
                s.lie = random_qm31();
                if (repair)
                    s.forge_step = level;
                prove_cheating(x, &s);
                ck_assert(s.forged == (repair == 1));
                expect_rejected(x, MICA_REJECT_OPENING, "a lie in a round");
            }
        }
    }
    instance_free(x);
}
END_TEST

START_TEST(uncommitted_column_is_rejected) {
    seed = 24;
    instance *x = instance_new(&cases[_i], true);
    for (unsigned step = 0; step <= x->p.n_levels; step++) {
        pcs_source source[PCS_MAX_GROUPS];
        const unsigned n = pcs_step_sources(&x->p, step, source);
        for (unsigned i = 0; i < n; i++) {
            cheat_state s = honest_state;
            s.column_step = step;
            s.column_source = i;
            prove_cheating(x, &s);
            expect_rejected(x, MICA_REJECT_MERKLE, "an uncommitted column");
            ck_assert_uint_eq(x->verdict.round, step);
        }
    }
    instance_free(x);
}
END_TEST

/* Replaces the first row of a group's codeword at the first `bad` of every 8 positions and commits to that.
 */
static void corrupt_codeword(instance *x, unsigned g, unsigned bad) {
    pcs_committed *c = &x->group[g];
    const pcs_shape *s = &c->shape;
    const size_t n = (size_t)1 << (s->col_vars + s->rate_bits);
    for (size_t j = 0; j < n; j++) {
        if (j % 8 < bad)
            c->codeword[j] = m31_add(c->codeword[j], 1 + (m31)(next() % 1000));
    }
    const m31 **row = malloc(s->n_present * sizeof *row);
    ck_assert(row != NULL);
    for (uint32_t i = 0; i < s->n_present; i++)
        row[i] = c->codeword + i * n;
    merkle_build(&c->tree, row, s->n_present);
    memcpy(x->root[g], c->tree.node + MERKLE_DIGEST, MERKLE_DIGEST);
    free(row);
}

START_TEST(non_codeword_is_rejected) {
    const opening_case *c = &cases[_i];
    for (unsigned g = 0; g < c->n_groups; g++) {
        seed = 25 + g;
        instance *x = instance_new(c, true);
        corrupt_codeword(x, g, 8);
        prove(x);
        expect_rejected(x, MICA_REJECT_OPENING, "a commitment to a word that is no codeword");
        instance_free(x);
    }
}
END_TEST

/* One query into a word that is wrong on half of the points is caught half of the time: queries are uniform,
 * and each one is a test. */
START_TEST(queries_catch_at_the_expected_rate) {
    static const opening_case one = {"one query", 1, {{1, 7, 1, ALL}}, 1, {{3, 1}}, 1, 0};
    unsigned accepted = 0;
    seed = 99;
    instance *x = instance_new(&one, true);
    corrupt_codeword(x, 0, 4);
    for (unsigned i = 0; i < 400; i++) {
        /* A true claim at a fresh point gives fresh challenges. */
        qm31 *point = (qm31 *)(uintptr_t)x->claim[0].point;
        point[0] = random_qm31();
        for (size_t j = 0; j < x->n_claims; j++)
            x->claim[j].value = evaluate(x, x->claim[j].group, x->claim[j].point);
        prove(x);
        accepted += verify(x);
    }
    ck_assert_msg(accepted > 150 && accepted < 250, "%u of 400", accepted); /* 5 standard deviations */
    instance_free(x);
}
END_TEST

/* --- parameters --- */

static uint32_t all_rows[1 << 14];

static pcs_shape shape_for(uint64_t cells, unsigned security_bits) {
    pcs_shape s = {0};
    pcs_choose_row_bits(cells, security_bits, &s.col_vars, &s.rate_bits);
    s.n_present = (uint32_t)((cells + (1ull << s.col_vars) - 1) >> s.col_vars);
    while (1u << s.row_vars < s.n_present)
        s.row_vars++;
    ck_assert_uint_le(s.n_present, COUNT(all_rows));
    s.present = all_rows;
    return s;
}

START_TEST(chosen_parameters_meet_the_target) {
    static const uint64_t cells[] = {1, 2, 3, 100, 1000, 4097, 61706, 65536, 1000003, 1 << 24, 1ull << 28};
    static const unsigned targets[] = {60, 80, 100};
    for (uint32_t i = 0; i < COUNT(all_rows); i++)
        all_rows[i] = i;
    for (size_t i = 0; i < COUNT(cells); i++) {
        for (size_t j = 0; j < COUNT(cells); j++) {
            for (size_t k = 0; k < COUNT(targets); k++) {
                mica_status st = {MICA_OK, ""};
                pcs_params p, again;
                const pcs_shape group[2] = {shape_for(cells[i], targets[k]), shape_for(cells[j], targets[k])};
                ck_assert_msg(pcs_params_choose(&p, group, 2, targets[k], &st), "%llu %llu %u: %s",
                              (unsigned long long)cells[i], (unsigned long long)cells[j], targets[k],
                              st.message);
                ck_assert(pcs_params_wellformed(&p));
                soundness_budget budget = {.n = 0};
                pcs_budget(&p, 500, &budget);
                ck_assert(soundness_min(&budget) >= (bits16)targets[k] << 16);
                ck_assert_uint_eq(budget.n, 2 + p.n_groups + 3 * p.n_levels);
                size_t expected;
                ck_assert(pcs_proof_bytes(&p, &expected) >= expected);
                ck_assert(pcs_params_choose(&again, group, 2, targets[k], &st));
                ck_assert(memcmp(&p, &again, sizeof p) == 0);
            }
        }
    }
}
END_TEST

/* The choices are part of the protocol: the prover and the verifier of a vk make them independently. */
START_TEST(chosen_parameters_are_pinned) {
    static const struct {
        uint64_t cells;
        unsigned col_vars, rate_bits;
    } pinned[] = {{1, 0, 1},        {1000, 1, 1},     {61706, 10, 3},
                  {1 << 20, 14, 2}, {1 << 24, 17, 1}, {1 << 27, 18, 1}};
    for (size_t i = 0; i < COUNT(pinned); i++) {
        unsigned b, r;
        pcs_choose_row_bits(pinned[i].cells, 100, &b, &r);
        ck_assert_msg(b == pinned[i].col_vars && r == pinned[i].rate_bits, "%llu cells: %u, %u",
                      (unsigned long long)pinned[i].cells, b, r);
    }
}
END_TEST

START_TEST(impossible_parameters_are_refused) {
    const pcs_shape good = {2, 5, 2, 3, (const uint32_t[]){0, 1, 3}};
    static const struct {
        int row_vars, col_vars, rate_bits, n_present;
        unsigned security_bits;
        mica_code code;
    } bad[] = {
        {0, 0, 0, -3, 100, MICA_ERR_INTERNAL}, /* no rows */
        {0, 0, -2, 0, 100, MICA_ERR_INTERNAL}, /* rate 1 */
        {0, 0, 7, 0, 100, MICA_ERR_INTERNAL},  /* rate 1/512 */
        {-1, 0, 0, 0, 100, MICA_ERR_INTERNAL}, /* row 3 of 2 */
        {19, 0, 0, 0, 100, MICA_ERR_INTERNAL}, /* too many rows */
        {0, 40, 0, 0, 100, MICA_ERR_INTERNAL}, /* too long for the domain */
        {0, 19, 0, 0, 100, MICA_ERR_LIMIT},    /* 2^26 points leave 98 bits */
        {0, 0, 0, 0, 0, MICA_ERR_LIMIT},       {0, 0, 0, 0, 119, MICA_ERR_LIMIT},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        mica_status st = {MICA_OK, ""};
        pcs_params p;
        pcs_shape s = good;
        s.row_vars += (unsigned)bad[i].row_vars;
        s.col_vars += (unsigned)bad[i].col_vars;
        s.rate_bits += (unsigned)bad[i].rate_bits;
        s.n_present += (uint32_t)bad[i].n_present;
        ck_assert_msg(!pcs_params_choose(&p, &s, 1, bad[i].security_bits, &st), "case %zu", i);
        ck_assert_msg(st.code == bad[i].code, "case %zu: %s", i, st.message);
    }
    mica_status st = {MICA_OK, ""};
    pcs_params p;
    ck_assert(!pcs_params_choose(&p, &good, 0, 100, &st));
    ck_assert(!pcs_params_choose(&p, &good, PCS_MAX_GROUPS + 1, 100, &st));
}
END_TEST

START_TEST(misuse_is_refused) {
    seed = 30;
    instance *x = instance_new(&cases[6], true);
    const pcs_params good = x->p;
    const uint32_t descending[] = {3, 1};
    ck_assert(pcs_claims_wellformed(&good, x->claim, x->n_claims));
    ck_assert(!pcs_claims_wellformed(&good, x->claim, 0));
    for (unsigned i = 0; i < 12; i++) {
        pcs_params p = good;
        switch (i) {
        case 0:
            p.group[0].n_present = 0;
            break;
        case 1:
            p.group[0].n_present = 2, p.group[0].present = descending;
            break;
        case 2:
            p.group_queries[1] = 0;
            break;
        case 3:
            p.group_offset[1] ^= 1;
            break;
        case 4:
            p.level[0].row_vars++;
            break;
        case 5:
            p.level[0].queries = 0;
            break;
        case 6:
            p.level[0].rate_bits = 0;
            break;
        case 7:
            p.final_vars++;
            break;
        case 8:
            p.message_vars++;
            break;
        case 9:
            p.n_levels = PCS_MAX_LEVELS + 1;
            break;
        case 10:
            p.n_groups = 0;
            break;
        default:
            p.query_pow_bits = 41;
            break;
        }
        ck_assert_msg(!pcs_params_wellformed(&p), "field %u", i);
    }
    mica_channel ch;
    channel_init_read(&ch, x->proof, 0, &x->verdict);
    ck_assert(
        !pcs_verify(&ch, &good, (const uint8_t(*)[MERKLE_DIGEST])x->root, x->claim, 0, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_INTERNAL);
    x->st = (mica_status){MICA_OK, ""};
    x->claim[0].group = good.n_groups;
    ck_assert(!pcs_open(&ch, &good, x->group, x->claim, x->n_claims, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_INTERNAL);
    instance_free(x);
}
END_TEST

int main(void) {
    Suite *s = suite_create("pcs");
    TCase *c = tcase_create("pcs");
    const int all = (int)COUNT(cases);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, honest_is_accepted, 0, all);
    tcase_add_loop_test(c, proofs_are_deterministic, 0, all);
    tcase_add_loop_test(c, expected_size_is_the_mean, 0, all);
    tcase_add_loop_test(c, wrong_value_is_rejected, 0, all);
    tcase_add_loop_test(c, false_claim_is_rejected, 0, all);
    tcase_add_loop_test(c, every_byte_counts, 0, all);
    tcase_add_loop_test(c, other_lengths_are_rejected, 0, all);
    tcase_add_loop_test(c, other_root_is_rejected, 0, all);
    tcase_add_loop_test(c, too_small_buffer_is_reported, 0, all);
    tcase_add_loop_test(c, idle_hooks_are_honest, 0, all);
    tcase_add_loop_test(c, forged_message_is_rejected, 0, all);
    tcase_add_loop_test(c, forged_message_satisfies_the_form, 0, all);
    tcase_add_loop_test(c, round_lie_is_rejected, 0, all);
    tcase_add_loop_test(c, uncommitted_column_is_rejected, 0, all);
    tcase_add_loop_test(c, non_codeword_is_rejected, 0, all);
    tcase_add_test(c, queries_catch_at_the_expected_rate);
    tcase_add_test(c, chosen_parameters_meet_the_target);
    tcase_add_test(c, chosen_parameters_are_pinned);
    tcase_add_test(c, impossible_parameters_are_refused);
    tcase_add_test(c, misuse_is_refused);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
