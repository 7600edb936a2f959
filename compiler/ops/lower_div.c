/* Div, Mod and square roots, by the quotients and roots of lowering_quotient.h.
 *
 * Reals: x / y = sign (x sign / |y|), where |y| is kept away from zero: it saturates at a half of the
 * smallest calibrated magnitude, or at a small part of the largest where y has both signs. A y that is
 * repeated along the result gives a reciprocal for each of its cells and a product; otherwise every cell has
 * its quotient.
 */
#include <math.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_quotient.h"
#include "lowering/maximum.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/lower_times.h"
#include "ops/ops.h"

#define RECIPROCAL_BITS   14 /* of the largest reciprocal */
#define RECIPROCAL_FEWEST 10
#define MODULUS_BITS      13 /* log2 of the units of the larger operand of Mod */
#define REPEATED          4  /* cells of the result for one of y, from which on reciprocals are cheaper */

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static form empty_like(const form *f) {
    form g;
    form_create(&g, f->batched, f->rank, f->dim);
    return g;
}

static bool add(lowering *l, form *f, const form *x, int64_t coef) {
    return form_add_form(f, lowering_tensors(l), x, coef, same_axes);
}

/* --- magnitudes and signs --- */

typedef struct signed_form {
    form magnitude; /* >= 0 */
    form sign;      /* -1 or 1 */
    bool mixed;     /* false: the sign is `negative` everywhere */
    bool negative;
} signed_form;

static bool negated(lowering *l, const form *f, form *out) {
    *out = empty_like(f);
    return add(l, out, f, -1);
}

/* Splits f, both of whose signs occur. */
static bool split_sign(lowering *l, const graph_node *n, const form *f, signed_form *s, mica_status *st) {
    form minus, shifted = *f;
    uint32_t positive;
    const bound r = form_range(f, lowering_tensors(l));
    if (!negated(l, f, &minus) || !form_add_constant(&shifted, 1))
        return lowering_too_many_terms(l, n, st);
    if (!lowering_max(l, f, &minus, bound_hull(r, bound_scale(r, -1)), &s->magnitude, st) ||
        !step_function(l, &shifted, &positive, st)) /* f + 1 >= 1 */
        return false;
    s->sign = empty_like(f);
    return (form_add_tensor(&s->sign, lowering_tensors(l), positive, 2) && form_add_constant(&s->sign, -1)) ||
           lowering_too_many_terms(l, n, st);
}

/* By what the range [lo, hi] says of the signs. */
static bool magnitude_of(lowering *l, const graph_node *n, const form *f, double lo, double hi,
                         signed_form *s, mica_status *st) {
    *s = (signed_form){.magnitude = *f, .mixed = lo < 0 && hi > 0, .negative = hi <= 0 && lo < 0};
    if (s->mixed)
        return split_sign(l, n, f, s, st);
    return !s->negative || negated(l, f, &s->magnitude) || lowering_too_many_terms(l, n, st);
}

/* f times the sign, in place. */
static bool apply_sign(lowering *l, const graph_node *n, const signed_form *s, form *f, mica_status *st) {
    uint32_t t;
    const form x = *f;
    if (!s->mixed)
        return !s->negative || negated(l, &x, f) || lowering_too_many_terms(l, n, st);
    if (!lowering_product(l, n, &s->sign, &x, &t, st))
        return false;
    *f = lowering_tensor_form(l, t);
    return true;
}

/* f := max(f, least) */
static bool keep_from_zero(lowering *l, const graph_node *n, form *f, int64_t least, mica_status *st) {
    form c = empty_like(f), top;
    const bound r = bound_hull(form_range(f, lowering_tensors(l)), (bound){0, least});
    if (!form_add_constant(&c, least))
        return lowering_too_many_terms(l, n, st);
    if (!lowering_max(l, f, &c, r, &top, st))
        return false;
    *f = top;
    return true;
}

/* --- reals --- */

/* y as a positive form s away from zero, and its sign. */
static bool divisor(lowering *l, const graph_node *n, const form *y, double scale, signed_form *s,
                    int64_t *least, mica_status *st) {
    const double lo = l->cal->lo[n->in[1]], hi = l->cal->hi[n->in[1]];
    *least = round_away(l->cal->least[n->in[1]] / 2 / scale);
    *least = *least < 1 ? 1 : *least;
    return magnitude_of(l, n, y, lo, hi, s, st) && keep_from_zero(l, n, &s->magnitude, *least, st);
}

