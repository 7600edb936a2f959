#include "lowering/requantise_plan.h"

#include "lowering/limbs.h"

#define MAX_TABLE_BITS  16 /* of tables that verifiers evaluate row by row */
#define MAX_CLAMP_BITS  MICA_MAX_TABLE_BITS
#define SOFT_BITS_LEAST 10 /* tables up to 2^10 rows are cheap whatever the network */
#define SOFT_BITS_MOST  14
#define LOOKUPS_PER_ROW 4  /* from which on a table is cheap beside the lookups that it serves */
#define STEPS_BITS_LOST 3  /* resolution given up, at most, for a smaller table */
#define OUTPUT_BITS     14 /* resolution of a function at a graph output */
#define NEAREST         1.4142135623730951
#define TIGHT_MARGIN    1.25 /* head room over the calibrated magnitude where a bound is short of it */

static const double unbounded = __builtin_inf();

static double power_of_two(unsigned k) {
    return (double)(UINT64_C(1) << k);
}

bound requantise_rounded(bound r, unsigned shift) {
    const int64_t half = shift ? INT64_C(1) << (shift - 1) : 0;
    return (bound){r.lo + (r.lo ? half : 0), r.hi + half};
}

unsigned requantise_key_bits(bound r, unsigned shift) {
    return range_key_bits(bound_hull(requantise_rounded(r, shift), (bound){0, 0}), shift);
}

unsigned requantise_soft_bits(const lowering *l, const form *f) {
    if (l->opt.table_bits)
        return l->opt.table_bits;
    const unsigned cells = mica_log2_ceil(form_padded_cells(f));
    const unsigned c =
        cells > SOFT_BITS_LEAST + 2 ? cells - 2 : SOFT_BITS_LEAST; /* a quarter of the lookups */
    return c > SOFT_BITS_MOST ? SOFT_BITS_MOST : c;
}

