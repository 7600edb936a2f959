/* The prover of an opening, in the order of pcs_schedule.h. All numbers of claims are of the order of
 * hundreds; what is large are the matrices (one pass per class of claims, one for y) and the message of
 * level 1. */
#include <string.h>

#include "base/parallel.h"
#include "hash/pow_prove.h"
#include "pcs/pcs_cheat.h"
#include "pcs/pcs_prove.h"
#include "pcs/pcs_schedule.h"
#include "poly/eq_prove.h"
#include "poly/mle.h"
#include "simd/kernels.h"

#define MAX_WORKERS 256  /* base/parallel.h */
#define ROUND_GRAIN 4096 /* elements per thread from which waking it pays off */
#define TILE        2048 /* columns of y per pass over the rows: 32 KiB */
#define FORM_LOW    8    /* log2 of the block of the linear form that one task updates */

/* Claims of one group with the same column part zc:  sum_row weight[row] rows[row],  rows[row] = <P[row],
 * eq(zc)>, weight[row] = sum_j gamma^j eq(zr_j, row). Where the top coordinates of zc are 0 or 1, eq(zc)
 * lives on one block. */
typedef struct row_class {
    unsigned group;
    const qm31 *zc;
    unsigned block_vars;
    uint64_t block_at;
    qvec rows, weight; /* [2^a] */
} row_class;

typedef struct opening {
    mica_channel *ch;
    const pcs_params *p;
    const pcs_committed *group;
    mica_arena *arena;
    mica_status *st;
    row_class *class;
    size_t n_classes;
    qm31 group_sum[PCS_MAX_GROUPS]; /* sum of gamma^j v_j over the claims of the group */
    qm31 row_point[PCS_MAX_ROW_BITS];
    qvec message, form; /* of the present level */
    /* codeword and tree of the level that the next step queries */
    m31 *codeword;
    merkle_tree tree;
} opening;

/* Drops the top coordinates that are exactly 0 or 1: eq(z, .) is eq of the rest on the block at *at, zero
 * elsewhere. */
static unsigned support_of_eq(const qm31 *z, unsigned n, uint64_t *at) {
    const qm31 one = qm31_one();
    *at = 0;
    for (; n > 0; n--) {
        if (qm31_eq(z[n - 1], one))
            *at |= 1ull << (n - 1);
        else if (!qm31_is_zero(z[n - 1]))
            break;
    }
    return n;
}

static void clear_qvec(qvec v, size_t n) {
    for (unsigned c = 0; c < QM31_DEGREE; c++)
        memset(v.p + c * v.stride, 0, n * sizeof(m31));
}

/* --- rows --- */

static bool make_classes(opening *o, const pcs_claim *claim, size_t n_claims, qm31 gamma) {
    uint32_t *class_of = arena_alloc(o->arena, n_claims, sizeof *class_of, o->st);
    uint32_t *first = arena_alloc(o->arena, n_claims, sizeof *first, o->st);
    o->class = arena_alloc(o->arena, n_claims, sizeof *o->class, o->st);
    const qvec eq = qvec_alloc(o->arena, (size_t)1 << pcs_row_vars(o->p), o->st);
    if (!class_of || !first || !o->class || !eq.p)
        return false;
    o->n_classes = pcs_classes(o->p, claim, n_claims, class_of, first);
    for (size_t c = 0; c < o->n_classes; c++) {
        const pcs_claim *of = &claim[first[c]];
        const pcs_shape *s = &o->p->group[of->group];
        const size_t rows = (size_t)1 << s->row_vars;
        row_class *class = &o->class[c];
        *class = (row_class){.group = of->group, .zc = of->point};
        class->block_vars = support_of_eq(of->point, s->col_vars, &class->block_at);
        class->rows = qvec_alloc(o->arena, rows, o->st);
        class->weight = qvec_alloc(o->arena, rows, o->st);
        if (!class->rows.p || !class->weight.p)
            return false;
        clear_qvec(class->rows, rows);
        clear_qvec(class->weight, rows);
    }
    qm31 power = qm31_one();
    for (size_t j = 0; j < n_claims; j++, power = qm31_mul(power, gamma)) {
        const pcs_shape *s = &o->p->group[claim[j].group];
        const qm31 *zr = claim[j].point + s->col_vars;
        uint64_t at;
        const unsigned vars = support_of_eq(zr, s->row_vars, &at);
        eq_table_build(eq, zr, vars, qm31_one());
        kernels()->axpy(qvec_from(o->class[class_of[j]].weight, at), power, eq, (size_t)1 << vars);
        qm31 *sum = &o->group_sum[claim[j].group];
        *sum = qm31_add(*sum, qm31_mul(power, claim[j].value));
    }
    return true;
}

