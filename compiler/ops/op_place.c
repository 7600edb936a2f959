/* CenterCropPad, Col2Im, MaxUnpool: elements that are placed in a larger or smaller tensor. */
#include <string.h>

#include "ops/place.h"

/* --- CenterCropPad --- */

/* along[i]: first input entry of output entry 0 of axis i; negative where it is padded. */
typedef struct centred {
    int64_t in[GRAPH_MAX_RANK], out[GRAPH_MAX_RANK], shift[GRAPH_MAX_RANK];
} centred;

static bool read_centred(centred *p, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    op_ints axes, shape;
    uint32_t set;
    if (!op_int_list(g, n, UINT32_MAX, "axes", &axes, st) || !op_axis_set(g, n, &axes, x->rank, &set, st) ||
        !op_int_list(g, n, 1, NULL, &shape, st))
        return false;
    if (shape.n != (axes.v ? axes.n : x->rank))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "it takes a size for each of its axes");
    for (uint32_t i = 0; i < x->rank; i++)
        p->in[i] = p->out[i] = x->dim[i];
    for (size_t i = 0; i < shape.n; i++) {
        const size_t axis = axes.v ? (size_t)(axes.v[i] + (axes.v[i] < 0 ? x->rank : 0)) : i;
        if (shape.v[i] < 0 || shape.v[i] > GRAPH_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "size %lld of axis %zu", (long long)shape.v[i], axis);
        p->out[axis] = shape.v[i];
    }
    for (uint32_t i = 0; i < x->rank; i++) /* the odd cell is cut off, or added, at the end */
        p->shift[i] = p->in[i] > p->out[i] ? (p->in[i] - p->out[i]) / 2 : -((p->out[i] - p->in[i]) / 2);
    return true;
}

bool infer_centercroppad(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    centred p;
    if (!read_centred(&p, c->g, n, st))
        return false;
    if (x->batched && p.out[0] != x->dim[0])
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank, p.out, x->batched, st);
}

static int64_t centred_source(const void *how, uint32_t axis, int64_t i) {
    const centred *p = how;
    const int64_t at = i + p->shift[axis];
    return at >= 0 && at < p->in[axis] ? at : -1;
}

bool eval_centercroppad(const op_args *a, mica_status *st) {
    centred p;
    if (!read_centred(&p, a->g, a->n, st))
        return false;
    op_move_axes(a, centred_source, &p, 0);
    return true;
}

/* --- Col2Im --- */

/* Attribute `name`: `count` integers in [least, 2^31), `otherwise` where it is absent. */
static bool read_list(const graph *g, const graph_node *n, const char *name, size_t count, int64_t least,
                      int64_t otherwise, int64_t *v, mica_status *st) {
    op_ints list;
    if (!op_int_list(g, n, UINT32_MAX, name, &list, st))
        return false;
    for (size_t i = 0; i < count; i++) {
        v[i] = list.v && list.n == count ? list.v[i] : otherwise;
        if ((list.v && list.n != count) || v[i] < least || v[i] >= GRAPH_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "%s does not fit its other shapes", name);
    }
    return true;
}

/* Constant input `input`: a list of at most `most` sizes >= 1. */
static bool read_shape(const graph *g, const graph_node *n, uint32_t input, size_t most, op_ints *shape,
                       mica_status *st) {
    if (!op_int_list(g, n, input, NULL, shape, st))
        return false;
    bool ok = shape->v && shape->n >= 1 && shape->n <= most;
    for (size_t i = 0; ok && i < shape->n; i++)
        ok = shape->v[i] >= 1 && shape->v[i] < GRAPH_MAX_ELEMENTS;
    return ok || op_fail(g, n, st, MICA_ERR_FORMAT, "input %u is not a list of sizes", input);
}

bool col2im_read(col2im *p, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    int64_t pads[2 * GRAPH_MAX_RANK], cells = 1, positions = 1;
    op_ints image, block;
    if (!read_shape(g, n, 1, GRAPH_MAX_RANK - 2, &image, st) ||
        !read_shape(g, n, 2, GRAPH_MAX_RANK - 2, &block, st))
        return false;
    p->n = (uint32_t)image.n;
    if (block.n != image.n || x->rank != 3 || x->dtype != DTYPE_FLOAT)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "it takes reals [batch, channels * block, positions]");
    if (!read_list(g, n, "strides", p->n, 1, 1, p->stride, st) ||
        !read_list(g, n, "dilations", p->n, 1, 1, p->dilation, st) ||
        !read_list(g, n, "pads", 2 * (size_t)p->n, 0, 0, pads, st))
        return false;
    for (uint32_t d = 0; d < p->n; d++) {
        p->image[d] = image.v[d];
        p->block[d] = block.v[d];
        p->pad_begin[d] = pads[d];
        p->pad_end[d] = pads[p->n + d];
        const int64_t room = image.v[d] + pads[d] + pads[p->n + d] - 1; /* < 2^33 */
        int64_t span;
        if (__builtin_mul_overflow(p->dilation[d], block.v[d] - 1, &span) || span > room)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "the block is larger than the image");
        p->positions[d] = (room - span) / p->stride[d] + 1;
        if (__builtin_mul_overflow(cells, p->block[d], &cells) ||
            __builtin_mul_overflow(positions, p->positions[d], &positions))
            return op_fail(g, n, st, MICA_ERR_LIMIT, "its shapes are too large");
    }
    p->cells = cells;
    if (x->dim[1] % cells || x->dim[2] != positions)
        return op_fail(g, n, st, MICA_ERR_FORMAT,
                       "blocks of %lld cells at %lld positions do not fit the input", (long long)cells,
                       (long long)positions);
    return true;
}

