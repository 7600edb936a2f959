#include "requantise.h"

#include <string.h>

#include "range.h"

#define MAX_TABLE_BITS  16
#define MAX_LIMB_BITS   12
#define MAX_LIMBS       (STEP_MAX_TENSORS - 3) /* one more for the low limb of two stages */
#define SOFT_BITS_LEAST 10                     /* tables up to 2^10 rows are cheap whatever the network */
#define SOFT_BITS_MOST  14
#define STEPS_BITS_LOST 3  /* resolution given up, at most, for a smaller table */
#define OUTPUT_BITS     14 /* resolution of a function at a graph output */
#define NEAREST         1.4142135623730951
#define TIGHT_MARGIN    1.25 /* head room over the calibrated magnitude where a bound is short of it */

static const double unbounded = __builtin_inf();
const activation activation_identity = {
    .kind = MICA_TABLE_IDENTITY, .lo = -__builtin_inf(), .hi = __builtin_inf()};

/* The choices of one requantisation. */
typedef struct plan {
    unsigned shift, bits; /* s and c */
    double step;          /* real size of one unit of h */
    double out_scale;
    int32_t lo_value, hi_value;
    bool exact; /* y = h: no table needed */
    /* In two stages, if low > 0: h = 2^low g + l, and h' = 2^low clamp(g, lo_high, hi_high) + l is the key of
     * the table, of the `bits` that are left; high_bits are those of g. */
    unsigned low, high_bits;
    double needed; /* the saturation must not be below, in units of y */
    int32_t lo_high, hi_high;
} plan;

static double power_of_two(unsigned k) {
    return (double)(UINT64_C(1) << k);
}

/* With the rounding term where there is a shift. */
static bound rounded(bound r, unsigned shift) {
    const int64_t half = shift ? INT64_C(1) << (shift - 1) : 0;
    return (bound){r.lo + (r.lo ? half : 0), r.hi + half};
}

static unsigned key_bits(bound r, unsigned shift) {
    return range_key_bits(bound_hull(rounded(r, shift), (bound){0, 0}), shift);
}

/* Table bits above which a table costs more than the lookups it serves. */
static unsigned soft_table_bits(const lowering *l, const form *f) {
    if (l->opt.table_bits)
        return l->opt.table_bits;
    const unsigned cells = mica_log2_ceil(form_padded_cells(f));
    const unsigned c =
        cells > SOFT_BITS_LEAST + 2 ? cells - 2 : SOFT_BITS_LEAST; /* a quarter of the lookups */
    return c > SOFT_BITS_MOST ? SOFT_BITS_MOST : c;
}