/* x r with r = round(2^k / y): 2^k / least <= 2^RECIPROCAL_BITS. */
static bool divide_by_reciprocal(lowering *l, const graph_node *n, domain *d, const qvalue *y,
                                 const form *own, mica_status *st) {
    signed_form s;
    int64_t least;
    qvalue x;
    uint32_t u, t;
    uint8_t map[MICA_MAX_RANK];
    form fx, r, e, twice, on_domain;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_on_domain(l, n, d, n->in[0], &fx, st) ||
        !divisor(l, n, own, y->scale, &s, &least, st))
        return false;
    unsigned bits = RECIPROCAL_BITS; /* fewer where 2 s u would reach 2^30 */
    while (bits > RECIPROCAL_FEWEST && form_range(&s.magnitude, lowering_tensors(l)).hi >= INT64_C(1)
                                                                                               << (28 - bits))
        bits--;
    const unsigned k = bits + mica_log2_ceil((uint64_t)least + 1) - 1; /* 2^k <= 2^bits least */
    e = s.magnitude;                                                   /* floor((2^(k+1) + s) / (2 s)) */
    twice = empty_like(&e);
    if (!form_add_constant(&e, INT64_C(2) << k) || !add(l, &twice, &s.magnitude, 2))
        return lowering_too_many_terms(l, n, st);
    if (!floor_quotient(l, n, &e, &twice, bits + 1, &u, NULL, st)) {
        l->narrow = y->origin;
        return false;
    }
    r = lowering_tensor_form(l, u);
    if (own->rank == 0) {
        const form number = r;
        r = empty_like(own);
        const mica_view at = {{MICA_VIEW_AT(0)}};
        if (!form_add_term(&r, lowering_tensors(l), number.term[0].tensor, 1, &at))
            return lowering_too_many_terms(l, n, st);
    }
    if (!apply_sign(l, n, &s, &r, st))
        return false;
    domain copy = *d;
    on_domain = empty_like(&fx);
    if (!domain_join(&copy, &y->axes, own->dim, own->rank, map) ||
        !form_add_form(&on_domain, lowering_tensors(l), &r, 1, map))
        return lowering_too_many_terms(l, n, st);
    if (!lowering_product(l, n, &fx, &on_domain, &t, st)) {
        l->narrow = x.origin;
        return false;
    }
    const form f = lowering_tensor_form(l, t);
    return lowering_set_sum(l, n, &f, &d->axes, x.scale / y->scale / (double)(UINT64_C(1) << k), st);
}

/* Quotients 2^k x / s lie in (-2^m, 2^m). */
typedef struct quotient_plan {
    unsigned k, m;
    bool fits;
} quotient_plan;

/* The least k that resolves `wanted`, or the largest that fits. */
static quotient_plan plan_quotient(int64_t x, int64_t s, int64_t least, double unit, double wanted) {
    quotient_plan best = {0, 0, false};
    for (unsigned k = 0; k < 28; k++) {
        const unsigned m = mica_log2_ceil((uint64_t)((x << k) / least + 2));
        const int64_t side = (s << (m + 2)) + s + (x << (k + 1));
        if (m + 1 > 16 || side >= INT64_C(1) << 29)
            break;
        best = (quotient_plan){k, m, true};
        if (unit / (double)(UINT64_C(1) << k) <= wanted)
            break;
    }
    return best;
}

static bool divide_cells(lowering *l, const graph_node *n, const domain *d, form *x, double x_scale,
                         const form *y, double y_scale, mica_status *st) {
    signed_form s;
    int64_t least;
    uint32_t u;
    if (!divisor(l, n, y, y_scale, &s, &least, st) || !apply_sign(l, n, &s, x, st))
        return false;
    const bound rx = form_range(x, lowering_tensors(l));
    const bound rs = form_range(&s.magnitude, lowering_tensors(l));
    const uint32_t out = n->out[0];
    const double wanted = calibration_magnitude(l->cal, out) / (double)(INT64_C(2) << l->bits[out]);
    const quotient_plan p =
        plan_quotient(-rx.lo > rx.hi ? -rx.lo : rx.hi, rs.hi, least, x_scale / y_scale, wanted);
    if (!p.fits) {
        l->narrow = n->in[1];
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its quotients can leave the field");
    }
    form e = empty_like(x), twice = empty_like(x); /* floor((2^(k+1) x + s + 2 s 2^m) / (2 s)) */
    if (!add(l, &e, x, INT64_C(2) << p.k) || !add(l, &e, &s.magnitude, 1 + (INT64_C(2) << p.m)) ||
        !add(l, &twice, &s.magnitude, 2))
        return lowering_too_many_terms(l, n, st);
    if (!floor_quotient(l, n, &e, &twice, p.m + 1, &u, NULL, st))
        return false;
    form f = lowering_tensor_form(l, u);
    if (!form_add_constant(&f, -(INT64_C(1) << p.m)))
        return lowering_too_many_terms(l, n, st);
    return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &d->axes,
                               x_scale / y_scale / (double)(UINT64_C(1) << p.k), out);
}

