/* QuantizeLinear and DequantizeLinear: one scale and zero point for a tensor, an axis, or blocks along an
 * axis. */
#include "ops/quantise.h"

#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "reference/float_math.h"

/* Which scale each element has: that of block * blocks + part, by row-major position. */
typedef struct scale_map {
    size_t inner, size, block; /* elements behind the axis; along it; along one block */
    size_t blocks;             /* along the axis; 0 for a single scale */
    bool repeated;             /* one list for every row of the axes before and behind */
} scale_map;

static size_t scale_of(const scale_map *m, size_t e) {
    if (m->blocks == 0)
        return 0;
    const size_t part = e / m->inner % m->size / m->block;
    return m->repeated ? part : (e / m->inner / m->size * m->blocks + part) * m->inner + e % m->inner;
}

static bool same_shape(const graph_value *a, const graph_value *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, a->rank * sizeof *a->dim) == 0;
}

static bool shapes_fit(const graph_value *x, const graph_value *s, uint32_t axis, int64_t block) {
    if (block == 0)
        return s->rank == 1 && s->dim[0] == x->dim[axis];
    bool fit = block > 0 && s->rank == x->rank;
    for (uint32_t i = 0; fit && i < x->rank; i++)
        fit = s->dim[i] == (i == axis ? x->dim[i] / block + (x->dim[i] % block != 0) : x->dim[i]);
    return fit;
}

static bool map_scales(scale_map *m, const graph *g, const graph_node *n, uint32_t *axis, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *s = op_in(g, n, 1), *zero = op_in(g, n, 2);
    const int64_t block = graph_attr_int(n, "block_size", 0);
    *m = (scale_map){.inner = 1, .size = 1, .block = 1};
    *axis = 0;
    const bool single = graph_elements(s) == 1 && s->rank <= 1;
    if (zero && !(single ? graph_elements(zero) == 1 : same_shape(s, zero)))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "scales and zero points have different shapes");
    if (single)
        return true;
    if (!op_axis(g, n, "axis", 1, x->rank, 0, axis, st))
        return false;
    if (!shapes_fit(x, s, *axis, block))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the scales do not fit axis %u of the input", *axis);
    for (uint32_t i = *axis + 1; i < x->rank; i++)
        m->inner *= (size_t)x->dim[i];
    m->size = (size_t)x->dim[*axis];
    m->block = block ? (size_t)block : 1;
    m->blocks = (m->size + m->block - 1) / m->block;
    m->repeated = block == 0;
    return true;
}

bool quantise_range(int type, double *lo, double *hi) {
    const unsigned bits = onnx_type_bits(type);
    if (onnx_type_float(type) || type == ONNX_BOOL || bits < 4 || bits > 16)
        return false;
    const double all = (double)(1u << bits);
    *lo = onnx_type_signed(type) ? -all / 2 : 0;
    *hi = *lo + all - 1;
    return true;
}

bool quantise_result_range(const graph *g, const graph_node *n, double *lo, double *hi) {
    const int64_t bits = graph_attr_int(n, "mica_bits", 0);
    if (bits < 2 || bits > 16)
        return quantise_range(op_out(g, n, 0)->onnx_dtype, lo, hi);
    *lo = -(double)(1u << (bits - 1));
    *hi = -*lo - 1;
    return true;
}

bool quantise_points_create(quantise_points *p, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *s = op_in(g, n, 1), *z = op_in(g, n, 2);
    scale_map m;
    uint32_t axis;
    *p = (quantise_points){.rank = x->rank};
    if (!s->real || (z && !z->integer))
        return op_fail_varying(g, n, s->real ? 2 : 1, OP_NEEDS_CONSTANT, st);
    if (!map_scales(&m, g, n, &axis, st))
        return false;
    p->n = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        const bool varies = m.blocks > 0 && (i == axis || !m.repeated);
        p->dim[i] = varies ? x->dim[i] : 1;
        p->n *= (size_t)p->dim[i];
    }
    p->scale = malloc((p->n + 1) * sizeof *p->scale);
    p->zero = malloc((p->n + 1) * sizeof *p->zero);
    if (!p->scale || !p->zero) {
        quantise_points_free(p);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < p->n; i++) {
        const size_t at = scale_of(&m, m.repeated ? i * m.inner : i);
        p->scale[i] = s->real[at];
        p->zero[i] = z ? (double)z->integer[at] : 0;
    }
    return true;
}

void quantise_points_free(quantise_points *p) {
    free(p->scale);
    free(p->zero);
    *p = (quantise_points){0};
}

