#include "poly/row_forms_prove.h"

#include <string.h>

#include "poly/exact_depth_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

#define CHUNK   ROW_FORMS_CHUNK
#define COLUMNS ROW_FORMS_COLUMNS

_Static_assert(NARROW_BLOCK_VARS == ROW_FORMS_LOW_MAX &&
                   CHUNK == 1 << (NARROW_CHUNK_VARS - NARROW_BLOCK_VARS),
               "a chunk of a narrow matrix is one product");
_Static_assert(COLUMNS % PRODUCTS_COLUMNS == 0, "a panel is a whole number of products' columns");
_Static_assert(CHUNK <= EXACT_ROWS_MAX && 1 << ROW_FORMS_LOW_MAX <= EXACT_DEPTH_MAX,
               "exact_depth takes a chunk");

/* Of one chunk: limb j of a cell in left[j], the blocks that have a limb j one after the other; sums of the
 * parts of a product. */
typedef struct scratch_space {
    int16_t left[LIMBS][CHUNK << ROW_FORMS_LOW_MAX];
    int16_t block[LIMBS << ROW_FORMS_LOW_MAX];
    int32_t sum[EXACT_PARTS_MAX * HALVES * CHUNK * COLUMNS];
} scratch_space;

_Static_assert(sizeof(scratch_space) <= ROW_FORMS_SCRATCH, "row_forms_add's workspace");

/* --- panels --- */

/* Forms [first, first + n) of a panel, n <= COLUMNS. A group of few is one product: half h of form i in
 * column h n + i; of others each half is a product. */
typedef struct form_group {
    size_t first, n, products, width; /* columns of a product */
    size_t half;                      /* stride of the sums of halves */
    size_t joined;                    /* n, rounded up to what a product takes */
} form_group;

static form_group group_of(size_t n_forms, size_t first) {
    form_group g = {.first = first, .n = n_forms - first < COLUMNS ? n_forms - first : COLUMNS};
    const bool one = HALVES * g.n <= COLUMNS;
    const size_t columns = one ? HALVES * g.n : g.n;
    g.products = one ? 1 : HALVES;
    g.width = (columns + PRODUCTS_COLUMNS - 1) / PRODUCTS_COLUMNS * PRODUCTS_COLUMNS;
    g.joined = (g.n + PRODUCTS_COLUMNS - 1) / PRODUCTS_COLUMNS * PRODUCTS_COLUMNS;
    g.half = one ? g.n : CHUNK * g.width;
    return g;
}

/* Words of a panel for each place. */
static size_t panel_width(size_t n_forms) {
    size_t width = 0;
    for (size_t first = 0; first < n_forms; first += COLUMNS) {
        const form_group g = group_of(n_forms, first);
        width += g.products * g.width;
    }
    return width;
}

/* Half h of the group's form i at place k of `kept`. */
static int16_t *word_of(int16_t *panel, const form_group *g, size_t kept, size_t h, size_t i, size_t k) {
    const size_t column = g->products == 1 ? h * g->n + i : i;
    return panel + (g->products == 1 ? 0 : h * g->width * kept) + (k / 2 * g->width + column) * 2 + k % 2;
}

static size_t padded(size_t n) {
    return (n + COLUMNS - 1) / COLUMNS * COLUMNS;
}

static size_t panel_bytes(size_t n, size_t kept) {
    return (panel_width(n) * kept * sizeof(int16_t) + 63) / 64 * 64;
}

size_t row_forms_bytes(unsigned low_vars, size_t n, bool narrow) {
    return (narrow ? 1 + NARROW_PATTERNS : 1) * panel_bytes(n, (size_t)1 << low_vars);
}

static int16_t *panel_alloc(size_t n, size_t kept, mica_arena *arena, mica_status *st) {
    int16_t *panel = arena_alloc(arena, panel_bytes(n, kept), 1, st);
    if (panel)
        memset(panel, 0, panel_bytes(n, kept));
    return panel;
}

static void cut_forms(const row_forms *f, const m31 *low) {
    const size_t size = (size_t)1 << f->low_vars;
    int16_t *panel = f->panel;
    for (size_t first = 0; first < f->n; first += COLUMNS) {
        const form_group g = group_of(f->n, first);
        for (size_t i = 0; i < g.n; i++) {
            for (size_t k = 0; k < size; k++) {
                int16_t half[HALVES];
                halves_of(low[((first + i) << f->low_vars) + k], half);
                for (size_t h = 0; h < HALVES; h++)
                    *word_of(panel, &g, size, h, i, k) = half[h];
            }
        }
        panel += g.products * g.width * size;
    }
}

static void keep_places(const row_forms *f, const narrow_pattern *p, int16_t *to) {
    const size_t size = (size_t)1 << f->low_vars;
    int16_t *from = f->panel;
    for (size_t first = 0; first < f->n; first += COLUMNS) {
        const form_group g = group_of(f->n, first);
        const size_t words = g.products == 1 ? HALVES * g.n : g.n;
        for (size_t h = 0; h < g.products; h++) {
            for (size_t k = 0; k < p->kept; k++) {
                const int16_t *pair = word_of(from, &g, size, h, 0, p->at[k]);
                int16_t *out = word_of(to, &g, p->kept, h, 0, k);
                for (size_t i = 0; i < words; i++)
                    out[2 * i] = pair[2 * i];
            }
        }
        from += g.products * g.width * size;
        to += g.products * g.width * p->kept;
    }
}

