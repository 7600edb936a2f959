#include "placement/placement.h"

#include <string.h>

#include "circuit/circuit_shapes.h"

void factor_rows_begin(factor_rows *r, const mica_circuit *c, uint32_t tensor, const mica_factor *f) {
    const mica_tensor *x = &c->tensor[tensor];
    const mica_tensor *src = &c->tensor[c->placement[x->def].src];
    memset(r, 0, sizeof *r);
    r->factor = f;
    r->next = f->n_indices ? c->index + f->first_index : NULL;
    r->cells = 1;
    for (unsigned i = 0; i < f->n_out; i++)
        r->out_dim[i] = x->dim[f->out_axis[i]];
    for (unsigned i = 0; i < f->n_src; i++) {
        r->src_dim[i] = src->dim[f->src_axis[i]];
        r->cells *= r->src_dim[i];
    }
}

/* |flat| < 2^40 by circuit_validate. */
static int64_t flat_of(const factor_rows *r) {
    int64_t flat = r->factor->offset;
    for (unsigned i = 0; i < r->factor->n_out; i++)
        flat += (int64_t)r->factor->out_stride[i] * r->out[i];
    return flat;
}

/* Number of indices of the counted axis for which the row would have an entry, the others as they are. */
static uint32_t count_valid(const factor_rows *r) {
    const unsigned axis = r->factor->count_axis;
    const int64_t stride = r->factor->out_stride[axis];
    int64_t first, end;
    circuit_valid_interval(flat_of(r) - stride * r->out[axis], stride, (int64_t)r->cells, r->out_dim[axis],
                           &first, &end);
    return (uint32_t)(end - first);
}

static void find_entry(factor_rows *r) {
    const int64_t flat = !r->next ? flat_of(r) : *r->next == MICA_NO_CELL ? -1 : (int64_t)*r->next;
    if (flat < 0 || (uint64_t)flat >= r->cells) {
        r->weight = 0;
        return;
    }
    uint64_t rest = (uint64_t)flat;
    for (unsigned i = r->factor->n_src; i-- > 0; rest /= r->src_dim[i])
        r->src[i] = (uint32_t)(rest % r->src_dim[i]);
    /* This entry is one of those that are counted, so the divisor is not 0. */
    r->weight =
        r->factor->norm ? r->factor->norm / count_valid(r) : 1; // NOLINT(clang-analyzer-core.DivideZero)
}

bool factor_rows_next(factor_rows *r) {
    if (r->started) {
        unsigned i = r->factor->n_out;
        while (i > 0 && ++r->out[i - 1] == r->out_dim[i - 1])
            r->out[--i] = 0;
        if (i == 0)
            return false;
        if (r->next)
            r->next++; /* as many indices as rows: circuit_validate */
    }
    r->started = true;
    find_entry(r);
    return true;
}
