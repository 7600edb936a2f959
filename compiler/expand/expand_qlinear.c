/* Integer operators as Conv and MatMul of integers less their zero points. */
#include <stdlib.h>
#include <string.h>

#include "expand/expand.h"
#include "graph/onnx_types.h"
#include "ops/qlinear.h"

static uint32_t cast(expander *x, uint32_t v, int type) {
    expand_int(x, "mica_exact", 1);
    expand_int(x, "to", type);
    return expand_op1(x, "Cast", v);
}

/* A constant as reals. */
static uint32_t constant_reals(expander *x, uint32_t v) {
    const graph_value c = x->g->value[v];
    const size_t n = (size_t)graph_elements(&c);
    double *real = malloc((n + 1) * sizeof *real);
    if (!real) {
        (void)mica_fail(x->st, MICA_ERR_MEMORY, "out of memory");
        return GRAPH_NO_VALUE;
    }
    for (size_t i = 0; i < n; i++)
        real[i] = c.integer ? (double)c.integer[i] : c.real[i];
    const uint32_t made = expand_reals(x, c.rank, c.dim, real);
    free(real);
    return made;
}

/* A constant operand less its constant zero points, as reals. */
static uint32_t constant_less(expander *x, uint32_t v, uint32_t zero, const int64_t *zero_dim) {
    const graph_value c = x->g->value[v], z = x->g->value[zero];
    const size_t n = (size_t)graph_elements(&c);
    graph_value aligned = {.rank = c.rank};
    size_t stride[GRAPH_MAX_RANK];
    int64_t index[GRAPH_MAX_RANK] = {0};
    double *real = malloc((n + 1) * sizeof *real);
    if (!real) {
        (void)mica_fail(x->st, MICA_ERR_MEMORY, "out of memory");
        return GRAPH_NO_VALUE;
    }
    memcpy(aligned.dim, zero_dim, c.rank * sizeof *zero_dim);
    op_broadcast_strides(&aligned, c.rank, stride);
    for (size_t e = 0; e < n; e++) {
        size_t at = 0;
        for (uint32_t i = 0; i < c.rank; i++)
            at += (size_t)index[i] * stride[i];
        real[e] = (double)(c.integer[e] - z.integer[at]);
        (void)op_next_index(index, c.dim, c.rank);
    }
    const uint32_t made = expand_reals(x, c.rank, c.dim, real);
    free(real);
    return made;
}

/* Operand `v` less its zero points, integers held as reals: nothing is rounded. */
static uint32_t less_zero(expander *x, uint32_t v, const graph_value *zero, uint32_t zero_value,
                          uint32_t axis) {
    const graph_value operand = x->g->value[v];
    int64_t dim[GRAPH_MAX_RANK];
    if (zero && !qlinear_aligned(zero, operand.rank, axis, dim))
        return GRAPH_NO_VALUE; /* the shape rule has refused it */
    if (graph_is_const(&operand) && (!zero || graph_is_const(zero)))
        return zero ? constant_less(x, v, zero_value, dim) : constant_reals(x, v);
    if (!zero)
        return cast(x, v, ONNX_FLOAT);
    const bool known = graph_is_const(zero); /* `zero` moves with the graph's values */
    uint32_t z = expand_reshape(x, zero_value, operand.rank, dim);
    if (z == GRAPH_NO_VALUE)
        return z;
    if (known)
        x->g->value[z].onnx_dtype = ONNX_INT32; /* a copy of its own */
    else
        z = cast(x, z, ONNX_INT32);
    return cast(x, expand_op2(x, "Sub", cast(x, v, ONNX_INT32), z), ONNX_FLOAT);
}

