/* InstanceNormalization, LayerNormalization, GroupNormalization, MeanVarianceNormalization, LRN, LogSoftmax,
 * GlobalMaxPool, GlobalLpPool, LpPool: shape rules and references of operators that others make up.
 */
#include <math.h>

#include "ops/reduce.h"
#include "ops/window.h"
#include "reference/float_math.h"

static uint32_t axes_from(const graph_value *x, uint32_t first) {
    return first >= x->rank ? 0 : ((1u << x->rank) - 1) & ~((1u << first) - 1);
}

/* A rule of operators that keep the input's shape and run along `axes`. */
static bool keep_shape(op_context *c, const graph_node *n, uint32_t axes, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    for (uint32_t i = 1; i < n->n_in; i++)
        if (op_in(c->g, n, i) && op_in(c->g, n, i)->batched)
            return op_mixes_batch(c);
    if (x->batched && axes & 1)
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x->rank; i++)
        if (x->dim[i] == 0)
            return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "an empty input");
    return op_set_output_like(c, n, x, st);
}

static bool needs_channels(const op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) &&
           (op_in(c->g, n, 0)->rank >= 2 ||
            op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input needs batch and channel axes"));
}

static bool is_vector(const op_context *c, const graph_node *n, uint32_t i, int64_t length, mica_status *st) {
    const graph_value *v = op_in(c->g, n, i);
    return (v->rank == 1 && v->dim[0] == length) ||
           op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u needs %lld elements", i, (long long)length);
}

static double epsilon_of(const op_args *a) {
    return graph_attr_float(a->n, "epsilon", (double)1e-5f);
}

/* --- normalisations by mean and variance --- */

/* y := (x - mean) / (sqrt(variance + epsilon) + extra) along each row. */
static bool normalise_rows(const op_args *a, uint32_t axes, double epsilon, double extra, mica_status *st) {
    const double *x = a->in[0];
    reduce_walk w;
    if (!reduce_walk_create(&w, op_in(a->g, a->n, 0), axes, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < w.length; i++)
            mean += x[w.row[j] + w.cell[i]];
        mean /= (double)w.length;
        for (size_t i = 0; i < w.length; i++) {
            const double d = x[w.row[j] + w.cell[i]] - mean;
            variance += d * d;
        }
        const double deviation = sqrt(variance / (double)w.length + epsilon) + extra;
        for (size_t i = 0; i < w.length; i++)
            a->out[0][w.row[j] + w.cell[i]] = (x[w.row[j] + w.cell[i]] - mean) / deviation;
    }
    reduce_walk_free(&w);
    return true;
}

/* LpNormalization: a row of zeros stays one. */
bool infer_lpnormalization(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const int64_t p = graph_attr_int(n, "p", 2);
    uint32_t axis;
    if (p != 1 && p != 2)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "p %lld; the standard has 1 and 2", (long long)p);
    return op_all_float(c->g, n, st) && op_axis(c->g, n, "axis", -1, x->rank, 0, &axis, st) &&
           keep_shape(c, n, 1u << axis, st);
}

