/* Resize (nearest, linear, cubic) and Upsample, over all coordinate systems of the standard. */
#include <string.h>

#include "ops/op_move.h"
#include "ops/resize.h"

#define WIDTH_ROUNDING 1e-6 /* of a size that is meant to be whole: a float's error */
#define MAX_FACTOR     1024 /* of a region and of Keys' parameter: positions and weights stay finite */

static int64_t floor_of(double x) {
    const int64_t i = (int64_t)x;
    return (double)i > x ? i - 1 : i;
}

static int64_t ceil_of(double x) {
    return -floor_of(-x);
}

/* --- what the node says --- */

static bool read_reals(const graph *g, const graph_node *n, uint32_t input, const char *attr,
                       const double **v, size_t *count, mica_status *st) {
    const graph_value *x = input == UINT32_MAX ? NULL : op_in(g, n, input);
    const graph_attr *a = attr ? graph_attr_find(n, attr) : NULL;
    *v = NULL;
    *count = 0;
    if (x && !graph_is_const(x))
        return op_fail_varying(g, n, input, OP_DECIDES_SHAPE, st);
    if (x && x->real && graph_elements(x)) {
        *v = x->real;
        *count = (size_t)graph_elements(x);
    } else if (a && a->type == ATTR_FLOATS) {
        *v = a->floats;
        *count = a->n;
    }
    return true;
}

static bool read_mode(resize *r, const graph *g, const graph_node *n, mica_status *st) {
    const char *mode = graph_attr_string(n, "mode", "nearest");
    const bool old = g->opset < 11;
    r->mode = !strcmp(mode, "cubic")     ? RESIZE_CUBIC
              : !strcmp(mode, "nearest") ? RESIZE_NEAREST
                                         : RESIZE_LINEAR;
    if (r->mode == RESIZE_LINEAR && strcmp(mode, "linear") != 0)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "mode '%.40s' is unknown", mode);
    r->coordinates =
        old ? "asymmetric" : graph_attr_string(n, "coordinate_transformation_mode", "half_pixel");
    r->nearest = old ? "floor" : graph_attr_string(n, "nearest_mode", "round_prefer_floor");
    r->cubic_a = graph_attr_float(n, "cubic_coeff_a", -0.75);
    r->extrapolation = graph_attr_float(n, "extrapolation_value", 0);
    r->exclude_outside = graph_attr_int(n, "exclude_outside", 0) != 0;
    if (!(r->cubic_a >= -MAX_FACTOR && r->cubic_a <= MAX_FACTOR))
        return op_fail(g, n, st, MICA_ERR_LIMIT, "cubic_coeff_a is %g", r->cubic_a);
    r->antialias = r->mode != RESIZE_NEAREST && graph_attr_int(n, "antialias", 0) != 0;
    static const char *const known[] = {"half_pixel",        "half_pixel_symmetric", "pytorch_half_pixel",
                                        "align_corners",     "asymmetric",           "tf_half_pixel_for_nn",
                                        "tf_crop_and_resize"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(r->coordinates, known[i]))
            return true;
    return op_fail(g, n, st, MICA_ERR_FORMAT, "coordinates '%.40s' are unknown", r->coordinates);
}

/* Axes that scales, sizes and region speak of. */
static bool read_axes(const graph *g, const graph_node *n, uint32_t rank, uint32_t *axis, size_t *count,
                      mica_status *st) {
    op_ints list;
    uint32_t set;
    if (!op_int_list(g, n, UINT32_MAX, "axes", &list, st) || !op_axis_set(g, n, &list, rank, &set, st))
        return false;
    *count = list.v ? list.n : rank;
    for (size_t i = 0; i < *count; i++)
        axis[i] = list.v ? (uint32_t)(list.v[i] + (list.v[i] < 0 ? rank : 0)) : (uint32_t)i;
    return true;
}

static bool set_scales(resize *r, const graph *g, const graph_node *n, const uint32_t *axis, size_t count,
                       const double *scales, mica_status *st) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t a = axis[i];
        const double size = (double)r->in[a] * scales[i];
        if (!(scales[i] > 0) || !(size < (double)GRAPH_MAX_ELEMENTS))
            return op_fail(g, n, st, MICA_ERR_FORMAT, "scale %g of axis %u", scales[i], a);
        r->scale[a] = scales[i];
        r->out[a] = floor_of(size);
    }
    return true;
}

