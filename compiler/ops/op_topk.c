/* TopK, and what it is made of: mica.Top, one row of zeros and a one for every rank, and mica.Pick, the
 * elements that such rows select. Of equal elements the first comes first, whichever way is asked for. */
#include <math.h>
#include <stdlib.h>

#include "graph/onnx_types.h"
#include "ops/reduce.h"

typedef struct ranking {
    uint32_t axis;
    int64_t k;
    bool largest;
} ranking;

/* k is an attribute up to opset 9 and of mica.Top, an input since opset 10. */
static bool read_k(const graph *g, const graph_node *n, int64_t *k, mica_status *st) {
    const graph_value *v = op_in(g, n, 1);
    if (!v) {
        *k = graph_attr_int(n, "k", -1);
        return *k >= 0 || op_fail(g, n, st, MICA_ERR_FORMAT, "it lacks k, the number of elements");
    }
    if (v->dtype != DTYPE_INT || graph_elements(v) != 1)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "input 1 must be one integer");
    if (!v->integer)
        return op_fail(
            g, n, st, MICA_ERR_UNSUPPORTED,
            "k depends on the network's inputs, and the output's shape on k; a constant is supported");
    *k = v->integer[0];
    return true;
}

static bool resolve(const graph *g, const graph_node *n, ranking *r, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    if (!op_axis(g, n, "axis", -1, x->rank, 0, &r->axis, st) || !read_k(g, n, &r->k, st))
        return false;
    r->largest = graph_attr_int(n, "largest", 1) != 0;
    if (r->k < 0 || r->k > x->dim[r->axis])
        return op_fail(g, n, st, MICA_ERR_FORMAT, "k = %lld, of an axis of %lld elements", (long long)r->k,
                       (long long)x->dim[r->axis]);
    return true;
}

static bool infer_ranks(op_context *c, const graph_node *n, bool rows, bool places, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    graph_value like = x;
    int64_t dim[GRAPH_MAX_RANK + 1];
    ranking r;
    if (!resolve(c->g, n, &r, st))
        return false;
    if (x.batched && r.axis == 0)
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x.rank; i++)
        dim[i] = i == r.axis ? r.k : x.dim[i];
    dim[x.rank] = x.dim[r.axis];
    if (rows || places) {
        like.dtype = DTYPE_INT;
        like.onnx_dtype = ONNX_INT64;
    }
    return op_set_output(c, n, &like, x.rank + rows, dim, x.batched, st);
}

bool infer_topk(op_context *c, const graph_node *n, mica_status *st) {
    return infer_ranks(c, n, false, op_part(n) == 1, st);
}

bool infer_top(op_context *c, const graph_node *n, mica_status *st) {
    return infer_ranks(c, n, true, false, st);
}

/* Input 1 has the output's axes and a last one, along which it selects along `axis` of input 0. */
bool infer_pick(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value data = *op_in(c->g, n, 0), rows = *op_in(c->g, n, 1);
    return op_set_output(c, n, &data, rows.rank - 1, rows.dim, rows.batched, st);
}

/* --- reference --- */

typedef struct ranked {
    double key;
    size_t at;
} ranked;

static int compare(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->key > y->key || (isnan(y->key) && !isnan(x->key)))
        return -1;
    if (x->key < y->key || (isnan(x->key) && !isnan(y->key)))
        return 1;
    return x->at < y->at ? -1 : 1;
}

/* Where rank r of row j goes: the rows of x are counted over the axes before and after the ranked one. */
static size_t cell_of_rank(const graph_value *x, const ranking *r, size_t j, size_t rank) {
    size_t inner = 1;
    for (uint32_t i = r->axis + 1; i < x->rank; i++)
        inner *= (size_t)x->dim[i];
    return (j / inner * (size_t)r->k + rank) * inner + j % inner;
}

typedef void write_rank(const op_args *a, size_t cell, const ranked *chosen, size_t length);

static bool eval_ranks(const op_args *a, write_rank *write, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    ranking r;
    reduce_walk w;
    if (!resolve(a->g, a->n, &r, st) || !reduce_walk_create(&w, x, 1u << r.axis, st))
        return false;
    ranked *row = malloc((w.length + 1) * sizeof *row);
    for (size_t j = 0; row && j < w.n_rows; j++) {
        for (size_t i = 0; i < w.length; i++) {
            const double v = a->in[0][w.row[j] + w.cell[i]];
            row[i] = (ranked){r.largest ? v : -v, i};
        }
        qsort(row, w.length, sizeof *row, compare);
        for (size_t i = 0; i < (size_t)r.k; i++) {
            row[i].key = r.largest ? row[i].key : -row[i].key;
            write(a, cell_of_rank(x, &r, j, i), &row[i], w.length);
        }
    }
    reduce_walk_free(&w);
    free(row);
    return row || mica_fail(st, MICA_ERR_MEMORY, "out of memory");
}

static void write_value(const op_args *a, size_t cell, const ranked *chosen, size_t length) {
    (void)length;
    a->out[0][cell] = chosen->key;
}

static void write_place(const op_args *a, size_t cell, const ranked *chosen, size_t length) {
    (void)length;
    a->out[0][cell] = (double)chosen->at;
}

static void write_row(const op_args *a, size_t cell, const ranked *chosen, size_t length) {
    for (size_t i = 0; i < length; i++)
        a->out[0][cell * length + i] = i == chosen->at;
}

bool eval_topk(const op_args *a, mica_status *st) {
    return eval_ranks(a, op_part(a->n) == 1 ? write_place : write_value, st);
}

bool eval_top(const op_args *a, mica_status *st) {
    return eval_ranks(a, write_row, st);
}

bool eval_pick(const op_args *a, mica_status *st) {
    const graph_value *data = op_in(a->g, a->n, 0), *out = op_out(a->g, a->n, 0);
    const size_t count = (size_t)graph_elements(out);
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", 0, data->rank, 0, &axis, st))
        return false;
    const size_t length = (size_t)data->dim[axis];
    size_t inner = 1;
    for (uint32_t i = axis + 1; i < data->rank; i++)
        inner *= (size_t)data->dim[i];
    const size_t ranks = (size_t)out->dim[axis];
    for (size_t e = 0; e < count; e++) {
        const size_t start = data->rank < out->rank ? 0 : e / (ranks * inner) * length * inner + e % inner;
        a->out[0][e] = 0;
        for (size_t i = 0; i < length; i++)
            a->out[0][e] += a->in[1][e * length + i] * a->in[0][start + i * inner];
    }
    return true;
}
