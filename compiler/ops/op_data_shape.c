/* NonZero, Unique, Compress: the shapes of their outputs depend on elements. They have one where these are
 * constants. */
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_move.h"
#include "ops/op_refused.h"

static bool refuse(const graph *g, const graph_node *n, mica_status *st) {
    return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "%s", op_refusal(n->op));
}

static double element(const graph_value *v, size_t i) {
    return v->real ? v->real[i] : (double)v->integer[i];
}

static graph_value index_type(const graph_value *v) {
    graph_value like = *v;
    like.dtype = DTYPE_INT;
    like.onnx_dtype = ONNX_INT64;
    return like;
}

/* --- NonZero --- */

/* A single number counts as a list of one. */
bool infer_nonzero(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), like = index_type(x);
    int64_t dim[2] = {x->rank ? x->rank : 1, 0};
    if (!graph_is_const(x))
        return refuse(c->g, n, st);
    for (size_t i = 0; i < (size_t)graph_elements(x); i++)
        dim[1] += element(x, i) != 0;
    return op_set_output(c, n, &like, 2, dim, false, st);
}

bool eval_nonzero(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const size_t found = (size_t)op_out(a->g, a->n, 0)->dim[1], count = (size_t)graph_elements(x);
    int64_t index[GRAPH_MAX_RANK] = {0};
    (void)st;
    for (size_t i = 0, at = 0; i < count; i++) {
        if (a->in[0][i] != 0) {
            for (uint32_t d = 0; d < x->rank || d == 0; d++)
                a->out[0][d * found + at] = (double)index[d];
            at++;
        }
        (void)op_next_index(index, x->dim, x->rank);
    }
    return true;
}

/* --- Compress --- */

/* Without an axis the elements are one list. */
typedef struct slices {
    size_t outer, length, inner;
} slices;

static bool find_slices(const graph *g, const graph_node *n, slices *s, uint32_t *axis, bool *flat,
                        mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    *flat = graph_attr_find(n, "axis") == NULL;
    *axis = 0;
    *s = (slices){1, (size_t)graph_elements(x), 1};
    if (*flat)
        return true;
    if (!op_axis(g, n, "axis", 0, x->rank, 0, axis, st))
        return false;
    s->outer = (size_t)op_product(x->dim, *axis);
    s->length = (size_t)x->dim[*axis];
    s->inner = (size_t)op_product(x->dim + *axis + 1, x->rank - *axis - 1);
    return true;
}

static bool set_slices(op_context *c, const graph_node *n, const graph_value *like, const graph_value *x,
                       bool flat, uint32_t axis, int64_t kept, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    if (flat)
        return op_set_output(c, n, like, 1, &kept, false, st);
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = kept;
    return op_set_output(c, n, like, x->rank, dim, x->batched, st);
}

bool infer_compress(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0), *condition = op_in(c->g, n, 1);
    slices s;
    uint32_t axis;
    bool flat;
    int64_t kept = 0;
    if (!find_slices(c->g, n, &s, &axis, &flat, st))
        return false;
    if (condition->dtype != DTYPE_INT || condition->rank != 1 || (size_t)condition->dim[0] > s.length)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT,
                       "its condition must be a vector of truth values, at most %zu of them", s.length);
    if (!condition->integer)
        return refuse(c->g, n, st);
    if (x.batched && axis == 0)
        return op_mixes_batch(c);
    for (int64_t i = 0; i < condition->dim[0]; i++)
        kept += condition->integer[i] != 0;
    return set_slices(c, n, &x, &x, flat, axis, kept, st);
}

bool eval_compress(const op_args *a, mica_status *st) {
    const size_t conditions = (size_t)op_in(a->g, a->n, 1)->dim[0];
    slices s;
    uint32_t axis;
    bool flat;
    double *to = a->out[0];
    if (!find_slices(a->g, a->n, &s, &axis, &flat, st))
        return false;
    for (size_t o = 0; o < s.outer; o++)
        for (size_t i = 0; i < conditions; i++)
            if (a->in[1][i] != 0) {
                memcpy(to, a->in[0] + (o * s.length + i) * s.inner, s.inner * sizeof *to);
                to += s.inner;
            }
    return true;
}

/* --- Unique --- */

typedef struct distinct {
    slices s;
    const graph_value *x;
    size_t count;
    size_t *first, *counts; /* per distinct slice, in the order of the output */
    size_t *inverse;        /* per slice: which of them it is */
} distinct;

