/* The prover of an opening, in the order of pcs_schedule.h. */
#include "pcs/pcs_open_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "hash/pow_prove.h"
#include "simd/kernels.h"

#define ROUND_GRAIN 1024 /* elements per thread from which waking it pays off */

/* --- levels --- */

/* Encodes and hashes the message as level[l]: a column is its rows in order, four words each. */
static bool commit_level(opening *o, unsigned l, m31 **codeword, merkle_tree *tree) {
    const pcs_level *level = &o->p->level[l];
    const unsigned k = level->col_vars + level->rate_bits;
    const size_t n_words = QM31_DEGREE * pcs_level_rows(o->p, l);
    const line_twiddles *twiddles = line_twiddles_get(k, o->st);
    const m31 **row = arena_alloc(o->arena, n_words, sizeof *row, o->st);
    *codeword = arena_alloc(o->arena, n_words << k, sizeof **codeword, o->st);
    *tree = pcs_tree_alloc(k, o->p->digest_bytes, o->arena, o->st);
    if (!twiddles || !row || !*codeword || !tree->node)
        return false;
    for (size_t w = 0; w < n_words; w++)
        row[w] = o->message.p + w % QM31_DEGREE * o->message.stride + (w / QM31_DEGREE << level->col_vars);
    pcs_encode_and_hash(twiddles, row, n_words, level->col_vars, level->rate_bits, *codeword, tree);
    return true;
}

/* column[q][w] = word w of column index[q] of the codeword. */
static void gather(const m31 *codeword, unsigned k, size_t n_words, const uint32_t *index, size_t n,
                   m31 *column) {
    for (size_t w = 0; w < n_words; w++) {
        for (size_t q = 0; q < n; q++)
            column[q * n_words + w] = codeword[(w << k) + index[q]];
    }
}

static bool open_columns(opening *o, unsigned step, unsigned i, const query_set *q) {
    const pcs_source *s = &q->source;
    const unsigned k = s->col_vars + s->rate_bits;
    const size_t mark = arena_mark(o->arena);
    const pcs_committed *group = step ? NULL : &o->group[i];
    m31 *column = arena_alloc(o->arena, q->n * s->n_words, sizeof *column, o->st);
    if (!column)
        return false;
    if (!group)
        gather(o->codeword, k, s->n_words, q->index, q->n, column);
    else if (group->codeword)
        gather(group->codeword, k, s->n_words, q->index, q->n, column);
    else if (!open_group_columns(group, q->index, q->n, column, o->arena, o->st))
        return false;
    PCS_CHEAT(columns, step, i, q->index, column, q->n, s->n_words);
    for (size_t j = 0; j < q->n; j++)
        channel_raw_m31(o->ch, column + j * s->n_words, s->n_words);
    const bool ok = merkle_open(group ? &group->tree : &o->tree, q->index, q->n, o->ch, o->arena, o->st);
    arena_reset(o->arena, mark);
    return ok;
}

/* Draws and answers all queries of a step; set[] keeps them for the form. */
static bool open_queries(opening *o, unsigned step, query_set set[PCS_MAX_GROUPS], unsigned *n_sets) {
    pcs_source source[PCS_MAX_GROUPS];
    uint64_t nonce = pow_grind(&o->ch->transcript, o->p->query_pow_bits);
    channel_pow(o->ch, o->p->query_pow_bits, &nonce);
    *n_sets = pcs_step_sources(o->p, step, source);
    for (unsigned i = 0; i < *n_sets; i++) {
        query_set *q = &set[i];
        const unsigned b = source[i].col_vars, k = b + source[i].rate_bits;
        q->source = source[i];
        q->index = arena_alloc(o->arena, source[i].queries, sizeof *q->index, o->st);
        q->power = arena_alloc(o->arena, (size_t)source[i].queries * b, sizeof *q->power, o->st);
        if (!q->index || !q->power)
            return false;
        q->n = pcs_draw_queries(o->ch, &source[i], q->index);
        for (size_t j = 0; j < q->n; j++)
            line_functional(line_domain_at(k, q->index[j]), b, q->power + j * b);
        if (!open_columns(o, step, i, q))
            return false;
    }
    return true;
}