static bool fits_field(const lowering *l, bound r, const plan *p, mica_status *st) {
    const unsigned bits = p->low ? p->low + p->high_bits : p->bits;
    return p->shift + bits <= RANGE_REQUANTISE_BITS ||
           mica_fail(st, MICA_ERR_RANGE,
                     "layer '%s': the accumulator's range [%lld, %lld] does not fit 30 bits; "
                     "requantisation could wrap",
                     l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
}

static void set_shift(plan *p, bound r, double scale, unsigned s) {
    p->shift = s;
    p->bits = key_bits(r, s);
    p->step = scale * power_of_two(s);
}

static unsigned finest_shift(double scale, double wanted) {
    unsigned s = 0;
    while (s < RANGE_REQUANTISE_BITS && scale * power_of_two(s + 1) <= wanted)
        s++;
    return s;
}

/* s: the finest step that reaches `wanted`, then coarser steps, but not beyond `tolerable`, while the table
 * is larger than worth its cost; then whatever the largest table asks for. */
static bool choose_shift(lowering *l, const form *f, double scale, bound r, double wanted, double tolerable,
                         plan *p, mica_status *st) {
    const unsigned soft = soft_table_bits(l, f);
    unsigned s = finest_shift(scale, wanted);
    while (!l->opt.fine && s < RANGE_REQUANTISE_BITS && key_bits(r, s) > soft &&
           scale * power_of_two(s + 1) <= tolerable)
        s++;
    while (s < RANGE_REQUANTISE_BITS && key_bits(r, s) > MAX_TABLE_BITS)
        s++;
    set_shift(p, r, scale, s);
    return fits_field(l, r, p, st);
}

static int32_t clamp_value(double x) {
    const double limit = 1 << 24;
    return (int32_t)round_away(x > limit ? limit : x < -limit ? -limit : x);
}

/* y in the units of out_scale: saturated at twice the calibrated magnitude, and at the activation's own
 * bounds. */
static void choose_clamp(const lowering *l, const activation *act, uint32_t v, double want, bound r,
                         plan *p) {
    p->out_scale = want > 0 ? want : p->step;
    const double ratio = p->step / p->out_scale;
    const bound h = {rounded(r, p->shift).lo >> p->shift, rounded(r, p->shift).hi >> p->shift};
    const double largest = (double)(h.hi > -h.lo ? h.hi : -h.lo) * ratio;
    const double magnitude = calibration_magnitude(l->cal, v) / p->out_scale;
    const double seen = p->needed = l->tight[v] ? TIGHT_MARGIN * magnitude : 2 * magnitude;
    double sat = 1;
    while (sat < seen && sat < largest)
        sat = 2 * sat + 1;
    if (l->tight[v] &&
        (3 * sat - 1) / 4 >= seen) /* three quarters of it; no finer, so that layers share tables */
        sat = (3 * sat - 1) / 4;
    p->lo_value = clamp_value(act->lo > -sat * p->out_scale ? act->lo / p->out_scale : -sat);
    p->hi_value = clamp_value(act->hi < sat * p->out_scale ? act->hi / p->out_scale : sat);
}

/* --- two stages --- */

/* The keys outside of which the table of p has one value each. */
static bound saturation_keys(const plan *p) {
    const double ratio = p->out_scale / p->step;
    if (ratio == 1)
        return (bound){p->lo_value, p->hi_value};
    return (bound){(int64_t)(((double)p->lo_value - 1) * ratio) - 1,
                   (int64_t)(((double)p->hi_value + 1) * ratio) + 1};
}

/* The stages for l low bits; false if the table would not be smaller than a table of all keys. */
static bool split_keys(plan *p, unsigned all_bits, unsigned low) {
    const bound k = saturation_keys(p);
    const int64_t unit = INT64_C(1) << low;
    /* h >= 2^low hi_high has h' >= 2^low hi_high >= k.hi, and so the value of k.hi; below likewise. */
    p->hi_high = (int32_t)((k.hi + unit - 1) / unit);
    p->lo_high = (int32_t) - ((unit - 1 - k.lo + unit - 1) / unit);
    p->low = low;
    p->high_bits = all_bits - low;
    p->bits = range_key_bits((bound){unit * p->lo_high, unit * p->hi_high + unit - 1}, 0);
    return p->bits < all_bits && p->bits <= MAX_TABLE_BITS && p->high_bits <= MAX_TABLE_BITS;
}

static uint64_t stage_rows(const plan *p) {
    return (UINT64_C(1) << p->bits) + (UINT64_C(1) << p->high_bits) + (UINT64_C(1) << p->low);
}

/* Saturation at 2^k - 1 would need one more bit for the overflow of l: 2^k - 2^low does as well, if that
 * much is not needed. */
static void lower_top(plan *p, unsigned low) {
    const int32_t top = p->hi_value + 1 - (INT32_C(1) << low);
    if ((p->hi_value & (p->hi_value + 1)) != 0 || (double)top < p->needed)
        return;
    if (p->lo_value == -p->hi_value)
        p->lo_value = -top;
    p->hi_value = top;
}

/* Replaces the table of all keys by two stages where it is too large, or costs more than they do. False if no
 * table is small enough. */
static bool plan_stages(const form *f, plan *p) {
    const plan single = *p;
    uint64_t least = p->bits <= MAX_TABLE_BITS ? UINT64_C(1) << p->bits : UINT64_MAX;
    for (unsigned low = 1; low <= MAX_LIMB_BITS && low < single.bits; low++) {
        plan q = single;
        lower_top(&q, low);
        if (!split_keys(&q, single.bits, low))
            continue;
        const uint64_t cost = stage_rows(&q) + 2 * form_padded_cells(f); /* two more lookups per cell */
        if (cost < least) {
            least = cost;
            *p = q;
        }
    }
    return p->bits <= MAX_TABLE_BITS;
}

static bool plan_clamp(lowering *l, const form *f, double scale, bound r, const activation *act, uint32_t v,
                       plan *p, mica_status *st) {
    const double want = l->want_scale[v];
    const double magnitude = calibration_magnitude(l->cal, v);
    double wanted = want > 0 ? want / 4 : magnitude / power_of_two(l->bits[v]);
    if (!(wanted > 0)) /* never anything but zero on the samples: as coarse as the table allows */
        wanted = scale * power_of_two(r.hi - r.lo > 0 ? mica_log2_ceil((uint64_t)(r.hi - r.lo)) : 0) / 1024;
    if (l->tight[v] && want == 0) /* the nearest step: this layer's resolution costs the next one's */
        wanted *= NEAREST;
    bool planned = false;
    if (l->opt.fine) { /* as fine as wanted, in two stages if need be */
        set_shift(p, r, scale, finest_shift(scale, wanted));
        choose_clamp(l, act, v, want, r, p);
        planned = plan_stages(f, p);
    }
    if (!planned) {
        if (!choose_shift(l, f, scale, r, wanted, wanted * power_of_two(STEPS_BITS_LOST), p, st))
            return false;
        choose_clamp(l, act, v, want, r, p);
    }
    const bound h = {r.lo >> p->shift, r.hi >> p->shift};
    p->exact = want == 0 && p->shift == 0 && h.lo >= 2 * (int64_t)p->lo_value &&
               h.hi <= 2 * (int64_t)p->hi_value && act->lo == -unbounded && act->hi == unbounded;
    return planned ? fits_field(l, r, p, st) : true;
}

unsigned result_bits(const lowering *l, uint32_t v) {
    return l->shown[v] && l->bits[v] < OUTPUT_BITS ? OUTPUT_BITS : l->bits[v];
}

/* Sigmoid and tanh: values in (-1, 1), slopes at most 1. */
static bool plan_squash(lowering *l, const form *f, double scale, bound r, const activation *act, uint32_t v,
                        plan *p, mica_status *st) {
    const unsigned bits = result_bits(l, v);
    const double slope = act->kind == MICA_TABLE_SIGMOID ? 0.25 : 1;
    const double wanted = 1 / power_of_two(l->bits[v]) / slope;
    if (!choose_shift(l, f, scale, r, wanted, wanted * power_of_two(STEPS_BITS_LOST), p, st))
        return false;
    p->out_scale = 1 / power_of_two(bits);
    p->hi_value = INT32_C(1) << bits;
    p->lo_value = act->kind == MICA_TABLE_SIGMOID ? 0 : -p->hi_value;
    return true;
}

/* A function whose resolution the caller has chosen; act->lo and act->hi are finite. */
static bool plan_function(lowering *l, const form *f, double scale, bound r, const activation *act, plan *p,
                          mica_status *st) {
    if (!choose_shift(l, f, scale, r, act->wanted, act->tolerable, p, st))
        return false;
    if (act->exact && p->shift > 0)
        return mica_fail(st, MICA_ERR_RANGE, "layer '%s': integers in [%lld, %lld] are too wide for a table",
                         l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
    p->out_scale = act->out_scale;
    p->lo_value = clamp_value(act->lo / act->out_scale);
    p->hi_value = clamp_value(act->hi / act->out_scale);
    return true;
}

/* Scales and parameters of the table's definition; false if one is out of range. */
static bool table_scales(mica_table_def *def, const plan *p, const activation *act) {
    double in = p->step, out = p->out_scale;
    if (act->out_scale > 0) {
        in *= act->in_factor;
        out /= act->out_factor;
    }
    /* Functions that scale with their argument: equal ratios are one table. */
    if ((act->kind == MICA_TABLE_IDENTITY || act->kind == MICA_TABLE_LEAKY) && in == out)
        in = out = 1;
    bool ok = mica_dyadic_from_double(&def->in_scale, in) && mica_dyadic_from_double(&def->out_scale, out);
    for (int i = 0; i < 2 && act->out_scale > 0; i++)
        ok = ok && mica_dyadic_from_double(&def->param[i], act->param[i]);
    return ok;
}

/* The table of p, looked up by a form with a shift. */
static uint32_t plan_table(lowering *l, const plan *p, unsigned shift, const activation *act,
                           mica_status *st) {
    mica_table_def def = {.kind = act->kind,
                          .bits = (uint8_t)p->bits,
                          .lo_key = -(INT32_C(1) << (p->bits - 1)),
                          .lo_value = p->lo_value,
                          .hi_value = p->hi_value};
    if (act->kind == MICA_TABLE_IDENTITY && p->lo_value == 0)
        def.kind = MICA_TABLE_RELU_SCALED;
    if (!table_scales(&def, p, act)) {
        (void)mica_fail(st, MICA_ERR_RANGE, "layer '%s': a scale or parameter is outside 2^-66 .. 2^127",
                        l->b.p.circuit.layer[l->b.layer].name);
        return NO_INDEX;
    }
    return builder_clamp_table(&l->b, &def, shift);
}

/* --- remainder limbs --- */

/* Rows that a new range table of this many bits would add. */
static uint64_t range_table_rows(const lowering *l, unsigned bits) {
    const mica_circuit *c = &l->b.p.circuit;
    for (uint32_t i = 0; i < c->n_tables; i++)
        if (c->table[i].def.kind == MICA_TABLE_RANGE && c->table[i].def.bits == bits)
            return 0;
    return UINT64_C(1) << bits;
}

/* Limb i of n, together exactly `shift` bits, as equal as possible. */
static unsigned limb_bits(unsigned shift, unsigned n, unsigned i) {
    return shift / n + (i < shift % n);
}

/* The number of limbs with the fewest lookups and table rows together. */
static unsigned choose_limbs(const lowering *l, unsigned shift, uint64_t cells) {
    unsigned best = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned n = 1; n <= MAX_LIMBS && n <= shift; n++) {
        if (limb_bits(shift, n, 0) > MAX_LIMB_BITS)
            continue;
        uint64_t cost = n * cells + range_table_rows(l, limb_bits(shift, n, 0));
        if (limb_bits(shift, n, n - 1) != limb_bits(shift, n, 0))
            cost += range_table_rows(l, limb_bits(shift, n, n - 1));
        if (cost < least) {
            least = cost;
            best = n;
        }
    }
    return best;
}

static bool too_many_terms(const lowering *l, mica_status *st) {
    return mica_fail(st, MICA_ERR_LIMIT, "layer '%s': too many terms in one sum",
                     l->b.p.circuit.layer[l->b.layer].name);
}

/* Adds -2^offset * limb to `f` for s->n_limbs limbs, which are the low ones of `pieces` pieces of `bits`
 * bits. */
static bool emit_limbs(lowering *l, form *f, unsigned bits, unsigned pieces, step *s, mica_status *st) {
    unsigned offset = 0;
    for (unsigned i = 0; i < s->n_limbs; i++) {
        const unsigned width = limb_bits(bits, pieces, i);
        const bound range = {0, (INT64_C(1) << width) - 1};
        const uint32_t limb = builder_witness(&l->b, f->batched, f->rank, f->dim, range);
        if (limb == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, width), limb, NO_INDEX))
            return false;
        if (!form_add_tensor(f, lowering_tensors(l), limb, -(INT64_C(1) << offset)))
            return too_many_terms(l, st);
        s->tensor[2 + i] = limb;
        offset += width;
    }
    return true;
}