/* Scales and parameters of the table's definition. */
static bool table_scales(mica_table_def *def, const requantise_plan *p, const activation *act) {
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

bool requantise_plan_table(const requantise_plan *p, const activation *act, mica_table_def *def) {
    *def = (mica_table_def){.kind = act->kind,
                            .bits = (uint8_t)p->bits,
                            .lo_key = -(INT32_C(1) << (p->bits - 1)),
                            .lo_value = p->lo_value,
                            .hi_value = p->hi_value};
    if (act->kind == MICA_TABLE_IDENTITY && p->lo_value == 0)
        def->kind = MICA_TABLE_RELU_SCALED;
    return table_scales(def, p, act);
}

/* Rows that a table of all keys would add to the circuit; UINT64_MAX if there may be none of as many. */
static uint64_t single_table_rows(const lowering *l, const requantise_plan *p, const activation *act) {
    mica_table_def def;
    if (!requantise_plan_table(p, act, &def))
        return UINT64_MAX;
    const unsigned most = mica_table_is_structured(&def) ? MAX_CLAMP_BITS : MAX_TABLE_BITS;
    return p->bits <= most ? builder_clamp_table_rows(&l->b, &def, p->shift) : UINT64_MAX;
}

/* Whether a table of all keys costs its lookups little, and verifiers nothing. */
static bool is_cheap_table(const lowering *l, const form *f, const requantise_plan *p,
                           const activation *act) {
    mica_table_def def;
    return requantise_plan_table(p, act, &def) && mica_table_is_structured(&def) &&
           single_table_rows(l, p, act) <= form_padded_cells(f) / LOOKUPS_PER_ROW;
}

static bool fits_field(const lowering *l, bound r, const requantise_plan *p, mica_status *st) {
    const unsigned bits = p->low ? p->low + p->high_bits : p->bits;
    return p->shift + bits <= RANGE_REQUANTISE_BITS ||
           mica_fail(st, MICA_ERR_RANGE,
                     "layer '%s': the accumulator's range [%lld, %lld] does not fit 30 bits; "
                     "requantisation could wrap",
                     l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
}

static void set_shift(requantise_plan *p, bound r, double scale, unsigned s) {
    p->shift = s;
    p->bits = requantise_key_bits(r, s);
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
static bool choose_shift(lowering *l, uint32_t v, const form *f, double scale, bound r, double wanted,
                         double tolerable, requantise_plan *p, mica_status *st) {
    const unsigned soft = requantise_soft_bits(l, f);
    unsigned s = finest_shift(scale, wanted);
    while (!l->width[v].fine && s < RANGE_REQUANTISE_BITS && requantise_key_bits(r, s) > soft &&
           scale * power_of_two(s + 1) <= tolerable)
        s++;
    while (s < RANGE_REQUANTISE_BITS && requantise_key_bits(r, s) > MAX_TABLE_BITS)
        s++;
    set_shift(p, r, scale, s);
    return fits_field(l, r, p, st);
}

static int32_t clamp_value(double x) {
    const double limit = 1 << 24;
    return (int32_t)round_away(x > limit ? limit : x < -limit ? -limit : x);
}

/* y in the units of out_scale: saturated at twice the calibrated magnitude, or where it is clipped, and at
 * the activation's own bounds. */
static void choose_clamp(const lowering *l, const activation *act, uint32_t v, double want, bound r,
                         requantise_plan *p) {
    p->out_scale = want > 0 ? want : p->step;
    const double ratio = p->step / p->out_scale;
    const bound h = {requantise_rounded(r, p->shift).lo >> p->shift,
                     requantise_rounded(r, p->shift).hi >> p->shift};
    const double largest = (double)(h.hi > -h.lo ? h.hi : -h.lo) * ratio;
    const double magnitude = lowering_magnitude(l, v) / p->out_scale;
    const double room = lowering_magnitude(l, v) < calibration_magnitude(l->cal, v) ? 1
                        : l->tight[v]                                               ? TIGHT_MARGIN
                                                                                    : 2;
    const double seen = p->needed = room * magnitude;
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
static bound saturation_keys(const requantise_plan *p) {
    const double ratio = p->out_scale / p->step;
    if (ratio == 1)
        return (bound){p->lo_value, p->hi_value};
    return (bound){(int64_t)(((double)p->lo_value - 1) * ratio) - 1,
                   (int64_t)(((double)p->hi_value + 1) * ratio) + 1};
}

/* The stages for l low bits; false if the table would not be smaller than a table of all keys. */
static bool split_keys(requantise_plan *p, unsigned all_bits, unsigned low) {
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

static uint64_t stage_rows(const requantise_plan *p) {
    return (UINT64_C(1) << p->bits) + (UINT64_C(1) << p->high_bits) + (UINT64_C(1) << p->low);
}

/* Saturation at 2^k - 1 would need one more bit for the overflow of l: 2^k - 2^low does as well, if that
 * much is not needed. */
static void lower_top(requantise_plan *p, unsigned low) {
    const int32_t top = p->hi_value + 1 - (INT32_C(1) << low);
    if ((p->hi_value & (p->hi_value + 1)) != 0 || (double)top < p->needed)
        return;
    if (p->lo_value == -p->hi_value)
        p->lo_value = -top;
    p->hi_value = top;
}

/* Replaces the table of all keys by two stages where it is too large, or costs more than they do. False if no
 * table is small enough. */
static bool plan_stages(const lowering *l, const form *f, const activation *act, requantise_plan *p) {
    const requantise_plan single = *p;
    uint64_t least = single_table_rows(l, p, act);
    bool found = least < UINT64_MAX;
    for (unsigned low = 1; low <= LIMBS_MAX_BITS && low < single.bits; low++) {
        requantise_plan q = single;
        lower_top(&q, low);
        if (!split_keys(&q, single.bits, low))
            continue;
        const uint64_t cost = stage_rows(&q) + 2 * form_padded_cells(f); /* two more lookups per cell */
        if (cost < least) {
            least = cost;
            *p = q;
            found = true;
        }
    }
    return found;
}

static bool plan_clamp(lowering *l, const form *f, double scale, bound r, const activation *act, uint32_t v,
                       requantise_plan *p, mica_status *st) {
    const double want = l->want_scale[v];
    const double magnitude = lowering_magnitude(l, v);
    double wanted = want > 0 ? want / 4 : magnitude / power_of_two(l->bits[v]);
    if (!(wanted > 0)) /* never anything but zero on the samples: as coarse as the table allows */
        wanted = scale * power_of_two(r.hi - r.lo > 0 ? mica_log2_ceil((uint64_t)(r.hi - r.lo)) : 0) / 1024;
    if (l->tight[v] && want == 0) /* the nearest step: this layer's resolution costs the next one's */
        wanted *= NEAREST;
    bool planned = false;
    for (unsigned k = 0; (l->width[v].fine ? k <= STEPS_BITS_LOST : k == 0) && !planned; k++) {
        /* as fine as wanted, in two stages if need be; coarser only where even they have too many keys */
        *p = (requantise_plan){0};
        set_shift(p, r, scale, finest_shift(scale, wanted * power_of_two(k)));
        choose_clamp(l, act, v, want, r, p);
        planned = l->width[v].fine ? plan_stages(l, f, act, p) : is_cheap_table(l, f, p, act);
    }
    if (!planned) {
        if (!choose_shift(l, v, f, scale, r, wanted, wanted * power_of_two(STEPS_BITS_LOST), p, st))
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
                        requantise_plan *p, mica_status *st) {
    const unsigned bits = result_bits(l, v);
    const double slope = act->kind == MICA_TABLE_SIGMOID ? 0.25 : 1;
    const double wanted = 1 / power_of_two(l->bits[v]) / slope;
    if (!choose_shift(l, v, f, scale, r, wanted, wanted * power_of_two(STEPS_BITS_LOST), p, st))
        return false;
    p->out_scale = 1 / power_of_two(bits);
    p->hi_value = INT32_C(1) << bits;
    p->lo_value = act->kind == MICA_TABLE_SIGMOID ? 0 : -p->hi_value;
    return true;
}

/* A function whose resolution the caller has chosen; act->lo and act->hi are finite. */
static bool plan_function(lowering *l, uint32_t v, const form *f, double scale, bound r,
                          const activation *act, requantise_plan *p, mica_status *st) {
    if (!choose_shift(l, v, f, scale, r, act->wanted, act->tolerable, p, st))
        return false;
    if (act->exact && p->shift > 0)
        return mica_fail(st, MICA_ERR_RANGE, "layer '%s': integers in [%lld, %lld] are too wide for a table",
                         l->b.p.circuit.layer[l->b.layer].name, (long long)r.lo, (long long)r.hi);
    p->out_scale = act->out_scale;
    p->lo_value = clamp_value(act->lo / act->out_scale);
    p->hi_value = clamp_value(act->hi / act->out_scale);
    return true;
}

bool requantise_plan_make(lowering *l, const form *f, double scale, bound r, const activation *act,
                          uint32_t v, requantise_plan *p, mica_status *st) {
    if (act->out_scale > 0)
        return plan_function(l, v, f, scale, r, act, p, st);
    return (act->kind == MICA_TABLE_IDENTITY ? plan_clamp : plan_squash)(l, f, scale, r, act, v, p, st);
}
