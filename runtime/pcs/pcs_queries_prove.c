/* Query functionals in the linear form:  form += sum_k coef_k w_{x_k},  w_x = (x)_j (1, T_{2^j}(x)).
 *
 * The top h variables of w_x depend on T_{2^m}(x) alone, m = b - h, which lies in S_{h+r}: of t queries at
 * most D = 2^(h+r) differ there. So the lower factors are added up by these points first, and the 2^h parts
 * of the form are sums of D vectors: t / 2^h + D products for each element instead of t.
 */
#include <string.h>

#include "base/parallel.h"
#include "pcs/pcs_open_prove.h"
#include "simd/kernels.h"

#define LOW 8 /* log2 of the block that one task updates */

/* Queries by their top point: those of point d are [first[d], first[d + 1]). */
typedef struct top_points {
    unsigned top; /* h: 0 or at least 2 */
    size_t n;     /* D */
    uint32_t *at; /* [queries]: in this order */
    uint32_t *first;
} top_points;

typedef struct form_job {
    const query_set *q;
    unsigned low; /* variables of a block */
    top_points tops;
    const m31 *low_part; /* [queries][2^low], by top point: the low factor of w_x */
    const qm31 *coef;    /* [queries], by top point */
    const qm31
        *high;    /* [2^h / 4][D]: coordinate c of high[j][d] is factor 4 j + c of the top part of point d */
    qm31 *scaled; /* [workers][queries] */
    m31 *sum;     /* [workers][D][QM31_DEGREE][2^low] */
    qvec form;
} form_job;

/* T_{2^j}(x) of query k, j < b. */
static const m31 *powers_of(const query_set *q, size_t k) {
    return q->power + k * q->source.col_vars;
}

/* Of them, that of the first top variable. */
static m31 top_of(const query_set *q, unsigned top, size_t k) {
    return powers_of(q, k)[q->source.col_vars - top];
}

/* The least work, with enough blocks below the top for several threads; h = 1 would leave two of the four
 * parts that are added up together unused. */
static unsigned choose_top(const pcs_source *s, size_t n) {
    unsigned best = 0;
    size_t least = n;
    for (unsigned h = 2; h + LOW + 2 <= s->col_vars && h + s->rate_bits <= 8; h++) {
        const size_t points = (size_t)1 << (h + s->rate_bits);
        const size_t work = (n >> h) + 1 + (points < n ? points : n);
        if (work < least) {
            best = h;
            least = work;
        }
    }
    return best;
}

static size_t most_points(const pcs_source *s, size_t n, unsigned top) {
    const size_t points = (size_t)1 << (top + s->rate_bits);
    return !top ? 1 : points < n ? points : n;
}

static void sort_by_top(const query_set *q, top_points *t) {
    size_t done = 0;
    t->n = 0;
    if (!t->top) {
        for (size_t k = 0; k < q->n; k++)
            t->at[done++] = (uint32_t)k;
        t->first[t->n++] = 0;
    }
    for (size_t k = 0; k < q->n && t->top; k++) {
        bool met = false;
        for (size_t i = 0; i < k && !met; i++)
            met = top_of(q, t->top, i) == top_of(q, t->top, k);
        if (met)
            continue;
        t->first[t->n++] = (uint32_t)done;
        for (size_t i = k; i < q->n; i++) {
            if (top_of(q, t->top, i) == top_of(q, t->top, k))
                t->at[done++] = (uint32_t)i;
        }
    }
    t->first[t->n] = (uint32_t)done;
}

/* w[i], i < 2^n: (x)_j (1, t_j). */
static void functional(const m31 *t, unsigned n, m31 *w) {
    w[0] = 1;
    for (unsigned v = 0; v < n; v++) {
        const size_t half = (size_t)1 << v;
        for (size_t i = 0; i < half; i++)
            w[half + i] = m31_mul(w[i], t[v]);
    }
}

/* to[block] += the sum over the queries of top point d, without their top factor. */
static void add_point(const form_job *job, size_t d, size_t block, qvec to, qm31 *scaled) {
    const unsigned b = job->q->source.col_vars;
    const size_t size = (size_t)1 << job->low, first = job->tops.first[d], end = job->tops.first[d + 1];
    for (size_t k = first; k < end; k++) {
        const m31 *power = powers_of(job->q, job->tops.at[k]);
        m31 middle = 1;
        for (unsigned v = job->low; v < b - job->tops.top; v++)
            middle = block >> (v - job->low) & 1 ? m31_mul(middle, power[v]) : middle;
        scaled[k - first] = qm31_mul_m31(job->coef[k], middle);
    }
    kernels()->axpys_m31(to, scaled, job->low_part + first * size, size, end - first, size);
}

/* One coordinate of four parts of the form at a time: they are the coordinates of a sum with factors in QM31.
 */