bool infer_col2im(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    col2im p;
    if (!col2im_read(&p, c->g, n, st))
        return false;
    dim[0] = x->dim[0];
    dim[1] = x->dim[1] / p.cells;
    memcpy(dim + 2, p.image, p.n * sizeof *dim);
    return op_set_output(c, n, x, 2 + p.n, dim, x->batched, st);
}

/* One channel: x [cells, positions], y [image]. */
static void add_blocks(const col2im *p, const double *x, double *y) {
    int64_t k[GRAPH_MAX_RANK] = {0};
    do {
        int64_t o[GRAPH_MAX_RANK] = {0};
        do {
            int64_t at = 0;
            bool inside = true;
            for (uint32_t d = 0; d < p->n; d++) {
                const int64_t i = o[d] * p->stride[d] + k[d] * p->dilation[d] - p->pad_begin[d];
                inside &= i >= 0 && i < p->image[d];
                at = at * p->image[d] + i;
            }
            if (inside)
                y[at] += *x;
            x++;
        } while (op_next_index(o, p->positions, p->n));
    } while (op_next_index(k, p->block, p->n));
}

bool eval_col2im(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    col2im p;
    if (!col2im_read(&p, a->g, a->n, st))
        return false;
    const size_t plane = (size_t)op_product(p.image, p.n), block = (size_t)(p.cells * x->dim[2]);
    memset(a->out[0], 0, (size_t)graph_elements(y) * sizeof(double));
    for (size_t c = 0; c < (size_t)(y->dim[0] * y->dim[1]); c++)
        add_blocks(&p, a->in[0] + c * block, a->out[0] + c * plane);
    return true;
}

/* --- MaxUnpool --- */

bool unpool_shape(const graph *g, const graph_node *n, int64_t *dim, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *at = op_in(g, n, 1);
    int64_t kernel[GRAPH_MAX_RANK], stride[GRAPH_MAX_RANK], pads[2 * GRAPH_MAX_RANK];
    if (x->rank < 3 || at->rank != x->rank || memcmp(x->dim, at->dim, x->rank * sizeof *x->dim) != 0)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "values and indices need one shape of at least 3 axes");
    const uint32_t d = x->rank - 2;
    if (!graph_attr_find(n, "kernel_shape"))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "kernel_shape is missing");
    if (!read_list(g, n, "kernel_shape", d, 1, 1, kernel, st) ||
        !read_list(g, n, "strides", d, 1, 1, stride, st) ||
        !read_list(g, n, "pads", 2 * (size_t)d, 0, 0, pads, st))
        return false;
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    for (uint32_t i = 0; i < d; i++) {
        int64_t size;
        if (__builtin_mul_overflow(x->dim[2 + i] - 1, stride[i], &size) || size > GRAPH_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_LIMIT, "its output is too large");
        dim[2 + i] = size + kernel[i] - pads[i] - pads[d + i];
        if (dim[2 + i] < 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "its padding leaves nothing of axis %u", 2 + i);
    }
    return true;
}

bool infer_maxunpool(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    op_ints shape;
    if (!unpool_shape(c->g, n, dim, st) || !op_int_list(c->g, n, 2, NULL, &shape, st))
        return false;
    if (op_in(c->g, n, 1)->dtype != DTYPE_INT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the indices are no integers");
    if (x->batched) /* indices count over the whole batch */
        return op_mixes_batch(c);
    if (shape.v && shape.n != x->rank)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "output_shape has %zu entries", shape.n);
    for (uint32_t i = 0; shape.v && i < x->rank; i++) {
        if (shape.v[i] < dim[i])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "output_shape is smaller than what is unpooled");
        dim[i] = shape.v[i];
    }
    return op_set_output(c, n, x, x->rank, dim, false, st);
}

/* Indices count cells of the unpooled shape, which lies in the first corner of the output's. */
bool eval_maxunpool(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    int64_t dim[GRAPH_MAX_RANK] = {0};
    if (!unpool_shape(a->g, a->n, dim, st))
        return false;
    const int64_t cells = op_product(dim, x->rank);
    memset(a->out[0], 0, (size_t)graph_elements(y) * sizeof(double));
    for (size_t e = 0; e < (size_t)graph_elements(x); e++) {
        int64_t at, to = 0, step = 1;
        if (!op_index(a, a->in[1][e], cells, &at, st))
            return false;
        for (uint32_t i = x->rank; i-- > 0;) {
            to += at % dim[i] * step;
            at /= dim[i];
            step *= y->dim[i];
        }
        a->out[0][to] = a->in[0][e];
    }
    return true;
}