typedef struct round_job {
    qvec message, form;
    size_t half;
    qm31 x;
    qm31 part[PARALLEL_MAX_WORKERS][PCS_ROUND_VALUES];
} round_job;

static void round_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    round_job *job = ctx;
    kernels()->round_product(qvec_from(job->message, begin), qvec_from(job->message, job->half + begin),
                             qvec_from(job->form, begin), qvec_from(job->form, job->half + begin),
                             end - begin, job->part[worker]);
}

static void bind_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const round_job *job = ctx;
    (void)worker;
    kernels()->fold(qvec_from(job->message, begin), qvec_from(job->message, job->half + begin), job->x,
                    end - begin);
    kernels()->fold(qvec_from(job->form, begin), qvec_from(job->form, job->half + begin), job->x,
                    end - begin);
}

/* The sumcheck over the row variables of level[l]; message and form are folded in place. */
static void level_reduce(opening *o, unsigned l) {
    const pcs_level *level = &o->p->level[l];
    round_job job = {.message = o->message, .form = o->form};
    for (unsigned v = level->row_vars; v-- > 0;) {
        qm31 message[PCS_ROUND_VALUES] = {{{0}}};
        job.half = (size_t)1 << (level->col_vars + v);
        memset(job.part, 0, sizeof job.part);
        parallel_for(job.half, ROUND_GRAIN, round_range, &job);
        for (unsigned w = 0; w < PARALLEL_MAX_WORKERS; w++) {
            for (unsigned i = 0; i < PCS_ROUND_VALUES; i++)
                message[i] = qm31_add(message[i], job.part[w][i]);
        }
        job.x = open_send_round(o, l + 1, v, message);
        parallel_for(job.half, ROUND_GRAIN, bind_range, &job);
    }
}

/* Step l: commits to level l + 1, answers the queries below it, runs its rounds. */
static bool prove_level(opening *o, unsigned l) {
    m31 *codeword;
    merkle_tree tree;
    query_set set[PCS_MAX_GROUPS];
    unsigned n_sets;
    qm31 gamma;
    PCS_CHEAT(message, l, o->message, o->form,
              (size_t)1 << (o->p->level[l].row_vars + o->p->level[l].col_vars));
    if (!commit_level(o, l, &codeword, &tree))
        return false;
    channel_bytes(o->ch, TAG_OPEN_ROOT, tree.node + MERKLE_DIGEST, MERKLE_DIGEST);
    if (!open_queries(o, l, set, &n_sets))
        return false;
    channel_challenge(o->ch, TAG_OPEN_GAMMA, &gamma, 1);
    qm31 power = gamma;
    for (unsigned i = 0; i < n_sets; i++) {
        if (!open_add_queries(o, &set[i], gamma, &power))
            return false;
    }
    level_reduce(o, l);
    o->codeword = codeword;
    o->tree = tree;
    return true;
}

static bool prove_clear(opening *o) {
    const size_t n = pcs_clear_size(o->p);
    query_set set[PCS_MAX_GROUPS];
    unsigned n_sets;
    qm31 *clear = arena_alloc(o->arena, n, sizeof *clear, o->st);
    if (!clear)
        return false;
    PCS_CHEAT(message, o->p->n_levels, o->message, o->form, n);
    for (size_t i = 0; i < n; i++)
        clear[i] = qvec_get(o->message, i);
    channel_qm31(o->ch, TAG_OPEN_MESSAGE, clear, n);
    return open_queries(o, o->p->n_levels, set, &n_sets);
}

/* --- the whole --- */

static size_t queries_workspace(const pcs_params *p, unsigned step) {
    pcs_source source[PCS_MAX_GROUPS];
    const unsigned n = pcs_step_sources(p, step, source);
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        const pcs_source *s = &source[i];
        const size_t t = s->queries;
        bytes += 2 * pcs_block_bytes(t, sizeof(uint32_t)); /* indices, and those of the multiproof */
        bytes += pcs_block_bytes(t * s->col_vars, sizeof(m31)) + pcs_block_bytes(t * s->n_words, sizeof(m31));
        bytes += open_add_queries_most(s);
        if (step == 0)
            bytes += open_group_columns_workspace(&p->group[i], t);
    }
    return bytes;
}

