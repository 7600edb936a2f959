/* Slice, Split, Pad, Expand, Tile, Trilu, DepthToSpace, SpaceToDepth, ReverseSequence: elements that change
 * places along axes. */
#include "ops/op_move.h"

#include <string.h>

bool op_int_list(const graph *g, const graph_node *n, uint32_t input, const char *attr, op_ints *out,
                 mica_status *st) {
    const graph_value *v = input == UINT32_MAX ? NULL : op_in(g, n, input);
    const graph_attr *a = attr ? graph_attr_find(n, attr) : NULL;
    *out = (op_ints){NULL, 0};
    if (v) {
        if (v->dtype != DTYPE_INT || v->rank > 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "input %u must be a vector of integers", input);
        if (!v->integer)
            return op_fail_varying(g, n, input, OP_DECIDES_SHAPE, st);
        *out = (op_ints){v->integer, (size_t)graph_elements(v)};
    } else if (a) {
        if (a->type != ATTR_INTS)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "%s must be a list of integers", attr);
        *out = (op_ints){a->ints, a->n};
    }
    return true;
}

bool op_axis_set(const graph *g, const graph_node *n, const op_ints *axes, uint32_t rank, uint32_t *set,
                 mica_status *st) {
    *set = 0;
    for (size_t i = 0; i < axes->n; i++) {
        const int64_t a = axes->v[i] < 0 ? axes->v[i] + rank : axes->v[i];
        if (a < 0 || a >= (int64_t)rank || *set >> a & 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %lld is outside %u dimensions or named twice",
                           (long long)axes->v[i], rank);
        *set |= 1u << a;
    }
    return true;
}

void op_move_axes(const op_args *a, op_source_fn *from, const void *how, double fill) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    const uint32_t missing = y->rank - x->rank;
    const size_t elements = (size_t)graph_elements(y);
    int64_t index[GRAPH_MAX_RANK] = {0};
    for (size_t e = 0; e < elements; e++) {
        size_t at = 0;
        bool present = true;
        for (uint32_t i = 0; i < x->rank && present; i++) {
            const int64_t source = from(how, i, index[i + missing]);
            present = source >= 0;
            at = at * (size_t)x->dim[i] + (size_t)source;
        }
        a->out[0][e] = present ? a->in[0][at] : fill;
        op_next_index(index, y->dim, y->rank);
    }
}

bool op_index(const op_args *a, double index, int64_t dim, int64_t *at, mica_status *st) {
    if (!(index >= (double)-dim && index < (double)dim))
        return op_fail(a->g, a->n, st, MICA_ERR_FORMAT, "index %.0f is outside an axis of size %lld", index,
                       (long long)dim);
    *at = (int64_t)index + (index < 0 ? dim : 0);
    return true;
}

/* --- Slice --- */

typedef struct slicing {
    int64_t start[GRAPH_MAX_RANK], step[GRAPH_MAX_RANK], count[GRAPH_MAX_RANK];
    bool all[GRAPH_MAX_RANK]; /* however long the axis is */
} slicing;

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

static void slice_axis(slicing *s, uint32_t axis, int64_t dim, int64_t start, int64_t end, int64_t step) {
    s->all[axis] = start == 0 && step == 1 && end >= INT32_MAX;
    start += start < 0 ? dim : 0; /* dim <= 2^31: far bounds stay far */
    end += end < 0 && end > INT64_MIN + dim ? dim : 0;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        s->count[axis] = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = clamp(start, -1, dim - 1);
        end = clamp(end, -1, dim - 1);
        s->count[axis] = start > end ? (start - end - 1) / -step + 1 : 0;
    }
    s->start[axis] = start;
    s->step[axis] = step;
}

