#include "ops/op_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const graph_value *op_in(const graph *g, const graph_node *n, uint32_t i) {
    return i < n->n_in && n->in[i] != GRAPH_NO_VALUE ? &g->value[n->in[i]] : NULL;
}

const graph_value *op_out(const graph *g, const graph_node *n, uint32_t i) {
    return i < n->n_out && n->out[i] != GRAPH_NO_VALUE ? &g->value[n->out[i]] : NULL;
}

bool(op_fail)(const graph *g, const graph_node *n, mica_status *st, mica_code code, const char *format, ...) {
    char where[320], what[480];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return mica_fail(st, code, "%s: %s", graph_describe(g, n, where, sizeof where), what);
}

bool op_mixes_batch(op_context *c) {
    c->mixes_batch = true;
    return false;
}

bool op_set_output(op_context *c, const graph_node *n, const graph_value *like, uint32_t rank,
                   const int64_t *dim, bool batched, mica_status *st) {
    int64_t product = 1; /* of the dimensions other than 0: it bounds every partial product */
    if (rank > GRAPH_MAX_RANK)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "the output has %u dimensions, at most %d are supported",
                       rank, GRAPH_MAX_RANK);
    for (uint32_t i = 0; i < rank; i++) {
        if (dim[i] < 0)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "dimension %u of the output would be %lld", i,
                           (long long)dim[i]);
        if (dim[i] > 0 && (__builtin_mul_overflow(product, dim[i], &product) || product > GRAPH_MAX_ELEMENTS))
            return op_fail(c->g, n, st, MICA_ERR_LIMIT, "the output has more than %lld elements",
                           (long long)GRAPH_MAX_ELEMENTS);
    }
    graph_value *v = &c->g->value[n->out[0]];
    v->dtype = like->dtype;
    v->onnx_dtype = like->onnx_dtype;
    v->rank = rank;
    memset(v->dim, 0, sizeof v->dim);
    if (rank)
        memcpy(v->dim, dim, rank * sizeof *dim);
    v->has_shape = true;
    v->batched = batched;
    return true;
}

bool op_set_output_like(op_context *c, const graph_node *n, const graph_value *like, mica_status *st) {
    const graph_value copy = *like;
    return op_set_output(c, n, &copy, copy.rank, copy.dim, copy.batched, st);
}

bool op_same_types(const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *first = op_in(g, n, 0);
    for (uint32_t i = 1; i < n->n_in; i++) {
        const graph_value *v = op_in(g, n, i);
        if (v && v->onnx_dtype != first->onnx_dtype)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "inputs 0 and %u have different element types", i);
    }
    return true;
}

bool op_all_float(const graph *g, const graph_node *n, mica_status *st) {
    if (op_in(g, n, 0)->dtype != DTYPE_FLOAT)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "input 0 holds integers; floating-point is supported");
    return op_same_types(g, n, st);
}

bool op_axis(const graph *g, const graph_node *n, const char *name, int64_t otherwise, uint32_t rank,
             uint32_t past_end, uint32_t *axis, mica_status *st) {
    int64_t a = graph_attr_int(n, name, otherwise);
    if (a < -(int64_t)rank || a >= (int64_t)rank + past_end)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%s %lld is outside an input of %u dimensions", name,
                       (long long)a, rank);
    *axis = (uint32_t)(a < 0 ? a + rank : a);
    return true;
}

bool op_broadcast(const graph_value *const *v, size_t count, uint32_t *rank, int64_t *dim) {
    *rank = 0;
    for (size_t j = 0; j < count; j++)
        *rank = v[j]->rank > *rank ? v[j]->rank : *rank;
    for (uint32_t i = 0; i < *rank; i++)
        dim[i] = 1;
    for (size_t j = 0; j < count; j++) {
        uint32_t offset = *rank - v[j]->rank;
        for (uint32_t i = 0; i < v[j]->rank; i++) {
            int64_t d = v[j]->dim[i];
            if (d != 1 && dim[offset + i] != 1 && dim[offset + i] != d)
                return false;
            if (d != 1)
                dim[offset + i] = d;
        }
    }
    return true;
}

void op_broadcast_strides(const graph_value *v, uint32_t rank, size_t *stride) {
    size_t step = 1;
    for (uint32_t i = rank; i-- > 0;) {
        uint32_t missing = rank - v->rank;
        int64_t d = i >= missing ? v->dim[i - missing] : 1;
        stride[i] = d == 1 ? 0 : step;
        step *= (size_t)d;
    }
}

bool op_next_index(int64_t *index, const int64_t *dim, uint32_t rank) {
    for (uint32_t i = rank; i-- > 0;) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

bool op_value_used(const graph *g, uint32_t value) {
    for (uint32_t k = 0; k < g->n_outputs; k++)
        if (g->output[k] == value)
            return true;
    for (uint32_t j = 0; j < g->n_nodes; j++)
        for (uint32_t i = 0; !g->node[j].removed && i < g->node[j].n_in; i++)
            if (g->node[j].in[i] == value)
                return true;
    return false;
}

uint32_t op_outputs(uint32_t kind) {
    switch (kind) {
    case OP_SPLIT:
        return UINT32_MAX;
    case OP_UNIQUE: /* elements, indices, inverse indices, counts */
        return 4;
    case OP_LAYERNORM:             /* and Mean, InvStdDev */
    case OP_DYNAMICQUANTIZELINEAR: /* and y_scale, y_zero_point */
        return 3;
    case OP_DROPOUT:          /* and mask */
    case OP_MAXPOOL:          /* and Indices */
    case OP_TOPK:             /* values, indices */
    case OP_CROSSENTROPY:     /* and the logarithms of probabilities */
    case OP_LINEARCLASSIFIER: /* label, scores */
        return 2;
    default:
        return 1;
    }
}

bool op_moves(op_kind kind) {
    switch (kind) {
    case OP_FLATTEN:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_IDENTITY:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE:
    case OP_CONCAT:
    case OP_SLICE:
    case OP_SPLIT:
    case OP_PAD:
    case OP_EXPAND:
    case OP_TILE:
    case OP_TRILU:
    case OP_CENTERCROPPAD:
    case OP_REVERSESEQUENCE:
    case OP_DEPTHTOSPACE:
    case OP_SPACETODEPTH:
    case OP_GATHER:
    case OP_GATHERELEMENTS:
    case OP_GATHERND:
    case OP_SCATTERELEMENTS:
    case OP_SCATTERND:
    case OP_SCATTER:
    case OP_PUT:
    case OP_ONEHOT:
    case OP_COMPRESS:
        return true;
    default:
        return false;
    }
}

uint64_t op_macs(const graph *g, const graph_node *n) {
    const graph_value *a = op_in(g, n, 0), *b = op_in(g, n, 1), *out = op_out(g, n, 0);
    uint64_t per_output = 0;
    if (n->kind == OP_GEMM)
        per_output = (uint64_t)a->dim[graph_attr_int(n, "transA", 0) == 0];
    else if (n->kind == OP_MATMUL)
        per_output = (uint64_t)a->dim[a->rank - 1];
    else if (n->kind == OP_CONV)
        per_output = b->dim[0] ? graph_elements(b) / (uint64_t)b->dim[0] : 0;
    else if (n->kind == OP_CONVTRANSPOSE) /* each input meets every weight of its channel */
        return a->dim[1] ? graph_elements(a) * (graph_elements(b) / (uint64_t)a->dim[1]) : 0;
    else
        return 0;
    return per_output * graph_elements(out); /* < 2^31 * 2^31 */
}
