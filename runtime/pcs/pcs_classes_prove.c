/* Classes of claims (pcs_open_prove.h): u_c[row] = <P[row], eq(zc_c)> of every class, and the form of all.
 *
 * Points of claims share coordinates, low ones above all, since sumchecks of different lengths end in the
 * same challenges. eq(zc) is eq of its LOW lowest coordinates times eq of the others; so one pass over a
 * matrix makes one number of every block of 2^LOW cells for all classes that agree in those coordinates, and
 * what tells the classes apart is left to sums over blocks. Classes of smaller blocks are taken one by one.
 */
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_open_prove.h"
#include "poly/eq_prove.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#define LOW    ROW_FORMS_LOW_MAX
#define BLOCK  ((size_t)1 << LOW)
#define POINTS 8 /* low points that one pass over a matrix serves */

_Static_assert(POINTS *QM31_DEGREE <= ROW_FORMS_COLUMNS, "the forms of a pass are one product");

unsigned open_support_of_eq(const qm31 *z, unsigned n, uint64_t *at) {
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

static bool same_low(const row_class *a, const row_class *b) {
    if (a->group != b->group || a->block_vars < LOW || b->block_vars < LOW)
        return false;
    for (unsigned v = 0; v < LOW; v++) {
        if (!qm31_eq(a->zc[v], b->zc[v]))
            return false;
    }
    return true;
}

/* The first class that agrees with class c in the low coordinates: c itself, if its block is small. */
static size_t leader_of(const row_class *class, size_t c) {
    for (size_t i = 0; i < c; i++) {
        if (same_low(&class[i], &class[c]))
            return i;
    }
    return c;
}

/* Whether a pass pays off for the classes that follow this one. */
static bool is_wide(const pcs_params *p, const row_class *class, size_t n_classes, size_t leader) {
    size_t cells = 0;
    if (class[leader].block_vars < LOW || HALVES * QM31_DEGREE > kernels()->products_per_butterfly)
        return false;
    for (size_t c = leader; c < n_classes; c++) {
        if (same_low(&class[leader], &class[c]))
            cells += (size_t)1 << class[c].block_vars;
    }
    return 4 * cells >= (size_t)1 << p->group[class[leader].group].col_vars;
}

/* --- a pass for classes that share low points --- */

typedef struct pass {
    const pcs_committed *group;
    size_t leader[POINTS];
    size_t n_points, n_blocks;
    row_forms forms; /* coordinate k of eq(low point i) is form QM31_DEGREE i + k */
    const row_class **member;
    size_t *point; /* [n_members]: a member's low point */
    qvec *high;    /* [n_members]: eq of its other coordinates */
    size_t n_members;
    m31 *sums, *plane; /* [workers][n_blocks][padded]; [workers][forms][n_blocks] */
    uint8_t *scratch;
} pass;

static void pass_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const pass *job = ctx;
    const pcs_shape *s = &job->group->shape;
    const size_t blocks = job->n_blocks, padded = job->forms.padded, forms = job->forms.n;
    m31 *sums = job->sums + worker * blocks * padded, *plane = job->plane + worker * blocks * forms;
    for (size_t i = begin; i < end; i++) {
        const size_t row = s->present[i];
        row_forms_blocks(&job->forms, job->group->matrix, row << s->col_vars, blocks, sums,
                         job->scratch + worker * ROW_FORMS_SCRATCH);
        for (size_t b = 0; b < blocks; b++) {
            for (size_t j = 0; j < forms; j++)
                plane[j * blocks + b] = sums[b * padded + j];
        }
        for (size_t m = 0; m < job->n_members; m++) {
            const row_class *class = job->member[m];
            const qvec of_blocks = {plane + job->point[m] * QM31_DEGREE * blocks + (class->block_at >> LOW),
                                    blocks};
            qvec_set(class->rows, row,
                     kernels()->dot(of_blocks, job->high[m], (size_t)1 << (class->block_vars - LOW)));
        }
    }
}

static bool pass_points(opening *o, pass *job) {
    const size_t n = job->n_points * QM31_DEGREE;
    m31 *low = arena_alloc(o->arena, n * BLOCK, sizeof *low, o->st);
    const qvec eq = qvec_alloc(o->arena, BLOCK, o->st);
    if (!low || !eq.p)
        return false;
    for (size_t i = 0; i < job->n_points; i++) {
        eq_table_build(eq, o->class[job->leader[i]].zc, LOW, qm31_one());
        for (size_t k = 0; k < QM31_DEGREE; k++)
            memcpy(low + (i * QM31_DEGREE + k) * BLOCK, eq.p + k * eq.stride, BLOCK * sizeof *low);
    }
    return row_forms_make(&job->forms, LOW, low, n, job->group->narrow, o->arena, o->st);
}

