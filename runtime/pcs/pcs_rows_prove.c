/* The first part of an opening: claims on rows and columns of the groups become one form on the level-1
 * message. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_open_prove.h"
#include "poly/combine_prove.h"
#include "poly/eq_prove.h"
#include "poly/mle.h"
#include "simd/kernels.h"

#define TILE         2048 /* columns of y per pass over the rows: 32 KiB */
#define ROWS_AT_ONCE 8    /* neighbours that are added to y together: as many streams of memory */

static void clear_qvec(qvec v, size_t n) {
    for (unsigned c = 0; c < QM31_DEGREE; c++)
        memset(v.p + c * v.stride, 0, n * sizeof(m31));
}

static row_class class_of_claim(const pcs_params *p, const pcs_claim *claim) {
    row_class class = {.group = claim->group, .zc = claim->point};
    class.block_vars = open_support_of_eq(claim->point, p->group[claim->group].col_vars, &class.block_at);
    return class;
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
        *class = class_of_claim(o->p, of);
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
        const unsigned vars = open_support_of_eq(zr, s->row_vars, &at);
        eq_table_build(eq, zr, vars, qm31_one());
        kernels()->axpy(qvec_from(o->class[class_of[j]].weight, at), power, eq, (size_t)1 << vars);
        qm31 *sum = &o->group_sum[claim[j].group];
        *sum = qm31_add(*sum, qm31_mul(power, claim[j].value));
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
    return open_classes_form(o, eq);
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
    if (!open_classes(o, eq, (size_t)1 << max_col_vars(o->p)))
        return false;
    rows_reduce(o, missing);
    return stack_message(o, missing, eq);
}

/* Beside the classes, for the form. */
static size_t classes_form_bytes(const pcs_params *p) {
    size_t most = 0;
    for (unsigned g = 0; g < p->n_groups; g++) {
        const size_t bytes = open_classes_form_bytes(p, g);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* The sum of all allocations: the large ones live until the end anyway. */
size_t open_rows_workspace(const pcs_params *p, size_t n_claims) {
    const size_t rows = (size_t)1 << pcs_row_vars(p);
    return 2 * pcs_qvec_bytes((size_t)1 << p->message_vars) + pcs_qvec_bytes((size_t)1 << max_col_vars(p)) +
           pcs_qvec_bytes(rows) + pcs_block_bytes(rows, sizeof(qm31)) +
           pcs_block_bytes(rows, sizeof(size_t)) + combine_rows_bytes(rows) +
           2 * n_claims * pcs_qvec_bytes(rows) + 2 * pcs_block_bytes(n_claims, sizeof(uint32_t)) +
           pcs_block_bytes(n_claims, sizeof(row_class)) + open_classes_workspace(p, n_claims) +
           classes_form_bytes(p);
}

/* What stays until the end of the opening, then what the classes take for themselves. */
static bool classes_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim,
                        size_t n_claims, row_class *class, uint32_t *class_of, uint32_t *first,
                        mica_arena *arena, mica_status *st) {
    const size_t n = pcs_classes(p, claim, n_claims, class_of, first);
    size_t bytes = 2 * pcs_qvec_bytes((size_t)1 << p->message_vars) +
                   pcs_qvec_bytes((size_t)1 << max_col_vars(p)) +
                   pcs_qvec_bytes((size_t)1 << pcs_row_vars(p)) +
                   2 * pcs_block_bytes(n_claims, sizeof(uint32_t)) + pcs_block_bytes(n_claims, sizeof *class);
    for (size_t c = 0; c < n; c++) {
        class[c] = class_of_claim(p, &claim[first[c]]);
        bytes += 2 * pcs_qvec_bytes((size_t)1 << p->group[class[c].group].row_vars);
    }
    return arena_alloc(arena, bytes, 1, st) && open_classes_dry(p, group, class, n, arena, st);
}

bool open_rows_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim, size_t n_claims,
                   mica_arena *arena, mica_status *st) {
    uint32_t *class_of = malloc((n_claims + 1) * sizeof *class_of),
             *first = malloc((n_claims + 1) * sizeof *first);
    row_class *class = malloc((n_claims + 1) * sizeof *class);
    bool ok =
        class_of && first && class ? classes_dry(p, group, claim, n_claims, class, class_of, first, arena, st)
                                   : mica_fail(st, MICA_ERR_MEMORY, "out of memory for claims");
    free(class_of);
    free(first);
    free(class);
    ok = ok && arena_alloc(arena, (size_t)1 << pcs_row_vars(p), sizeof(qm31), st);
    for (unsigned g = 0; ok && g < p->n_groups; g++) {
        const size_t present = p->group[g].n_present, before = arena_mark(arena);
        if (group[g].narrow)
            ok = arena_alloc(arena, present, sizeof(size_t), st) &&
                 arena_alloc(arena, combine_rows_bytes(present), 1, st);
        arena_reset(arena, before);
    }
    const size_t before = arena_mark(arena);
    ok = ok && arena_alloc(arena, classes_form_bytes(p) + 1, 1, st);
    arena_reset(arena, before);
    return ok;
}
