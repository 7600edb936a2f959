/* The first part of an opening: claims on rows and columns of the groups become one form on the level-1
 * message. One pass over a matrix per class of claims, one for y. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_open_prove.h"
#include "poly/combine_prove.h"
#include "poly/eq_prove.h"
#include "poly/mle.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#define TILE         2048 /* columns of y per pass over the rows: 32 KiB */
#define ROWS_AT_ONCE 8    /* neighbours that are added to y together: as many streams of memory */

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

/* --- u_c[row] = <P[row], eq(zc)> --- */

#define WIDE_CLASSES 16 /* classes that one pass over a matrix serves */

/* Classes whose block is large are linear forms on the whole row, four for each: the coordinates of eq's low
 * factor; the high factor is one QM31 for each block of 2^ROW_FORMS_LOW_MAX cells. */
static bool is_wide(const pcs_params *p, unsigned group, unsigned block_vars) {
    return block_vars >= ROW_FORMS_LOW_MAX && block_vars + 2 >= p->group[group].col_vars &&
           LIMBS * QM31_DEGREE <= kernels()->products_per_butterfly;
}

typedef struct wide_job {
    const pcs_committed *group;
    const row_class *class[WIDE_CLASSES];
    size_t n_classes, n_blocks;
    row_forms forms;
    m31 *scale; /* [QM31_DEGREE][n_blocks][padded]: coordinate k of the high factor of the class of form i */
    m31 *acc;   /* [workers][QM31_DEGREE][padded] */
    uint8_t *scratch;
} wide_job;

static void wide_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const wide_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    const size_t padded = job->forms.padded;
    m31 *acc = job->acc + (size_t)worker * QM31_DEGREE * padded;
    for (size_t i = begin; i < end; i++) {
        const size_t row = s->present[i];
        memset(acc, 0, QM31_DEGREE * padded * sizeof *acc);
        uint8_t *scratch = job->scratch + worker * ROW_FORMS_SCRATCH;
        if (job->forms.narrow)
            row_forms_add_narrow(&job->forms, job->group->matrix, row << s->col_vars, job->n_blocks,
                                 job->scale, QM31_DEGREE, acc, scratch);
        else
            row_forms_add(&job->forms, job->group->matrix + (row << s->col_vars), job->n_blocks, job->scale,
                          QM31_DEGREE, acc, scratch);
        for (size_t c = 0; c < job->n_classes; c++) {
            qm31 sum = qm31_zero();
            for (unsigned k = 0; k < QM31_DEGREE; k++) {
                qm31 unit = qm31_zero(), part;
                unit.v[k] = 1;
                memcpy(part.v, acc + k * padded + c * QM31_DEGREE, sizeof part.v);
                sum = qm31_add(sum, qm31_mul(unit, part));
            }
            qvec_set(job->class[c] -> rows, row, sum);
        }
    }
}

/* Low and high factors of the job's classes. */
static bool wide_factors(opening *o, wide_job *job) {
    const size_t n = job->n_classes * QM31_DEGREE, size = (size_t)1 << ROW_FORMS_LOW_MAX;
    m31 *low = arena_alloc(o->arena, n * size, sizeof *low, o->st);
    const qvec eq = qvec_alloc(o->arena, size > job->n_blocks ? size : job->n_blocks, o->st);
    if (!low || !eq.p)
        return false;
    for (size_t c = 0; c < job->n_classes; c++) {
        eq_table_build(eq, job->class[c] -> zc, ROW_FORMS_LOW_MAX, qm31_one());
        for (size_t j = 0; j < QM31_DEGREE; j++)
            memcpy(low + (c * QM31_DEGREE + j) * size, eq.p + j * eq.stride, size * sizeof *low);
    }
    if (!row_forms_make(&job->forms, ROW_FORMS_LOW_MAX, low, n, o->arena, o->st) ||
        (job->group->narrow && !row_forms_make_narrow(&job->forms, job->group->narrow, o->arena, o->st)))
        return false;
    const size_t padded = job->forms.padded;
    job->scale = arena_alloc(o->arena, QM31_DEGREE * job->n_blocks * padded, sizeof *job->scale, o->st);
    if (!job->scale)
        return false;
    memset(job->scale, 0, QM31_DEGREE * job->n_blocks * padded * sizeof *job->scale);
    for (size_t c = 0; c < job->n_classes; c++) {
        const row_class *class = job->class[c];
        const unsigned high_vars = class->block_vars - ROW_FORMS_LOW_MAX;
        eq_table_build(eq, class->zc + ROW_FORMS_LOW_MAX, high_vars, qm31_one());
        for (size_t b = 0; b < (size_t)1 << high_vars; b++) {
            const size_t block = (class->block_at >> ROW_FORMS_LOW_MAX) + b;
            const qm31 high = qvec_get(eq, b);
            for (size_t k = 0; k < QM31_DEGREE; k++) {
                for (size_t j = 0; j < QM31_DEGREE; j++)
                    job->scale[(k * job->n_blocks + block) * padded + c * QM31_DEGREE + j] = high.v[k];
            }
        }
    }
    return true;
}

