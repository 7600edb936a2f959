#include "poly/row_forms_prove.h"

#include <string.h>

#include "simd/kernels.h"
#include "simd/limbs.h"

#define CHUNK   ROW_FORMS_CHUNK
#define COLUMNS ROW_FORMS_COLUMNS

_Static_assert(NARROW_BLOCK_VARS == ROW_FORMS_LOW_MAX &&
                   CHUNK == 1 << (NARROW_CHUNK_VARS - NARROW_BLOCK_VARS),
               "a chunk of a narrow matrix is one product");
_Static_assert(COLUMNS % PRODUCTS_COLUMNS == 0, "a panel is a whole number of products' columns");

/* Of one chunk: limb j of a cell in left[j], the blocks that have a limb j one after the other; sums of limb
 * d of the forms in sum + d * CHUNK * COLUMNS. */
typedef struct scratch_space {
    int16_t left[LIMBS][CHUNK << ROW_FORMS_LOW_MAX];
    int16_t block[LIMBS << ROW_FORMS_LOW_MAX];
    int32_t sum[LIMBS * CHUNK * COLUMNS];
} scratch_space;

_Static_assert(sizeof(scratch_space) <= ROW_FORMS_SCRATCH, "row_forms_add's workspace");

static size_t padded(size_t n) {
    return (n + COLUMNS - 1) / COLUMNS * COLUMNS;
}

/* Panel of limb d of forms [COLUMNS * i, COLUMNS * (i + 1)). */
static int16_t *panel_of(const row_forms *f, size_t i, unsigned d) {
    return f->panel + (i * LIMBS + d) * ((size_t)COLUMNS << f->low_vars);
}

size_t row_forms_bytes(unsigned low_vars, size_t n) {
    return ((padded(n) * LIMBS << low_vars) * sizeof(int16_t) + 63) / 64 * 64;
}

bool row_forms_make(row_forms *f, unsigned low_vars, const m31 *low, size_t n, mica_arena *arena,
                    mica_status *st) {
    const size_t bytes = row_forms_bytes(low_vars, n);
    *f = (row_forms){
        .low_vars = low_vars, .n = n, .padded = padded(n), .panel = arena_alloc(arena, bytes, 1, st)};
    if (!f->panel)
        return false;
    memset(f->panel, 0, bytes);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < (size_t)1 << low_vars; k++) {
            int32_t c = limbs_centre(low[(i << low_vars) + k]);
            for (unsigned d = 0; d < LIMBS; d++)
                panel_of(f, i / COLUMNS, d)[(k / 2 * COLUMNS + i % COLUMNS) * 2 + k % 2] =
                    (int16_t)limbs_cut(&c);
        }
    }
    return true;
}

/* Cuts blocks [0, n) of the row; which[j][i] is the i-th block that has a limb j. */
static void cut_blocks(const row_forms *f, const m31 *row, size_t n, scratch_space *s,
                       uint8_t which[LIMBS][CHUNK], size_t count[LIMBS]) {
    const size_t size = (size_t)1 << f->low_vars;
    memset(count, 0, LIMBS * sizeof *count);
    for (size_t b = 0; b < n; b++) {
        const unsigned limbs = kernels()->limbs_split(s->block, size, row + b * size, size);
        for (unsigned j = 0; j < limbs; j++) {
            memcpy(s->left[j] + count[j] * size, s->block + j * size, size * sizeof(int16_t));
            which[j][count[j]++] = (uint8_t)b;
        }
    }
}

/* acc[i] += 2^(11 j) scale[i] sum[i] of one block, sum as limbs. */
static void join(m31 *acc, const int32_t *sum, const m31 *scale, unsigned j) {
    m31 shifted[COLUMNS];
    if (j) {
        for (size_t i = 0; i < COLUMNS; i++)
            shifted[i] = m31_mul(scale[i], (m31)1 << (j * LIMB_BITS));
    }
    kernels()->limbs_join(acc, 0, sum, CHUNK * COLUMNS, j ? shifted : scale, 0, 1, COLUMNS);
}

/* Adds the sums of n <= CHUNK blocks of the row; scale: of the first of them. */
static void add_blocks(const row_forms *f, const m31 *row, size_t n, const m31 *scale, size_t set_stride,
                       size_t n_scales, m31 *acc, scratch_space *s) {
    const size_t depth = (size_t)1 << f->low_vars;
    uint8_t which[LIMBS][CHUNK];
    size_t count[LIMBS];
    cut_blocks(f, row, n, s, which, count);
    for (unsigned j = 0; j < LIMBS && count[j]; j++) {
        for (size_t at = 0; at < f->padded; at += COLUMNS) {
            for (unsigned d = 0; d < LIMBS; d++)
                kernels()->products(s->sum + d * CHUNK * COLUMNS, s->left[j], panel_of(f, at / COLUMNS, d),
                                    count[j], COLUMNS, depth);
            for (size_t set = 0; set < n_scales; set++) {
                const m31 *of = scale + set * set_stride + at;
                for (size_t i = 0; i < count[j]; i++)
                    join(acc + set * f->padded + at, s->sum + i * COLUMNS, of + which[j][i] * f->padded, j);
            }
        }
    }
}