bool eval_lpnormalization(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const bool squares = graph_attr_int(a->n, "p", 2) == 2;
    uint32_t axis;
    reduce_walk w;
    if (!op_axis(a->g, a->n, "axis", -1, x->rank, 0, &axis, st) || !reduce_walk_create(&w, x, 1u << axis, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++) {
        double sum = 0;
        for (size_t i = 0; i < w.length; i++) {
            const double v = a->in[0][w.row[j] + w.cell[i]];
            sum += squares ? v * v : fabs(v);
        }
        const double norm = squares ? sqrt(sum) : sum;
        for (size_t i = 0; i < w.length; i++)
            a->out[0][w.row[j] + w.cell[i]] = norm > 0 ? a->in[0][w.row[j] + w.cell[i]] / norm : 0;
    }
    reduce_walk_free(&w);
    return true;
}

/* mica.Variance: x and its mean along `axes`, with or without axes of size 1 in their places. */
bool infer_variance(op_context *c, const graph_node *n, mica_status *st) {
    return op_set_output_like(c, n, op_in(c->g, n, 1), st);
}

bool eval_variance(const op_args *a, mica_status *st) {
    reduce_walk w;
    if (!reduce_walk_create(&w, op_in(a->g, a->n, 0), reduce_listed_axes(a->n), st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++) {
        double sum = 0;
        for (size_t i = 0; i < w.length; i++) {
            const double d = a->in[0][w.row[j] + w.cell[i]] - a->in[1][j];
            sum += d * d;
        }
        a->out[0][j] = sum / (double)w.length;
    }
    reduce_walk_free(&w);
    return true;
}

/* y := y scale[k] + bias[k], k counting runs of `plane` elements modulo `count`. */
static void scale_planes(const op_args *a, size_t plane, size_t count) {
    const size_t n = (size_t)graph_elements(op_out(a->g, a->n, 0));
    for (size_t i = 0; i < n; i++) {
        const size_t k = i / plane % count;
        a->out[0][i] = a->out[0][i] * a->in[1][k] + a->in[2][k];
    }
}

static size_t plane_of(const graph_value *x) {
    size_t n = 1;
    for (uint32_t i = 2; i < x->rank; i++)
        n *= (size_t)x->dim[i];
    return n;
}

bool infer_instancenorm(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    return needs_channels(c, n, st) && is_vector(c, n, 1, x->dim[1], st) &&
           is_vector(c, n, 2, x->dim[1], st) && keep_shape(c, n, axes_from(x, 2), st);
}

bool eval_instancenorm(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    if (!normalise_rows(a, axes_from(x, 2), epsilon_of(a), 0, st))
        return false;
    scale_planes(a, plane_of(x), (size_t)x->dim[1]);
    return true;
}

bool infer_groupnorm(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const int64_t groups = graph_attr_int(n, "num_groups", 0);
    if (!needs_channels(c, n, st))
        return false;
    if (groups < 1 || x->dim[1] % groups != 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "%lld channels in %lld groups", (long long)x->dim[1],
                       (long long)groups);
    const int64_t length = c->g->opset < 21 ? groups : x->dim[1];
    return is_vector(c, n, 1, length, st) && is_vector(c, n, 2, length, st) &&
           keep_shape(c, n, axes_from(x, 2), st);
}

bool eval_groupnorm(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const size_t groups = (size_t)graph_attr_int(a->n, "num_groups", 0), channels = (size_t)x->dim[1];
    const size_t row = plane_of(x) * (channels / groups), rows = (size_t)graph_elements(x) / row;
    for (size_t j = 0; j < rows; j++) { /* a group is contiguous: a one-dimensional row */
        const double *from = a->in[0] + j * row;
        double mean = 0, variance = 0;
        for (size_t i = 0; i < row; i++)
            mean += from[i] / (double)row;
        for (size_t i = 0; i < row; i++)
            variance += (from[i] - mean) * (from[i] - mean) / (double)row;
        for (size_t i = 0; i < row; i++)
            a->out[0][j * row + i] = (from[i] - mean) / sqrt(variance + epsilon_of(a));
    }
    (void)st;
    if (a->g->opset < 21)
        scale_planes(a, row, groups);
    else
        scale_planes(a, plane_of(x), channels);
    return true;
}

bool infer_layernorm(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t axis;
    if (!op_all_float(c->g, n, st) || !op_axis(c->g, n, "axis", -1, x->rank, 0, &axis, st))
        return false;
    for (uint32_t i = 1; i < n->n_in; i++) {
        const graph_value *v = op_in(c->g, n, i);
        for (uint32_t k = 0; v && k < v->rank; k++)
            if (v->rank > x->rank || (v->dim[k] != 1 && v->dim[k] != x->dim[x->rank - v->rank + k]))
                return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u does not broadcast to the input", i);
    }
    if (op_part(n) == 0)
        return keep_shape(c, n, axes_from(x, axis), st);
    graph_value like = *x;
    for (uint32_t i = axis; i < x->rank; i++)
        like.dim[i] = 1;
    return keep_shape(c, n, axes_from(x, axis), st) && op_set_output_like(c, n, &like, st);
}

/* Mean, or 1 / sqrt(variance + epsilon), of each row. */
static bool eval_statistic(const op_args *a, uint32_t axes, mica_status *st) {
    reduce_walk w;
    if (!reduce_walk_create(&w, op_in(a->g, a->n, 0), axes, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < w.length; i++)
            mean += a->in[0][w.row[j] + w.cell[i]] / (double)w.length;
        for (size_t i = 0; i < w.length; i++) {
            const double d = a->in[0][w.row[j] + w.cell[i]] - mean;
            variance += d * d / (double)w.length;
        }
        a->out[0][j] = op_part(a->n) == 1 ? mean : 1 / sqrt(variance + epsilon_of(a));
    }
    reduce_walk_free(&w);
    return true;
}

bool eval_layernorm(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *bias = op_in(a->g, a->n, 2);
    size_t stride[2][GRAPH_MAX_RANK] = {{0}};
    int64_t index[GRAPH_MAX_RANK] = {0};
    uint32_t axis;
    if (!op_axis(a->g, a->n, "axis", -1, x->rank, 0, &axis, st))
        return false;
    if (op_part(a->n) > 0)
        return eval_statistic(a, axes_from(x, axis), st);
    if (!normalise_rows(a, axes_from(x, axis), epsilon_of(a), 0, st))
        return false;
    op_broadcast_strides(op_in(a->g, a->n, 1), x->rank, stride[0]);
    if (bias)
        op_broadcast_strides(bias, x->rank, stride[1]);
    for (size_t e = 0; e < (size_t)graph_elements(x); e++) {
        size_t at[2] = {0, 0};
        for (uint32_t d = 0; d < x->rank; d++) {
            at[0] += (size_t)index[d] * stride[0][d];
            at[1] += (size_t)index[d] * stride[1][d];
        }
        a->out[0][e] = a->out[0][e] * a->in[1][at[0]] + (bias ? a->in[2][at[1]] : 0);
        op_next_index(index, x->dim, x->rank);
    }
    return true;
}

bool mvn_axes(const graph *g, const graph_node *n, uint32_t *axes, mica_status *st) {
    static const int64_t usual[3] = {0, 2, 3};
    const graph_attr *attr = graph_attr_find(n, "axes");
    const uint32_t rank = op_in(g, n, 0)->rank;
    const bool given = attr && attr->type == ATTR_INTS;
    *axes = 0;
    for (size_t i = 0; i < (given ? attr->n : 3); i++) {
        const int64_t d = given ? attr->ints[i] : usual[i];
        if (d < -(int64_t)rank || d >= (int64_t)rank)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %lld is outside an input of %u dimensions",
                           (long long)d, rank);
        *axes |= 1u << (d < 0 ? d + rank : d);
    }
    return true;
}

bool infer_mvn(op_context *c, const graph_node *n, mica_status *st) {
    uint32_t axes;
    return op_all_float(c->g, n, st) && mvn_axes(c->g, n, &axes, st) && keep_shape(c, n, axes, st);
}

bool eval_mvn(const op_args *a, mica_status *st) {
    uint32_t axes;
    return mvn_axes(a->g, a->n, &axes, st) && normalise_rows(a, axes, 0, 1e-9, st);
}

/* --- LRN --- */

#define LRN_MAX_CHANNELS 8192 /* its sums become a matrix of channels by channels */

bool infer_lrn(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    if (!needs_channels(c, n, st))
        return false;
    if (x->rank < 3 || graph_attr_int(n, "size", 0) < 1)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "LRN needs spatial axes and a size of at least 1");
    if (x->dim[1] > LRN_MAX_CHANNELS)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "LRN of more than %d channels", LRN_MAX_CHANNELS);
    return keep_shape(c, n, 0, st);
}

