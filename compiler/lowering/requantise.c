#include "lowering/requantise.h"

#include <string.h>

#include "lowering/limbs.h"
#include "lowering/requantise_plan.h"

static const double unbounded = __builtin_inf();
const activation activation_identity = {
    .kind = MICA_TABLE_IDENTITY, .lo = -__builtin_inf(), .hi = __builtin_inf()};

/* The table of p, looked up by a form with a shift. */
static uint32_t plan_table(lowering *l, const requantise_plan *p, unsigned shift, const activation *act,
                           mica_status *st) {
    mica_table_def def;
    if (!requantise_plan_table(p, act, &def)) {
        (void)mica_fail(st, MICA_ERR_RANGE, "layer '%s': a scale or parameter is outside 2^-66 .. 2^127",
                        l->b.p.circuit.layer[l->b.layer].name);
        return NO_INDEX;
    }
    return builder_clamp_table(&l->b, &def, shift);
}

static void note_range(lowering *l, bound r, unsigned shift) {
    layer_note *note = &l->b.p.note[l->b.layer];
    r = requantise_rounded(r, shift);
    if (r.lo < note->acc_lo)
        note->acc_lo = r.lo;
    if (r.hi > note->acc_hi)
        note->acc_hi = r.hi;
}

static uint32_t witness_like(lowering *l, const form *f, bound range) {
    return builder_witness(&l->b, f->batched, f->rank, f->dim, range);
}

/* y = T(h) by the step's table, h being its LINEAR. */
static bool emit_lookup(lowering *l, const form *f, step *s, bound values) {
    if (s->table == NO_INDEX || s->tensor[0] == NO_INDEX)
        return false;
    s->tensor[1] = witness_like(l, f, values);
    return s->tensor[1] != NO_INDEX && builder_lookup(&l->b, s->table, s->tensor[0], s->tensor[1]) &&
           builder_step(&l->b, s);
}

/* The low limb l of h; subtracts 2^shift l from `sum`. */
static bool emit_low(lowering *l, const requantise_plan *p, form *sum, step *s, mica_status *st) {
    const uint32_t limb = witness_like(l, sum, (bound){0, (INT64_C(1) << p->low) - 1});
    if (limb == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, p->low), limb, NO_INDEX))
        return false;
    s->tensor[2 + s->n_limbs++] = limb;
    return form_add_tensor(sum, lowering_tensors(l), limb, -(INT64_C(1) << p->shift)) ||
           limbs_too_many_terms(l, st);
}

/* g = clamp(floor(h / 2^low)) has been looked up by `high`: y = T(2^low g + l). */
static bool emit_second_stage(lowering *l, const form *f, const requantise_plan *p, const activation *act,
                              const step *high, step *s, mica_status *st) {
    form key;
    form_create(&key, f->batched, f->rank, f->dim);
    if (!form_add_tensor(&key, lowering_tensors(l), high->tensor[1], INT64_C(1) << p->low) ||
        !form_add_tensor(&key, lowering_tensors(l), high->tensor[1 + high->n_limbs], 1))
        return limbs_too_many_terms(l, st);
    s->table = plan_table(l, p, 0, act, st);
    s->tensor[0] = builder_linear(&l->b, &key, 0);
    return emit_lookup(l, f, s, (bound){p->lo_value, p->hi_value});
}

static uint32_t high_table(lowering *l, const requantise_plan *p) {
    mica_table_def def = {.kind = MICA_TABLE_IDENTITY,
                          .bits = (uint8_t)p->high_bits,
                          .lo_key = -(INT32_C(1) << (p->high_bits - 1)),
                          .lo_value = p->lo_high,
                          .hi_value = p->hi_high};
    (void)mica_dyadic_from_double(&def.in_scale, 1); /* 1 is in range */
    def.out_scale = def.in_scale;
    return builder_clamp_table(&l->b, &def, p->shift + p->low);
}

static step new_step(const lowering *l) {
    step s = {.kind = STEP_REQUANTISE, .layer = l->b.layer};
    memset(s.tensor, 0xff, sizeof s.tensor);
    return s;
}

static bool emit(lowering *l, const form *f, bound r, const requantise_plan *p, const activation *act,
                 uint32_t *tensor, mica_status *st) {
    step s = new_step(l), second = new_step(l);
    s.table = p->low ? high_table(l, p) : plan_table(l, p, p->shift, act, st);
    form sum = *f;
    const limb_list limbs = limbs_choose(l, p->shift, form_padded_cells(f));
    s.n_limbs = limbs.n;
    if (p->shift && !form_add_constant(&sum, INT64_C(1) << (p->shift - 1)))
        return limbs_too_many_terms(l, st);
    if (!limbs_emit(l, &sum, &limbs, &s, st) || (p->low && !emit_low(l, p, &sum, &s, st)))
        return false;
    s.tensor[0] = builder_linear(&l->b, &sum, p->shift + p->low);
    const bound values = p->low ? (bound){p->lo_high, p->hi_high} : (bound){p->lo_value, p->hi_value};
    if (!emit_lookup(l, f, &s, values) || (p->low && !emit_second_stage(l, f, p, act, &s, &second, st)))
        return false;
    note_range(l, r, p->shift);
    *tensor = p->low ? second.tensor[1] : s.tensor[1];
    return true;
}

bool requantise(lowering *l, const form *f, double scale, const activation *act, uint32_t v, uint32_t *tensor,
                double *out_scale, mica_status *st) {
    const bound r = form_range(f, lowering_tensors(l));
    requantise_plan p = {0};
    if (l->g->value[v].dtype == DTYPE_INT && scale == 1 && act->lo == -unbounded && act->hi == unbounded) {
        *out_scale = 1; /* integers are exact: the sum itself */
        *tensor = builder_sum(&l->b, f);
        note_range(l, r, 0);
        return *tensor != NO_INDEX;
    }
    if (!requantise_plan_make(l, f, scale, r, act, v, &p, st))
        return false;
    *out_scale = p.out_scale;
    if (!p.exact)
        return emit(l, f, r, &p, act, tensor, st);
    *tensor = builder_sum(&l->b, f);
    note_range(l, r, 0);
    return *tensor != NO_INDEX;
}

bool step_function(lowering *l, const form *f, uint32_t *tensor, mica_status *st) {
    const unsigned soft = requantise_soft_bits(l, f);
    requantise_plan p = {.step = 1, .out_scale = 1, .hi_value = 1};
    form sum;
    bound r;
    for (;; p.shift++) {
        sum = *f;
        if (p.shift &&
            !form_add_constant(&sum, (INT64_C(1) << (p.shift - 1)) - 1)) /* emit adds as much + 1 */
            return limbs_too_many_terms(l, st);
        r = bound_hull(form_range(&sum, lowering_tensors(l)), (bound){0, 0});
        p.bits = requantise_key_bits(r, p.shift);
        if (p.shift == RANGE_REQUANTISE_BITS || p.bits <= soft)
            break;
    }
    if (p.shift + p.bits > RANGE_REQUANTISE_BITS)
        return mica_fail(st, MICA_ERR_RANGE,
                         "layer '%s': a comparison of values in [%lld, %lld] does not fit 30 bits",
                         l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
    return emit(l, &sum, r, &p, &activation_identity, tensor, st);
}