static bool set_sizes(resize *r, const graph *g, const graph_node *n, const uint32_t *axis, size_t count,
                      const int64_t *sizes, mica_status *st) {
    const char *policy = graph_attr_string(n, "keep_aspect_ratio_policy", "stretch");
    const bool larger = !strcmp(policy, "not_smaller"), stretch = !strcmp(policy, "stretch");
    double common = 0;
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] < 1 || sizes[i] > GRAPH_MAX_ELEMENTS || r->in[axis[i]] < 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "size %lld of axis %u", (long long)sizes[i], axis[i]);
        const double scale = (double)sizes[i] / (double)r->in[axis[i]];
        common = i == 0 || (larger ? scale > common : scale < common) ? scale : common;
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t a = axis[i];
        r->scale[a] = stretch ? (double)sizes[i] / (double)r->in[a] : common;
        r->out[a] = stretch ? sizes[i] : floor_of((double)r->in[a] * common + 0.5);
    }
    return true;
}

/* By how much an axis shrinks where the kernel widens with it. */
static double shrinking(const resize *r, uint32_t axis) {
    return r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
}

/* Half the width of the kernel, in positions of the input. */
static double reach(const resize *r, uint32_t axis) {
    return (r->mode == RESIZE_LINEAR ? 1 : 2) / shrinking(r, axis);
}

static bool check_taps(const resize *r, const graph *g, const graph_node *n, mica_status *st) {
    for (uint32_t i = 0; r->mode != RESIZE_NEAREST && i < r->rank; i++)
        if (!(2 * reach(r, i) <= RESIZE_TAPS - 2))
            return op_fail(g, n, st, MICA_ERR_LIMIT, "scale %g of axis %u: an average of more than %d cells",
                           r->scale[i], i, RESIZE_TAPS - 2);
    return true;
}

bool resize_read(resize *r, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    const bool region = g->opset >= 11, upsample = !strcmp(n->op, "Upsample");
    uint32_t axis[GRAPH_MAX_RANK];
    size_t count, n_scales, n_roi;
    const double *scales, *roi;
    op_ints sizes = {NULL, 0};
    memset(r, 0, sizeof *r);
    r->rank = x->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        r->in[i] = r->out[i] = x->dim[i];
        r->scale[i] = r->to[i] = 1;
    }
    if (!read_mode(r, g, n, st) || !read_axes(g, n, x->rank, axis, &count, st) ||
        !read_reals(g, n,
                    region                     ? 2
                    : upsample && g->opset < 9 ? UINT32_MAX
                                               : 1,
                    "scales", &scales, &n_scales, st) ||
        !read_reals(g, n, region ? 1 : UINT32_MAX, NULL, &roi, &n_roi, st) ||
        (region && !op_int_list(g, n, 3, NULL, &sizes, st)))
        return false;
    if ((scales ? n_scales : sizes.n) != count || (scales && sizes.v))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "it takes a scale, or a size, for each of %zu axes", count);
    for (size_t i = 0; i < count && n_roi == 2 * count; i++) {
        if (!(roi[i] >= -MAX_FACTOR && roi[i] <= MAX_FACTOR && roi[count + i] >= -MAX_FACTOR &&
              roi[count + i] <= MAX_FACTOR))
            return op_fail(g, n, st, MICA_ERR_LIMIT, "the region reaches beyond %d times the input",
                           MAX_FACTOR);
        r->from[axis[i]] = roi[i];
        r->to[axis[i]] = roi[count + i];
    }
    return (scales ? set_scales(r, g, n, axis, count, scales, st)
                   : set_sizes(r, g, n, axis, count, sizes.v, st)) &&
           check_taps(r, g, n, st);
}

/* --- positions --- */

/* The output's size, with the fraction that a scale gives it. */
static double width(const resize *r, uint32_t axis) {
    const double exact = r->scale[axis] * (double)r->in[axis], whole = (double)r->out[axis];
    const double off = exact - whole;
    return off > -WIDTH_ROUNDING && off < WIDTH_ROUNDING ? whole : exact;
}

static double coordinate(const resize *r, uint32_t axis, int64_t o) {
    const char *c = r->coordinates;
    const double x = (double)o, s = r->scale[axis], in = (double)r->in[axis], out = width(r, axis);
    if (!strcmp(c, "asymmetric"))
        return x / s;
    if (!strcmp(c, "tf_half_pixel_for_nn"))
        return (x + 0.5) / s;
    if (!strcmp(c, "align_corners"))
        return out > 1 ? x * (in - 1) / (out - 1) : 0;
    if (!strcmp(c, "pytorch_half_pixel") && !(out > 1))
        return 0;
    if (!strcmp(c, "tf_crop_and_resize"))
        return out > 1 ? r->from[axis] * (in - 1) + x * (r->to[axis] - r->from[axis]) * (in - 1) / (out - 1)
                       : 0.5 * (r->from[axis] + r->to[axis]) * (in - 1);
    const double half_pixel = (x + 0.5) / s - 0.5;
    return strcmp(c, "half_pixel_symmetric") != 0
               ? half_pixel
               : in / 2 * (1 - (double)r->out[axis] / (s * in)) + half_pixel;
}

