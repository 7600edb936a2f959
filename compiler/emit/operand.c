#include "emit/operand.h"

#include <string.h>

void tensor_strides(const mica_tensor *t, int64_t stride[MICA_MAX_RANK]) {
    int64_t s = 1;
    for (unsigned i = t->rank; i-- > 0;) {
        stride[i] = s;
        s <<= mica_log2_ceil(t->dim[i]);
    }
}

void operand_identity(operand *op, const mica_circuit *c, uint32_t t) {
    memset(op, 0, sizeof *op);
    op->tensor = t;
    tensor_strides(&c->tensor[t], op->stride);
}

void operand_view(operand *op, const mica_circuit *c, uint32_t t, const mica_view *view) {
    const mica_tensor *x = &c->tensor[t];
    int64_t stride[MICA_MAX_RANK];
    memset(op, 0, sizeof *op);
    op->tensor = t;
    tensor_strides(x, stride);
    for (unsigned i = 0; i < x->rank; i++) {
        const int32_t a = view->axis[i];
        if (a >= 0) {
            op->stride[a] += stride[i];
        } else if (MICA_VIEW_IS_AT(a)) {
            op->base += stride[i] * MICA_VIEW_AT_INDEX(a);
        } else if (x->dim[i] > 1) {
            op->sum_dim[op->n_sums] = x->dim[i];
            op->sum_stride[op->n_sums++] = stride[i];
        }
    }
}

/* Adds to op what one factor of a placement contributes: an address, and a window that guards it. */
static void add_factor(operand *op, const mica_factor *f, const mica_view *view, uint32_t size,
                       int64_t src_stride) {
    window *w = &op->window[op->n_windows++];
    memset(w, 0, sizeof *w);
    w->shift = f->offset;
    w->size = size;
    for (unsigned i = 0; i < f->n_out; i++) {
        const int32_t a = view->axis[f->out_axis[i]];
        if (a >= 0)
            w->stride[a] += f->out_stride[i];
        else
            w->shift += (int64_t)f->out_stride[i] * MICA_VIEW_AT_INDEX(a);
    }
    op->base += w->shift * src_stride;
    for (unsigned a = 0; a < NEST_MAX; a++)
        op->stride[a] += w->stride[a] * src_stride;
}

bool operand_patches(operand *op, const mica_circuit *c, uint32_t p, const mica_view *view) {
    const mica_placement *m = &c->placement[c->tensor[p].def];
    const mica_tensor *src = &c->tensor[m->src];
    int64_t stride[MICA_MAX_RANK];
    memset(op, 0, sizeof *op);
    op->tensor = m->src;
    tensor_strides(src, stride);
    for (unsigned i = 0; i < c->tensor[p].rank; i++) {
        if (view->axis[i] == MICA_VIEW_SUM)
            return false;
    }
    for (unsigned i = 0; i < m->n_factors; i++) {
        const mica_factor *f = &m->factor[i];
        if (f->norm > 0 || f->n_src > 1 || f->n_indices > 0)
            return false;
        if (f->n_src == 0) /* one source cell: valid where the position is 0 */
            add_factor(op, f, view, 1, 0);
        else
            add_factor(op, f, view, src->dim[f->src_axis[0]], stride[f->src_axis[0]]);
    }
    return true;
}

void nest_create(nest *loops, unsigned n, const uint32_t *dim) {
    loops->n = n;
    for (unsigned i = 0; i < n; i++) {
        loops->dim[i] = dim[i];
        loops->axis[i] = i;
    }
}

static void remove_entry(int64_t *list, unsigned n, unsigned at) {
    memmove(list + at, list + at + 1, (n - at - 1) * sizeof *list);
    list[n - 1] = 0;
}

void nest_remove(nest *loops, operand *const *op, unsigned n_ops, unsigned at) {
    const unsigned n = loops->n;
    for (unsigned j = 0; j < n_ops; j++) {
        remove_entry(op[j]->stride, n, at);
        for (unsigned w = 0; w < op[j]->n_windows; w++)
            remove_entry(op[j]->window[w].stride, n, at);
    }
    memmove(loops->dim + at, loops->dim + at + 1, (n - at - 1) * sizeof *loops->dim);
    memmove(loops->axis + at, loops->axis + at + 1, (n - at - 1) * sizeof *loops->axis);
    loops->n--;
}

/* Drops the windows that hold for every index. */
static void drop_windows(operand *op, const nest *loops) {
    for (unsigned w = op->n_windows; w-- > 0;) {
        int64_t lo = op->window[w].shift, hi = lo;
        for (unsigned i = 0; i < loops->n; i++) {
            const int64_t reach = op->window[w].stride[i] * (int64_t)(loops->dim[i] - 1);
            *(reach < 0 ? &lo : &hi) += reach;
        }
        if (lo >= 0 && hi < (int64_t)op->window[w].size) {
            op->n_windows--;
            memmove(&op->window[w], &op->window[w + 1], (op->n_windows - w) * sizeof op->window[w]);
        }
    }
}

static bool in_window(const operand *op, unsigned i) {
    for (unsigned w = 0; w < op->n_windows; w++) {
        if (op->window[w].stride[i] != 0)
            return true;
    }
    return false;
}

/* Whether loops a (outer) and b (inner) can run as one loop; *period is then the step of a in steps of b. */
static bool can_merge(const nest *loops, operand *const *op, unsigned n_ops, unsigned a, unsigned b,
                      bool padded, const bool *zeros, uint32_t *period) {
    const uint32_t size = loops->dim[b], full = 1u << mica_log2_ceil(size);
    bool has_zeros = false;
    *period = padded ? full : size;
    for (unsigned j = 0; j < n_ops; j++) {
        const int64_t sa = op[j]->stride[a], sb = op[j]->stride[b];
        if (sa != sb * (int64_t)*period || in_window(op[j], a) || in_window(op[j], b))
            return false;
        has_zeros = has_zeros || (zeros && zeros[j] && sb != 0);
    }
    /* Across padding the loop may waste at most half of its iterations. */
    const uint64_t merged = (uint64_t)(loops->dim[a] - 1) * *period + size;
    return merged <= INT32_MAX && (*period == size || (has_zeros && merged <= 2ull * loops->dim[a] * size));
}

static bool merge_one_pair(nest *loops, operand *const *op, unsigned n_ops, uint32_t keep, bool padded,
                           const bool *zeros) {
    for (unsigned a = 0; a < loops->n; a++) {
        for (unsigned b = 0; b < loops->n; b++) {
            uint32_t period;
            if (a == b || (keep >> loops->axis[a] & 1) || (keep >> loops->axis[b] & 1) ||
                !can_merge(loops, op, n_ops, a, b, padded, zeros, &period))
                continue;
            loops->dim[b] += (loops->dim[a] - 1) * period;
            nest_remove(loops, op, n_ops, a);
            return true;
        }
    }
    return false;
}

void nest_simplify(nest *loops, operand *const *op, unsigned n_ops, uint32_t keep, bool padded,
                   const bool *zeros) {
    for (unsigned j = 0; j < n_ops; j++)
        drop_windows(op[j], loops);
    for (unsigned i = loops->n; i-- > 0;) {
        if (loops->dim[i] == 1)
            nest_remove(loops, op, n_ops, i);
    }
    while (merge_one_pair(loops, op, n_ops, keep, false, zeros))
        ;
    while (padded && merge_one_pair(loops, op, n_ops, keep, true, zeros))
        ;
}