/* One factor for every scale, or pair of scales, broadcast over the result. */
static uint32_t factors(expander *x, const qlinear_inputs *in) {
    const graph_value y = x->g->value[x->node.out[0]];
    const graph_value *xs = op_in(x->g, &x->node, in->x_scale), *ws = op_in(x->g, &x->node, in->w_scale);
    const double y_scale = op_in(x->g, &x->node, in->y_scale)->real[0];
    graph_value a = {.rank = y.rank}, b = {.rank = y.rank}, out = {.rank = y.rank};
    size_t stride_a[GRAPH_MAX_RANK], stride_b[GRAPH_MAX_RANK];
    int64_t index[GRAPH_MAX_RANK] = {0};
    if (!qlinear_aligned(xs, y.rank, qlinear_result_axis(in, y.rank, true), a.dim) ||
        !qlinear_aligned(ws, y.rank, qlinear_result_axis(in, y.rank, false), b.dim))
        return GRAPH_NO_VALUE;
    for (uint32_t i = 0; i < y.rank; i++)
        out.dim[i] = a.dim[i] > b.dim[i] ? a.dim[i] : b.dim[i];
    op_broadcast_strides(&a, y.rank, stride_a);
    op_broadcast_strides(&b, y.rank, stride_b);
    const size_t n = (size_t)graph_elements(&out);
    double *factor = malloc((n + 1) * sizeof *factor);
    if (!factor) {
        (void)mica_fail(x->st, MICA_ERR_MEMORY, "out of memory");
        return GRAPH_NO_VALUE;
    }
    for (size_t e = 0; e < n; e++) {
        size_t at_a = 0, at_b = 0;
        for (uint32_t i = 0; i < y.rank; i++) {
            at_a += (size_t)index[i] * stride_a[i];
            at_b += (size_t)index[i] * stride_b[i];
        }
        factor[e] = qlinear_factor(xs->real[at_a], ws->real[at_b], y_scale);
        (void)op_next_index(index, out.dim, out.rank);
    }
    const uint32_t made = expand_reals(x, y.rank, out.dim, factor);
    free(factor);
    return made;
}

static uint32_t input_value(const expander *x, uint32_t i) {
    return i < x->node.n_in ? x->node.in[i] : GRAPH_NO_VALUE;
}

static void keep_window(expander *x) {
    static const char *const kept[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        expand_attr(x, kept[i]);
}

/* The result of Conv or MatMul: integers, as reals. */
static uint32_t product(expander *x, const qlinear_inputs *in) {
    const uint32_t x_rank = op_in(x->g, &x->node, in->x)->rank, w_rank = op_in(x->g, &x->node, in->w)->rank;
    const uint32_t x_zero = input_value(x, in->x_zero), w_zero = input_value(x, in->w_zero);
    const uint32_t a = less_zero(x, x->node.in[in->x], op_in(x->g, &x->node, in->x_zero), x_zero,
                                 qlinear_axis(in, x_rank, true));
    if (a == GRAPH_NO_VALUE)
        return a;
    const uint32_t b = less_zero(x, x->node.in[in->w], op_in(x->g, &x->node, in->w_zero), w_zero,
                                 qlinear_axis(in, w_rank, false));
    if (!in->conv)
        return expand_op2(x, "MatMul", a, b);
    const uint32_t bias = input_value(x, in->bias);
    const uint32_t c = bias == GRAPH_NO_VALUE ? bias : constant_reals(x, bias);
    keep_window(x);
    return bias == GRAPH_NO_VALUE ? expand_op2(x, "Conv", a, b) : expand_op3(x, "Conv", a, b, c);
}

uint32_t expand_qlinear(expander *x) {
    const qlinear_inputs *in = qlinear_inputs_of((op_kind)x->node.kind);
    const bool scaled = in->y_scale != GRAPH_NO_VALUE;
    const uint32_t bias = input_value(x, in->bias);
    if (bias != GRAPH_NO_VALUE && !graph_is_const(&x->g->value[bias])) {
        (void)op_fail_varying(x->g, &x->node, in->bias, OP_NEEDS_CONSTANT, x->st);
        return GRAPH_NO_VALUE;
    }
    const uint32_t y = product(x, in);
    if (y == GRAPH_NO_VALUE)
        return y;
    expand_int(x, "mica_exact", 1);
    expand_int(x, "to", ONNX_INT32);
    if (!scaled)
        expand_last(x);
    const uint32_t sum = expand_op1(x, "Cast", y);
    if (!scaled || sum == GRAPH_NO_VALUE)
        return sum;
    const uint32_t factor = factors(x, in);
    expand_last(x);
    return expand_op3(x, "mica.Requantize", sum, factor, x->node.in[in->y_zero]);
}
