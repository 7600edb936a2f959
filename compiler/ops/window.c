#include "ops/window.h"

#include <string.h>

#include "ops/op_rules.h"

#define WINDOW_MAX                                                                                           \
    (INT64_C(1) << 24) /* kernel, stride, dilation and padding; keeps every product below 2^50 */

/* Attribute `name` as `count` integers in [least, WINDOW_MAX], or `count` times `otherwise` if it is absent.
 */
static bool read_ints(const graph *g, const graph_node *n, const char *name, uint32_t count, int64_t least,
                      int64_t otherwise, int64_t *out, mica_status *st) {
    const graph_attr *a = graph_attr_find(n, name);
    if (a && (a->type != ATTR_INTS || a->n != count))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%s must hold %u integers", name, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = a ? a->ints[i] : otherwise;
        if (out[i] < least || out[i] > WINDOW_MAX)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "%s[%u] = %lld; supported are %lld to %lld", name, i,
                           (long long)out[i], (long long)least, (long long)WINDOW_MAX);
    }
    return true;
}

static bool read_kernel(op_window *w, const graph *g, const graph_node *n, mica_status *st) {
    const bool conv = n->kind == OP_CONV || n->kind == OP_CONVTRANSPOSE;
    if (!graph_attr_find(n, "kernel_shape") && !conv)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "kernel_shape is missing");
    if (graph_attr_find(n, "kernel_shape") && !read_ints(g, n, "kernel_shape", w->n, 1, 0, w->kernel, st))
        return false;
    for (uint32_t d = 0; conv && d < w->n; d++) {
        int64_t k = op_in(g, n, 1)->dim[2 + d];
        if (graph_attr_find(n, "kernel_shape") && w->kernel[d] != k)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "kernel_shape[%u] = %lld differs from the weights", d,
                           (long long)w->kernel[d]);
        if (k < 1 || k > WINDOW_MAX)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "kernel size %lld; supported are 1 to %lld",
                           (long long)k, (long long)WINDOW_MAX);
        w->kernel[d] = k;
    }
    return true;
}

typedef enum auto_pad { PAD_EXPLICIT, PAD_VALID, PAD_SAME_UPPER, PAD_SAME_LOWER } auto_pad;

static bool read_auto_pad(const graph *g, const graph_node *n, auto_pad *mode, mica_status *st) {
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *s = graph_attr_string(n, "auto_pad", "NOTSET");
    for (int i = 0; i < 4; i++)
        if (!strcmp(s, names[i])) {
            *mode = (auto_pad)i;
            return true;
        }
    return op_fail(g, n, st, MICA_ERR_FORMAT, "auto_pad '%.40s' is unknown", s);
}

/* Output size of axis d, and its padding where auto_pad rules. */
static void resolve_axis(op_window *w, uint32_t d, auto_pad mode, bool ceil_mode) {
    int64_t extent = (w->kernel[d] - 1) * w->dilation[d] + 1; /* < 2^49 */
    int64_t s = w->stride[d];
    if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
        w->out[d] = (w->in[d] + s - 1) / s;
        int64_t total = (w->out[d] - 1) * s + extent - w->in[d];
        total = total > 0 ? total : 0;
        w->pad_begin[d] = mode == PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[d] = total - w->pad_begin[d];
        return;
    }
    int64_t room = w->in[d] + w->pad_begin[d] + w->pad_end[d] - extent;
    w->out[d] = room < 0 ? 0 : room / s + 1;
    if (room < 0 || !ceil_mode || mode != PAD_EXPLICIT)
        return;
    w->out[d] = (room + s - 1) / s + 1; /* the last window may be partial, */
    if ((w->out[d] - 1) * s >= w->in[d] + w->pad_begin[d])
        w->out[d]--; /* but does not start in the padding at the end */
}

static bool read_pads(op_window *w, const graph *g, const graph_node *n, auto_pad mode, mica_status *st) {
    int64_t pads[2 * GRAPH_MAX_RANK];
    /* With auto_pad the standard forbids pads; exporters that write them write what auto_pad implies or
     * zeros. */
    if (mode != PAD_EXPLICIT)
        return true;
    if (!read_ints(g, n, "pads", 2 * w->n, 0, 0, pads, st))
        return false;
    memcpy(w->pad_begin, pads, w->n * sizeof *pads);
    memcpy(w->pad_end, pads + w->n, w->n * sizeof *pads);
    return true;
}

/* Output size of axis d of a ConvTranspose, and its padding where output_shape or auto_pad rules; sizes <
 * 2^57. Padding is what the output leaves out, so it is never less than 0: a larger output ends in zeros. */
