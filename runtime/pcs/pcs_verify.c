/* The verifier of an opening. Every loop bound and every size comes from the parameters. */
#include <string.h>

#include "code/line_code.h"
#include "pcs/pcs_form.h"
#include "pcs/pcs_schedule.h"
#include "poly/mle.h"

#define NOWHERE UINT32_MAX

#define COLUMNS 4 /* that are hashed at once */

typedef struct opening {
    mica_channel *ch;
    const pcs_params *p;
    qm31 claim;     /* what the form must give on the present message */
    pcs_term *term; /* those of claims first */
    size_t n_terms, n_claim_terms;
    m31 *power; /* T_{2^j}(x) of the queries so far, and the room behind them */
    qm31 row_point[PCS_MAX_ROW_BITS];
    uint8_t level_root[MERKLE_DIGEST]; /* of the level that the next step queries */
    qm31 *clear;                       /* [2^final_vars] */
    qm31 *scratch;                     /* [2^final_vars] */
    /* queries of one step */
    pcs_term *query; /* terms without coefficient */
    qm31 *folded;    /* kappa = <eq(r), column> */
    size_t n_queries;
    /* one source */
    qm31 *row_weight; /* eq(r, row) of the rows that are present */
    m31 *column;      /* [COLUMNS * words] */
    uint8_t *digest;
    uint32_t *index, *index_scratch;
} opening;

/* Sizes of the arrays above. */
typedef struct extent {
    size_t terms, powers, clear, step_queries, source_queries, words, rows;
} extent;

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static extent extent_of(const pcs_params *p, size_t n_claims) {
    extent e = {.terms = n_claims + pcs_total_queries(p), .clear = (size_t)1 << p->final_vars};
    for (unsigned step = 0; step <= p->n_levels; step++) {
        pcs_source source[PCS_MAX_GROUPS];
        const unsigned n = pcs_step_sources(p, step, source);
        size_t queries = 0;
        for (unsigned i = 0; i < n; i++) {
            queries += source[i].queries;
            e.powers += (size_t)source[i].queries * source[i].col_vars;
            e.source_queries = larger(e.source_queries, source[i].queries);
            e.words = larger(e.words, source[i].n_words);
            e.rows = larger(e.rows, (size_t)1 << (step ? p->level[step - 1].row_vars : p->group[i].row_vars));
        }
        e.step_queries = larger(e.step_queries, queries);
    }
    return e;
}

static size_t block(size_t count, size_t element) {
    return (count * element + 63) / 64 * 64;
}

size_t pcs_verify_workspace(const pcs_params *p, size_t n_claims) {
    const extent e = extent_of(p, n_claims);
    return block(e.terms, sizeof(pcs_term)) + block(e.powers + 1, sizeof(m31)) +
           2 * block(e.clear, sizeof(qm31)) + block(e.step_queries, sizeof(pcs_term)) +
           block(e.step_queries, sizeof(qm31)) + block(e.rows, sizeof(qm31)) +
           block(COLUMNS * e.words, sizeof(m31)) + block(e.source_queries, MERKLE_DIGEST) +
           2 * block(e.source_queries, sizeof(uint32_t)) + 2 * block(n_claims, sizeof(uint32_t)) +
           64; /* 64: alignment of the first */
}

static bool opening_alloc(opening *o, size_t n_claims, mica_arena *arena, mica_status *st) {
    const extent e = extent_of(o->p, n_claims);
    return (o->term = arena_alloc(arena, e.terms, sizeof *o->term, st)) &&
           (o->power = arena_alloc(arena, e.powers + 1, sizeof *o->power, st)) &&
           (o->clear = arena_alloc(arena, e.clear, sizeof *o->clear, st)) &&
           (o->scratch = arena_alloc(arena, e.clear, sizeof *o->scratch, st)) &&
           (o->query = arena_alloc(arena, e.step_queries, sizeof *o->query, st)) &&
           (o->folded = arena_alloc(arena, e.step_queries, sizeof *o->folded, st)) &&
           (o->row_weight = arena_alloc(arena, e.rows, sizeof *o->row_weight, st)) &&
           (o->column = arena_alloc(arena, COLUMNS * e.words, sizeof *o->column, st)) &&
           (o->digest = arena_alloc(arena, e.source_queries, MERKLE_DIGEST, st)) &&
           (o->index = arena_alloc(arena, e.source_queries, sizeof *o->index, st)) &&
           (o->index_scratch = arena_alloc(arena, e.source_queries, sizeof *o->index_scratch, st));
}

/* n rounds of a sumcheck of degree 2, top variable first; variable v is bound to point[v]. */
static bool read_rounds(opening *o, qm31 *point, unsigned n) {
    for (unsigned v = n; v-- > 0;) {
        qm31 message[PCS_ROUND_VALUES];
        if (!channel_qm31(o->ch, TAG_OPEN_ROUND, message, PCS_ROUND_VALUES))
            return false;
        channel_challenge(o->ch, TAG_OPEN_POINT, &point[v], 1);
        o->claim = pcs_round_at(o->claim, message, point[v]);
    }
    return true;
}

