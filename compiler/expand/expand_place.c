/* Col2Im and MaxUnpool. */
#include <string.h>

#include "expand/expand.h"
#include "ops/place.h"

/* ones[c * cells + k] at cell k of a block, for each of `channels` channels: [channels * cells, 1, block...].
 */
static uint32_t unit_blocks(expander *x, const col2im *p, int64_t channels) {
    int64_t dim[GRAPH_MAX_RANK] = {channels * p->cells, 1};
    const size_t cells = (size_t)p->cells, n = (size_t)channels * cells;
    double *one = graph_alloc(x->g, n * cells + 1, sizeof *one, x->st);
    if (!one)
        return GRAPH_NO_VALUE;
    for (size_t i = 0; i < n; i++)
        one[i * cells + i % cells] = 1;
    memcpy(dim + 2, p->block, p->n * sizeof *dim);
    return expand_reals(x, 2 + p->n, dim, one);
}

/* A transposed convolution, channel by channel, that puts cell k of every block in its place. */
uint32_t expand_col2im(expander *x) {
    const graph_value v = *op_in(x->g, &x->node, 0);
    int64_t dim[GRAPH_MAX_RANK] = {v.dim[0], v.dim[1]}, pads[2 * GRAPH_MAX_RANK], rest[GRAPH_MAX_RANK];
    col2im p;
    if (!col2im_read(&p, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    memcpy(dim + 2, p.positions, p.n * sizeof *dim);
    for (uint32_t d = 0; d < p.n; d++) {
        const int64_t span = p.stride[d] * (p.positions[d] - 1) + p.dilation[d] * (p.block[d] - 1) + 1;
        pads[d] = p.pad_begin[d];
        pads[p.n + d] = p.pad_end[d];
        rest[d] = p.image[d] + p.pad_begin[d] + p.pad_end[d] - span;
    }
    const int64_t channels = v.dim[1] / p.cells;
    const uint32_t blocks = expand_reshape(x, x->node.in[0], 2 + p.n, dim),
                   ones = unit_blocks(x, &p, channels);
    expand_int(x, "group", channels);
    expand_ints(x, "kernel_shape", p.n, p.block);
    expand_ints(x, "strides", p.n, p.stride);
    expand_ints(x, "dilations", p.n, p.dilation);
    expand_ints(x, "pads", 2 * (size_t)p.n, pads);
    expand_ints(x, "output_padding", p.n, rest);
    expand_last(x);
    return expand_op2(x, "ConvTranspose", blocks, ones);
}

/* Values that replace zeros at their places, and zeros around. */
uint32_t expand_maxunpool(expander *x) {
    const graph_value v = *op_in(x->g, &x->node, 0), y = *op_out(x->g, &x->node, 0);
    const int64_t count = (int64_t)graph_elements(&v);
    int64_t dim[GRAPH_MAX_RANK], pads[2 * GRAPH_MAX_RANK] = {0};
    if (!unpool_shape(x->g, &x->node, dim, x->st))
        return GRAPH_NO_VALUE;
    const int64_t cells = op_product(dim, v.rank);
    double *zero = graph_alloc(x->g, (size_t)cells + 1, sizeof *zero, x->st);
    if (!zero)
        return GRAPH_NO_VALUE;
    const uint32_t values = expand_reshape(x, x->node.in[0], 1, &count),
                   places = expand_reshape(x, x->node.in[1], 1, &count),
                   zeros = expand_reals(x, 1, &cells, zero);
    const uint32_t flat = expand_op3(x, "ScatterElements", zeros, places, values);
    const uint32_t list = expand_list(x, v.rank, dim);
    if (!memcmp(dim, y.dim, v.rank * sizeof *dim)) {
        expand_last(x);
        return expand_op2(x, "Reshape", flat, list);
    }
    const uint32_t corner = expand_op2(x, "Reshape", flat, list);
    for (uint32_t i = 0; i < v.rank; i++)
        pads[v.rank + i] = y.dim[i] - dim[i];
    if (x->g->opset < 11) {
        expand_ints(x, "pads", 2 * (size_t)v.rank, pads);
        expand_last(x);
        return expand_op1(x, "Pad", corner);
    }
    const uint32_t around = expand_list(x, 2 * (size_t)v.rank, pads);
    expand_last(x);
    return expand_op2(x, "Pad", corner, around);
}