static bool pass_members(opening *o, pass *job) {
    job->member = arena_alloc(o->arena, o->n_classes, sizeof *job->member, o->st);
    job->point = arena_alloc(o->arena, o->n_classes, sizeof *job->point, o->st);
    job->high = arena_alloc(o->arena, o->n_classes, sizeof *job->high, o->st);
    if (!job->member || !job->point || !job->high)
        return false;
    for (size_t i = 0; i < job->n_points; i++) {
        for (size_t c = job->leader[i]; c < o->n_classes; c++) {
            const row_class *class = &o->class[c];
            if (!same_low(&o->class[job->leader[i]], class))
                continue;
            const unsigned vars = class->block_vars - LOW;
            const qvec high = job->high[job->n_members] = qvec_alloc(o->arena, (size_t)1 << vars, o->st);
            if (!high.p)
                return false;
            eq_table_build(high, class->zc + LOW, vars, qm31_one());
            job->point[job->n_members] = i;
            job->member[job->n_members++] = class;
        }
    }
    return true;
}

/* What does not depend on the members. */
static size_t pass_bytes(const pcs_shape *s, size_t n_points, size_t n_classes, bool narrow) {
    const size_t n = n_points * QM31_DEGREE, workers = parallel_workers();
    const size_t blocks = (size_t)1 << (s->col_vars - LOW);
    return pcs_block_bytes(n * BLOCK, sizeof(m31)) + pcs_qvec_bytes(BLOCK) + row_forms_bytes(LOW, n, narrow) +
           pcs_block_bytes(n_classes, sizeof(row_class *)) + pcs_block_bytes(n_classes, sizeof(size_t)) +
           pcs_block_bytes(n_classes, sizeof(qvec)) +
           pcs_block_bytes(workers * blocks * ROW_FORMS_COLUMNS, sizeof(m31)) +
           pcs_block_bytes(workers * blocks * n, sizeof(m31)) + pcs_block_bytes(workers, ROW_FORMS_SCRATCH);
}

static bool run_pass(opening *o, pass *job) {
    const size_t mark = arena_mark(o->arena), workers = parallel_workers();
    const pcs_shape *s = &job->group->shape;
    if (!job->n_points)
        return true;
    job->n_blocks = (size_t)1 << (s->col_vars - LOW);
    job->n_members = 0;
    if (!pass_points(o, job) || !pass_members(o, job))
        return false;
    job->sums = arena_alloc(o->arena, workers * job->n_blocks * job->forms.padded, sizeof(m31), o->st);
    job->plane = arena_alloc(o->arena, workers * job->n_blocks * job->forms.n, sizeof(m31), o->st);
    job->scratch = arena_alloc(o->arena, workers, ROW_FORMS_SCRATCH, o->st);
    if (!job->sums || !job->plane || !job->scratch)
        return false;
    parallel_for(s->n_present, 1, pass_range, job);
    job->n_points = 0;
    arena_reset(o->arena, mark);
    return true;
}

/* --- classes one by one --- */

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

bool open_classes(opening *o, qvec eq, size_t room) {
    pass wide = {.n_points = 0};
    contract_job small = {.eq = eq, .room = room};
    small.class = arena_alloc(o->arena, o->n_classes, sizeof *small.class, o->st);
    if (!small.class)
        return false;
    for (unsigned g = 0; g < o->p->n_groups; g++) {
        wide.group = small.group = &o->group[g];
        for (size_t c = 0; c < o->n_classes; c++) {
            if (o->class[c].group != g)
                continue;
            const size_t leader = leader_of(o->class, c);
            if (!is_wide(o->p, o->class, o->n_classes, leader)) {
                add_small(&small, &o->class[c]);
                continue;
            }
            if (leader != c)
                continue;
            wide.leader[wide.n_points++] = c;
            if (wide.n_points == POINTS && !run_pass(o, &wide))
                return false;
        }
        contract_small(&small);
        if (!run_pass(o, &wide))
            return false;
    }
    return true;
}