/* Rows: sum_j gamma^j v_j = sum_j gamma^j sum_row eq(zr_j, row) <P[row], eq(zc_j)>, where the row vector of a
 * group is zero and its weight constant in the variables that only larger groups have. Leaves sum_c (sum_{j
 * in c} gamma^j eq(zr_j, r)) <y, eq(zc_c)> = claim. */
static bool rows_reduce(opening *o, const pcs_claim *claim, size_t n_claims, mica_arena *arena,
                        mica_status *st) {
    const size_t mark = arena_mark(arena);
    uint32_t *class_of = arena_alloc(arena, n_claims, sizeof *class_of, st);
    uint32_t *first = arena_alloc(arena, n_claims, sizeof *first, st);
    if (!class_of || !first)
        return false;
    const qm31 gamma = pcs_combine_claims(o->ch, claim, n_claims);
    qm31 power = qm31_one();
    o->claim = qm31_zero();
    for (size_t j = 0; j < n_claims; j++, power = qm31_mul(power, gamma))
        o->claim = qm31_add(o->claim, qm31_mul(power, claim[j].value));
    if (!read_rounds(o, o->row_point, pcs_row_vars(o->p)))
        return false;
    o->n_terms = o->n_claim_terms = pcs_classes(o->p, claim, n_claims, class_of, first);
    for (size_t c = 0; c < o->n_terms; c++) {
        const pcs_claim *of = &claim[first[c]];
        o->term[c] = (pcs_term){.coef = qm31_zero(),
                                .offset = o->p->group_offset[of->group],
                                .vars = o->p->group[of->group].col_vars,
                                .z = of->point};
    }
    power = qm31_one();
    for (size_t j = 0; j < n_claims; j++, power = qm31_mul(power, gamma)) {
        const pcs_shape *s = &o->p->group[claim[j].group];
        qm31 *coef = &o->term[class_of[j]].coef;
        const qm31 weight = mle_eq(claim[j].point + s->col_vars, o->row_point, s->row_vars);
        *coef = qm31_add(*coef, qm31_mul(power, weight));
    }
    arena_reset(arena, mark);
    return true;
}

/* eq(r, row) of the present rows of a group; the variables it lacks are bound to 0 in its rows. */
static void weigh_group_rows(opening *o, const pcs_shape *s) {
    qm31 missing = qm31_one();
    for (unsigned v = s->row_vars; v < pcs_row_vars(o->p); v++)
        missing = qm31_mul(missing, qm31_sub(qm31_one(), o->row_point[v]));
    mle_eq_table(o->row_point, s->row_vars, o->row_weight);
    for (uint32_t i = 0; i < s->n_present; i++) /* in place: i <= present[i] */
        o->row_weight[i] = qm31_mul(missing, o->row_weight[s->present[i]]);
}

/* <eq(r), column>: of words in a group, of elements in a level. */
static qm31 fold_column(const opening *o, unsigned step, const m31 *column, size_t n_words) {
    if (step == 0)
        return pcs_dot_m31(o->row_weight, column, n_words);
    qm31 sum = qm31_zero();
    for (size_t i = 0; i < n_words / QM31_DEGREE; i++) {
        qm31 x;
        memcpy(x.v, column + QM31_DEGREE * i, sizeof x.v);
        sum = qm31_add(sum, qm31_mul(o->row_weight[i], x));
    }
    return sum;
}

/* Columns of one source at freshly drawn indices, tied to its root, folded, and appended to the step's
 * queries. */
static bool read_source(opening *o, unsigned step, const pcs_source *s, const uint8_t root[MERKLE_DIGEST]) {
    const unsigned k = s->col_vars + s->rate_bits;
    const size_t n = pcs_draw_queries(o->ch, s, o->index);
    uint32_t leaf_state[8];
    line_domain domain;
    line_domain_begin(&domain, k);
    merkle_leaf_state(leaf_state, s->n_words);
    for (size_t i = 0; i < n; i++) {
        m31 *column = o->column + i % COLUMNS * s->n_words;
        if (!channel_raw_m31(o->ch, column, s->n_words))
            return false;
        if (i % COLUMNS == COLUMNS - 1 || i == n - 1)
            merkle_leaves(leaf_state, o->column, s->n_words, i % COLUMNS + 1,
                          o->digest + MERKLE_DIGEST * (i - i % COLUMNS));
        line_functional(line_domain_point(&domain, o->index[i]), s->col_vars, o->power);
        o->query[o->n_queries] = (pcs_term){.offset = s->offset, .vars = s->col_vars, .t = o->power};
        o->folded[o->n_queries++] = fold_column(o, step, column, s->n_words);
        o->power += s->col_vars;
    }
    if (merkle_check(k, s->digest_bytes, o->index, n, o->digest, o->index_scratch, root, o->ch))
        return true;
    if (o->ch->verdict->code == MICA_REJECT_MERKLE)
        o->ch->verdict->round = step;
    return false;
}