bool eval_lrn(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const int64_t size = graph_attr_int(a->n, "size", 1), channels = x->dim[1];
    const double alpha = graph_attr_float(a->n, "alpha", (double)1e-4f);
    const double beta = graph_attr_float(a->n, "beta", 0.75), bias = graph_attr_float(a->n, "bias", 1);
    const size_t plane = plane_of(x), n = (size_t)graph_elements(x);
    (void)st;
    for (size_t e = 0; e < n; e++) {
        const int64_t c = (int64_t)(e / plane) % channels;
        double sum = 0;
        const int64_t first = c - (size - 1) / 2 > 0 ? c - (size - 1) / 2 : 0;
        const int64_t last = size / 2 < channels - 1 - c ? c + size / 2 : channels - 1;
        for (int64_t j = first; j <= last; j++) {
            const double v = a->in[0][(size_t)((int64_t)e + (j - c) * (int64_t)plane)];
            sum += v * v;
        }
        a->out[0][e] = a->in[0][e] * fm_pow(bias + alpha / (double)size * sum, -beta);
    }
    return true;
}

/* --- LogSoftmax --- */

bool infer_logsoftmax(op_context *c, const graph_node *n, mica_status *st) {
    uint32_t axes;
    return op_all_float(c->g, n, st) && reduce_normalised_axes(c->g, n, &axes, st) &&
           keep_shape(c, n, axes, st);
}

bool eval_logsoftmax(const op_args *a, mica_status *st) {
    uint32_t axes;
    reduce_walk w;
    if (!reduce_normalised_axes(a->g, a->n, &axes, st) ||
        !reduce_walk_create(&w, op_in(a->g, a->n, 0), axes, st))
        return false;
    for (size_t j = 0; j < w.n_rows; j++) {
        const double *x = a->in[0] + w.row[j];
        double top = x[0], sum = 0;
        for (size_t i = 0; i < w.length; i++)
            top = x[w.cell[i]] > top ? x[w.cell[i]] : top;
        for (size_t i = 0; i < w.length; i++)
            sum += fm_exp(x[w.cell[i]] - top);
        for (size_t i = 0; i < w.length; i++)
            a->out[0][w.row[j] + w.cell[i]] = x[w.cell[i]] - top - fm_log(sum);
    }
    reduce_walk_free(&w);
    return true;
}