uint32_t digits_tensor(lowering *l, unsigned rank, const uint32_t *dim, unsigned bits, int64_t least,
                       mica_status *st) {
    form x;
    form_create(&x, true, rank, dim);
    const unsigned pieces = choose_limbs(l, bits, form_padded_cells(&x));
    bool fits = true;
    for (unsigned i = 0, at = 0; i < pieces; i++) {
        const unsigned width = limb_bits(bits, pieces, i);
        const bound range = {0, (INT64_C(1) << width) - 1};
        const uint32_t digit = builder_witness(&l->b, true, rank, dim, range);
        if (digit == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, width), digit, NO_INDEX))
            return NO_INDEX;
        fits = fits && form_add_tensor(&x, lowering_tensors(l), digit, INT64_C(1) << at);
        at += width;
    }
    fits = fits && (least == 0 || form_add_constant(&x, least));
    return fits || too_many_terms(l, st) ? builder_linear(&l->b, &x, 0) : NO_INDEX;
}

/* *value := the number that range check s found, as the sum of its limbs. */
static bool sum_of_limbs(lowering *l, const step *s, unsigned bits, unsigned pieces, form *value,
                         mica_status *st) {
    const mica_tensor *top = &lowering_tensors(l)[s->tensor[0]];
    form_create(value, top->batched, top->rank, top->dim);
    unsigned offset = 0;
    for (unsigned i = 0; i < pieces; i++) {
        const uint32_t limb = i < s->n_limbs ? s->tensor[2 + i] : s->tensor[0];
        if (!form_add_tensor(value, lowering_tensors(l), limb, INT64_C(1) << offset))
            return too_many_terms(l, st);
        offset += limb_bits(bits, pieces, i);
    }
    return true;
}