static bool divide_reals(lowering *l, const graph_node *n, mica_status *st) {
    domain d;
    qvalue x, y;
    form fx, fy;
    if (!lowering_layer(l, n, st) || !lowering_joint_domain(l, n, &d, st) ||
        !lowering_operand(l, n->in[1], &y, st))
        return false;
    const form own = lowering_tensor_form(l, y.tensor);
    const bool constant = lowering_is_constant(l, n->in[0]);
    if (!constant &&
        REPEATED * graph_elements(&l->g->value[n->in[1]]) <= graph_elements(&l->g->value[n->out[0]])) {
        uint8_t map[MICA_MAX_RANK];
        domain copy = d;
        if (domain_join(&copy, &y.axes, own.dim, own.rank, map) && copy.rank == d.rank)
            return divide_by_reciprocal(l, n, &d, &y, &own, st);
    }
    double scale = 1;
    if (constant) {
        const graph_value *c = &l->g->value[n->in[0]];
        double largest = 0;
        for (uint64_t i = 0; i < graph_elements(c); i++)
            largest = fabs(c->real[i]) > largest ? fabs(c->real[i]) : largest;
        scale = (largest > 0 ? largest : 1) / (1 << 10);
        if (!lowering_constant_form(l, n->in[0], &d, scale, 10, &fx, st))
            return false;
    } else if (lowering_operand(l, n->in[0], &x, st) && lowering_on_domain(l, n, &d, n->in[0], &fx, st)) {
        scale = x.scale;
    } else {
        return false;
    }
    return lowering_on_domain(l, n, &d, n->in[1], &fy, st) &&
           divide_cells(l, n, &d, &fx, scale, &fy, y.scale, st);
}

/* --- integers --- */

/* |a| = s u + rem over the domain of both, s = max(|b|, 1): a division by zero has no value. */
typedef struct integer_division {
    aligned a;
    signed_form x, y;
    form u, rem;
} integer_division;

/* Reals in units of one power of two, of which the larger operand has 2^MODULUS_BITS: their quotients are
 * those of the integers. */
static bool align_reals(lowering *l, const graph_node *n, aligned *a, form *f, mica_status *st) {
    double most = 0;
    bool integral = true;
    if (!lowering_layer(l, n, st) || !lowering_joint_domain(l, n, &a->d, st))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const graph_value *c = &l->g->value[n->in[i]];
        const bool known = lowering_is_constant(l, n->in[i]);
        double m = known ? 0 : calibration_magnitude(l->cal, n->in[i]);
        integral &= known || l->cal->integral[n->in[i]];
        for (uint64_t j = 0; known && j < graph_elements(c); j++) {
            m = fabs(c->real[j]) > m ? fabs(c->real[j]) : m;
            integral &= c->real[j] == floor(c->real[j]);
        }
        most = m > most ? m : most;
    }
    a->scale = ldexp(1, ilogb(most > 0 ? most : 1) - MODULUS_BITS + 1);
    if (integral && a->scale < 1)
        a->scale = 1;
    for (uint32_t i = 0; i < 2; i++)
        if (lowering_is_constant(l, n->in[i])
                ? !lowering_constant_form(l, n->in[i], &a->d, a->scale, MODULUS_BITS, &f[i], st)
                : !lowering_on_domain_at(l, n, &a->d, n->in[i], a->scale, &f[i], st))
            return false;
    return true;
}

static bool divide_magnitudes(lowering *l, const graph_node *n, integer_division *q, mica_status *st) {
    form f[2];
    uint32_t u;
    if (l->g->value[n->out[0]].dtype == DTYPE_FLOAT ? !align_reals(l, n, &q->a, f, st)
                                                    : !lowering_align(l, n, 0, &q->a, f, st))
        return false;
    const bound rx = form_range(&f[0], lowering_tensors(l)), ry = form_range(&f[1], lowering_tensors(l));
    const int64_t most = -rx.lo > rx.hi ? -rx.lo : rx.hi;
    if (!magnitude_of(l, n, &f[0], (double)rx.lo, (double)rx.hi, &q->x, st) ||
        !magnitude_of(l, n, &f[1], (double)ry.lo, (double)ry.hi, &q->y, st) ||
        !keep_from_zero(l, n, &q->y.magnitude, 1, st) ||
        !floor_quotient(l, n, &q->x.magnitude, &q->y.magnitude, mica_log2_ceil((uint64_t)most + 1), &u,
                        &q->rem, st))
        return false;
    q->u = lowering_tensor_form(l, u);
    return true;
}

