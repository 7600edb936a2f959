/* Softmax: exact maximum, exponentials of x - max by table, and one quotient that two remainder checks pin
 * (docs/protocol.md):
 *
 *   e = round(2^k exp(x - max)),  S = sum e,  2^(k+1) e + S = 2 S p + rem,  rem >= 0,  2 S - 1 - rem >= 0
 *
 * S >= 2^k because the largest x has e = 2^k. So p = floor(2^k e / S + 1/2), and nothing else satisfies both
 * checks.
 */
#include <string.h>

#include "lowering_rows.h"
#include "ops/ops.h"
#include "requantise.h"

#define MOST_BITS   14 /* k */
#define FEWEST_BITS 6

/* --- exponentials, their sum and the quotient --- */

static bool exponentials(lowering *l, const rows *r, double scale, unsigned k, uint32_t *e, mica_status *st) {
    uint32_t max;
    form f;
    const unsigned bits = mica_log2_ceil((uint64_t)(r->range.hi - r->range.lo)) + 1; /* of x - max, signed */
    mica_table_def def = {.kind = MICA_TABLE_EXP,
                          .bits = (uint8_t)bits,
                          .lo_key = -(INT32_C(1) << (bits - 1)),
                          .lo_value = 0,
                          .hi_value = INT32_C(1) << k};
    if (bits > MICA_MAX_TABLE_BITS || !mica_dyadic_from_double(&def.in_scale, scale) ||
        !mica_dyadic_from_double(&def.out_scale, 1 / (double)(UINT64_C(1) << k)))
        return mica_fail(st, MICA_ERR_LIMIT,
                         "layer '%s': its inputs are too wide for a table of exponentials",
                         l->b.p.circuit.layer[l->b.layer].name);
    if (!rows_maximum(l, r, &max, st))
        return false;
    form_create(&f, r->batched, r->rank, r->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), r->tensor, 1) || !rows_add_lead(l, &f, r, max, -1))
        return mica_fail(st, MICA_ERR_INTERNAL, "a difference has too many terms");
    step s = {.kind = STEP_LOOKUP, .layer = l->b.layer};
    memset(s.tensor, 0xff, sizeof s.tensor);
    s.table = builder_table(&l->b, &def);
    s.tensor[0] = builder_sum(&l->b, &f);
    s.tensor[1] = builder_witness(&l->b, r->batched, r->rank, r->dim, (bound){0, def.hi_value});
    *e = s.tensor[1];
    return s.table != NO_INDEX && s.tensor[0] != NO_INDEX && s.tensor[1] != NO_INDEX &&
           builder_lookup(&l->b, s.table, s.tensor[0], s.tensor[1]) && builder_step(&l->b, &s);
}

static uint32_t row_sum(lowering *l, const rows *r, uint32_t e) {
    form f;
    mica_view v = {{0}};
    form_create(&f, r->batched, r->lead, r->dim);
    for (unsigned i = 0; i < r->rank; i++)
        v.axis[i] = i < r->lead ? (int32_t)i : MICA_VIEW_SUM;
    return form_add_term(&f, lowering_tensors(l), e, 1, &v) ? builder_sum(&l->b, &f) : NO_INDEX;
}

static uint32_t quotient(lowering *l, const rows *r, uint32_t e, uint32_t sum, unsigned k) {
    step s = {.kind = STEP_DIVIDE, .layer = l->b.layer, .table = NO_INDEX, .param = k};
    memset(s.tensor, 0xff, sizeof s.tensor);
    s.tensor[0] = builder_witness(&l->b, r->batched, r->rank, r->dim, (bound){0, (INT64_C(2) << k) - 1});
    s.tensor[1] = e;
    s.tensor[2] = sum;
    const bool ok = s.tensor[0] != NO_INDEX && builder_step(&l->b, &s) &&
                    builder_lookup(&l->b, builder_range_table(&l->b, k + 1), s.tensor[0], NO_INDEX);
    return ok ? s.tensor[0] : NO_INDEX;
}