static bool read_slicing(const graph *g, const graph_node *n, slicing *s, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    const bool attributes = g->opset < 10;
    op_ints starts, ends, axes, steps;
    if (!op_int_list(g, n, attributes ? UINT32_MAX : 1, attributes ? "starts" : NULL, &starts, st) ||
        !op_int_list(g, n, attributes ? UINT32_MAX : 2, attributes ? "ends" : NULL, &ends, st) ||
        !op_int_list(g, n, attributes ? UINT32_MAX : 3, attributes ? "axes" : NULL, &axes, st) ||
        !op_int_list(g, n, attributes ? UINT32_MAX : 4, NULL, &steps, st))
        return false;
    uint32_t set;
    if (!starts.v || !ends.v || starts.n != ends.n || (axes.v && axes.n != starts.n) ||
        (steps.v && steps.n != starts.n) || starts.n > x->rank)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "starts, ends, axes and steps differ in length");
    if (!op_axis_set(g, n, &axes, x->rank, &set, st))
        return false;
    for (uint32_t i = 0; i < x->rank; i++)
        slice_axis(s, i, x->dim[i], 0, INT64_MAX, 1);
    for (size_t i = 0; i < starts.n; i++) {
        const int64_t axis = axes.v ? axes.v[i] + (axes.v[i] < 0 ? x->rank : 0) : (int64_t)i;
        const int64_t step = steps.v ? steps.v[i] : 1;
        if (step == 0 || step == INT64_MIN)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "a step is %lld", (long long)step);
        slice_axis(s, (uint32_t)axis, x->dim[axis], starts.v[i], ends.v[i], step);
    }
    return true;
}

bool infer_slice(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    slicing s;
    if (!read_slicing(c->g, n, &s, st))
        return false;
    if (x->batched && !s.all[0])
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank, s.count, x->batched, st);
}

static int64_t slice_source(const void *how, uint32_t axis, int64_t i) {
    const slicing *s = how;
    return s->start[axis] + i * s->step[axis];
}

bool eval_slice(const op_args *a, mica_status *st) {
    slicing s;
    if (!read_slicing(a->g, a->n, &s, st))
        return false;
    op_move_axes(a, slice_source, &s, 0);
    return true;
}

/* --- Split: each output is a node of its own (onnx_import.c), which knows its number among `parts` --- */

static bool read_split(const graph *g, const graph_node *n, slicing *s, uint32_t *axis, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    const int64_t part = graph_attr_int(n, "mica_part", 0), parts = graph_attr_int(n, "mica_parts", 1);
    op_ints split;
    if (!op_axis(g, n, "axis", 0, x->rank, 0, axis, st) ||
        !op_int_list(g, n, g->opset >= 13 ? 1 : UINT32_MAX, g->opset < 13 ? "split" : NULL, &split, st))
        return false;
    const int64_t dim = x->dim[*axis], each = (dim + parts - 1) / parts;
    int64_t begin = 0, total = 0;
    if (split.v && split.n != (size_t)parts)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%zu sizes for %lld outputs", split.n, (long long)parts);
    if (!split.v && dim % parts && g->opset < 18)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "%lld entries do not split into %lld equal parts",
                       (long long)dim, (long long)parts);
    for (uint32_t i = 0; i < x->rank; i++)
        slice_axis(s, i, x->dim[i], 0, INT64_MAX, 1);
    for (int64_t i = 0; i < parts; i++) {
        const int64_t size = split.v ? split.v[i] : clamp(dim - i * each, 0, each);
        if (size < 0 || size > dim - total)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "part %lld has %lld entries", (long long)i,
                           (long long)size);
        begin = i == part ? total : begin;
        s->count[*axis] = i == part ? size : s->count[*axis];
        total += size;
    }
    s->start[*axis] = begin;
    return total == dim || op_fail(g, n, st, MICA_ERR_FORMAT, "the parts have %lld of %lld entries",
                                   (long long)total, (long long)dim);
}

bool infer_split(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    slicing s;
    uint32_t axis;
    if (!read_split(c->g, n, &s, &axis, st))
        return false;
    if (x->batched && axis == 0)
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank, s.count, x->batched, st);
}

bool eval_split(const op_args *a, mica_status *st) {
    slicing s;
    uint32_t axis;
    if (!read_split(a->g, a->n, &s, &axis, st))
        return false;
    op_move_axes(a, slice_source, &s, 0);
    return true;
}