static bool set_integers(lowering *l, const graph_node *n, const integer_division *q, const form *f,
                         mica_status *st) {
    (void)st;
    return lowering_set_tensor(l, n, lowering_form_tensor(l, f), &q->a.d.axes, q->a.scale, n->out[0]);
}

bool lower_div(struct lowering *l, const graph_node *n, mica_status *st) {
    integer_division q;
    if (l->g->value[n->out[0]].dtype == DTYPE_INT)
        return divide_magnitudes(l, n, &q, st) && apply_sign(l, n, &q.x, &q.u, st) &&
               apply_sign(l, n, &q.y, &q.u, st) && set_integers(l, n, &q, &q.u, st);
    if (lowering_is_constant(l, n->in[1]))
        return lower_times_constant(l, n, n->in[0], n->in[1], true, st);
    return divide_reals(l, n, st);
}

/* With fmod, sign(a) rem. Otherwise the remainder has the sign of b: it is that of a modulo b if the signs
 * agree or rem = 0, and sign(b) (s - rem) where they differ:
 *   sign(b) (rem + [signs differ and rem >= 1] (s - 2 rem)). */
bool lower_mod(struct lowering *l, const graph_node *n, mica_status *st) {
    integer_division q;
    if (!divide_magnitudes(l, n, &q, st))
        return false;
    if (graph_attr_int(n, "fmod", 0) == 1)
        return apply_sign(l, n, &q.x, &q.rem, st) && set_integers(l, n, &q, &q.rem, st);
    if (!q.x.mixed && !q.y.mixed && q.x.negative == q.y.negative)
        return apply_sign(l, n, &q.y, &q.rem, st) && set_integers(l, n, &q, &q.rem, st);
    /* signs differ: sign(a) sign(b) = -1; with rem >= 1: rem > 0 and the product of signs is -1. */
    form signs = empty_like(&q.rem), differ, gap = empty_like(&q.rem), one = empty_like(&q.rem);
    uint32_t t, flipped;
    if (!form_add_constant(&one, 1))
        return lowering_too_many_terms(l, n, st);
    signs = one;
    if (!apply_sign(l, n, &q.x, &signs, st) || !apply_sign(l, n, &q.y, &signs, st))
        return false;
    uint32_t some;
    if (!step_function(l, &q.rem, &some, st))
        return false;
    differ = empty_like(&q.rem); /* [rem >= 1] + (1 - sign)/2 >= 2, doubled: 2 some - signs >= 3 */
    if (!form_add_tensor(&differ, lowering_tensors(l), some, 2) || !add(l, &differ, &signs, -1) ||
        !form_add_constant(&differ, -2))
        return lowering_too_many_terms(l, n, st);
    if (!step_function(l, &differ, &t, st) || !add(l, &gap, &q.y.magnitude, 1) || !add(l, &gap, &q.rem, -2))
        return false;
    const form turn = lowering_tensor_form(l, t);
    if (!lowering_product(l, n, &turn, &gap, &flipped, st))
        return false;
    form result = q.rem;
    return (form_add_tensor(&result, lowering_tensors(l), flipped, 1) || lowering_too_many_terms(l, n, st)) &&
           apply_sign(l, n, &q.y, &result, st) && set_integers(l, n, &q, &result, st);
}

/* --- square roots --- */

/* floor(sqrt(4^j x)): as many more bits as the root has room for. */
bool lower_root(struct lowering *l, const graph_node *n, mica_status *st) {
    form x, wide;
    qvalue q;
    uint32_t r;
    if (!lowering_form(l, n->in[0], &x, &q, st) || !lowering_layer(l, n, st))
        return false;
    const bound range = form_range(&x, lowering_tensors(l));
    const int64_t most = range.hi > -range.lo ? range.hi : -range.lo;
    unsigned j = 0;
    while (j < 14 && most << (2 * j + 2) < INT64_C(1) << 30)
        j++;
    wide = empty_like(&x);
    if (!add(l, &wide, &x, INT64_C(1) << (2 * j)))
        return lowering_too_many_terms(l, n, st);
    if (!floor_root(l, n, &wide, &r, st)) {
        l->narrow = q.origin;
        return false;
    }
    return lowering_set_tensor(l, n, r, &q.axes, sqrt(q.scale) / (double)(UINT64_C(1) << j), n->out[0]);
}
