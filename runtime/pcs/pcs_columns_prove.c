/* Queried columns of a group whose codeword was not kept: by encoding the rows again, or by inner products
 * with the functionals of the points (code/line_code.h, I1), whichever costs less on this CPU. Both give the
 * same columns. */
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_open_prove.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

typedef struct encode_job {
    const line_twiddles *twiddles;
    const pcs_committed *group;
    const uint32_t *index;
    size_t n;
    m31 *column, *scratch; /* [n][n_present]; [workers][2^k] */
} encode_job;

static void encode_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const encode_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    m31 *encoded = job->scratch + ((size_t)worker << (s->col_vars + s->rate_bits));
    for (size_t i = begin; i < end; i++) {
        const m31 *row = job->group->matrix + ((size_t)s->present[i] << s->col_vars);
        line_encode(job->twiddles, row, s->col_vars, s->rate_bits, encoded);
        for (size_t q = 0; q < job->n; q++)
            job->column[q * s->n_present + i] = encoded[job->index[q]];
    }
}

static bool encode_columns(const pcs_committed *c, const uint32_t *index, size_t n, m31 *column,
                           mica_arena *arena, mica_status *st) {
    const unsigned k = c->shape.col_vars + c->shape.rate_bits;
    encode_job job = {line_twiddles_get(k, st), c, index, n, column, NULL};
    job.scratch = arena_alloc(arena, (size_t)parallel_workers() << k, sizeof(m31), st);
    if (!job.twiddles || !job.scratch)
        return false;
    parallel_for(c->shape.n_present, 1, encode_range, &job);
    return true;
}

typedef struct forms_job {
    const pcs_committed *group;
    row_forms forms;
    size_t n, n_blocks;
    m31 *scale;        /* [n_blocks][padded]: the high factor of w_x at each point */
    m31 *column, *acc; /* [n][n_present]; [workers][padded] */
    uint8_t *scratch;  /* [workers][ROW_FORMS_SCRATCH] */
} forms_job;

static void forms_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const forms_job *job = ctx;
    const pcs_shape *s = &job->group->shape;
    m31 *acc = job->acc + worker * job->forms.padded;
    for (size_t i = begin; i < end; i++) {
        memset(acc, 0, job->forms.padded * sizeof *acc);
        row_forms_add(&job->forms, job->group->matrix, (size_t)s->present[i] << s->col_vars, job->n_blocks,
                      job->scale, acc, job->scratch + worker * ROW_FORMS_SCRATCH);
        for (size_t q = 0; q < job->n; q++)
            job->column[q * s->n_present + i] = acc[q];
    }
}

/* w[i * stride], i < 2^n: the functional (x)_j (1, t_j). */
static void functional_table(const m31 *t, unsigned n, m31 *w, size_t stride) {
    w[0] = 1;
    for (unsigned v = 0; v < n; v++) {
        const size_t half = (size_t)1 << v;
        for (size_t i = 0; i < half; i++)
            w[(half + i) * stride] = m31_mul(w[i * stride], t[v]);
    }
}

static unsigned low_vars_of(const pcs_shape *s) {
    return s->col_vars < ROW_FORMS_LOW_MAX ? s->col_vars : ROW_FORMS_LOW_MAX;
}

static bool form_columns(const pcs_committed *c, const uint32_t *index, size_t n, m31 *column,
                         mica_arena *arena, mica_status *st) {
    const pcs_shape *s = &c->shape;
    const unsigned b = s->col_vars, low_vars = low_vars_of(s);
    const size_t workers = parallel_workers();
    forms_job job = {.group = c, .n = n, .n_blocks = (size_t)1 << (b - low_vars), .column = column};
    m31 *low = arena_alloc(arena, n << low_vars, sizeof *low, st);
    m31 *power = arena_alloc(arena, n * b, sizeof *power, st);
    if (!low || !power)
        return false;
    for (size_t q = 0; q < n; q++) {
        line_functional(line_domain_at(b + s->rate_bits, index[q]), b, power + q * b);
        functional_table(power + q * b, low_vars, low + (q << low_vars), 1);
    }
    if (!row_forms_make(&job.forms, low_vars, low, n, c->narrow, arena, st))
        return false;
    const size_t padded = job.forms.padded;
    job.scale = arena_alloc(arena, job.n_blocks * padded, sizeof *job.scale, st);
    job.acc = arena_alloc(arena, workers * padded, sizeof *job.acc, st);
    job.scratch = arena_alloc(arena, workers, ROW_FORMS_SCRATCH, st);
    if (!job.scale || !job.acc || !job.scratch)
        return false;
    memset(job.scale, 0, job.n_blocks * padded * sizeof *job.scale);
    for (size_t q = 0; q < n; q++)
        functional_table(power + q * b + low_vars, b - low_vars, job.scale + q, padded);
    parallel_for(s->n_present, 1, forms_range, &job);
    return true;
}

/* Operations for each cell: n functionals in HALVES halves, or the butterflies of 2^r points. Cells of more
 * limbs are few where it matters, among weights. */
static bool forms_are_cheaper(const pcs_shape *s, size_t n) {
    const size_t k = s->col_vars + s->rate_bits;
    return low_vars_of(s) >= ROW_FORMS_LOW_MIN &&
           HALVES * n <= kernels()->products_per_butterfly * ((k << s->rate_bits) / 2);
}

bool open_group_columns(const pcs_committed *c, const uint32_t *index, size_t n, m31 *column,
                        mica_arena *arena, mica_status *st) {
    const size_t mark = arena_mark(arena);
    const bool ok = forms_are_cheaper(&c->shape, n) ? form_columns(c, index, n, column, arena, st)
                                                    : encode_columns(c, index, n, column, arena, st);
    arena_reset(arena, mark);
    return ok;
}

static size_t encode_bytes(const pcs_shape *s) {
    return pcs_block_bytes((size_t)parallel_workers() << (s->col_vars + s->rate_bits), sizeof(m31));
}

static size_t form_bytes(const pcs_shape *s, size_t n, bool narrow) {
    const unsigned b = s->col_vars, low_vars = low_vars_of(s);
    const size_t workers = parallel_workers(),
                 padded = (n + ROW_FORMS_COLUMNS - 1) / ROW_FORMS_COLUMNS * ROW_FORMS_COLUMNS;
    return pcs_block_bytes(n << low_vars, sizeof(m31)) + pcs_block_bytes(n * b, sizeof(m31)) +
           row_forms_bytes(low_vars, n, narrow) + pcs_block_bytes(padded << (b - low_vars), sizeof(m31)) +
           pcs_block_bytes(workers * padded, sizeof(m31)) + pcs_block_bytes(workers, ROW_FORMS_SCRATCH);
}

size_t open_group_columns_workspace(const pcs_shape *s, size_t n) {
    const size_t encode = encode_bytes(s), forms = form_bytes(s, n, true);
    return forms > encode ? forms : encode;
}

bool open_group_columns_dry(const pcs_committed *c, const pcs_shape *s, size_t n, mica_arena *arena,
                            mica_status *st) {
    const size_t mark = arena_mark(arena);
    const bool ok =
        arena_alloc(arena, forms_are_cheaper(s, n) ? form_bytes(s, n, c->narrow != NULL) : encode_bytes(s), 1,
                    st) != NULL;
    arena_reset(arena, mark);
    return ok;
}