bool row_forms_make(row_forms *f, unsigned low_vars, const m31 *low, size_t n, const narrow_matrix *narrow,
                    mica_arena *arena, mica_status *st) {
    *f = (row_forms){.low_vars = low_vars, .n = n, .padded = padded(n), .narrow = narrow};
    f->panel = panel_alloc(n, (size_t)1 << low_vars, arena, st);
    if (!f->panel)
        return false;
    cut_forms(f, low);
    for (unsigned p = 0; narrow && p < narrow->n_patterns; p++) {
        f->narrow_panel[p] = panel_alloc(n, narrow->pattern[p].kept, arena, st);
        if (!f->narrow_panel[p])
            return false;
        keep_places(f, &narrow->pattern[p], f->narrow_panel[p]);
    }
    return true;
}

/* --- products --- */

/* Where sums go: that of form i on block b, times scale[b * scale_step + i], is added to acc[b * acc_step +
 * i].
 */
typedef struct target {
    m31 *acc;
    size_t acc_step;
    const m31 *scale; /* NULL: 1 */
    size_t scale_step;
} target;

static target target_of_block(const target *t, size_t block) {
    return (target){t->acc + block * t->acc_step, t->acc_step,
                    t->scale ? t->scale + block * t->scale_step : NULL, t->scale_step};
}

/* A matrix of limbs j of some blocks, [n][kept]: block which[i] of the target, or i. */
typedef struct limb_rows {
    const int16_t *cell;
    size_t n, kept, depth;
    const uint8_t *which;
    unsigned j;
} limb_rows;

/* Adds the sums of one block and group, of `parts` parts. Whole vectors of forms are joined: what the sums
 * hold beyond a group's own is of no account, as acc is beyond the last form, and the next group's forms come
 * after. */
static void join(const target *t, const form_group *g, const int32_t *sum, size_t parts, unsigned j) {
    static const m31 unit[COLUMNS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const m31 *scale = t->scale ? t->scale + g->first : unit;
    m31 shifted[COLUMNS];
    if (j) {
        for (size_t i = 0; i < g->joined; i++)
            shifted[i] = m31_mul(scale[i], (m31)1 << (j * LIMB_BITS));
    }
    kernels()->halves_join(t->acc + g->first, sum, g->half, parts, g->products * CHUNK * g->width,
                           j ? shifted : scale, g->joined);
}

static void add_rows(const row_forms *f, const int16_t *panel, const limb_rows *rows, const target *t,
                     scratch_space *s) {
    for (size_t first = 0; first < f->n && rows->kept; first += COLUMNS) {
        const form_group g = group_of(f->n, first);
        size_t parts = 0;
        for (size_t at = 0; at < rows->kept; at += rows->depth, parts++) {
            const size_t depth = rows->kept - at < rows->depth ? rows->kept - at : rows->depth;
            for (size_t h = 0; h < g.products; h++)
                kernels()->products(s->sum + (parts * g.products + h) * CHUNK * g.width, rows->cell + at,
                                    rows->kept, panel + (h * rows->kept + at) * g.width, rows->n, g.width,
                                    depth);
        }
        for (size_t i = 0; i < rows->n; i++) {
            const target of = target_of_block(t, rows->which ? rows->which[i] : i);
            join(&of, &g, s->sum + i * g.width, parts, rows->j);
        }
        panel += g.products * g.width * rows->kept;
    }
}

/* Adds the sums of n <= CHUNK blocks of field elements. */
static void add_blocks(const row_forms *f, const m31 *cell, size_t n, const target *t, scratch_space *s) {
    const size_t size = (size_t)1 << f->low_vars;
    uint8_t which[LIMBS][CHUNK]; /* which[j][i]: the i-th block that has a limb j */
    size_t count[LIMBS] = {0};
    for (size_t b = 0; b < n; b++) {
        const unsigned limbs = kernels()->limbs_split(s->block, size, cell + b * size, size);
        for (unsigned j = 0; j < limbs; j++) {
            memcpy(s->left[j] + count[j] * size, s->block + j * size, size * sizeof(int16_t));
            which[j][count[j]++] = (uint8_t)b;
        }
    }
    for (unsigned j = 0; j < LIMBS && count[j]; j++) {
        const limb_rows rows = {s->left[j], count[j], size, exact_depth(s->left[j], count[j], size),
                                which[j],   j};
        add_rows(f, f->panel, &rows, t, s);
    }
}

static void add_all(const row_forms *f, const m31 *matrix, size_t first, size_t n_blocks, const target *t,
                    scratch_space *s) {
    for (size_t b = 0; b < n_blocks; b += CHUNK) {
        const size_t n = n_blocks - b < CHUNK ? n_blocks - b : CHUNK, at = first + (b << f->low_vars);
        const narrow_chunk *chunk = f->narrow ? &f->narrow->chunk[at >> NARROW_CHUNK_VARS] : NULL;
        const target of = target_of_block(t, b);
        if (chunk && chunk->cell) {
            const limb_rows rows = {chunk->cell,  n,    f->narrow->pattern[chunk->pattern].kept,
                                    chunk->depth, NULL, 0};
            add_rows(f, f->narrow_panel[chunk->pattern], &rows, &of, s);
        } else {
            add_blocks(f, matrix + at, n, &of, s);
        }
    }
}

void row_forms_add(const row_forms *f, const m31 *matrix, size_t first, size_t n_blocks, const m31 *scale,
                   m31 *acc, void *scratch) {
    const target t = {acc, 0, scale, f->padded};
    add_all(f, matrix, first, n_blocks, &t, scratch);
}

void row_forms_blocks(const row_forms *f, const m31 *matrix, size_t first, size_t n_blocks, m31 *out,
                      void *scratch) {
    const target t = {out, f->padded, NULL, 0};
    memset(out, 0, n_blocks * f->padded * sizeof *out);
    add_all(f, matrix, first, n_blocks, &t, scratch);
}