typedef struct contract_job {
    const pcs_committed *group;
    const row_class *class;
    qvec eq;
} contract_job;

static void contract_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const contract_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t row = s->present[i];
        const m31 *block = job->group->matrix + (row << s->col_vars) + job->class->block_at;
        qvec_set(job->class->rows, row,
                 kernels()->dot_m31(block, job->eq, (size_t)1 << job->class->block_vars));
    }
}

/* rows[row] = <P[row], eq(zc)> of every class; eq is scratch. */
static void contract_rows(opening *o, qvec eq) {
    for (size_t c = 0; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        eq_table_build(eq, class->zc, class->block_vars, qm31_one());
        contract_job job = {&o->group[class->group], class, eq};
        parallel_for(o->p->group[class->group].n_present, 1, contract_range, &job);
    }
}

/* The message of the round that binds variable v of all groups. A group without this variable is zero at 1:
 * its part of g is (1 - X) times the sum it has left. */
static void rows_message(const opening *o, unsigned v, const qm31 *missing, qm31 message[PCS_ROUND_VALUES]) {
    const size_t half = (size_t)1 << v;
    message[0] = message[1] = qm31_zero();
    for (unsigned g = 0; g < o->p->n_groups; g++) {
        if (v >= o->p->group[g].row_vars)
            message[0] = qm31_add(message[0], qm31_mul(missing[g], o->group_sum[g]));
    }
    for (size_t c = 0; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        if (v >= o->p->group[class->group].row_vars)
            continue;
        qm31 part[PCS_ROUND_VALUES];
        kernels()->round_product(class->rows, qvec_from(class->rows, half), class->weight,
                                 qvec_from(class->weight, half), half, part);
        for (unsigned i = 0; i < PCS_ROUND_VALUES; i++)
            message[i] = qm31_add(message[i], qm31_mul(missing[class->group], part[i]));
    }
}

static void rows_bind(const opening *o, unsigned v, qm31 x, qm31 *missing) {
    const size_t half = (size_t)1 << v;
    for (unsigned g = 0; g < o->p->n_groups; g++) {
        if (v >= o->p->group[g].row_vars)
            missing[g] = qm31_mul(missing[g], qm31_sub(qm31_one(), x));
    }
    for (size_t c = 0; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        if (v >= o->p->group[class->group].row_vars)
            continue;
        kernels()->fold(class->rows, qvec_from(class->rows, half), x, half);
        kernels()->fold(class->weight, qvec_from(class->weight, half), x, half);
    }
}

static qm31 send_round(opening *o, unsigned level, unsigned v, qm31 message[PCS_ROUND_VALUES]) {
    qm31 x;
    (void)level; /* for hooks */
    (void)v;
    PCS_CHEAT(round, level, v, message);
    channel_qm31(o->ch, TAG_OPEN_ROUND, message, PCS_ROUND_VALUES);
    channel_challenge(o->ch, TAG_OPEN_POINT, &x, 1);
    PCS_CHEAT(point, level, v, x);
    return x;
}

/* The sumcheck over rows. missing[g] becomes the product of (1 - r_v) over the variables that group g lacks.
 */
