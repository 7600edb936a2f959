#include "program/placement_rows.h"

#include <stdlib.h>
#include <string.h>

#include "program/cells.h"

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
    return f->norm / (count ? count : 1); /* the row itself counts: count >= 1 */
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
    r->x = x;
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

/* Adds up what the factors other than that of the last axis say of the whole row; returns that one, if any.
 */
static const placement_row *whole_row(const placement_rows *r, const uint32_t *index, size_t *step,
                                      placement_row *whole) {
    const unsigned outer = cells_outer(r->x);
    const placement_row *varying = NULL;
    *step = 0;
    *whole = (placement_row){0, 1};
    for (unsigned k = 0; k < r->p->n_factors; k++) {
        const placement_row *row = r->row[k];
        for (unsigned i = 0; i < outer; i++)
            row += (size_t)index[i] * r->stride[k][i];
        if (r->x->rank && r->stride[k][outer] && r->x->dim[outer] > 1) {
            varying = row;
            *step = r->stride[k][outer];
        } else {
            whole->at += row->at;
            whole->entry *= row->entry;
        }
    }
    return varying;
}

void placement_rows_read(const placement_rows *r, const uint32_t *index, const int32_t *src, int64_t *out) {
    size_t step;
    placement_row whole;
    const placement_row *row = whole_row(r, index, &step, &whole);
    const uint32_t n = cells_row(r->x);
    src += whole.at;
    for (uint32_t i = 0; !row && i < n; i++)
        out[i] = whole.entry * src[0];
    for (uint32_t i = 0; row && i < n; i++, row += step) /* offset 0 where there is no entry */
        out[i] = whole.entry * row->entry * src[row->at];
}