size_t open_classes_workspace(const pcs_params *p, size_t n_claims) {
    size_t most = 0;
    for (unsigned g = 0; g < p->n_groups; g++) {
        if (p->group[g].col_vars < LOW)
            continue;
        const size_t bytes = pass_bytes(&p->group[g], POINTS, n_claims, true) +
                             n_claims * pcs_qvec_bytes((size_t)1 << (p->group[g].col_vars - LOW));
        most = bytes > most ? bytes : most;
    }
    return most + pcs_block_bytes(n_claims, sizeof(row_class *));
}

/* Bytes of the other coordinates of the classes that follow this one. */
static size_t high_bytes(const row_class *class, size_t n_classes, size_t leader) {
    size_t bytes = 0;
    for (size_t c = leader; c < n_classes; c++) {
        if (same_low(&class[leader], &class[c]))
            bytes += pcs_qvec_bytes((size_t)1 << (class[c].block_vars - LOW));
    }
    return bytes;
}

bool open_classes_dry(const pcs_params *p, const pcs_committed *group, const row_class *class,
                      size_t n_classes, mica_arena *arena, mica_status *st) {
    bool ok = arena_alloc(arena, n_classes, sizeof(row_class *), st) != NULL;
    for (unsigned g = 0; ok && g < p->n_groups; g++) {
        size_t n_points = 0, high = 0;
        for (size_t c = 0; ok && c <= n_classes; c++) {
            if (c < n_classes && class[c].group == g && leader_of(class, c) == c &&
                is_wide(p, class, n_classes, c)) {
                high += high_bytes(class, n_classes, c);
                n_points++;
            }
            if (n_points == POINTS || (n_points && c == n_classes)) {
                const size_t mark = arena_mark(arena);
                ok = arena_alloc(
                         arena, pass_bytes(&p->group[g], n_points, n_classes, group[g].narrow != NULL) + high,
                         1, st) != NULL;
                arena_reset(arena, mark);
                n_points = high = 0;
            }
        }
    }
    return ok;
}

/* --- the form --- */

typedef struct form_job {
    qvec form, low, high; /* of a group; [BLOCK]; [blocks] */
} form_job;

static void form_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const form_job *job = ctx;
    (void)worker;
    for (size_t b = begin; b < end; b++) {
        const qm31 by = qvec_get(job->high, b);
        if (!qm31_is_zero(by))
            kernels()->axpy(qvec_from(job->form, b << LOW), by, job->low, BLOCK);
    }
}

/* Adds those that follow a class in the low coordinates: eq of these times the sum over the others. */
static bool add_led(opening *o, size_t leader, qvec eq) {
    const row_class *first = &o->class[leader];
    const size_t blocks = (size_t)1 << (o->p->group[first->group].col_vars - LOW);
    const size_t mark = arena_mark(o->arena);
    form_job job = {.form = qvec_from(o->form, o->p->group_offset[first->group]),
                    .low = qvec_alloc(o->arena, BLOCK, o->st),
                    .high = qvec_alloc(o->arena, blocks, o->st)};
    if (!job.low.p || !job.high.p)
        return false;
    for (size_t k = 0; k < QM31_DEGREE; k++)
        memset(job.high.p + k * job.high.stride, 0, blocks * sizeof(m31));
    for (size_t c = leader; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        if (!same_low(first, class))
            continue;
        const unsigned vars = class->block_vars - LOW;
        eq_table_build(eq, class->zc + LOW, vars, qm31_one());
        kernels()->axpy(qvec_from(job.high, class->block_at >> LOW), qvec_get(class->weight, 0), eq,
                        (size_t)1 << vars);
    }
    eq_table_build(job.low, first->zc, LOW, qm31_one());
    parallel_for(blocks, 8, form_range, &job);
    arena_reset(o->arena, mark);
    return true;
}

bool open_classes_form(opening *o, qvec eq) {
    for (size_t c = 0; c < o->n_classes; c++) {
        const row_class *class = &o->class[c];
        if (class->block_vars < LOW) {
            const uint64_t at = o->p->group_offset[class->group] + class->block_at;
            eq_table_build(eq, class->zc, class->block_vars, qm31_one());
            kernels()->axpy(qvec_from(o->form, at), qvec_get(class->weight, 0), eq,
                            (size_t)1 << class->block_vars);
        } else if (leader_of(o->class, c) == c && !add_led(o, c, eq)) {
            return false;
        }
    }
    return true;
}

size_t open_classes_form_bytes(const pcs_params *p, unsigned g) {
    const unsigned b = p->group[g].col_vars;
    return b < LOW ? 0 : pcs_qvec_bytes(BLOCK) + pcs_qvec_bytes((size_t)1 << (b - LOW));
}
