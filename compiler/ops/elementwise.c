#include "ops/elementwise.h"

#include <stdlib.h>

#include "graph/onnx_types.h"

graph_value elementwise_bool(void) {
    return (graph_value){.dtype = DTYPE_INT, .onnx_dtype = ONNX_BOOL};
}

/* Merges shape v into dim[0..rank), which is at least as long. */
static bool merge(const graph_value *v, uint32_t rank, int64_t *dim) {
    for (uint32_t i = 0; i < v->rank; i++) {
        int64_t *d = &dim[rank - v->rank + i];
        if (v->dim[i] != 1 && *d != 1 && *d != v->dim[i])
            return false;
        if (v->dim[i] != 1)
            *d = v->dim[i];
    }
    return true;
}

bool elementwise_infer(op_context *c, const graph_node *n, const graph_value *like, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK] = {0};
    uint32_t rank = 0;
    bool batched = false;
    for (uint32_t i = 0; i < n->n_in; i++)
        rank = op_in(c->g, n, i)->rank > rank ? op_in(c->g, n, i)->rank : rank;
    for (uint32_t i = 0; i < rank; i++)
        dim[i] = 1;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!merge(op_in(c->g, n, i), rank, dim))
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shapes do not broadcast");
    /* The batch axis stays axis 0 only if no operand has more axes or more entries there. */
    for (uint32_t i = 0; i < n->n_in; i++) {
        const graph_value *v = op_in(c->g, n, i);
        if (v->batched && (v->rank != rank || dim[0] != 1))
            return op_mixes_batch(c);
        batched |= v->batched;
    }
    return op_set_output(c, n, like, rank, dim, batched, st);
}

typedef size_t strides[GRAPH_MAX_RANK];

static void run(const op_args *a, elementwise_fn *f, strides *stride, double *x) {
    const graph_value *out = op_out(a->g, a->n, 0);
    const size_t elements = (size_t)graph_elements(out);
    int64_t index[GRAPH_MAX_RANK] = {0};
    for (size_t e = 0; e < elements; e++) {
        for (uint32_t i = 0; i < a->n->n_in; i++) {
            size_t at = 0;
            for (uint32_t d = 0; d < out->rank; d++)
                at += (size_t)index[d] * stride[i][d];
            x[i] = a->in[i][at];
        }
        a->out[0][e] = f(a, x);
        op_next_index(index, out->dim, out->rank);
    }
}

bool elementwise_eval(const op_args *a, elementwise_fn *f, mica_status *st) {
    const graph_value *out = op_out(a->g, a->n, 0);
    strides *stride = calloc(a->n->n_in + 1u, sizeof *stride);
    double *x = malloc((a->n->n_in + 1u) * sizeof *x);
    const bool ok = (stride && x) || mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; ok && i < a->n->n_in; i++)
        op_broadcast_strides(op_in(a->g, a->n, i), out->rank, stride[i]);
    if (ok)
        run(a, f, stride, x);
    free(stride);
    free(x);
    return ok;
}