static int64_t nearest(const resize *r, double x) {
    if (!strcmp(r->nearest, "floor"))
        return floor_of(x);
    if (!strcmp(r->nearest, "ceil"))
        return ceil_of(x);
    return !strcmp(r->nearest, "round_prefer_ceil") ? floor_of(x + 0.5) : ceil_of(x - 0.5);
}

/* Keys' kernel at distance d >= 0 (Keys, "Cubic convolution interpolation for digital image processing"). */
static double cubic(double a, double d) {
    if (d < 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

bool resize_is_identity(const resize *r, uint32_t axis) {
    const bool whole =
        strcmp(r->coordinates, "tf_crop_and_resize") != 0 || (r->from[axis] == 0 && r->to[axis] == 1);
    return r->in[axis] == r->out[axis] && r->scale[axis] == 1 && whole &&
           strcmp(r->coordinates, "tf_half_pixel_for_nn") != 0;
}

/* The kernel's weight at distance d >= 0 of the position. */
static double weight_at(const resize *r, uint32_t axis, double d) {
    const double at = d * shrinking(r, axis);
    if (r->mode == RESIZE_CUBIC)
        return cubic(r->cubic_a, at);
    return at < 1 ? 1 - at : 0;
}

/* Weights of linear and cubic: the cells that the kernel reaches, those beyond the border at the border. */
static void interpolated(const resize *r, uint32_t axis, double x, resize_taps *t) {
    const int64_t last = r->in[axis] - 1, half = ceil_of(reach(r, axis)), first = ceil_of(x) - half;
    double sum = 0, all = 0;
    t->n = 0;
    for (int64_t at = first; at < first + 2 * half + 1 && t->n < RESIZE_TAPS; at++) {
        const double w = weight_at(r, axis, x > (double)at ? x - (double)at : (double)at - x);
        all += w;
        if (w == 0 || (r->exclude_outside && (at < 0 || at > last)))
            continue;
        sum += w;
        t->at[t->n] = at < 0 ? 0 : at > last ? last : at;
        t->weight[t->n++] = w;
    }
    const double unit = r->exclude_outside ? sum : r->antialias ? all : 1;
    for (unsigned i = 0; i < t->n && unit != 0; i++)
        t->weight[i] /= unit;
}

void resize_axis(const resize *r, uint32_t axis, int64_t o, resize_taps *t) {
    const double x = coordinate(r, axis, o);
    const int64_t last = r->in[axis] - 1;
    t->n = 1;
    t->outside = false;
    t->at[0] = o;
    t->weight[0] = 1;
    if (resize_is_identity(r, axis))
        return;
    t->outside = !strcmp(r->coordinates, "tf_crop_and_resize") && !(x >= 0 && x <= (double)last);
    if (r->mode == RESIZE_NEAREST) {
        const int64_t at = nearest(r, x);
        t->at[0] = at < 0 ? 0 : at > last ? last : at;
    } else {
        interpolated(r, axis, x, t);
    }
}

/* --- rules --- */

bool infer_resize(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    resize r;
    if (!resize_read(&r, c->g, n, st))
        return false;
    if (x->batched && !resize_is_identity(&r, 0) && (r.out[0] != 1 || r.mode != RESIZE_NEAREST))
        return op_mixes_batch(c);
    if (x->batched && r.scale[0] != 1)
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank, r.out, x->batched, st);
}

bool infer_upsample(op_context *c, const graph_node *n, mica_status *st) {
    return infer_resize(c, n, st);
}

/* Sum over the taps of axes axis.., from element `at` of the axes before. */
static double sum_taps(const resize *r, const resize_taps *t, const double *x, uint32_t axis, int64_t at) {
    double sum = 0;
    if (axis == r->rank)
        return x[at];
    for (unsigned i = 0; i < t[axis].n; i++)
        if (t[axis].weight[i] != 0)
            sum += t[axis].weight[i] * sum_taps(r, t, x, axis + 1, at * r->in[axis] + t[axis].at[i]);
    return sum;
}

bool eval_resize(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    int64_t index[GRAPH_MAX_RANK] = {0};
    resize r;
    if (!resize_read(&r, a->g, a->n, st))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        resize_taps t[GRAPH_MAX_RANK];
        bool outside = false;
        for (uint32_t i = 0; i < r.rank; i++) {
            resize_axis(&r, i, index[i], &t[i]);
            outside |= t[i].outside;
        }
        a->out[0][e] = outside ? r.extrapolation : sum_taps(&r, t, a->in[0], 0, 0);
        op_next_index(index, y->dim, y->rank);
    }
    return true;
}

bool eval_upsample(const op_args *a, mica_status *st) {
    return eval_resize(a, st);
}