static void rows_reduce(opening *o, qm31 *missing) {
    for (unsigned g = 0; g < o->p->n_groups; g++)
        missing[g] = qm31_one();
    for (unsigned v = pcs_row_vars(o->p); v-- > 0;) {
        qm31 message[PCS_ROUND_VALUES];
        rows_message(o, v, missing, message);
        o->row_point[v] = send_round(o, 0, v, message);
        rows_bind(o, v, o->row_point[v], missing);
    }
}

typedef struct combine_job {
    const pcs_committed *group;
    const qm31 *weight; /* of the present rows */
    qvec y;
} combine_job;

static void combine_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const combine_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    (void)worker;
    for (size_t at = begin; at < end; at += TILE) {
        const size_t n = end - at < TILE ? end - at : TILE;
        for (uint32_t i = 0; i < s->n_present; i++) {
            const m31 *row = job->group->matrix + ((size_t)s->present[i] << s->col_vars);
            kernels()->axpy_m31(qvec_from(job->y, at), job->weight[i], row + at, n);
        }
    }
}

/* message = stacked y_g = sum_row eq(r, row) P_g[row]; form = sum_c weight_c(r) eq(zc_c) on the part of its
 * group. */
static bool stack_message(opening *o, const qm31 *missing, qvec eq) {
    qm31 *weight = arena_alloc(o->arena, (size_t)1 << pcs_row_vars(o->p), sizeof *weight, o->st);
    if (!weight)
        return false;
    clear_qvec(o->message, (size_t)1 << o->p->message_vars);
    clear_qvec(o->form, (size_t)1 << o->p->message_vars);
    for (unsigned g = 0; g < o->p->n_groups; g++) {
        const pcs_shape *s = &o->p->group[g];
        mle_eq_table(o->row_point, s->row_vars, weight);
        for (uint32_t i = 0; i < s->n_present; i++) /* in place: i <= present[i] */
            weight[i] = qm31_mul(missing[g], weight[s->present[i]]);
        combine_job job = {&o->group[g], weight, qvec_from(o->message, o->p->group_offset[g])};
        parallel_for((size_t)1 << s->col_vars, TILE, combine_range, &job);
    }
    for (size_t c = 0; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        const uint64_t at = o->p->group_offset[class->group] + class->block_at;
        eq_table_build(eq, class->zc, class->block_vars, qm31_one());
        kernels()->axpy(qvec_from(o->form, at), qvec_get(class->weight, 0), eq,
                        (size_t)1 << class->block_vars);
    }
    return true;
}

static unsigned max_col_vars(const pcs_params *p) {
    unsigned most = 0;
    for (unsigned g = 0; g < p->n_groups; g++)
        most = p->group[g].col_vars > most ? p->group[g].col_vars : most;
    return most;
}

/* From claims on the groups to a form on the level-1 message. */
static bool groups_reduce(opening *o, const pcs_claim *claim, size_t n_claims) {
    const size_t size = (size_t)1 << o->p->message_vars;
    qm31 missing[PCS_MAX_GROUPS];
    const qvec eq = qvec_alloc(o->arena, (size_t)1 << max_col_vars(o->p), o->st);
    o->message = qvec_alloc(o->arena, size, o->st);
    o->form = qvec_alloc(o->arena, size, o->st);
    if (!eq.p || !o->message.p || !o->form.p)
        return false;
    const qm31 gamma = pcs_combine_claims(o->ch, claim, n_claims);
    if (!make_classes(o, claim, n_claims, gamma))
        return false;
    contract_rows(o, eq);
    rows_reduce(o, missing);
    return stack_message(o, missing, eq);
}

/* --- levels --- */