static void resolve_transposed_axis(op_window *w, uint32_t d, auto_pad mode, int64_t extra, int64_t size) {
    const int64_t whole = (w->in[d] - 1) * w->stride[d] + extra + (w->kernel[d] - 1) * w->dilation[d] + 1;
    const bool same = mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER;
    w->out[d] = whole - w->pad_begin[d] - w->pad_end[d];
    if (size == 0 && !same)
        return;
    w->out[d] = size ? size : w->in[d] * w->stride[d];
    const int64_t total = whole > w->out[d] ? whole - w->out[d] : 0;
    w->pad_begin[d] = mode == PAD_SAME_UPPER ? total / 2 : total - total / 2;
    w->pad_end[d] = total - w->pad_begin[d];
}

static bool resolve_transposed(op_window *w, const graph *g, const graph_node *n, auto_pad mode,
                               mica_status *st) {
    int64_t extra[GRAPH_MAX_RANK], size[GRAPH_MAX_RANK];
    w->transposed = true;
    if (!read_ints(g, n, "output_padding", w->n, 0, 0, extra, st) ||
        !read_ints(g, n, "output_shape", w->n, 0, 0, size, st))
        return false;
    for (uint32_t d = 0; d < w->n; d++) {
        resolve_transposed_axis(w, d, mode, extra[d], size[d]);
        if (w->out[d] < 1 || w->out[d] > GRAPH_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %u of the output would have %lld elements", 2 + d,
                           (long long)w->out[d]);
        if (w->pad_begin[d] > WINDOW_MAX || w->pad_end[d] > WINDOW_MAX)
            return op_fail(g, n, st, MICA_ERR_LIMIT,
                           "axis %u of the output leaves out more than %lld elements", 2 + d,
                           (long long)WINDOW_MAX);
    }
    return true;
}

bool op_window_resolve(op_window *w, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    auto_pad mode = PAD_EXPLICIT;
    *w = (op_window){0};
    if (x->rank < 3)
        return op_fail(g, n, st, MICA_ERR_FORMAT,
                       "the input needs batch, channels and at least one spatial axis");
    w->n = x->rank - 2;
    memcpy(w->in, x->dim + 2, w->n * sizeof *w->in);
    if (!read_kernel(w, g, n, st) || !read_ints(g, n, "strides", w->n, 1, 1, w->stride, st) ||
        !read_ints(g, n, "dilations", w->n, 1, 1, w->dilation, st) || !read_auto_pad(g, n, &mode, st) ||
        !read_pads(w, g, n, mode, st))
        return false;
    if (n->kind == OP_CONVTRANSPOSE)
        return resolve_transposed(w, g, n, mode, st);
    for (uint32_t d = 0; d < w->n; d++) {
        resolve_axis(w, d, mode, n->kind != OP_CONV && graph_attr_int(n, "ceil_mode", 0) != 0);
        if (w->out[d] == 0 && w->in[d] > 0)
            return op_fail(g, n, st, MICA_ERR_FORMAT,
                           "the window is larger than the padded input along axis %u", 2 + d);
    }
    return true;
}

bool op_window_source(const op_window *w, uint32_t d, int64_t o, int64_t k, int64_t *at) {
    const int64_t reach = k * w->dilation[d];
    *at = w->transposed ? (o + w->pad_begin[d] - reach) / w->stride[d]
                        : o * w->stride[d] - w->pad_begin[d] + reach;
    return !w->transposed || (o + w->pad_begin[d] - reach) % w->stride[d] == 0;
}

int64_t op_window_place(const op_window *w, const int64_t *o, const int64_t *k, bool by_columns) {
    int64_t place = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        const uint32_t d = by_columns ? w->n - 1 - i : i;
        place = place * w->in[d] + o[d] * w->stride[d] - w->pad_begin[d] + k[d] * w->dilation[d];
    }
    return place;
}

void op_window_valid(const op_window *w, uint32_t d, int64_t k, int64_t *lo, int64_t *hi) {
    int64_t shift = k * w->dilation[d] - w->pad_begin[d]; /* position = o*stride + shift */
    int64_t s = w->stride[d];
    int64_t first = shift >= 0 ? 0 : (-shift + s - 1) / s;
    int64_t end = w->in[d] > shift ? (w->in[d] - shift + s - 1) / s : 0;
    end = end < w->out[d] ? end : w->out[d];
    *lo = first < end ? first : end;
    *hi = end;
}

bool op_window_covers_input(const op_window *w, const graph *g, const graph_node *n, mica_status *st) {
    for (uint32_t d = 0; d < w->n; d++)
        for (int64_t o = 0; o < w->out[d]; o++) {
            int64_t start = o * w->stride[d] - w->pad_begin[d];
            int64_t k =
                start >= 0 ? 0 : (-start + w->dilation[d] - 1) / w->dilation[d]; /* first tap at or past 0 */
            if (start >= 0 && start < w->in[d]) { /* and so do all up to the last one */
                o = o < w->out[d] - 2 ? w->out[d] - 2 : o;
                continue;
            }
            if (k >= w->kernel[d] || start + k * w->dilation[d] >= w->in[d])
                return op_fail(g, n, st, MICA_ERR_UNSUPPORTED,
                               "window %lld along axis %u lies wholly in the padding", (long long)o, 2 + d);
        }
    return true;
}