bool range_check_value(lowering *l, const form *f, unsigned bits, form *value, mica_status *st) {
    step s = {.kind = STEP_REQUANTISE, .layer = l->b.layer, .table = NO_INDEX};
    memset(s.tensor, 0xff, sizeof s.tensor);
    const unsigned pieces = choose_limbs(l, bits, form_padded_cells(f));
    form sum = *f;
    s.n_limbs = pieces - 1;
    if (!emit_limbs(l, &sum, bits, pieces, &s, st))
        return false;
    const unsigned top = limb_bits(bits, pieces, s.n_limbs);
    s.tensor[0] = builder_linear(&l->b, &sum, bits - top);
    if (s.tensor[0] == NO_INDEX ||
        !builder_lookup(&l->b, builder_range_table(&l->b, top), s.tensor[0], NO_INDEX) ||
        !builder_step(&l->b, &s))
        return false;
    /* The lookup says more than the definition: readers of the limb may rely on the table. */
    mica_tensor *limb = &l->b.p.circuit.tensor[s.tensor[0]];
    const int32_t most = (int32_t)((UINT32_C(1) << top) - 1); /* top <= MICA_MAX_TABLE_BITS */
    limb->lo = 0;
    limb->hi = limb->hi < most ? limb->hi : most;
    return !value || sum_of_limbs(l, &s, bits, pieces, value, st);
}