/* S p, elementwise along the rows. */
static uint32_t row_product(lowering *l, const rows *r, uint32_t sum, uint32_t p) {
    mica_contract c = {.a = sum, .b = p, .n_labels = (uint8_t)r->rank};
    for (unsigned i = 0; i < r->rank; i++) {
        c.label_dim[i] = r->dim[i];
        c.out_label[i] = (uint8_t)i;
        c.b_view.axis[i] = (int32_t)i;
        c.a_view.axis[i] = i < r->lead ? (int32_t)i : 0;
    }
    const int64_t most = (int64_t)lowering_tensors(l)[sum].hi * lowering_tensors(l)[p].hi;
    return builder_contract(&l->b, &c, r->rank, (bound){0, most});
}

/* Both remainder checks. rem < 2 S <= 2 S_max <= 2^bits. */
static bool check_quotient(lowering *l, const rows *r, uint32_t e, uint32_t sum, uint32_t product, unsigned k,
                           mica_status *st) {
    const unsigned bits = k + 1 + mica_log2_ceil(r->length);
    form rem, rest;
    form_create(&rem, r->batched, r->rank, r->dim);
    form_create(&rest, r->batched, r->rank, r->dim);
    const mica_tensor *base = lowering_tensors(l);
    if (!form_add_tensor(&rem, base, e, INT64_C(2) << k) || !rows_add_lead(l, &rem, r, sum, 1) ||
        !form_add_tensor(&rem, base, product, -2) || !form_add_tensor(&rest, base, e, -(INT64_C(2) << k)) ||
        !rows_add_lead(l, &rest, r, sum, 1) || !form_add_tensor(&rest, base, product, 2) ||
        !form_add_constant(&rest, -1))
        return mica_fail(st, MICA_ERR_INTERNAL, "a remainder has too many terms");
    return range_check(l, &rem, bits, st) && range_check(l, &rest, bits, st);
}

/* The largest k with 2 S_max 2^(k+1) <= 2^30, where S_max = length 2^k: the remainder of any p in [0,
 * 2^(k+1)) and the 2^bits values of its check differ by less than 2^30 + 2^(2k+1) + 2^bits < p. */
static unsigned quotient_bits(uint32_t length) {
    const unsigned room = 28, rows_bits = mica_log2_ceil(length);
    const unsigned k = rows_bits < room ? (room - rows_bits) / 2 : 0;
    return k > MOST_BITS ? MOST_BITS : k;
}

/* A row of one cell is 1 whatever its value. */
static bool lower_ones(lowering *l, const graph_node *n, const rows *r, mica_status *st) {
    form f;
    form_create(&f, r->batched, r->rank, r->dim);
    return form_add_constant(&f, 1) && lowering_set_sum(l, n, &f, &r->axes, 1, st);
}

bool lower_softmax(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *in = &l->g->value[n->in[0]];
    const bool flattens = l->g->opset < 13;
    int64_t axis = graph_attr_int(n, "axis", flattens ? 1 : -1);
    axis += axis < 0 ? (int64_t)in->rank : 0;
    const unsigned first = (unsigned)axis - (in->batched ? 1 : 0),
                   last = flattens ? in->rank - (in->batched ? 1 : 0) : first + 1;
    qvalue x;
    rows r;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st) ||
        !rows_arrange(l, &x, (1u << last) - (1u << first), &r))
        return false;
    if (r.length == 1)
        return lower_ones(l, n, &r, st);
    const unsigned k = quotient_bits(r.length);
    if (k < FEWEST_BITS)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT,
                             "rows of up to 65536 elements are supported, these have %u", r.length);
    uint32_t e;
    if (!exponentials(l, &r, x.scale, k, &e, st))
        return false;
    const uint32_t sum = row_sum(l, &r, e);
    const uint32_t p = sum == NO_INDEX ? NO_INDEX : quotient(l, &r, e, sum, k);
    const uint32_t product = p == NO_INDEX ? NO_INDEX : row_product(l, &r, sum, p);
    return product != NO_INDEX && check_quotient(l, &r, e, sum, product, k, st) &&
           lowering_set_tensor(l, n, p, &r.axes, 1 / (double)(UINT64_C(1) << k), n->out[0]);
}
