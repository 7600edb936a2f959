/* Shape, Size, Range, ConstantOfShape, EyeLike are constants once shapes are known. Cast changes what
 * integers mean, and at most drops a fraction. */
#include "graph/onnx_types.h"
#include "lowering/lowering_domain.h"
#include "lowering/lowering_move.h"
#include "lowering/lowering_quotient.h"
#include "lowering/requantise.h"
#include "ops/op_rules.h"
#include "ops/quantise.h"

static bool lower_known(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "its value should have been folded");
}

bool lower_shape(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_size(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_range(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_constantofshape(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_hannwindow(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_hammingwindow(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_blackmanwindow(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_isnan(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_eyelike(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

static bool is_whole(double scale) {
    return scale >= 1 && scale < 0x1p31 && (double)(int64_t)scale == scale;
}

/* The sum of two tensors over the domain of f, as the output. */
static bool set_both(lowering *l, const graph_node *n, const form *f, const layout *axes, const uint32_t *t,
                     mica_status *st) {
    form sum;
    form_create(&sum, f->batched, f->rank, f->dim);
    if (!form_add_tensor(&sum, lowering_tensors(l), t[0], 1) ||
        !form_add_tensor(&sum, lowering_tensors(l), t[1], 1))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    return lowering_set_tensor(l, n, builder_sum(&l->b, &sum), axes, 1, n->out[0]);
}

/* Above zero, or below: never both. */
static bool cast_to_bool(lowering *l, const graph_node *n, mica_status *st) {
    form f, negative;
    qvalue x;
    uint32_t t[2];
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!lowering_layer(l, n, st) || !lowering_form(l, n->in[0], &f, &x, st))
        return false;
    form_create(&negative, f.batched, f.rank, f.dim);
    return (form_add_form(&negative, lowering_tensors(l), &f, -1, same_axes) ||
            lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum")) &&
           step_function(l, &f, &t[0], st) && step_function(l, &negative, &t[1], st) &&
           set_both(l, n, &f, &x.axes, t, st);
}

/* Towards zero: the floor of what is above zero and the ceiling of what is below. */
static bool truncate(lowering *l, const graph_node *n, mica_status *st) {
    form f;
    qvalue x;
    uint32_t t[2];
    double scale;
    if (!lowering_layer(l, n, st) || !lowering_form(l, n->in[0], &f, &x, st))
        return false;
    const bound r = form_range(&f, lowering_tensors(l));
    const double reach = (double)(r.hi > -r.lo ? r.hi : -r.lo) * x.scale + 1;
    const double far = reach < 0x1p24 ? (double)(int64_t)reach : 0x1p24; /* values of tables are not larger */
    activation up = {
        .kind = MICA_TABLE_FLOOR, .lo = 0, .hi = far, .in_factor = 1, .out_factor = 1, .out_scale = 1};
    up.wanted = x.scale;
    up.tolerable = x.scale < 1.0 / 64 ? 1.0 / 64 : x.scale;
    activation down = up;
    down.kind = MICA_TABLE_CEIL;
    down.lo = -far;
    down.hi = 0;
    return requantise(l, &f, x.scale, &up, n->out[0], &t[0], &scale, st) &&
           requantise(l, &f, x.scale, &down, n->out[0], &t[1], &scale, st) &&
           set_both(l, n, &f, &x.axes, t, st);
}

/* Whether the value may hold integers that the type of the result cannot. */
static bool wraps(const lowering *l, const graph_node *n, const form *f) {
    const graph_value *from = &l->g->value[n->in[0]], *to = &l->g->value[n->out[0]];
    const bound r = form_range(f, lowering_tensors(l));
    double lo, hi;
    return cast_wraps(from, to) && quantise_range(to->onnx_dtype, &lo, &hi) &&
           ((double)r.lo < lo || (double)r.hi > hi);
}

/* v, integers at scale 1, becomes lo + ((v - lo) modulo 2^bits). */
static bool wrap(lowering *l, const graph_node *n, mica_status *st) {
    double lo = 0, hi = 0;
    form f, size, low;
    qvalue x;
    uint32_t quotient;
    (void)quantise_range(l->g->value[n->out[0]].onnx_dtype, &lo, &hi);
    if (!lowering_layer(l, n, st) || !lowering_form(l, n->out[0], &f, &x, st))
        return false;
    const int64_t width = (int64_t)(hi - lo) + 1;
    const bound r = form_range(&f, lowering_tensors(l));
    const int64_t below = r.lo < (int64_t)lo ? ((int64_t)lo - r.lo + width - 1) / width * width : 0;
    const uint64_t quotients = (uint64_t)((r.hi - (int64_t)lo + below) / width) + 1;
    form_create(&size, f.batched, f.rank, f.dim);
    if (!form_add_constant(&f, below - (int64_t)lo) || !form_add_constant(&size, width))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    if (!floor_quotient(l, n, &f, &size, mica_log2_ceil(quotients < 2 ? 2 : quotients), &quotient, &low, st))
        return false;
    return (form_add_constant(&low, (int64_t)lo) ||
            lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum")) &&
           lowering_set_tensor(l, n, builder_sum(&l->b, &low), &x.axes, 1, n->out[0]);
}

/* Casts inside integer operators: what is not an integer of scale 1 has no exact result. */
static bool lower_exact_cast(lowering *l, const graph_node *n, mica_status *st) {
    const uint32_t from = n->in[0];
    qvalue x = l->value[from];
    if (x.scale != 1)
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its exact accumulators leave the field");
    if (l->g->value[from].dtype == DTYPE_FLOAT) {
        lowering_set_alias(l, n, from, &x.axes);
        return true;
    }
    return lowering_layer(l, n, st) && lowering_operand(l, from, &x, st) &&
           lowering_set_tensor(l, n, x.tensor, &x.axes, 1, n->out[0]);
}

static bool lower_cast_value(lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *from = &l->g->value[n->in[0]], *to = &l->g->value[n->out[0]];
    const layout axes = l->value[n->in[0]].axes;
    if (graph_attr_int(n, "mica_exact", 0) != 0)
        return lower_exact_cast(l, n, st);
    if (to->onnx_dtype == ONNX_BOOL && from->onnx_dtype != ONNX_BOOL)
        return cast_to_bool(l, n, st);
    if (to->dtype == DTYPE_FLOAT || from->dtype == DTYPE_INT || is_whole(l->value[n->in[0]].scale)) {
        lowering_set_alias(l, n, n->in[0], &axes);
        return true;
    }
    if (!l->cal->integral[n->in[0]])
        return truncate(l, n, st);
    qvalue x;
    return lowering_layer(l, n, st) && lowering_operand(l, n->in[0], &x, st) &&
           lowering_at_scale(l, &x, n->in[0], 1, st) &&
           lowering_set_tensor(l, n, x.tensor, &x.axes, x.scale, n->out[0]);
}

bool lower_cast(struct lowering *l, const graph_node *n, mica_status *st) {
    form f;
    qvalue x;
    return lower_cast_value(l, n, st) && lowering_form(l, n->out[0], &f, &x, st) &&
           (x.scale != 1 || !wraps(l, n, &f) || wrap(l, n, st));
}