void row_forms_add(const row_forms *f, const m31 *row, size_t n_blocks, const m31 *scale, size_t n_scales,
                   m31 *acc, void *scratch) {
    for (size_t first = 0; first < n_blocks; first += CHUNK) {
        const size_t n = n_blocks - first < CHUNK ? n_blocks - first : CHUNK;
        add_blocks(f, row + (first << f->low_vars), n, scale + first * f->padded, n_blocks * f->padded,
                   n_scales, acc, scratch);
    }
}

/* --- narrow matrices --- */

/* Forms [first, first + n) of a narrow panel, n <= COLUMNS. A group of few is one product: limb d of form i
 * in column d n + i; of others each limb is a product. */
typedef struct narrow_group {
    size_t first, n, products, width; /* columns of a product */
    size_t limb, row;                 /* strides of the sums */
    size_t joined;                    /* n, rounded up to what a product takes */
} narrow_group;

static narrow_group group_of(const row_forms *f, size_t first) {
    narrow_group g = {.first = first, .n = f->n - first < COLUMNS ? f->n - first : COLUMNS};
    const bool one = LIMBS * g.n <= COLUMNS;
    const size_t columns = one ? LIMBS * g.n : g.n;
    g.products = one ? 1 : LIMBS;
    g.width = (columns + PRODUCTS_COLUMNS - 1) / PRODUCTS_COLUMNS * PRODUCTS_COLUMNS;
    g.row = g.width;
    g.joined = (g.n + PRODUCTS_COLUMNS - 1) / PRODUCTS_COLUMNS * PRODUCTS_COLUMNS;
    g.limb = one ? g.n : CHUNK * g.width;
    return g;
}

/* Words of a narrow panel for each place that is kept. */
static size_t narrow_width(const row_forms *f) {
    size_t width = 0;
    for (size_t first = 0; first < f->n; first += COLUMNS) {
        const narrow_group g = group_of(f, first);
        width += g.products * g.width;
    }
    return width;
}

size_t row_forms_narrow_most(size_t n) {
    const row_forms f = {.n = n};
    return NARROW_PATTERNS * ((narrow_width(&f) << NARROW_BLOCK_VARS) * sizeof(int16_t));
}

/* Columns of one group from the panel of all places. */
static void fill_group(const row_forms *f, const narrow_pattern *p, const narrow_group *g, int16_t *to) {
    for (unsigned d = 0; d < LIMBS; d++) {
        const int16_t *from = panel_of(f, g->first / COLUMNS, d);
        int16_t *panel = to + (g->products > 1 ? d * g->width * p->kept : d * g->n * 2);
        for (size_t k = 0; k < p->kept; k++) {
            const int16_t *pair = from + p->at[k] / 2 * COLUMNS * 2 + p->at[k] % 2;
            int16_t *out = panel + k / 2 * g->width * 2 + k % 2;
            for (size_t i = 0; i < g->n; i++)
                out[2 * i] = pair[2 * i];
        }
    }
}

bool row_forms_make_narrow(row_forms *f, const narrow_matrix *m, mica_arena *arena, mica_status *st) {
    f->narrow = m;
    for (unsigned p = 0; p < m->n_patterns; p++) {
        const size_t words = narrow_width(f) * m->pattern[p].kept;
        int16_t *panel = f->narrow_panel[p] = arena_alloc(arena, words, sizeof *panel, st);
        if (!panel)
            return false;
        memset(panel, 0, words * sizeof *panel);
        for (size_t first = 0; first < f->n; first += COLUMNS) {
            const narrow_group g = group_of(f, first);
            fill_group(f, &m->pattern[p], &g, panel);
            panel += g.products * g.width * m->pattern[p].kept;
        }
    }
    return true;
}

/* Adds the sums of the blocks of a chunk. Whole vectors of forms are joined: what the sums hold beyond a
 * group's own is of no account, as acc is beyond f->n, and the next group's forms come after. */
static void add_narrow(const row_forms *f, const narrow_chunk *chunk, const m31 *scale, size_t set_stride,
                       size_t n_scales, m31 *acc, scratch_space *s) {
    const size_t kept = f->narrow->pattern[chunk->pattern].kept;
    const int16_t *panel = f->narrow_panel[chunk->pattern];
    for (size_t first = 0; first < f->n && kept; first += COLUMNS) {
        const narrow_group g = group_of(f, first);
        for (size_t d = 0; d < g.products; d++, panel += g.width * kept)
            kernels()->products(s->sum + d * g.limb, chunk->cell, panel, CHUNK, g.width, kept);
        for (size_t i = 0; i < CHUNK; i++)
            kernels()->limbs_join(acc + first, f->padded, s->sum + i * g.row, g.limb,
                                  scale + i * f->padded + first, set_stride, n_scales, g.joined);
    }
}

void row_forms_add_narrow(const row_forms *f, const m31 *matrix, size_t first_cell, size_t n_blocks,
                          const m31 *scale, size_t n_scales, m31 *acc, void *scratch) {
    const size_t set_stride = n_blocks * f->padded;
    for (size_t first = 0; first < n_blocks; first += CHUNK) {
        const size_t cell = first_cell + (first << NARROW_BLOCK_VARS);
        const narrow_chunk *chunk = &f->narrow->chunk[cell >> NARROW_CHUNK_VARS];
        if (chunk->cell)
            add_narrow(f, chunk, scale + first * f->padded, set_stride, n_scales, acc, scratch);
        else
            add_blocks(f, matrix + cell, CHUNK, scale + first * f->padded, set_stride, n_scales, acc,
                       scratch);
    }
}
