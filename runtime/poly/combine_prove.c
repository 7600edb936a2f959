#include "poly/combine_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#define BLOCK  ((size_t)1 << NARROW_BLOCK_VARS)
#define BLOCKS ((size_t)1 << (NARROW_CHUNK_VARS - NARROW_BLOCK_VARS)) /* of a chunk */
#define ROWS   ((size_t)512) /* that are combined at once: sums of as many products, each below 2^11 2^10 */

_Static_assert(COMBINE_SUMS == LIMBS * QM31_DEGREE, "limb d of coordinate c is sum c * LIMBS + d");

typedef struct combine_job {
    const narrow_matrix *narrow;
    const m31 *matrix;
    const size_t *start;
    const qm31 *weight;
    int16_t (*limb)[COMBINE_SUMS]; /* [n_rows] */
    size_t n_rows;
    qvec y;
} combine_job;

/* Rows of one pattern: the first block of each that is looked at, and their limbs in the order of combine_fn.
 */
typedef struct row_list {
    size_t n;
    const int16_t *cell[ROWS];
    int16_t left[ROWS * COMBINE_SUMS];
} row_list;

static void append(row_list *list, const int16_t *cell, const int16_t limb[COMBINE_SUMS]) {
    const size_t r = list->n++;
    list->cell[r] = cell;
    for (size_t j = 0; j < COMBINE_SUMS; j++)
        list->left[(r / 2 * COMBINE_SUMS + j) * 2 + r % 2] = limb[j];
}

/* Rows [first, first + n) whose cells `at` from their start on have the pattern. */
static void collect(const combine_job *job, size_t first, size_t n, size_t at, unsigned pattern,
                    row_list *list) {
    static const int16_t none[COMBINE_SUMS];
    const size_t kept = job->narrow->pattern[pattern].kept;
    list->n = 0;
    for (size_t r = first; r < first + n; r++) {
        const narrow_chunk *chunk;
        const size_t block = narrow_block_of(job->narrow, job->start[r] + at, &chunk);
        if (chunk->cell && chunk->pattern == pattern)
            append(list, chunk->cell + block * kept, job->limb[r]);
    }
    if (list->n % 2)
        append(list, list->cell[list->n - 1], none);
}

/* y of `blocks` blocks from `at` on, += the rows of the list. */
static void add_list(const combine_job *job, row_list *list, const narrow_pattern *p, size_t at,
                     size_t blocks) {
    int32_t sum[COMBINE_SUMS * BLOCK];
    m31 part[BLOCK];
    for (size_t b = 0; b < blocks; b++) {
        kernels()->combine(sum, p->kept, list->left, list->cell, list->n, p->kept);
        for (size_t c = 0; c < QM31_DEGREE; c++) {
            m31 *y = job->y.p + c * job->y.stride + at + b * BLOCK;
            memset(part, 0, p->kept * sizeof *part);
            kernels()->limbs_join(part, sum + c * LIMBS * p->kept, p->kept, p->kept);
            for (size_t k = 0; k < p->kept; k++)
                y[p->at[k]] = m31_add(y[p->at[k]], part[k]);
        }
        for (size_t r = 0; r < list->n; r++)
            list->cell[r] += p->kept;
    }
}

static void add_large(const combine_job *job, size_t first, size_t n, size_t at, size_t blocks) {
    for (size_t r = first; r < first + n; r++) {
        const narrow_chunk *chunk;
        narrow_block_of(job->narrow, job->start[r] + at, &chunk);
        if (!chunk->cell)
            kernels()->axpy_m31(qvec_from(job->y, at), job->weight[r], job->matrix + job->start[r] + at,
                                blocks * BLOCK);
    }
}

/* Blocks [begin, end) of all rows. Those of equal quotient by BLOCKS lie in one chunk of each row. */
static void combine_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const combine_job *job = ctx;
    row_list list;
    (void)worker;
    for (size_t block = begin, next; block < end; block = next) {
        next = (block / BLOCKS + 1) * BLOCKS;
        next = next < end ? next : end;
        for (size_t first = 0; first < job->n_rows; first += ROWS) {
            const size_t n = job->n_rows - first < ROWS ? job->n_rows - first : ROWS;
            for (unsigned p = 0; p < job->narrow->n_patterns; p++) {
                collect(job, first, n, block * BLOCK, p, &list);
                if (list.n)
                    add_list(job, &list, &job->narrow->pattern[p], block * BLOCK, next - block);
            }
            add_large(job, first, n, block * BLOCK, next - block);
        }
    }
}

bool combine_rows(const narrow_matrix *narrow, const m31 *matrix, const size_t *start, const qm31 *weight,
                  size_t n_rows, unsigned vars, qvec y, mica_arena *arena, mica_status *st) {
    const size_t mark = arena_mark(arena);
    combine_job job = {narrow, matrix, start, weight, NULL, n_rows, y};
    job.limb = arena_alloc(arena, n_rows, sizeof *job.limb, st);
    if (!job.limb)
        return false;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < QM31_DEGREE; c++) {
            int32_t v = limbs_centre(weight[r].v[c]);
            for (size_t d = 0; d < LIMBS; d++)
                job.limb[r][c * LIMBS + d] = (int16_t)limbs_cut(&v);
        }
    }
    parallel_for((size_t)1 << (vars - NARROW_BLOCK_VARS), 1, combine_range, &job);
    arena_reset(arena, mark);
    return true;
}

size_t combine_rows_bytes(size_t n_rows) {
    return (n_rows * sizeof(int16_t[COMBINE_SUMS]) + 63) / 64 * 64;
}
