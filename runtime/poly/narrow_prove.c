#include "poly/narrow_prove.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "poly/exact_depth_prove.h"
#include "simd/limbs.h"

#define BLOCK  ((size_t)1 << NARROW_BLOCK_VARS)
#define CHUNK  ((size_t)1 << NARROW_CHUNK_VARS)
#define BLOCKS (CHUNK / BLOCK)

_Static_assert(NARROW_MAX <= LIMB_MOST && BLOCK <= EXACT_DEPTH_MAX && BLOCKS <= EXACT_ROWS_MAX,
               "a chunk is a product with halves");

typedef struct make_job {
    const m31 *cell;
    narrow_matrix *m;
    uint8_t (*used)[BLOCK]; /* [n_chunks]: places that are not zero in some block */
    bool *small;            /* [n_chunks] */
} make_job;

static void scan_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const make_job *job = ctx;
    (void)worker;
    for (size_t c = begin; c < end; c++) {
        uint32_t used[BLOCK] = {0}, large = 0;
        for (size_t b = 0; b < BLOCKS; b++) {
            const m31 *cell = job->cell + c * CHUNK + b * BLOCK;
            for (size_t i = 0; i < BLOCK; i++) {
                used[i] |= cell[i];
                large |= cell[i] > NARROW_MAX && cell[i] < M31_P - NARROW_MAX;
            }
        }
        for (size_t i = 0; i < BLOCK; i++)
            job->used[c][i] = used[i] != 0;
        job->small[c] = !large;
    }
}

static void copy_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const make_job *job = ctx;
    (void)worker;
    for (size_t c = begin; c < end; c++) {
        narrow_chunk *chunk = &job->m->chunk[c];
        const narrow_pattern *p = &job->m->pattern[chunk->pattern];
        if (!chunk->cell)
            continue;
        int16_t *to = job->m->cell + (chunk->cell - job->m->cell);
        for (size_t b = 0; b < BLOCKS; b++) {
            for (size_t k = 0; k < p->kept; k++)
                *to++ = (int16_t)limbs_centre(job->cell[c * CHUNK + b * BLOCK + p->at[k]]);
        }
        chunk->depth = (unsigned)exact_depth(chunk->cell, BLOCKS, p->kept);
    }
}

/* The places in `used`, and one more where their number is odd: BLOCK is even, so there is one. */
static narrow_pattern pattern_of(const uint8_t used[BLOCK]) {
    narrow_pattern p = {0};
    size_t n = 0;
    for (size_t i = 0; i < BLOCK; i++)
        n += used[i];
    bool odd = n % 2;
    for (size_t i = 0; i < BLOCK; i++) {
        if (used[i] || odd)
            p.at[p.kept++] = (uint16_t)i;
        odd = odd && used[i];
    }
    return p;
}

static bool keeps_all(const narrow_pattern *p, const uint8_t used[BLOCK]) {
    size_t kept = 0, wanted = 0;
    for (size_t i = 0; i < BLOCK; i++)
        wanted += used[i];
    for (size_t k = 0; k < p->kept; k++)
        kept += used[p->at[k]];
    return kept == wanted;
}

/* The number of a pattern that keeps all that are used: the smallest there is, if it keeps few more, else a
 * new one while there is room. The last one keeps everything. */
static unsigned find_pattern(narrow_matrix *m, const uint8_t used[BLOCK]) {
    static const unsigned few = BLOCK / 16;
    const narrow_pattern own = pattern_of(used);
    unsigned best = NARROW_PATTERNS;
    for (unsigned i = 0; i < m->n_patterns; i++) {
        if (keeps_all(&m->pattern[i], used) &&
            (best == NARROW_PATTERNS || m->pattern[i].kept < m->pattern[best].kept))
            best = i;
    }
    if (best < NARROW_PATTERNS && m->pattern[best].kept <= own.kept + (own.kept ? few : 0))
        return best;
    if (m->n_patterns < NARROW_PATTERNS - 1) {
        m->pattern[m->n_patterns] = own;
        return m->n_patterns++;
    }
    if (best < NARROW_PATTERNS)
        return best;
    uint8_t all[BLOCK];
    memset(all, 1, sizeof all);
    m->pattern[m->n_patterns] = pattern_of(all);
    return m->n_patterns++;
}

#define LINE 32 /* words of a cache line */

/* Words from chunk c to the next, which keeps `kept` words of each block. Rows of a matrix are 2^k chunks
 * apart, and would lie in few sets of a cache if the distance were a multiple of a power of two of lines as
 * high: so 2^k chunks take 2^(k+1) - 1 lines more. */
static size_t chunk_words(size_t c, size_t kept) {
    size_t lines = (kept * BLOCKS + LINE - 1) / LINE + 1;
    for (; c & 1; c >>= 1)
        lines++;
    return lines * LINE;
}

/* Chooses all patterns; returns how many words the chunks take. */
static size_t choose_patterns(make_job *job) {
    narrow_matrix *m = job->m;
    size_t total = 0;
    for (size_t c = 0; c < m->n_chunks; c++) {
        if (!job->small[c])
            continue;
        m->chunk[c].pattern = find_pattern(m, job->used[c]);
        total += chunk_words(c, m->pattern[m->chunk[c].pattern].kept);
    }
    return total;
}

narrow_matrix *narrow_make(const m31 *cell, size_t n) {
    narrow_matrix *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->n_chunks = n / CHUNK;
    make_job job = {cell, m, malloc(m->n_chunks * BLOCK), malloc(m->n_chunks)};
    m->chunk = calloc(m->n_chunks + 1, sizeof *m->chunk);
    if (!job.used || !job.small || !m->chunk)
        goto fail;
    parallel_for(m->n_chunks, 1, scan_range, &job);
    m->cell = aligned_alloc(LINE * sizeof *m->cell, (choose_patterns(&job) + LINE) * sizeof *m->cell);
    if (!m->cell)
        goto fail;
    int16_t *at = m->cell;
    for (size_t c = 0; c < m->n_chunks; c++) {
        narrow_chunk *chunk = &m->chunk[c];
        if (!job.small[c])
            continue;
        chunk->cell = at;
        at += chunk_words(c, m->pattern[chunk->pattern].kept);
    }
    parallel_for(m->n_chunks, 1, copy_range, &job);
    free(job.used);
    free(job.small);
    return m;
fail:
    free(job.used);
    free(job.small);
    narrow_free(m);
    return NULL;
}

void narrow_free(narrow_matrix *m) {
    if (!m)
        return;
    free(m->chunk);
    free(m->cell);
    free(m);
}