/* All queries of a step. The caller has read what they are to be consistent with. */
static bool read_queries(opening *o, unsigned step, const qm31 *point,
                         const uint8_t (*group_root)[MERKLE_DIGEST]) {
    pcs_source source[PCS_MAX_GROUPS];
    const unsigned n = pcs_step_sources(o->p, step, source);
    uint64_t nonce = 0;
    if (!channel_pow(o->ch, o->p->query_pow_bits, &nonce))
        return false;
    o->n_queries = 0;
    for (unsigned i = 0; i < n; i++) {
        if (step == 0)
            weigh_group_rows(o, &o->p->group[i]);
        else
            mle_eq_table(point, o->p->level[step - 1].row_vars, o->row_weight);
        if (!read_source(o, step, &source[i], step ? o->level_root : group_root[i]))
            return false;
    }
    return true;
}

/* The form goes on with gamma^k times the k-th query, k >= 1. */
static void add_queries(opening *o) {
    qm31 gamma;
    channel_challenge(o->ch, TAG_OPEN_GAMMA, &gamma, 1);
    qm31 power = gamma;
    for (size_t k = 0; k < o->n_queries; k++, power = qm31_mul(power, gamma)) {
        o->claim = qm31_add(o->claim, qm31_mul(power, o->folded[k]));
        o->term[o->n_terms] = o->query[k];
        o->term[o->n_terms++].coef = power;
    }
}

static bool level_reduce(opening *o, unsigned l, qm31 *point) {
    const pcs_level *level = &o->p->level[l];
    if (!read_rounds(o, point, level->row_vars))
        return false;
    for (size_t i = 0; i < o->n_terms; i++)
        pcs_term_fold(&o->term[i], level->col_vars, point, level->row_vars);
    return true;
}

/* The clear message against the queries of the last step, one by one, and against the form. */
static bool check_clear(opening *o) {
    m31 *words = (m31 *)(void *)o->scratch;
    for (size_t k = 0; k < o->n_queries; k++) {
        if (!qm31_eq(pcs_query_at(&o->query[k], o->clear, words), o->folded[k]))
            return mica_reject(o->ch->verdict, MICA_REJECT_OPENING, NOWHERE, o->p->n_levels,
                               "queried column %zu does not fold to the clear message", k);
    }
    qm31 sum = pcs_claims_at(o->term, o->n_claim_terms, o->clear, o->scratch);
    for (size_t i = o->n_claim_terms; i < o->n_terms; i++)
        sum = qm31_add(sum, qm31_mul(o->term[i].coef, pcs_query_at(&o->term[i], o->clear, words)));
    if (!qm31_eq(sum, o->claim))
        return mica_reject(o->ch->verdict, MICA_REJECT_OPENING, NOWHERE, o->p->n_levels,
                           "the linear form of claims and queries differs on the clear message");
    return true;
}

static bool verify_steps(opening *o, const uint8_t (*root)[MERKLE_DIGEST]) {
    qm31 point[PCS_MAX_ROW_BITS]; /* of the level that the step queries */
    memset(point, 0, sizeof point);
    for (unsigned step = 0; step < o->p->n_levels; step++) {
        uint8_t next_root[MERKLE_DIGEST];
        if (!channel_bytes(o->ch, TAG_OPEN_ROOT, next_root, sizeof next_root) ||
            !read_queries(o, step, point, root))
            return false;
        memcpy(o->level_root, next_root, sizeof next_root);
        add_queries(o);
        if (!level_reduce(o, step, point))
            return false;
    }
    for (size_t i = 0; i < (size_t)1 << o->p->final_vars; i++)
        o->clear[i] = qm31_zero();
    return channel_qm31(o->ch, TAG_OPEN_MESSAGE, o->clear, pcs_clear_size(o->p)) &&
           read_queries(o, o->p->n_levels, point, root) && check_clear(o);
}

bool pcs_verify(mica_channel *ch, const pcs_params *p, const uint8_t (*root)[MERKLE_DIGEST],
                const pcs_claim *claim, size_t n_claims, mica_arena *arena, mica_status *st) {
    opening o = {.ch = ch, .p = p};
    if (!pcs_params_wellformed(p) || !pcs_claims_wellformed(p, claim, n_claims))
        return mica_fail(st, MICA_ERR_INTERNAL, "an opening was called with impossible parameters or claims");
    const size_t mark = arena_mark(arena);
    const bool ok = opening_alloc(&o, n_claims, arena, st) && rows_reduce(&o, claim, n_claims, arena, st) &&
                    verify_steps(&o, root);
    arena_reset(arena, mark);
    return ok;
}