bool range_check(lowering *l, const form *f, unsigned bits, mica_status *st) {
    return range_check_value(l, f, bits, NULL, st);
}

static void note_range(lowering *l, bound r, unsigned shift) {
    layer_note *note = &l->b.p.note[l->b.layer];
    r = rounded(r, shift);
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
static bool emit_low(lowering *l, const plan *p, form *sum, step *s, mica_status *st) {
    const uint32_t limb = witness_like(l, sum, (bound){0, (INT64_C(1) << p->low) - 1});
    if (limb == NO_INDEX || !builder_lookup(&l->b, builder_range_table(&l->b, p->low), limb, NO_INDEX))
        return false;
    s->tensor[2 + s->n_limbs++] = limb;
    return form_add_tensor(sum, lowering_tensors(l), limb, -(INT64_C(1) << p->shift)) ||
           too_many_terms(l, st);
}

/* g = clamp(floor(h / 2^low)) has been looked up by `high`: y = T(2^low g + l). */
static bool emit_second_stage(lowering *l, const form *f, const plan *p, const activation *act,
                              const step *high, step *s, mica_status *st) {
    form key;
    form_create(&key, f->batched, f->rank, f->dim);
    if (!form_add_tensor(&key, lowering_tensors(l), high->tensor[1], INT64_C(1) << p->low) ||
        !form_add_tensor(&key, lowering_tensors(l), high->tensor[1 + high->n_limbs], 1))
        return too_many_terms(l, st);
    s->table = plan_table(l, p, 0, act, st);
    s->tensor[0] = builder_linear(&l->b, &key, 0);
    return emit_lookup(l, f, s, (bound){p->lo_value, p->hi_value});
}

static uint32_t high_table(lowering *l, const plan *p) {
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

static bool emit(lowering *l, const form *f, bound r, const plan *p, const activation *act, uint32_t *tensor,
                 mica_status *st) {
    step s = new_step(l), second = new_step(l);
    s.table = p->low ? high_table(l, p) : plan_table(l, p, p->shift, act, st);
    form sum = *f;
    s.n_limbs = p->shift ? choose_limbs(l, p->shift, form_padded_cells(f)) : 0;
    if (p->shift && !form_add_constant(&sum, INT64_C(1) << (p->shift - 1)))
        return too_many_terms(l, st);
    if (!emit_limbs(l, &sum, p->shift, s.n_limbs, &s, st) || (p->low && !emit_low(l, p, &sum, &s, st)))
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
    plan p = {0};
    const bool clamp = act->kind == MICA_TABLE_IDENTITY;
    if (l->g->value[v].dtype == DTYPE_INT && scale == 1 && act->lo == -unbounded && act->hi == unbounded) {
        *out_scale = 1; /* integers are exact: the sum itself */
        *tensor = builder_sum(&l->b, f);
        note_range(l, r, 0);
        return *tensor != NO_INDEX;
    }
    const bool planned = act->out_scale > 0 ? plan_function(l, f, scale, r, act, &p, st)
                         : clamp            ? plan_clamp(l, f, scale, r, act, v, &p, st)
                                            : plan_squash(l, f, scale, r, act, v, &p, st);
    if (!planned)
        return false;
    *out_scale = p.out_scale;
    if (!p.exact)
        return emit(l, f, r, &p, act, tensor, st);
    *tensor = builder_sum(&l->b, f);
    note_range(l, r, 0);
    return *tensor != NO_INDEX;
}

bool step_function(lowering *l, const form *f, uint32_t *tensor, mica_status *st) {
    const unsigned soft = soft_table_bits(l, f);
    plan p = {.step = 1, .out_scale = 1, .hi_value = 1};
    form sum;
    bound r;
    for (;; p.shift++) {
        sum = *f;
        if (p.shift &&
            !form_add_constant(&sum, (INT64_C(1) << (p.shift - 1)) - 1)) /* emit adds as much + 1 */
            return too_many_terms(l, st);
        r = bound_hull(form_range(&sum, lowering_tensors(l)), (bound){0, 0});
        p.bits = key_bits(r, p.shift);
        if (p.shift == RANGE_REQUANTISE_BITS || p.bits <= soft)
            break;
    }
    if (p.shift + p.bits > RANGE_REQUANTISE_BITS)
        return mica_fail(st, MICA_ERR_RANGE,
                         "layer '%s': a comparison of values in [%lld, %lld] does not fit 30 bits",
                         l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
    return emit(l, &sum, r, &p, &activation_identity, tensor, st);
}