/* The output has the input's shape. */
static bool infer_shape_of(op_context *c, const graph_node *n, int type, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *s = op_in(c->g, n, 1), *zero = op_in(c->g, n, 2);
    const graph_value like = {.dtype = onnx_type_float(type) ? DTYPE_FLOAT : DTYPE_INT, .onnx_dtype = type};
    int64_t dim[GRAPH_MAX_RANK];
    scale_map m;
    uint32_t axis;
    if (s->dtype != DTYPE_FLOAT || (zero && zero->dtype != DTYPE_INT))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "supported are real scales and integer zero points");
    if (!map_scales(&m, c->g, n, &axis, st))
        return false;
    if (s->batched || (zero && zero->batched) || (x->batched && m.blocks && (axis == 0 || !m.repeated)))
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x->rank; i++)
        dim[i] = x->dim[i];
    return op_set_output(c, n, &like, x->rank, dim, x->batched, st);
}

bool infer_quantizelinear(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *zero = op_in(c->g, n, 2);
    const int named = (int)graph_attr_int(n, "output_dtype", 0);
    const int type = zero ? zero->onnx_dtype : named ? named : ONNX_UINT8;
    double lo, hi;
    if (zero && named && named != type)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "output_dtype is %d, the zero point's type is %d", named,
                       type);
    if (x->dtype != DTYPE_FLOAT && x->onnx_dtype != ONNX_INT32)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "element type %d of input 0; floating-point and int32 are supported", x->onnx_dtype);
    if (!quantise_range(type, &lo, &hi))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "its result has element type %d; supported are integers of 4, 8 and 16 bits", type);
    return infer_shape_of(c, n, type, st);
}

bool infer_dequantizelinear(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *zero = op_in(c->g, n, 2);
    if (x->dtype != DTYPE_INT || (zero && zero->onnx_dtype != x->onnx_dtype))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input and zero point must be of one integer type");
    return infer_shape_of(c, n, op_in(c->g, n, 1)->onnx_dtype, st);
}

bool eval_quantizelinear(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    const bool zero = op_in(a->g, a->n, 2) != NULL;
    scale_map m;
    uint32_t axis;
    double lo, hi;
    if (!map_scales(&m, a->g, a->n, &axis, st) || !quantise_result_range(a->g, a->n, &lo, &hi))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const size_t i = scale_of(&m, e);
        const double v = fm_round_even(a->in[0][e] / a->in[1][i]) + (zero ? a->in[2][i] : 0);
        a->out[0][e] = v > hi ? hi : v > lo ? v : lo;
    }
    return true;
}

bool eval_dequantizelinear(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    const bool zero = op_in(a->g, a->n, 2) != NULL;
    scale_map m;
    uint32_t axis;
    if (!map_scales(&m, a->g, a->n, &axis, st))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const size_t i = scale_of(&m, e);
        a->out[0][e] = (a->in[0][e] - (zero ? a->in[2][i] : 0)) * a->in[1][i];
    }
    return true;
}

/* --- DynamicQuantizeLinear: y, y_scale, y_zero_point --- */

#define STEPS 255 /* of uint8 */

bool infer_dynamicquantizelinear(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    const bool scale = op_part(n) == 1;
    const graph_value like = {.dtype = scale ? DTYPE_FLOAT : DTYPE_INT,
                              .onnx_dtype = scale ? x.onnx_dtype : ONNX_UINT8};
    if (!op_all_float(c->g, n, st))
        return false;
    if (x.batched) /* the extremes of all items */
        return op_mixes_batch(c);
    return op_set_output(c, n, &like, op_part(n) == 0 ? x.rank : 0, x.dim, false, st);
}

bool eval_dynamicquantizelinear(const op_args *a, mica_status *st) {
    const size_t n = (size_t)graph_elements(op_in(a->g, a->n, 0));
    double low = 0, high = 0;
    (void)st;
    for (size_t i = 0; i < n; i++) {
        low = a->in[0][i] < low ? a->in[0][i] : low;
        high = a->in[0][i] > high ? a->in[0][i] : high;
    }
    const double range = high - low, zero = range > 0 ? fm_round_even(-low / range * STEPS) : 0;
    if (op_part(a->n) == 1)
        a->out[0][0] = range / STEPS;
    if (op_part(a->n) == 2)
        a->out[0][0] = zero;
    for (size_t i = 0; op_part(a->n) == 0 && i < n; i++) {
        const double v = (range > 0 ? fm_round_even(a->in[0][i] / range * STEPS) : 0) + zero;
        a->out[0][i] = v < 0 ? 0 : v > STEPS ? STEPS : v;
    }
    return true;
}