/* Encodes and hashes the message as level[l]: a column is its rows in order, four words each. */
static bool commit_level(opening *o, unsigned l, m31 **codeword, merkle_tree *tree) {
    const pcs_level *level = &o->p->level[l];
    const unsigned k = level->col_vars + level->rate_bits;
    const size_t n_words = QM31_DEGREE * pcs_level_rows(o->p, l);
    const line_twiddles *twiddles = line_twiddles_get(k, o->st);
    const m31 **row = arena_alloc(o->arena, n_words, sizeof *row, o->st);
    *codeword = arena_alloc(o->arena, n_words << k, sizeof **codeword, o->st);
    *tree = pcs_tree_alloc(k, o->arena, o->st);
    if (!twiddles || !row || !*codeword || !tree->node)
        return false;
    for (size_t w = 0; w < n_words; w++)
        row[w] = o->message.p + w % QM31_DEGREE * o->message.stride + (w / QM31_DEGREE << level->col_vars);
    pcs_encode_and_hash(twiddles, row, n_words, level->col_vars, level->rate_bits, *codeword, tree);
    return true;
}

typedef struct gather_job {
    const line_twiddles *twiddles;
    const pcs_committed *group;
    const uint32_t *index;
    size_t n;
    m31 *column, *scratch; /* [n][n_present]; [workers][2^k] */
} gather_job;

static void gather_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const gather_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    m31 *encoded = job->scratch + ((size_t)worker << (s->col_vars + s->rate_bits));
    for (size_t i = begin; i < end; i++) {
        const m31 *row = job->group->matrix + ((size_t)s->present[i] << s->col_vars);
        line_encode(job->twiddles, row, s->col_vars, s->rate_bits, encoded);
        for (size_t q = 0; q < job->n; q++)
            job->column[q * s->n_present + i] = encoded[job->index[q]];
    }
}

/* Columns of a group whose codeword was not kept: every row is encoded again, which for a hundred queries is
 * less work than the inner products with w_x. */
static bool gather_again(opening *o, const pcs_committed *c, const uint32_t *index, size_t n, m31 *column) {
    const unsigned k = c->shape.col_vars + c->shape.rate_bits;
    const size_t mark = arena_mark(o->arena);
    gather_job job = {line_twiddles_get(k, o->st), c, index, n, column, NULL};
    job.scratch = arena_alloc(o->arena, (size_t)parallel_workers() << k, sizeof(m31), o->st);
    if (!job.twiddles || !job.scratch)
        return false;
    parallel_for(c->shape.n_present, 1, gather_range, &job);
    arena_reset(o->arena, mark);
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

/* Queries of one source of one step: distinct indices, and T_{2^j}(x) for each. */
typedef struct query_set {
    pcs_source source;
    uint32_t *index;
    m31 *power; /* [n][col_vars] */
    size_t n;
} query_set;

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
    else if (!gather_again(o, group, q->index, q->n, column))
        return false;
    PCS_CHEAT(columns, step, i, q->index, column, q->n, s->n_words);
    channel_raw_m31(o->ch, column, q->n * s->n_words);
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

typedef struct form_job {
    const query_set *q;
    unsigned low;        /* variables of a block */
    const m31 *low_part; /* [n][2^low]: the low factor of w_x */
    const qm31 *coef;
    qvec form;
} form_job;

/* form[block] += sum_k coef_k w_{x_k}[block]; w_x on a block is its low factor times one number. */
static void form_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const form_job *job = ctx;
    const unsigned b = job->q->source.col_vars;
    const size_t size = (size_t)1 << job->low;
    (void)worker;
    for (size_t block = begin; block < end; block++) {
        for (size_t k = 0; k < job->q->n; k++) {
            const m31 *power = job->q->power + k * b;
            m31 high = 1;
            for (unsigned v = job->low; v < b; v++)
                high = block >> (v - job->low) & 1 ? m31_mul(high, power[v]) : high;
            kernels()->axpy_m31(qvec_from(job->form, block << job->low), qm31_mul_m31(job->coef[k], high),
                                job->low_part + (k << job->low), size);
        }
    }
}