static void add_parts(const form_job *job, size_t block, const m31 *sum) {
    const size_t size = (size_t)1 << job->low, part = (size_t)1 << (job->q->source.col_vars - job->tops.top);
    for (size_t j = 0; j < (size_t)1 << (job->tops.top - 2); j++) {
        for (size_t c = 0; c < QM31_DEGREE; c++) {
            const qvec to = {job->form.p + c * job->form.stride + 4 * j * part + block * size, part};
            kernels()->axpys_m31(to, job->high + j * job->tops.n, sum + c * size, QM31_DEGREE * size,
                                 job->tops.n, size);
        }
    }
}

static void form_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const form_job *job = ctx;
    const size_t size = (size_t)1 << job->low, points = job->tops.n;
    qm31 *scaled = job->scaled + worker * job->q->n;
    m31 *sum = job->sum + worker * points * QM31_DEGREE * size;
    for (size_t block = begin; block < end; block++) {
        if (!job->tops.top) {
            add_point(job, 0, block, qvec_from(job->form, block * size), scaled);
            continue;
        }
        memset(sum, 0, points * QM31_DEGREE * size * sizeof *sum);
        for (size_t d = 0; d < points; d++)
            add_point(job, d, block, (qvec){sum + d * QM31_DEGREE * size, size}, scaled);
        add_parts(job, block, sum);
    }
}

/* Factors of the parts: of part i the product of the powers of the variables that are 1 in i. */
static void top_factors(const query_set *q, const top_points *t, qm31 *high) {
    const unsigned b = q->source.col_vars;
    m31 w[1 << 8];
    for (size_t d = 0; d < t->n && t->top; d++) {
        functional(powers_of(q, t->at[t->first[d]]) + b - t->top, t->top, w);
        for (size_t i = 0; i < (size_t)1 << t->top; i++)
            high[i / 4 * t->n + d].v[i % 4] = w[i];
    }
}

bool open_add_queries(opening *o, const query_set *q, qm31 gamma, qm31 *gamma_power) {
    const unsigned b = q->source.col_vars, low = b < LOW ? b : LOW;
    const size_t mark = arena_mark(o->arena), workers = parallel_workers(), n = q->n;
    form_job job = {.q = q, .low = low, .form = qvec_from(o->form, q->source.offset)};
    job.tops.top = choose_top(&q->source, n);
    const size_t points = most_points(&q->source, n, job.tops.top);
    job.tops.at = arena_alloc(o->arena, n, sizeof *job.tops.at, o->st);
    job.tops.first = arena_alloc(o->arena, points + 1, sizeof *job.tops.first, o->st);
    m31 *low_part = arena_alloc(o->arena, n << low, sizeof *low_part, o->st);
    qm31 *coef = arena_alloc(o->arena, n, sizeof *coef, o->st);
    qm31 *high = arena_alloc(o->arena, points << job.tops.top, sizeof *high, o->st);
    job.scaled = arena_alloc(o->arena, workers * n, sizeof *job.scaled, o->st);
    job.sum = arena_alloc(o->arena, workers * points * QM31_DEGREE << low, sizeof *job.sum, o->st);
    if (!job.tops.at || !job.tops.first || !low_part || !coef || !high || !job.scaled || !job.sum)
        return false;
    sort_by_top(q, &job.tops);
    top_factors(q, &job.tops, high);
    qm31 *power = job.scaled; /* not in use yet */
    for (size_t k = 0; k < n; k++, *gamma_power = qm31_mul(*gamma_power, gamma))
        power[k] = *gamma_power;
    for (size_t k = 0; k < n; k++) {
        coef[k] = power[job.tops.at[k]];
        functional(powers_of(q, job.tops.at[k]), low, low_part + (k << low));
    }
    job.low_part = low_part;
    job.coef = coef;
    job.high = high;
    parallel_for((size_t)1 << (b - low - job.tops.top), 1, form_range, &job);
    arena_reset(o->arena, mark);
    return true;
}

static size_t bytes_of(const pcs_source *s, size_t n, unsigned top) {
    const size_t low = (size_t)1 << (s->col_vars < LOW ? s->col_vars : LOW), workers = parallel_workers();
    const size_t points = most_points(s, n, top);
    return pcs_block_bytes(n, sizeof(uint32_t)) + pcs_block_bytes(points + 1, sizeof(uint32_t)) +
           pcs_block_bytes(n * low, sizeof(m31)) + pcs_block_bytes(n, sizeof(qm31)) +
           pcs_block_bytes(points << top, sizeof(qm31)) + pcs_block_bytes(workers * n, sizeof(qm31)) +
           pcs_block_bytes(workers * points * QM31_DEGREE * low, sizeof(m31));
}

size_t open_add_queries_bytes(const pcs_source *s, size_t n) {
    return bytes_of(s, n, choose_top(s, n));
}

size_t open_add_queries_most(const pcs_source *s) {
    size_t most = 0;
    for (unsigned top = 0; top <= 8; top++) {
        const size_t bytes = bytes_of(s, s->queries, top);
        most = bytes > most ? bytes : most;
    }
    return most;
}
