/* Gemm and MatMul. */
#include <string.h>

#include "ops/op_rules.h"

static bool infer_gemm_bias(op_context *c, const graph_node *n, const graph_value *bias, const int64_t *dim,
                            mica_status *st) {
    if (bias->rank > 2)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "C has %u dimensions, at most 2 are allowed",
                       bias->rank);
    for (uint32_t i = 0; i < bias->rank; i++)
        if (bias->dim[i] != 1 && bias->dim[i] != dim[2 - bias->rank + i])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "C does not broadcast to [%lld,%lld]",
                           (long long)dim[0], (long long)dim[1]);
    return true;
}

bool infer_gemm(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *a = op_in(c->g, n, 0), *b = op_in(c->g, n, 1), *bias = op_in(c->g, n, 2);
    bool ta = graph_attr_int(n, "transA", 0) != 0, tb = graph_attr_int(n, "transB", 0) != 0;
    if (!op_all_float(c->g, n, st))
        return false;
    if (c->g->opset < 11 && !bias)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "C is required before opset 11");
    if (a->rank != 2 || b->rank != 2)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "A and B need 2 dimensions");
    if (b->batched || (a->batched && ta) || (bias && bias->batched && (bias->rank != 2 || !a->batched)))
        return op_mixes_batch(c);
    if (a->dim[!ta] != b->dim[tb])
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the contracted dimensions are %lld and %lld",
                       (long long)a->dim[!ta], (long long)b->dim[tb]);
    int64_t dim[2] = {a->dim[ta], b->dim[!tb]};
    if (bias && !infer_gemm_bias(c, n, bias, dim, st))
        return false;
    return op_set_output(c, n, a, 2, dim, a->batched, st);
}

/* out[m,n] = a[m,k] * b[k,n] with element strides; sums run over k in order. */
static void multiply(size_t m, size_t k, size_t n, const double *a, size_t a_row, size_t a_col,
                     const double *b, size_t b_row, size_t b_col, double *out) {
    for (size_t i = 0; i < m; i++) {
        double *row = out + i * n;
        for (size_t j = 0; j < n; j++)
            row[j] = 0;
        for (size_t l = 0; l < k; l++) {
            double x = a[i * a_row + l * a_col];
            for (size_t j = 0; j < n; j++)
                row[j] += x * b[l * b_row + j * b_col];
        }
    }
}

bool eval_gemm(const op_args *a, mica_status *st) {
    const graph_value *va = op_in(a->g, a->n, 0), *vb = op_in(a->g, a->n, 1), *vc = op_in(a->g, a->n, 2);
    bool ta = graph_attr_int(a->n, "transA", 0) != 0, tb = graph_attr_int(a->n, "transB", 0) != 0;
    double alpha = graph_attr_float(a->n, "alpha", 1), beta = graph_attr_float(a->n, "beta", 1);
    size_t m = (size_t)va->dim[ta], k = (size_t)va->dim[!ta], n = (size_t)vb->dim[!tb];
    (void)st;
    multiply(m, k, n, a->in[0], ta ? 1 : k, ta ? m : 1, a->in[1], tb ? 1 : n, tb ? k : 1, a->out[0]);
    size_t stride[2] = {0, 0};
    if (vc)
        op_broadcast_strides(vc, 2, stride);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double *y = &a->out[0][i * n + j];
            *y = alpha * *y + (vc ? beta * a->in[2][i * stride[0] + j * stride[1]] : 0);
        }
    return true;
}

/* A product of stacks of matrices: a [.., m, k] * b [.., k, n], vectors promoted, leading axes broadcast. */
typedef struct matmul_shape {
    graph_value a, b; /* promoted shapes; rank counts the leading axes only */
    uint32_t lead;    /* broadcast leading axes */
    int64_t dim[GRAPH_MAX_RANK];
    int64_t m, k, n;
} matmul_shape;

static bool matmul_resolve(matmul_shape *s, const graph *g, const graph_node *node) {
    s->a = *op_in(g, node, 0);
    s->b = *op_in(g, node, 1);
    if (s->a.rank == 1) {
        s->a.dim[1] = s->a.dim[0];
        s->a.dim[0] = 1;
        s->a.rank = 2;
    }
    if (s->b.rank == 1) {
        s->b.dim[1] = 1;
        s->b.rank = 2;
    }
    if (s->a.rank < 2 || s->b.rank < 2)
        return false;
    s->a.rank -= 2; /* from here on only the leading axes */
    s->b.rank -= 2;
    s->m = s->a.dim[s->a.rank];
    s->k = s->a.dim[s->a.rank + 1];
    s->n = s->b.dim[s->b.rank + 1];
    return s->k == s->b.dim[s->b.rank] &&
           op_broadcast((const graph_value *const[]){&s->a, &s->b}, 2, &s->lead, s->dim);
}

/* Axis 0 of a batched operand must be axis 0 of the output and nothing else. */
static bool matmul_keeps_batch(const graph_value *a, const graph_value *b, const matmul_shape *s) {
    if (a->batched && (a->rank < 2 || a->rank != s->lead + 2))
        return false;
    if (b->batched && (b->rank < 3 || b->rank != s->lead + 2))
        return false;
    return s->lead == 0 || s->dim[0] == 1;
}

bool infer_matmul(op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) && infer_matmul_shape(c, n, st);
}

bool infer_matmul_shape(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *a = op_in(c->g, n, 0), *b = op_in(c->g, n, 1);
    matmul_shape s;
    if (!matmul_resolve(&s, c->g, n))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shapes do not multiply");
    bool batched = a->batched || b->batched;
    if (batched && !matmul_keeps_batch(a, b, &s))
        return op_mixes_batch(c);
    uint32_t rank = s.lead;
    if (a->rank > 1)
        s.dim[rank++] = s.m;
    if (b->rank > 1)
        s.dim[rank++] = s.n;
    return op_set_output(c, n, a, rank, s.dim, batched, st);
}

bool eval_matmul(const op_args *a, mica_status *st) {
    matmul_shape s;
    size_t stride_a[GRAPH_MAX_RANK], stride_b[GRAPH_MAX_RANK];
    int64_t index[GRAPH_MAX_RANK] = {0};
    if (!matmul_resolve(&s, a->g, a->n))
        return op_fail(a->g, a->n, st, MICA_ERR_INTERNAL, "shapes were not inferred");
    size_t m = (size_t)s.m, k = (size_t)s.k, n = (size_t)s.n;
    double *out = a->out[0];
    op_broadcast_strides(&s.a, s.lead, stride_a);
    op_broadcast_strides(&s.b, s.lead, stride_b);
    for (uint32_t i = 0; i < s.lead; i++)
        if (s.dim[i] == 0)
            return true;
    do {
        size_t at_a = 0, at_b = 0;
        for (uint32_t i = 0; i < s.lead; i++) {
            at_a += (size_t)index[i] * stride_a[i];
            at_b += (size_t)index[i] * stride_b[i];
        }
        multiply(m, k, n, a->in[0] + at_a * m * k, k, 1, a->in[1] + at_b * k * n, n, 1, out);
        out += m * n;
    } while (op_next_index(index, s.dim, s.lead));
    return true;
}