/* Adds *gamma_power gamma^k w_{x_k} of the queries of one source to its part of the form. */
static bool add_to_form(opening *o, const query_set *q, qm31 gamma, qm31 *gamma_power) {
    const unsigned b = q->source.col_vars, low = b < FORM_LOW ? b : FORM_LOW;
    const size_t mark = arena_mark(o->arena);
    m31 *low_part = arena_alloc(o->arena, q->n << low, sizeof *low_part, o->st);
    qm31 *coef = arena_alloc(o->arena, q->n, sizeof *coef, o->st);
    if (!low_part || !coef)
        return false;
    for (size_t k = 0; k < q->n; k++, *gamma_power = qm31_mul(*gamma_power, gamma)) {
        m31 *w = low_part + (k << low);
        coef[k] = *gamma_power;
        w[0] = 1;
        for (unsigned v = 0; v < low; v++) {
            const size_t half = (size_t)1 << v;
            for (size_t i = 0; i < half; i++)
                w[half + i] = m31_mul(w[i], q->power[k * b + v]);
        }
    }
    form_job job = {q, low, low_part, coef, qvec_from(o->form, q->source.offset)};
    parallel_for((size_t)1 << (b - low), 1, form_range, &job);
    arena_reset(o->arena, mark);
    return true;
}

typedef struct round_job {
    qvec message, form;
    size_t half;
    qm31 x;
    qm31 part[MAX_WORKERS][PCS_ROUND_VALUES];
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
        for (unsigned w = 0; w < MAX_WORKERS; w++) {
            for (unsigned i = 0; i < PCS_ROUND_VALUES; i++)
                message[i] = qm31_add(message[i], job.part[w][i]);
        }
        job.x = send_round(o, l + 1, v, message);
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
        if (!add_to_form(o, &set[i], gamma, &power))
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
        const size_t t = s->queries, low = (size_t)1 << (s->col_vars < FORM_LOW ? s->col_vars : FORM_LOW);
        bytes += 2 * pcs_block_bytes(t, sizeof(uint32_t)); /* indices, and those of the multiproof */
        bytes += pcs_block_bytes(t * s->col_vars, sizeof(m31)) + pcs_block_bytes(t * s->n_words, sizeof(m31));
        bytes += pcs_block_bytes(t * low, sizeof(m31)) + pcs_block_bytes(t, sizeof(qm31));
        if (step == 0) /* rows encoded again */
            bytes += pcs_block_bytes((size_t)parallel_workers() << (s->col_vars + s->rate_bits), sizeof(m31));
    }
    return bytes;
}

/* The sum of all allocations: the large ones live until the end anyway. */
size_t pcs_open_workspace(const pcs_params *p, size_t n_claims) {
    const size_t rows = (size_t)1 << pcs_row_vars(p);
    size_t bytes =
        2 * pcs_qvec_bytes((size_t)1 << p->message_vars) + pcs_qvec_bytes((size_t)1 << max_col_vars(p)) +
        pcs_qvec_bytes(rows) + pcs_block_bytes(rows, sizeof(qm31)) + 2 * n_claims * pcs_qvec_bytes(rows) +
        2 * pcs_block_bytes(n_claims, sizeof(uint32_t)) + pcs_block_bytes(n_claims, sizeof(row_class)) +
        pcs_block_bytes(pcs_clear_size(p), sizeof(qm31));
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

bool pcs_open(mica_channel *ch, const pcs_params *p, const pcs_committed *group, const pcs_claim *claim,
              size_t n_claims, mica_arena *arena, mica_status *st) {
    opening o = {.ch = ch, .p = p, .group = group, .arena = arena, .st = st};
    if (!pcs_params_wellformed(p) || !pcs_claims_wellformed(p, claim, n_claims))
        return mica_fail(st, MICA_ERR_INTERNAL, "an opening was called with impossible parameters or claims");
    const size_t mark = arena_mark(arena);
    bool ok = groups_reduce(&o, claim, n_claims);
    for (unsigned l = 0; ok && l < p->n_levels; l++)
        ok = prove_level(&o, l);
    ok = ok && prove_clear(&o);
    arena_reset(arena, mark);
    if (ok && ch->overflow)
        return mica_fail(st, MICA_ERR_MEMORY, "proof buffer of %zu bytes is too small", ch->out_capacity);
    return ok;
}
