/* QuantizeLinear: the table of the requantisation that follows the linear operator. Its keys are fine enough,
 * as far as calibration and field leave room, that the result is within one unit of the rounded real quotient
 * and differs from it only near ties. DequantizeLinear: the integers themselves, at the file's scale. */
#include "lowering.h"
#include "ops/ops.h"
#include "ops/quantise.h"
#include "requantise.h"

#define KEYS_PER_UNIT 64 /* the coarsest that a table's keys may be */
#define NARROW_BITS   16 /* integers of at most so many bits are operands as they are */

/* Scale and zero point, one for the whole tensor. */
static bool parameters(lowering *l, const graph_node *n, double *scale, double *zero, mica_status *st) {
    const graph_value *s = &l->g->value[n->in[1]];
    const graph_value *z = n->n_in > 2 && n->in[2] != GRAPH_NO_VALUE ? &l->g->value[n->in[2]] : NULL;
    if (!s->real || (z && !z->integer))
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "scale and zero point must be constants");
    if (graph_elements(s) != 1)
        return lowering_fail(
            l, n, st, MICA_ERR_UNSUPPORTED,
            "values that depend on the network's inputs need one scale for the whole tensor");
    *scale = s->real[0];
    *zero = z ? (double)z->integer[0] : 0;
    return (*scale > 0 && *scale < 0x1p60) ||
           lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "scale %g; supported are positive ones", *scale);
}

static bool add_number(lowering *l, const graph_node *n, form *f, double x, mica_status *st) {
    return x == 0 || form_add_constant(f, (int64_t)x) ||
           lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

bool lower_quantizelinear(struct lowering *l, const graph_node *n, mica_status *st) {
    form f, sum;
    qvalue x;
    double unit = 1, zero = 0, scale, lo, hi;
    uint32_t y;
    if (!parameters(l, n, &unit, &zero, st) || !lowering_form(l, n->in[0], &f, &x, st) ||
        !quantise_range(l->g->value[n->out[0]].onnx_dtype, &lo, &hi))
        return false;
    if (x.tensor == NO_INDEX) {
        l->b.layer = x.layer;
        builder_fuse_op(&l->b, x.layer, n->op);
    } else if (!lowering_layer(l, n, st)) {
        return false;
    }
    /* lo <= zero <= hi: the table's values surround 0. */
    const activation act = {.kind = MICA_TABLE_ROUND,
                            .lo = lo - zero,
                            .hi = hi - zero,
                            .in_factor = 1 / unit,
                            .out_factor = 1,
                            .out_scale = 1,
                            .wanted = x.scale,
                            .tolerable = x.scale > unit / KEYS_PER_UNIT ? x.scale : unit / KEYS_PER_UNIT};
    if (!requantise(l, &f, x.scale, &act, n->out[0], &y, &scale, st)) {
        if (st->code == MICA_ERR_RANGE)
            l->narrow = x.origin;
        return false;
    }
    if (zero != 0) {
        form_create(&sum, f.batched, f.rank, f.dim);
        if (!form_add_tensor(&sum, lowering_tensors(l), y, 1) || !add_number(l, n, &sum, zero, st))
            return false;
        y = builder_sum(&l->b, &sum);
    }
    return lowering_set_tensor(l, n, y, &x.axes, 1, n->out[0]);
}

bool lower_dequantizelinear(struct lowering *l, const graph_node *n, mica_status *st) {
    form f;
    qvalue x;
    double scale = 1, zero = 0;
    if (!parameters(l, n, &scale, &zero, st) || !lowering_layer(l, n, st) ||
        !lowering_form(l, n->in[0], &f, &x, st) || !add_number(l, n, &f, -zero, st))
        return false;
    const bound r = form_range(&f, lowering_tensors(l));
    if (r.lo >= -(INT64_C(1) << NARROW_BITS) && r.hi <= INT64_C(1) << NARROW_BITS)
        return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &x.axes, x.scale * scale, n->out[0]);
    return lowering_set_sum(l, n, &f, &x.axes, x.scale * scale, st);
}
