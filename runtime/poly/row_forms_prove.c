#include "poly/row_forms_prove.h"

#include <string.h>

#include "simd/kernels.h"
#include "simd/limbs.h"

#define CHUNK   ROW_FORMS_CHUNK
#define COLUMNS ROW_FORMS_COLUMNS

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
    return f->panel + (i * LIMBS + d) * (COLUMNS << f->low_vars);
}

size_t row_forms_bytes(unsigned low_vars, size_t n) {
    return ((padded(n) * LIMBS << low_vars) * sizeof(int16_t) + 63) / 64 * 64;
}

bool row_forms_make(row_forms *f, unsigned low_vars, const m31 *low, size_t n, mica_arena *arena,
                    mica_status *st) {
    const size_t bytes = row_forms_bytes(low_vars, n);
    *f = (row_forms){low_vars, n, padded(n), arena_alloc(arena, bytes, 1, st)};
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
    kernels()->limbs_join(acc, sum, CHUNK * COLUMNS, j ? shifted : scale, COLUMNS);
}

void row_forms_add(const row_forms *f, const m31 *row, size_t n_blocks, const m31 *scale, size_t n_scales,
                   m31 *acc, void *scratch) {
    scratch_space *s = scratch;
    const size_t depth = (size_t)1 << f->low_vars;
    for (size_t first = 0; first < n_blocks; first += CHUNK) {
        const size_t n = n_blocks - first < CHUNK ? n_blocks - first : CHUNK;
        uint8_t which[LIMBS][CHUNK];
        size_t count[LIMBS];
        cut_blocks(f, row + first * depth, n, s, which, count);
        for (unsigned j = 0; j < LIMBS && count[j]; j++) {
            for (size_t at = 0; at < f->padded; at += COLUMNS) {
                for (unsigned d = 0; d < LIMBS; d++)
                    kernels()->products(s->sum + d * CHUNK * COLUMNS, s->left[j],
                                        panel_of(f, at / COLUMNS, d), count[j], COLUMNS, depth);
                for (size_t set = 0; set < n_scales; set++) {
                    const m31 *of = scale + (set * n_blocks + first) * f->padded + at;
                    for (size_t i = 0; i < count[j]; i++)
                        join(acc + set * f->padded + at, s->sum + i * COLUMNS, of + which[j][i] * f->padded,
                             j);
                }
            }
        }
    }
}