/* --- pools --- */

#define LPPOOL_MAX_TAPS  65536
#define LPPOOL_MAX_ORDER 64

static bool infer_global_pool(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    if (!op_all_float(c->g, n, st))
        return false;
    if (x.rank < 3)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "batch, channels and a spatial axis are needed");
    for (uint32_t i = 0; i < x.rank; i++) {
        dim[i] = i < 2 ? x.dim[i] : 1;
        if (x.dim[i] == 0)
            return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "an empty input");
    }
    return op_set_output(c, n, &x, x.rank, dim, x.batched, st);
}

bool infer_global_maxpool(op_context *c, const graph_node *n, mica_status *st) {
    return infer_global_pool(c, n, st);
}

/* Higher orders need tables of powers and roots, whose errors near zero exceed what is promised. */
static bool needs_order(op_context *c, const graph_node *n, mica_status *st) {
    const int64_t p = graph_attr_int(n, "p", 2);
    return (p >= 1 && p <= LPPOOL_MAX_ORDER) ||
           op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "p %lld; 1 to %d are supported", (long long)p,
                   LPPOOL_MAX_ORDER);
}

bool infer_global_lppool(op_context *c, const graph_node *n, mica_status *st) {
    return needs_order(c, n, st) && infer_global_pool(c, n, st);
}

bool eval_global_maxpool(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const size_t plane = plane_of(x), planes = (size_t)graph_elements(x) / plane;
    (void)st;
    for (size_t j = 0; j < planes; j++) {
        a->out[0][j] = a->in[0][j * plane];
        for (size_t i = 1; i < plane; i++)
            a->out[0][j] = a->in[0][j * plane + i] > a->out[0][j] ? a->in[0][j * plane + i] : a->out[0][j];
    }
    return true;
}

static double power_of_magnitude(double x, int64_t p) {
    return p == 2 ? x * x : p == 1 ? fabs(x) : fm_pow(fabs(x), (double)p);
}

static double root_of_sum(double sum, int64_t p) {
    return p == 2 ? sqrt(sum) : p == 1 ? sum : fm_pow(sum, 1 / (double)p);
}

bool eval_global_lppool(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const size_t plane = plane_of(x), planes = (size_t)graph_elements(x) / plane;
    const int64_t p = graph_attr_int(a->n, "p", 2);
    (void)st;
    for (size_t j = 0; j < planes; j++) {
        double sum = 0;
        for (size_t i = 0; i < plane; i++)
            sum += power_of_magnitude(a->in[0][j * plane + i], p);
        a->out[0][j] = root_of_sum(sum, p);
    }
    return true;
}

bool infer_lppool(op_context *c, const graph_node *n, mica_status *st) {
    op_window w;
    int64_t taps = 1;
    if (!needs_order(c, n, st) || !infer_avgpool(c, n, st) || !op_window_resolve(&w, c->g, n, st))
        return false;
    for (uint32_t d = 0; d < w.n; d++)
        if (__builtin_mul_overflow(taps, w.kernel[d], &taps) || taps > LPPOOL_MAX_TAPS)
            return op_fail(c->g, n, st, MICA_ERR_LIMIT, "windows of more than %d cells", LPPOOL_MAX_TAPS);
    return true;
}

/* Sum over the window's taps inside the input. */
static double window_sum(const op_window *w, const int64_t *o, const double *x, int64_t p) {
    int64_t k[GRAPH_MAX_RANK] = {0};
    double sum = 0;
    do {
        size_t at = 0;
        bool inside = true;
        for (uint32_t d = 0; d < w->n; d++) {
            const int64_t i = o[d] * w->stride[d] - w->pad_begin[d] + k[d] * w->dilation[d];
            inside &= i >= 0 && i < w->in[d];
            at = at * (size_t)w->in[d] + (size_t)i;
        }
        sum += inside ? power_of_magnitude(x[at], p) : 0;
    } while (op_next_index(k, w->kernel, w->n));
    return sum;
}

bool eval_lppool(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const int64_t p = graph_attr_int(a->n, "p", 2);
    const size_t plane = plane_of(x), planes = (size_t)graph_elements(x) / (plane ? plane : 1);
    double *y = a->out[0];
    op_window w;
    if (!op_window_resolve(&w, a->g, a->n, st))
        return false;
    if (graph_elements(op_out(a->g, a->n, 0)) == 0)
        return true;
    for (size_t j = 0; j < planes; j++) {
        int64_t o[GRAPH_MAX_RANK] = {0};
        do
            *y++ = root_of_sum(window_sum(&w, o, a->in[0] + j * plane, p), p);
        while (op_next_index(o, w.out, w.n));
    }
    return true;
}