/* --- Pad --- */

typedef struct padding {
    enum { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } mode;
    int64_t begin[GRAPH_MAX_RANK], end[GRAPH_MAX_RANK];
    const int64_t *dim;
} padding;

static bool read_pad_mode(const graph *g, const graph_node *n, padding *p, mica_status *st) {
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = graph_attr_string(n, "mode", "constant");
    for (unsigned i = 0; i < 4; i++) {
        if (!strcmp(mode, names[i])) {
            p->mode = i;
            return true;
        }
    }
    return op_fail(g, n, st, MICA_ERR_FORMAT, "mode '%.40s' is unknown", mode);
}

static bool read_padding(const graph *g, const graph_node *n, padding *p, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    const bool attributes = g->opset < 11;
    op_ints pads, axes;
    uint32_t set;
    memset(p, 0, sizeof *p);
    p->dim = x->dim;
    if (!read_pad_mode(g, n, p, st) ||
        !op_int_list(g, n, attributes ? UINT32_MAX : 1, attributes ? "pads" : NULL, &pads, st) ||
        !op_int_list(g, n, attributes ? UINT32_MAX : 3, NULL, &axes, st) ||
        !op_axis_set(g, n, &axes, x->rank, &set, st))
        return false;
    const size_t padded = axes.v ? axes.n : x->rank;
    if (!pads.v || pads.n != 2 * padded)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "pads needs two entries for each of %zu axes", padded);
    for (size_t i = 0; i < padded; i++) {
        const size_t axis = axes.v ? (size_t)(axes.v[i] + (axes.v[i] < 0 ? x->rank : 0)) : i;
        p->begin[axis] = pads.v[i];
        p->end[axis] = pads.v[i + padded];
        if (pads.v[i] > GRAPH_MAX_ELEMENTS || pads.v[i] < -GRAPH_MAX_ELEMENTS ||
            pads.v[i + padded] > GRAPH_MAX_ELEMENTS || pads.v[i + padded] < -GRAPH_MAX_ELEMENTS)
            return op_fail(g, n, st, MICA_ERR_LIMIT, "an entry of pads exceeds 2^31");
        if (p->mode != PAD_CONSTANT && x->dim[axis] == 0 && (p->begin[axis] > 0 || p->end[axis] > 0))
            return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %zu is empty: there is nothing to pad it with",
                           axis);
    }
    return true;
}

bool infer_pad(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *value = c->g->opset < 11 ? NULL : op_in(c->g, n, 2);
    int64_t dim[GRAPH_MAX_RANK];
    padding p;
    if (!read_padding(c->g, n, &p, st))
        return false;
    if (value && graph_elements(value) != 1)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the constant has more than one element");
    if (x->batched && (p.begin[0] != 0 || p.end[0] != 0))
        return op_mixes_batch(c);
    for (uint32_t i = 0; i < x->rank; i++)
        dim[i] = x->dim[i] + p.begin[i] + p.end[i];
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

static int64_t modulo(int64_t x, int64_t m) {
    return (x % m + m) % m;
}

static int64_t pad_source(const void *how, uint32_t axis, int64_t i) {
    const padding *p = how;
    const int64_t dim = p->dim[axis], at = i - p->begin[axis];
    if (at >= 0 && at < dim)
        return at;
    if (p->mode == PAD_CONSTANT)
        return -1;
    if (p->mode == PAD_EDGE)
        return clamp(at, 0, dim - 1);
    if (p->mode == PAD_WRAP || dim == 1)
        return modulo(at, dim);
    const int64_t folded = modulo(at, 2 * (dim - 1)); /* there and back again, the ends once */
    return folded < dim ? folded : 2 * (dim - 1) - folded;
}

bool eval_pad(const op_args *a, mica_status *st) {
    padding p;
    if (!read_padding(a->g, a->n, &p, st))
        return false;
    const bool input = a->g->opset >= 11 && op_in(a->g, a->n, 2);
    op_move_axes(a, pad_source, &p, input ? a->in[2][0] : graph_attr_float(a->n, "value", 0));
    return true;
}

/* --- Expand, Tile --- */

bool infer_expand(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    graph_value shape = {0};
    const graph_value *both[2] = {x, &shape};
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t rank;
    op_ints list;
    if (!op_int_list(c->g, n, 1, NULL, &list, st))
        return false;
    if (list.n > GRAPH_MAX_RANK)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "more than %d dimensions", GRAPH_MAX_RANK);
    shape.rank = (uint32_t)list.n;
    for (size_t i = 0; i < list.n; i++)
        shape.dim[i] = list.v[i];
    if (!op_broadcast(both, 2, &rank, dim))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shapes do not broadcast");
    if (x->batched && (rank != x->rank || dim[0] != 1))
        return op_mixes_batch(c);
    return op_set_output(c, n, x, rank, dim, x->batched, st);
}

