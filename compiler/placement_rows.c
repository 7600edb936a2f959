#include "placement_rows.h"

#include <stdlib.h>
#include <string.h>

#include "cells.h"

static int64_t flat_of(const mica_circuit *c, const mica_factor *f, const mica_tensor *x,
                       const uint32_t *index) {
    int64_t flat = f->offset;
    if (f->n_indices) {
        size_t row = 0;
        for (unsigned i = 0; i < f->n_out; i++)
            row = row * x->dim[f->out_axis[i]] + index[f->out_axis[i]];
        const uint32_t cell = c->index[f->first_index + row];
        return cell == MICA_NO_CELL ? -1 : (int64_t)cell;
    }
    for (unsigned i = 0; i < f->n_out; i++)
        flat += (int64_t)f->out_stride[i] * index[f->out_axis[i]];
    return flat;
}

/* norm / count of the row `index`. */
static int64_t weight_of(const mica_circuit *c, const mica_factor *f, const mica_tensor *x,
                         const uint32_t *index, int64_t cells) {
    uint32_t other[MICA_MAX_RANK], count = 0;
    memcpy(other, index, sizeof other);
    const unsigned axis = f->out_axis[f->count_axis];
    for (other[axis] = 0; other[axis] < x->dim[axis]; other[axis]++) {
        const int64_t tap = flat_of(c, f, x, other);
        count += tap >= 0 && tap < cells;
    }
    return f->norm / count;
}

static placement_row row_of(const mica_circuit *c, const mica_factor *f, const mica_tensor *x,
                            const mica_tensor *src, const size_t *src_stride, const uint32_t *index) {
    placement_row r = {0, 1};
    int64_t cells = 1;
    for (unsigned i = 0; i < f->n_src; i++)
        cells *= src->dim[f->src_axis[i]];
    int64_t flat = flat_of(c, f, x, index);
    if (flat < 0 || flat >= cells)
        return (placement_row){0, 0};
    if (f->norm)
        r.entry = weight_of(c, f, x, index, cells);
    for (unsigned i = f->n_src; i-- > 0;) {
        const uint32_t dim = src->dim[f->src_axis[i]];
        r.at += (size_t)(flat % dim) * src_stride[f->src_axis[i]];
        flat /= dim;
    }
    return r;
}

/* All rows of factor k; the indices of other factors' axes stay 0. */
static bool fill_factor(placement_rows *r, const mica_circuit *c, const mica_tensor *x, unsigned k,
                        mica_status *st) {
    const mica_factor *f = &r->p->factor[k];
    const mica_tensor *src = &c->tensor[r->p->src];
    size_t src_stride[MICA_MAX_RANK], n = 1;
    uint32_t index[MICA_MAX_RANK] = {0}, dim[MICA_MAX_RANK];
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        dim[i] = 1;
    for (unsigned i = f->n_out; i-- > 0;) {
        const unsigned axis = f->out_axis[i];
        r->stride[k][axis] = (uint32_t)n; /* fewer than 2^30 cells */
        n *= x->dim[axis];
    }
    r->row[k] = malloc(n * sizeof *r->row[k]);
    if (!r->row[k])
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    cells_strides(src, src_stride);
    for (unsigned i = 0; i < f->n_out; i++)
        dim[f->out_axis[i]] = x->dim[f->out_axis[i]];
    do {
        size_t at = 0;
        for (unsigned i = 0; i < x->rank; i++)
            at += (size_t)index[i] * r->stride[k][i];
        r->row[k][at] = row_of(c, f, x, src, src_stride, index);
    } while (cells_next(index, dim, x->rank));
    return true;
}

bool placement_rows_create(placement_rows *r, const mica_circuit *c, uint32_t t, mica_status *st) {
    const mica_tensor *x = &c->tensor[t];
    memset(r, 0, sizeof *r);
    r->p = &c->placement[x->def];
    r->rank = x->rank;
    for (unsigned k = 0; k < r->p->n_factors; k++) {
        if (!fill_factor(r, c, x, k, st)) {
            placement_rows_free(r);
            return false;
        }
    }
    return true;
}

void placement_rows_free(placement_rows *r) {
    for (unsigned k = 0; k < MICA_MAX_RANK; k++)
        free(r->row[k]);
}

bool placement_rows_entry(const placement_rows *r, const uint32_t *index, size_t *at, int64_t *entry) {
    *at = 0;
    *entry = 1;
    for (unsigned k = 0; k < r->p->n_factors; k++) {
        size_t row = 0;
        for (unsigned i = 0; i < r->rank; i++)
            row += (size_t)index[i] * r->stride[k][i];
        *at += r->row[k][row].at;
        *entry *= r->row[k][row].entry;
    }
    return *entry != 0;
}