/* The sum of all allocations: the large ones live until the end anyway. */
size_t pcs_open_workspace(const pcs_params *p, size_t n_claims) {
    size_t bytes = open_rows_workspace(p, n_claims) + pcs_block_bytes(pcs_clear_size(p), sizeof(qm31));
    for (unsigned l = 0; l < p->n_levels; l++) {
        const unsigned k = p->level[l].col_vars + p->level[l].rate_bits;
        const size_t n_words = QM31_DEGREE * pcs_level_rows(p, l);
        bytes += pcs_block_bytes(n_words, sizeof(m31 *)) + pcs_block_bytes(n_words << k, sizeof(m31)) +
                 pcs_tree_bytes(k);
    }
    for (unsigned step = 0; step <= p->n_levels; step++)
        bytes += queries_workspace(p, step);
    return bytes;
}

/* The mean number of distinct ones among `draws` of n. */
static size_t distinct(size_t draws, size_t n) {
    double d = 0;
    for (size_t i = 0; i < draws; i++)
        d += 1 - d / (double)n;
    return (size_t)(d + 0.5);
}

static bool queries_dry(const pcs_params *p, const pcs_committed *group, unsigned step, mica_arena *arena,
                        mica_status *st) {
    pcs_source source[PCS_MAX_GROUPS];
    const unsigned n = pcs_step_sources(p, step, source);
    bool ok = true;
    for (unsigned i = 0; ok && i < n; i++) {
        const pcs_source *s = &source[i];
        const size_t t = distinct(s->queries, (size_t)1 << (s->col_vars + s->rate_bits));
        ok = arena_alloc(arena, s->queries, sizeof(uint32_t), st) &&
             arena_alloc(arena, (size_t)s->queries * s->col_vars, sizeof(m31), st);
        const size_t mark = arena_mark(arena);
        ok = ok && arena_alloc(arena, t * s->n_words, sizeof(m31), st);
        if (ok && step == 0 && !group[i].codeword)
            ok = open_group_columns_dry(&group[i], &p->group[i], t, arena, st);
        ok = ok && arena_alloc(arena, t, sizeof(uint32_t), st);
        arena_reset(arena, mark);
        ok = ok && arena_alloc(arena, open_add_queries_bytes(s, t), 1, st);
        arena_reset(arena, mark);
    }
    return ok;
}

bool pcs_open_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim, size_t n_claims,
                  mica_arena *arena, mica_status *st) {
    const size_t mark = arena_mark(arena);
    bool ok = open_rows_dry(p, group, claim, n_claims, arena, st);
    for (unsigned l = 0; ok && l < p->n_levels; l++) {
        const unsigned k = p->level[l].col_vars + p->level[l].rate_bits;
        const size_t n_words = QM31_DEGREE * pcs_level_rows(p, l);
        ok = arena_alloc(arena, n_words, sizeof(m31 *), st) &&
             arena_alloc(arena, n_words << k, sizeof(m31), st) &&
             pcs_tree_alloc(k, p->digest_bytes, arena, st).node && queries_dry(p, group, l, arena, st);
    }
    ok = ok && arena_alloc(arena, pcs_clear_size(p), sizeof(qm31), st) &&
         queries_dry(p, group, p->n_levels, arena, st);
    arena_reset(arena, mark);
    return ok;
}

bool pcs_open(mica_channel *ch, const pcs_params *p, const pcs_committed *group, const pcs_claim *claim,
              size_t n_claims, mica_arena *arena, mica_status *st) {
    opening o = {.ch = ch, .p = p, .group = group, .arena = arena, .st = st};
    if (!pcs_params_wellformed(p) || !pcs_claims_wellformed(p, claim, n_claims))
        return mica_fail(st, MICA_ERR_INTERNAL, "an opening was called with impossible parameters or claims");
    const size_t mark = arena_mark(arena);
    bool ok = open_rows(&o, claim, n_claims);
    for (unsigned l = 0; ok && l < p->n_levels; l++)
        ok = prove_level(&o, l);
    ok = ok && prove_clear(&o);
    arena_reset(arena, mark);
    if (ok && ch->overflow)
        return mica_fail(st, MICA_ERR_MEMORY, "proof buffer of %zu bytes is too small", ch->out_capacity);
    return ok;
}