/* Axes are as long as the input's, or repeat it. */
static int64_t tile_source(const void *how, uint32_t axis, int64_t i) {
    const graph_value *x = how;
    return i % x->dim[axis];
}

bool eval_expand(const op_args *a, mica_status *st) {
    (void)st;
    op_move_axes(a, tile_source, op_in(a->g, a->n, 0), 0);
    return true;
}

bool infer_tile(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    op_ints repeats;
    if (!op_int_list(c->g, n, 1, NULL, &repeats, st))
        return false;
    if (repeats.n != x->rank || (repeats.n > 0 && !repeats.v))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "%zu repeats for %u dimensions", repeats.n, x->rank);
    for (uint32_t i = 0; i < x->rank; i++)
        if (repeats.v[i] < 0 || __builtin_mul_overflow(x->dim[i], repeats.v[i], &dim[i]))
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "repeats of dimension %u: %lld", i,
                           (long long)repeats.v[i]);
    if (x->batched && x->rank > 0 && repeats.v[0] != 1)
        return op_mixes_batch(c);
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

bool eval_tile(const op_args *a, mica_status *st) {
    return eval_expand(a, st);
}

/* --- Trilu --- */

bool infer_trilu(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    op_ints k;
    if (!op_int_list(c->g, n, 1, NULL, &k, st))
        return false;
    if (x->rank < 2 || (k.v && k.n != 1))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "it takes matrices, and a single k");
    if (x->batched && x->rank == 2)
        return op_mixes_batch(c);
    return op_set_output_like(c, n, x, st);
}

bool eval_trilu(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    const bool upper = graph_attr_int(a->n, "upper", 1) != 0;
    op_ints k;
    if (!op_int_list(a->g, a->n, 1, NULL, &k, st))
        return false;
    const int64_t far = k.v ? clamp(k.v[0], -GRAPH_MAX_ELEMENTS, GRAPH_MAX_ELEMENTS) : 0;
    for (size_t e = 0, n = (size_t)graph_elements(x); e < n; e++) {
        const int64_t column = (int64_t)e % columns, row = (int64_t)e / columns % rows;
        const bool kept = upper ? column >= row + far : column <= row + far;
        a->out[0][e] = kept ? a->in[0][e] : 0;
    }
    return true;
}

/* --- DepthToSpace, SpaceToDepth --- */

/* [N, C, H, W] and the block size b > 0. */
static bool block_size(const graph *g, const graph_node *n, int64_t *b, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    *b = graph_attr_int(n, "blocksize", 0);
    if (x->rank != 4 || *b < 1 || *b > INT16_MAX) /* channels times b^2 is below 2^61 */
        return op_fail(g, n, st, MICA_ERR_FORMAT, "it takes four dimensions and a positive blocksize");
    return true;
}

bool infer_depthtospace(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const char *mode = graph_attr_string(n, "mode", "DCR");
    int64_t b;
    if (!block_size(c->g, n, &b, st))
        return false;
    if ((strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0) || x->dim[1] % (b * b))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "mode '%.40s' with %lld channels in blocks of %lld",
                       mode, (long long)x->dim[1], (long long)b);
    const int64_t dim[4] = {x->dim[0], x->dim[1] / (b * b), x->dim[2] * b, x->dim[3] * b};
    return op_set_output(c, n, x, 4, dim, x->batched, st);
}

