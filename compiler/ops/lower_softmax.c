/* Softmax: exact maximum, exponentials of x - max by table, and one quotient that two remainder checks pin
 * (docs/protocol.md):
 *
 *   e = round(2^k exp(x - max)),  S = sum e,  2^(k+1) e + S = 2 S p + rem,  rem >= 0,  2 S - 1 - rem >= 0
 *
 * S >= 2^k because the largest x has e = 2^k. So p = floor(2^k e / S + 1/2), and nothing else satisfies both
 * checks. For long rows, whose S leaves few bits to a quotient, p comes in two digits, high and low:
 *
 *   u = floor(2^a e / S), r = 2^a e - S u;  w = floor((2^(b+1) r + S) / (2 S));  p = 2^b u + w =
 * floor(2^(a+b) e / S + 1/2)
 */
#include <string.h>

#include "lowering/limbs.h"
#include "lowering/lowering_quotient.h"
#include "lowering/lowering_rows.h"
#include "ops/ops.h"

#define MOST_BITS   14 /* k */
#define FEWEST_BITS 6
/* Fewer bits than these in one digit, and there are two. */
#define SHORTEST_DIGIT 11

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
    if (bits > MICA_MAX_DENSE_BITS || !mica_dyadic_from_double(&def.in_scale, scale) ||
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

/* --- two digits --- */

typedef struct digits {
    unsigned k, high, low; /* bits of e(0), and of the two digits */
} digits;

/* S <= 2^sum, sum = k + log2 length. floor_quotient asks 2^high e and 2^(low+1) r + S to be below 2^29, and 2
 * S 2^(low+1), S 2^(high+1) to be below 2^30; u can reach 2^high, and w 2^low, inclusive. Of the k that fit,
 * the largest that the digits resolve. */
static digits two_digits(uint32_t length) {
    const unsigned rows_bits = mica_log2_ceil(length);
    digits d = {0, 0, 0};
    for (unsigned k = MOST_BITS; k >= FEWEST_BITS && d.k == 0; k--) {
        const unsigned sum = k + rows_bits;
        if (sum >= 26)
            continue;
        const unsigned high = 28 - sum, low = 27 - sum;
        if (high + low >= k)
            d = (digits){k, high < MOST_BITS ? high : MOST_BITS, low};
    }
    if (d.high + d.low > MOST_BITS)
        d.low = MOST_BITS - d.high;
    return d;
}

static bool row_forms(lowering *l, const rows *r, uint32_t e, uint32_t sum, form *cells, form *divisor) {
    form_create(cells, r->batched, r->rank, r->dim);
    form_create(divisor, r->batched, r->rank, r->dim);
    return form_add_tensor(cells, lowering_tensors(l), e, 1) && rows_add_lead(l, divisor, r, sum, 1);
}

/* *p := the quotient as a form over the rows. */
static bool divide_twice(lowering *l, const graph_node *n, const rows *r, uint32_t e, uint32_t sum, digits d,
                         form *p, mica_status *st) {
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    form cells, s, dividend, twice, rem;
    uint32_t u, w;
    if (!row_forms(l, r, e, sum, &cells, &s))
        return false;
    form_create(&dividend, r->batched, r->rank, r->dim);
    if (!form_add_form(&dividend, lowering_tensors(l), &cells, INT64_C(1) << d.high, same_axes) ||
        !floor_quotient(l, n, &dividend, &s, d.high + 1, &u, &rem, st))
        return false;
    form_create(&dividend, r->batched, r->rank, r->dim);
    form_create(&twice, r->batched, r->rank, r->dim);
    const mica_tensor *base = lowering_tensors(l);
    if (!form_add_form(&dividend, base, &rem, INT64_C(2) << d.low, same_axes) ||
        !form_add_form(&dividend, base, &s, 1, same_axes) || !form_add_form(&twice, base, &s, 2, same_axes) ||
        !floor_quotient(l, n, &dividend, &twice, d.low + 1, &w, NULL, st))
        return false;
    form_create(p, r->batched, r->rank, r->dim);
    return form_add_tensor(p, lowering_tensors(l), u, INT64_C(1) << d.low) &&
           form_add_tensor(p, lowering_tensors(l), w, 1);
}

static bool lower_long_rows(lowering *l, const graph_node *n, const rows *r, double scale, mica_status *st) {
    const digits d = two_digits(r->length);
    uint32_t e;
    form p;
    if (d.k == 0)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "its rows of %u elements are too long", r->length);
    if (!exponentials(l, r, scale, d.k, &e, st))
        return false;
    const uint32_t sum = row_sum(l, r, e);
    return sum != NO_INDEX && divide_twice(l, n, r, e, sum, d, &p, st) &&
           lowering_set_sum(l, n, &p, &r->axes, 1 / (double)(UINT64_C(1) << (d.high + d.low)), st);
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
    if (k < SHORTEST_DIGIT)
        return lower_long_rows(l, n, &r, x.scale, st);
    uint32_t e;
    if (!exponentials(l, &r, x.scale, k, &e, st))
        return false;
    const uint32_t sum = row_sum(l, &r, e);
    const uint32_t p = sum == NO_INDEX ? NO_INDEX : quotient(l, &r, e, sum, k);
    const uint32_t product = p == NO_INDEX ? NO_INDEX : row_product(l, &r, sum, p);
    return product != NO_INDEX && check_quotient(l, &r, e, sum, product, k, st) &&
           lowering_set_tensor(l, n, p, &r.axes, 1 / (double)(UINT64_C(1) << k), n->out[0]);
}