typedef struct item {
    const distinct *d;
    size_t at;
} item;

static int compare_slices(const distinct *d, size_t a, size_t b) {
    for (size_t o = 0; o < d->s.outer; o++)
        for (size_t i = 0; i < d->s.inner; i++) {
            const double x = element(d->x, (o * d->s.length + a) * d->s.inner + i),
                         y = element(d->x, (o * d->s.length + b) * d->s.inner + i);
            if (x != y)
                return x < y ? -1 : 1;
        }
    return 0;
}

static int compare_items(const void *a, const void *b) {
    const item *x = a, *y = b;
    const int order = compare_slices(x->d, x->at, y->at);
    return order ? order : x->at < y->at ? -1 : 1;
}

/* Numbers the runs of equal items; their first item has the smallest index. */
static void number_runs(distinct *d, const item *sorted) {
    for (size_t i = 0; i < d->s.length; i++) {
        if (i == 0 || compare_slices(d, sorted[i - 1].at, sorted[i].at) != 0) {
            d->first[d->count] = sorted[i].at;
            d->counts[d->count++] = 0;
        }
        d->inverse[sorted[i].at] = d->count - 1;
        d->counts[d->count - 1]++;
    }
}

/* By where they come first. `number` and `was` have room for all. */
static void order_by_place(distinct *d, size_t *number, size_t *was) {
    size_t next = 0;
    for (size_t i = 0; i < d->s.length; i++)
        if (d->first[d->inverse[i]] == i) {
            number[d->inverse[i]] = next;
            was[next++] = d->inverse[i];
        }
    for (size_t i = 0; i < d->s.length; i++)
        d->inverse[i] = number[d->inverse[i]];
    memcpy(number, d->counts, d->count * sizeof *number);
    for (size_t k = 0; k < d->count; k++)
        d->counts[k] = number[was[k]];
    memcpy(number, d->first, d->count * sizeof *number);
    for (size_t k = 0; k < d->count; k++)
        d->first[k] = number[was[k]];
}

static bool find_distinct(const graph *g, const graph_node *n, distinct *d, uint32_t *axis, bool *flat,
                          mica_status *st) {
    *d = (distinct){.x = op_in(g, n, 0)};
    if (!find_slices(g, n, &d->s, axis, flat, st))
        return false;
    const size_t room = d->s.length + 1;
    item *sorted = malloc(room * sizeof *sorted);
    size_t *memory = calloc(5 * room, sizeof *memory);
    if (!sorted || !memory) {
        free(sorted);
        free(memory);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    }
    d->first = memory;
    d->counts = memory + room;
    d->inverse = memory + 2 * room;
    for (size_t i = 0; i < d->s.length; i++)
        sorted[i] = (item){d, i};
    qsort(sorted, d->s.length, sizeof *sorted, compare_items);
    number_runs(d, sorted);
    if (graph_attr_int(n, "sorted", 1) == 0)
        order_by_place(d, memory + 3 * room, memory + 4 * room);
    free(sorted);
    return true;
}

bool infer_unique(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    distinct d;
    uint32_t axis;
    bool flat;
    if (!graph_is_const(&x))
        return refuse(c->g, n, st);
    if (!find_distinct(c->g, n, &d, &axis, &flat, st))
        return false;
    const int64_t count = (int64_t)(op_part(n) == 2 ? d.s.length : d.count);
    free(d.first);
    const graph_value like = op_part(n) ? index_type(&x) : x;
    return set_slices(c, n, &like, &x, flat || op_part(n) > 0, axis, count, st);
}

bool eval_unique(const op_args *a, mica_status *st) {
    distinct d;
    uint32_t axis;
    bool flat;
    if (!find_distinct(a->g, a->n, &d, &axis, &flat, st))
        return false;
    const size_t *const lists[] = {NULL, d.first, d.inverse, d.counts}, *list = lists[op_part(a->n)];
    for (size_t i = 0; list && i < (list == d.inverse ? d.s.length : d.count); i++)
        a->out[0][i] = (double)list[i];
    for (size_t o = 0; !list && o < d.s.outer; o++)
        for (size_t k = 0; k < d.count; k++)
            memcpy(a->out[0] + (o * d.count + k) * d.s.inner,
                   a->in[0] + (o * d.s.length + d.first[k]) * d.s.inner, d.s.inner * sizeof(double));
    free(d.first);
    return true;
}
