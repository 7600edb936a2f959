#include "lowering/move_map.h"

#include <stdlib.h>
#include <string.h>

typedef struct moving {
    unsigned out_rank, src_rank;
    const uint32_t *out_dim, *src_dim, *from;
    size_t cells;
    size_t out_stride[MICA_MAX_RANK], src_stride[MICA_MAX_RANK];
    size_t ref; /* a cell with a source, through which every axis is looked at */
    uint32_t ref_index[MICA_MAX_RANK];
    unsigned depends[MICA_MAX_RANK]; /* per source axis: axes of the result that its index depends on */
} moving;

static size_t set_strides(unsigned rank, const uint32_t *dim, size_t *stride) {
    size_t n = 1;
    for (unsigned i = rank; i-- > 0; n *= dim[i])
        stride[i] = n;
    return n;
}

static bool next_index(uint32_t *index, const uint32_t *dim, unsigned rank) {
    for (unsigned i = rank; i-- > 0;) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

static uint32_t source_index(const moving *k, uint32_t cell, unsigned axis) {
    return (uint32_t)(cell / k->src_stride[axis] % k->src_dim[axis]);
}

static bool find_reference(moving *k) {
    for (k->ref = 0; k->ref < k->cells; k->ref++)
        if (k->from[k->ref] != MICA_NO_CELL)
            break;
    if (k->ref == k->cells)
        return false;
    for (unsigned a = 0; a < k->out_rank; a++)
        k->ref_index[a] = (uint32_t)(k->ref / k->out_stride[a] % k->out_dim[a]);
    return true;
}

/* Every cell is compared with those in which one of its indices is the reference's. False if one of these has
 * no source: what has one is then not a product of sets. */
static bool find_dependencies(moving *k) {
    uint32_t index[MICA_MAX_RANK] = {0};
    for (size_t e = 0; e < k->cells; e++, next_index(index, k->out_dim, k->out_rank)) {
        if (k->from[e] == MICA_NO_CELL)
            continue;
        for (unsigned a = 0; a < k->out_rank; a++) {
            const uint32_t other =
                k->from[e - index[a] * k->out_stride[a] + k->ref_index[a] * k->out_stride[a]];
            if (other == MICA_NO_CELL)
                return false;
            for (unsigned b = 0; other != k->from[e] && b < k->src_rank; b++)
                if (source_index(k, other, b) != source_index(k, k->from[e], b))
                    k->depends[b] |= 1u << a;
        }
    }
    return true;
}

/* --- groups --- */

/* The group of the given axes, its rows read along the reference. */
static bool add_group(move_map *m, const moving *k, unsigned out_set, unsigned src_set, mica_status *st) {
    move_group *g = &m->group[m->n_groups++];
    size_t rows = 1;
    uint32_t dim[MICA_MAX_RANK], index[MICA_MAX_RANK] = {0};
    for (unsigned a = 0; a < k->out_rank; a++) {
        if (out_set >> a & 1) {
            dim[g->n_out] = k->out_dim[a];
            g->out[g->n_out++] = (uint8_t)a;
            rows *= k->out_dim[a];
        }
    }
    for (unsigned b = 0; b < k->src_rank; b++)
        if (src_set >> b & 1)
            g->src[g->n_src++] = (uint8_t)b;
    g->rows = (uint32_t)rows;
    g->cell = malloc(rows * sizeof *g->cell);
    if (!g->cell)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (size_t r = 0; r < rows; r++, next_index(index, dim, g->n_out)) {
        size_t e = k->ref, cell = 0;
        for (unsigned i = 0; i < g->n_out; i++)
            e = e - k->ref_index[g->out[i]] * k->out_stride[g->out[i]] + index[i] * k->out_stride[g->out[i]];
        for (unsigned i = 0; i < g->n_src && k->from[e] != MICA_NO_CELL; i++)
            cell = cell * k->src_dim[g->src[i]] + source_index(k, k->from[e], g->src[i]);
        g->cell[r] = k->from[e] == MICA_NO_CELL ? MICA_NO_CELL : (uint32_t)cell;
    }
    return true;
}

/* Axes of the result that share a source axis belong together. */
static bool make_groups(move_map *m, const moving *k, mica_status *st) {
    unsigned set[MICA_MAX_RANK], fixed = 0;
    for (unsigned a = 0; a < k->out_rank; a++)
        set[a] = 1u << a;
    for (unsigned b = 0; b < k->src_rank; b++) {
        unsigned joined = 0;
        for (unsigned a = 0; a < k->out_rank; a++)
            joined |= k->depends[b] >> a & 1 ? set[a] : 0;
        for (unsigned a = 0; a < k->out_rank; a++)
            if (joined >> a & 1)
                set[a] = joined;
        fixed |= k->depends[b] ? 0 : 1u << b;
    }
    for (unsigned a = 0; a < k->out_rank; a++) {
        unsigned sources = 0;
        if (set[a] & ((1u << a) - 1))
            continue; /* an earlier axis has brought the group */
        for (unsigned b = 0; b < k->src_rank; b++)
            sources |= k->depends[b] & set[a] ? 1u << b : 0;
        if (!add_group(m, k, set[a], sources, st))
            return false;
    }
    return !fixed || add_group(m, k, 0, fixed, st);
}

/* Whether the groups' product is the movement. */
static bool groups_multiply(const move_map *m, const moving *k) {
    uint32_t index[MICA_MAX_RANK] = {0};
    for (size_t e = 0; e < k->cells; e++, next_index(index, k->out_dim, k->out_rank)) {
        size_t cell = 0;
        bool present = true;
        for (unsigned j = 0; j < m->n_groups && present; j++) {
            const move_group *g = &m->group[j];
            size_t row = 0;
            for (unsigned i = 0; i < g->n_out; i++)
                row = row * k->out_dim[g->out[i]] + index[g->out[i]];
            uint32_t rest = g->cell[row];
            present = rest != MICA_NO_CELL;
            for (unsigned i = g->n_src; present && i-- > 0; rest /= k->src_dim[g->src[i]])
                cell += rest % k->src_dim[g->src[i]] * k->src_stride[g->src[i]];
        }
        if ((present ? (uint32_t)cell : MICA_NO_CELL) != k->from[e])
            return false;
    }
    return true;
}

/* --- strides --- */

/* Difference of two neighbours along axis i of the group; a stride out of the source where there are none. */
static int64_t guess_stride(const move_group *g, const uint32_t *dim, const size_t *row_stride, unsigned i,
                            size_t cells) {
    for (size_t r = 0; r < g->rows; r++) {
        if (r / row_stride[i] % dim[i] == 0)
            continue;
        const uint32_t x = g->cell[r - row_stride[i]], y = g->cell[r];
        if (x != MICA_NO_CELL && y != MICA_NO_CELL)
            return (int64_t)y - (int64_t)x;
    }
    return (int64_t)cells;
}

static void find_strides(move_group *g, const moving *k) {
    uint32_t dim[MICA_MAX_RANK] = {0}, index[MICA_MAX_RANK] = {0};
    size_t row_stride[MICA_MAX_RANK] = {0}, cells = 1, first = 0;
    int64_t stride[MICA_MAX_RANK] = {0}, offset;
    for (unsigned i = 0; i < MICA_MAX_RANK; i++) {
        dim[i] = i < g->n_out ? k->out_dim[g->out[i]] : 1;
        row_stride[i] = 1;
    }
    for (unsigned i = 0; i < g->n_src; i++)
        cells *= k->src_dim[g->src[i]];
    (void)set_strides(g->n_out, dim, row_stride);
    while (g->cell[first] == MICA_NO_CELL) /* the reference's row has a cell */
        first++;
    offset = g->cell[first];
    for (unsigned i = 0; i < g->n_out; i++) {
        stride[i] = guess_stride(g, dim, row_stride, i, cells);
        offset -= stride[i] * (int64_t)(first / row_stride[i] % dim[i]);
        if (stride[i] > INT32_MAX || stride[i] < -INT32_MAX)
            return;
        g->stride[i] = (int32_t)stride[i];
    }
    if (offset > INT32_MAX || offset < -INT32_MAX)
        return;
    for (size_t r = 0; r < g->rows; r++, next_index(index, dim, g->n_out)) {
        int64_t flat = offset;
        for (unsigned i = 0; i < g->n_out; i++)
            flat += stride[i] * index[i];
        const bool inside = flat >= 0 && flat < (int64_t)cells;
        if ((inside ? (uint32_t)flat : MICA_NO_CELL) != g->cell[r])
            return;
    }
    g->offset = (int32_t)offset;
    g->affine = true;
}

/* --- */

void move_map_free(move_map *m) {
    for (unsigned i = 0; i < m->n_groups; i++)
        free(m->group[i].cell);
    memset(m, 0, sizeof *m);
}

bool move_map_create(move_map *m, unsigned out_rank, const uint32_t *out_dim, unsigned src_rank,
                     const uint32_t *src_dim, const uint32_t *from, mica_status *st) {
    moving k = {
        .out_rank = out_rank, .src_rank = src_rank, .out_dim = out_dim, .src_dim = src_dim, .from = from};
    memset(m, 0, sizeof *m);
    k.cells = set_strides(out_rank, out_dim, k.out_stride);
    (void)set_strides(src_rank, src_dim, k.src_stride);
    m->empty = !find_reference(&k);
    if (m->empty)
        return true;
    bool separate = find_dependencies(&k), ok = true;
    if (separate) {
        ok = make_groups(m, &k, st);
        separate = ok && groups_multiply(m, &k);
    }
    if (ok && !separate) {
        move_map_free(m);
        ok = add_group(m, &k, (1u << out_rank) - 1, (1u << src_rank) - 1, st);
    }
    for (unsigned i = 0; ok && i < m->n_groups; i++)
        find_strides(&m->group[i], &k);
    if (!ok)
        move_map_free(m);
    return ok;
}