static bool contract_wide(opening *o, wide_job *job, unsigned g) {
    const size_t mark = arena_mark(o->arena), workers = parallel_workers();
    if (!job->n_classes)
        return true;
    job->group = &o->group[g];
    job->n_blocks = (size_t)1 << (o->p->group[g].col_vars - ROW_FORMS_LOW_MAX);
    if (!wide_factors(o, job))
        return false;
    job->acc = arena_alloc(o->arena, workers * QM31_DEGREE * job->forms.padded, sizeof *job->acc, o->st);
    job->scratch = arena_alloc(o->arena, workers, ROW_FORMS_SCRATCH, o->st);
    if (!job->acc || !job->scratch)
        return false;
    parallel_for(o->p->group[g].n_present, 1, wide_range, job);
    job->n_classes = 0;
    arena_reset(o->arena, mark);
    return true;
}

static size_t wide_workspace(const pcs_params *p, unsigned g, size_t n_classes, bool narrow) {
    const unsigned b = p->group[g].col_vars;
    const size_t n = (size_t)(n_classes < WIDE_CLASSES ? n_classes : WIDE_CLASSES) * QM31_DEGREE,
                 size = (size_t)1 << ROW_FORMS_LOW_MAX, workers = parallel_workers();
    if (b < ROW_FORMS_LOW_MAX || !n)
        return 0;
    const size_t padded = (n + ROW_FORMS_COLUMNS - 1) / ROW_FORMS_COLUMNS * ROW_FORMS_COLUMNS;
    const size_t blocks = (size_t)1 << (b - ROW_FORMS_LOW_MAX);
    return pcs_block_bytes(n * size, sizeof(m31)) + pcs_qvec_bytes(size > blocks ? size : blocks) +
           row_forms_bytes(ROW_FORMS_LOW_MAX, n) + (narrow ? row_forms_narrow_most(n) : 0) +
           pcs_block_bytes(QM31_DEGREE * blocks * padded, sizeof(m31)) +
           pcs_block_bytes(workers * QM31_DEGREE * padded, sizeof(m31)) +
           pcs_block_bytes(workers, ROW_FORMS_SCRATCH);
}

/* Classes of small blocks: eq of each whole, one after the other. */
typedef struct contract_job {
    const pcs_committed *group;
    const row_class **class;
    size_t n_classes;
    qvec eq;
    size_t n_eq, room; /* elements of eq in use, in all */
} contract_job;

static void contract_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const contract_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t row = s->present[i];
        const m31 *cells = job->group->matrix + (row << s->col_vars);
        qvec eq = job->eq;
        for (size_t c = 0; c < job->n_classes; c++) {
            const row_class *class = job->class[c];
            const size_t n = (size_t)1 << class->block_vars;
            qvec_set(class->rows, row, kernels()->dot_m31(cells + class->block_at, eq, n));
            eq = qvec_from(eq, n);
        }
    }
}

static void contract_small(contract_job *job) {
    if (job->n_classes)
        parallel_for(job->group->shape.n_present, 1, contract_range, job);
    job->n_classes = job->n_eq = 0;
}

static void add_small(contract_job *job, const row_class *class) {
    const size_t n = (size_t)1 << class->block_vars;
    if (job->n_eq + n > job->room)
        contract_small(job);
    eq_table_build(qvec_from(job->eq, job->n_eq), class->zc, class->block_vars, qm31_one());
    job->n_eq += n;
    job->class[job->n_classes++] = class;
}

/* rows[row] of every class; eq [room], at least a row's, is scratch. */
static bool contract_rows(opening *o, qvec eq, size_t room) {
    wide_job wide = {.n_classes = 0};
    contract_job small = {.eq = eq, .room = room};
    small.class = arena_alloc(o->arena, o->n_classes, sizeof *small.class, o->st);
    if (!small.class)
        return false;
    for (unsigned g = 0; g < o->p->n_groups; g++) {
        small.group = &o->group[g];
        for (size_t c = 0; c < o->n_classes; c++) {
            const row_class *class = &o->class[c];
            if (class->group != g)
                continue;
            if (!is_wide(o->p, g, class->block_vars)) {
                add_small(&small, class);
                continue;
            }
            wide.class[wide.n_classes++] = class;
            if (wide.n_classes == WIDE_CLASSES && !contract_wide(o, &wide, g))
                return false;
        }
        contract_small(&small);
        if (!contract_wide(o, &wide, g))
            return false;
    }
    return true;
}

/* --- the sumcheck over rows --- */

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

/* The sumcheck over rows. missing[g] becomes the product of (1 - r_v) over the variables that group g lacks.
 */