bool eval_depthtospace(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    const bool depth_first = !strcmp(graph_attr_string(a->n, "mode", "DCR"), "DCR");
    int64_t b, i[4] = {0};
    if (!block_size(a->g, a->n, &b, st))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const int64_t block = i[2] % b * b + i[3] % b;
        const int64_t channel = depth_first ? block * y->dim[1] + i[1] : i[1] * b * b + block;
        const int64_t at = ((i[0] * x->dim[1] + channel) * x->dim[2] + i[2] / b) * x->dim[3] + i[3] / b;
        a->out[0][e] = a->in[0][at];
        op_next_index(i, y->dim, 4);
    }
    return true;
}

bool infer_spacetodepth(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const char *mode = graph_attr_string(n, "mode", "DCR");
    int64_t b;
    if (!block_size(c->g, n, &b, st))
        return false;
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "mode '%.40s' is unknown", mode);
    if (x->dim[2] % b || x->dim[3] % b)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the image does not divide into blocks of %lld",
                       (long long)b);
    const int64_t dim[4] = {x->dim[0], x->dim[1] * b * b, x->dim[2] / b, x->dim[3] / b};
    return op_set_output(c, n, x, 4, dim, x->batched, st);
}

bool eval_spacetodepth(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    const bool depth_first = !strcmp(graph_attr_string(a->n, "mode", "DCR"), "DCR");
    int64_t b, i[4] = {0};
    if (!block_size(a->g, a->n, &b, st))
        return false;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const int64_t block = depth_first ? i[1] / x->dim[1] : i[1] % (b * b);
        const int64_t channel = depth_first ? i[1] % x->dim[1] : i[1] / (b * b);
        const int64_t row = i[2] * b + block / b, column = i[3] * b + block % b;
        a->out[0][e] = a->in[0][((i[0] * x->dim[1] + channel) * x->dim[2] + row) * x->dim[3] + column];
        op_next_index(i, y->dim, 4);
    }
    return true;
}

/* --- ReverseSequence --- */

static bool reversal_axes(const graph *g, const graph_node *n, uint32_t *time, uint32_t *batch,
                          mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    if (!op_axis(g, n, "time_axis", 0, x->rank, 0, time, st) ||
        !op_axis(g, n, "batch_axis", 1, x->rank, 0, batch, st))
        return false;
    return *time != *batch || op_fail(g, n, st, MICA_ERR_FORMAT, "time and batch are the same axis");
}

bool infer_reversesequence(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    uint32_t time, batch;
    op_ints lengths;
    if (!reversal_axes(c->g, n, &time, &batch, st) || !op_int_list(c->g, n, 1, NULL, &lengths, st))
        return false;
    if (lengths.n != (size_t)x->dim[batch])
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "%zu lengths for %lld sequences", lengths.n,
                       (long long)x->dim[batch]);
    for (size_t i = 0; i < lengths.n; i++)
        if (lengths.v[i] < 0 || lengths.v[i] > x->dim[time])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "sequence %zu has length %lld", i,
                           (long long)lengths.v[i]);
    if (x->batched && (time == 0 || batch == 0))
        return op_mixes_batch(c);
    return op_set_output_like(c, n, x, st);
}

bool eval_reversesequence(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    int64_t index[GRAPH_MAX_RANK] = {0};
    uint32_t time, batch;
    op_ints lengths;
    if (!reversal_axes(a->g, a->n, &time, &batch, st) || !op_int_list(a->g, a->n, 1, NULL, &lengths, st))
        return false;
    const int64_t step = op_product(x->dim + time + 1, x->rank - time - 1);
    for (size_t e = 0, n = (size_t)graph_elements(x); e < n; e++) {
        const int64_t length = lengths.v[index[batch]], t = index[time];
        a->out[0][e] = a->in[0][(int64_t)e + (t < length ? (length - 1 - 2 * t) * step : 0)];
        op_next_index(index, x->dim, x->rank);
    }
    return true;
}
