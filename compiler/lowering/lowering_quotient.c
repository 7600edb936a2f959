#include "lowering/lowering_quotient.h"

#include <string.h>

#include "lowering/limbs.h"
#include "lowering/lowering_domain.h"
#include "lowering/range.h"

#define QUOTIENT_BITS_MOST 16
#define ROOT_BITS          15
/* |e| and |s u| stay below these: e - s u, and s - 1 - (e - s u), differ from a checked remainder below 2^29
 * by less than p. */
#define DIVIDEND_LIMIT (INT64_C(1) << 29)
#define PRODUCT_LIMIT  (INT64_C(1) << 30)

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

/* a * x, with a and x over one domain. */
static bool add_scaled(lowering *l, form *f, const form *x, int64_t coef) {
    return form_add_form(f, lowering_tensors(l), x, coef, same_axes);
}

/* A tensor of the form's own shape: what the step reads. */
static uint32_t materialise(lowering *l, const form *f) {
    return lowering_form_tensor(l, f);
}

/* A committed integer in [0, 2^bits). */
static uint32_t range_witness(lowering *l, const form *like, unsigned bits) {
    const bound range = {0, (INT64_C(1) << bits) - 1};
    const uint32_t t = builder_witness(&l->b, like->batched, like->rank, like->dim, range);
    const bool ok = t != NO_INDEX && builder_lookup(&l->b, builder_range_table(&l->b, bits), t, NO_INDEX);
    return ok ? t : NO_INDEX;
}

static bool run_step(lowering *l, step_kind kind, uint32_t result, uint32_t a, uint32_t b) {
    step s = {.kind = kind, .layer = l->b.layer, .table = NO_INDEX};
    memset(s.tensor, 0xff, sizeof s.tensor);
    s.tensor[0] = result;
    s.tensor[1] = a;
    s.tensor[2] = b;
    return builder_step(&l->b, &s);
}

/* x y over tensors of one shape, without lowering_product's tighter limit on products. */
static uint32_t product(lowering *l, uint32_t x, uint32_t y) {
    const mica_tensor *t = &lowering_tensors(l)[x];
    mica_contract c = {.a = x, .b = y, .n_labels = t->rank};
    for (unsigned i = 0; i < t->rank && i < MICA_MAX_RANK; i++) {
        c.label_dim[i] = t->dim[i];
        c.out_label[i] = (uint8_t)i;
        c.a_view.axis[i] = c.b_view.axis[i] = (int32_t)i;
    }
    const bound r = range_of_products(bound_of(t), bound_of(&lowering_tensors(l)[y]), 1);
    return builder_contract(&l->b, &c, t->rank, r);
}

/* A single number gets an axis of size 1, which products need. */
static form with_axis(const lowering *l, const form *f) {
    const uint32_t one = 1;
    form g;
    if (f->rank)
        return *f;
    form_create(&g, f->batched, 1, &one);
    (void)form_add_form(&g, lowering_tensors(l), f, 1, same_axes); /* as many terms as f has */
    return g;
}

/* The number that a form without terms holds everywhere; 0 if it is none. */
static int64_t one_number(const form *f) {
    bool whole = f->n_terms == 0 && f->n_boxes == 1;
    for (unsigned i = 0; whole && i < f->rank; i++)
        whole = f->box[0].lo[i] == 0 && f->box[0].hi[i] == f->dim[i];
    return whole ? f->box[0].coef : 0;
}

/* *f -= s u: a multiple of u where s is one number, otherwise a product. */
static bool subtract_multiple(lowering *l, const graph_node *n, form *f, const form *s, uint32_t divisor,
                              uint32_t u, mica_status *st) {
    const int64_t number = one_number(s);
    uint32_t t = u;
    if (number == 0) {
        t = product(l, divisor, u);
        if (t == NO_INDEX)
            return false;
    }
    return form_add_tensor(f, lowering_tensors(l), t, number ? -number : -1) ||
           lowering_too_many_terms(l, n, st);
}

bool floor_quotient(lowering *l, const graph_node *n, const form *e_form, const form *s_form, unsigned bits,
                    uint32_t *u, form *rem, mica_status *st) {
    const form e = with_axis(l, e_form), s = with_axis(l, s_form);
    const bound e_range = form_range(&e, lowering_tensors(l)), s_range = form_range(&s, lowering_tensors(l));
    const unsigned rem_bits = mica_log2_ceil((uint64_t)(s_range.hi > 1 ? s_range.hi : 2));
    if (bits > QUOTIENT_BITS_MOST || e_range.hi >= DIVIDEND_LIMIT || e_range.lo <= -DIVIDEND_LIMIT ||
        s_range.hi >= PRODUCT_LIMIT >> bits || s_range.lo <= -(PRODUCT_LIMIT >> bits))
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its quotients can leave the field");
    const uint32_t dividend = materialise(l, &e), divisor = materialise(l, &s);
    *u = dividend == NO_INDEX || divisor == NO_INDEX ? NO_INDEX : range_witness(l, &e, bits);
    if (*u == NO_INDEX || !run_step(l, STEP_QUOTIENT, *u, dividend, divisor))
        return false;
    /* e - s u and s - 1 - (e - s u) */
    form low = lowering_tensor_form(l, dividend), high = lowering_tensor_form(l, divisor);
    if (!subtract_multiple(l, n, &low, &s, divisor, *u, st))
        return false;
    if (!add_scaled(l, &high, &low, -1) || !form_add_constant(&high, -1))
        return lowering_too_many_terms(l, n, st);
    return range_check_value(l, &low, rem_bits, rem, st) && range_check(l, &high, rem_bits, st);
}

bool floor_root(lowering *l, const graph_node *n, const form *v_form, uint32_t *r, mica_status *st) {
    const form v = with_axis(l, v_form);
    const bound range = form_range(&v, lowering_tensors(l));
    if (range.hi >= INT64_C(1) << 30 || range.lo <= -(INT64_C(1) << 30))
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its square roots can leave the field");
    const uint32_t square = materialise(l, &v);
    *r = square == NO_INDEX ? NO_INDEX : range_witness(l, &v, ROOT_BITS);
    if (*r == NO_INDEX || !run_step(l, STEP_ROOT, *r, square, NO_INDEX))
        return false;
    const uint32_t back = product(l, *r, *r);
    if (back == NO_INDEX)
        return false;
    form low = lowering_tensor_form(l, square), high; /* v - r^2 and 2 r - (v - r^2) */
    form_create(&high, v.batched, v.rank, v.dim);
    if (!form_add_tensor(&low, lowering_tensors(l), back, -1) ||
        !form_add_tensor(&high, lowering_tensors(l), *r, 2) || !add_scaled(l, &high, &low, -1))
        return lowering_too_many_terms(l, n, st);
    /* 2 r < 2^16 */
    return range_check(l, &low, ROOT_BITS + 1, st) && range_check(l, &high, ROOT_BITS + 1, st);
}