static void rows_reduce(opening *o, qm31 *missing) {
    for (unsigned g = 0; g < o->p->n_groups; g++)
        missing[g] = qm31_one();
    for (unsigned v = pcs_row_vars(o->p); v-- > 0;) {
        qm31 message[PCS_ROUND_VALUES];
        rows_message(o, v, missing, message);
        o->row_point[v] = open_send_round(o, 0, v, message);
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
        for (uint32_t i = 0, rows; i < s->n_present; i += rows) {
            const m31 *row = job->group->matrix + ((size_t)s->present[i] << s->col_vars);
            for (rows = 1; rows < ROWS_AT_ONCE && i + rows < s->n_present; rows++) {
                if (s->present[i + rows] != s->present[i] + rows)
                    break;
            }
            kernels()->axpys_m31(qvec_from(job->y, at), job->weight + i, row + at, (size_t)1 << s->col_vars,
                                 rows, n);
        }
    }
}

static bool combine_narrow(opening *o, const pcs_committed *c, const qm31 *weight, qvec y) {
    const pcs_shape *s = &c->shape;
    const size_t mark = arena_mark(o->arena);
    size_t *start = arena_alloc(o->arena, s->n_present, sizeof *start, o->st);
    if (!start)
        return false;
    for (uint32_t i = 0; i < s->n_present; i++)
        start[i] = (size_t)s->present[i] << s->col_vars;
    const bool ok =
        combine_rows(c->narrow, c->matrix, start, weight, s->n_present, s->col_vars, y, o->arena, o->st);
    arena_reset(o->arena, mark);
    return ok;
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
        const qvec y = qvec_from(o->message, o->p->group_offset[g]);
        combine_job job = {&o->group[g], weight, y};
        if (!o->group[g].narrow)
            parallel_for((size_t)1 << s->col_vars, TILE, combine_range, &job);
        else if (!combine_narrow(o, &o->group[g], weight, y))
            return false;
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
bool open_rows(opening *o, const pcs_claim *claim, size_t n_claims) {
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
    if (!contract_rows(o, eq, (size_t)1 << max_col_vars(o->p)))
        return false;
    rows_reduce(o, missing);
    return stack_message(o, missing, eq);
}

/* The sum of all allocations: the large ones live until the end anyway. */
size_t open_rows_workspace(const pcs_params *p, size_t n_claims) {
    const size_t rows = (size_t)1 << pcs_row_vars(p);
    size_t bytes =
        2 * pcs_qvec_bytes((size_t)1 << p->message_vars) + pcs_qvec_bytes((size_t)1 << max_col_vars(p)) +
        pcs_qvec_bytes(rows) + pcs_block_bytes(rows, sizeof(qm31)) + pcs_block_bytes(rows, sizeof(size_t)) +
        combine_rows_bytes(rows) + 2 * n_claims * pcs_qvec_bytes(rows) +
        2 * pcs_block_bytes(n_claims, sizeof(uint32_t)) + pcs_block_bytes(n_claims, sizeof(row_class)) +
        pcs_block_bytes(n_claims, sizeof(row_class *));
    size_t wide = 0;
    for (unsigned g = 0; g < p->n_groups; g++) {
        const size_t of_group = wide_workspace(p, g, WIDE_CLASSES, true);
        wide = of_group > wide ? of_group : wide;
    }
    return bytes + wide;
}

bool open_rows_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim, size_t n_claims,
                   mica_arena *arena, mica_status *st) {
    const size_t rows = (size_t)1 << pcs_row_vars(p);
    uint32_t *class_of = malloc((n_claims + 1) * sizeof *class_of),
             *first = malloc((n_claims + 1) * sizeof *first);
    size_t n_wide[PCS_MAX_GROUPS] = {0}, bytes = 0;
    if (!class_of || !first) {
        free(class_of);
        free(first);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for claims");
    }
    const size_t n = pcs_classes(p, claim, n_claims, class_of, first);
    for (size_t c = 0; c < n; c++) {
        const unsigned g = claim[first[c]].group;
        uint64_t at;
        n_wide[g] += is_wide(p, g, support_of_eq(claim[first[c]].point, p->group[g].col_vars, &at));
        bytes += 2 * pcs_qvec_bytes((size_t)1 << p->group[g].row_vars);
    }
    free(class_of);
    free(first);
    bytes += 2 * pcs_qvec_bytes((size_t)1 << p->message_vars) + pcs_qvec_bytes((size_t)1 << max_col_vars(p)) +
             pcs_qvec_bytes(rows) + 2 * pcs_block_bytes(n_claims, sizeof(uint32_t)) +
             pcs_block_bytes(n_claims, sizeof(row_class)) + pcs_block_bytes(n, sizeof(row_class *));
    bool ok = arena_alloc(arena, bytes, 1, st);
    const size_t mark = arena_mark(arena);
    for (unsigned g = 0; ok && g < p->n_groups; g++) {
        ok = arena_alloc(arena, wide_workspace(p, g, n_wide[g], group[g].narrow != NULL), 1, st);
        arena_reset(arena, mark);
    }
    ok = ok && arena_alloc(arena, rows, sizeof(qm31), st);
    for (unsigned g = 0; ok && g < p->n_groups; g++) {
        const size_t present = p->group[g].n_present, before = arena_mark(arena);
        if (group[g].narrow)
            ok = arena_alloc(arena, present, sizeof(size_t), st) &&
                 arena_alloc(arena, combine_rows_bytes(present), 1, st);
        arena_reset(arena, before);
    }
    return ok;
}
