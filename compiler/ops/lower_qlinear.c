/* mica.Requantize: y = saturate(round(a * factor) + zero) of an exact accumulator a, exactly.
 *
 * round(a * factor) is monotone in a: it is at least v from a threshold t_v on. Only thresholds within a's
 * range and the result's count. Where integers num, den, c satisfy
 *
 *   num t_v + c >= den v   and   num (t_v - 1) + c < den v        for all of them,
 *
 * floor((num a + c) / den) has the same thresholds, and is a quotient (docs/protocol.md). The smallest den
 * that admits such numbers is taken. Ties that go to the even side do not keep to one line; they occur where
 * factor = num / 2^k with small num. Then with half-up quotient q and remainder r of num a + 2^(k-1) by 2^k,
 *
 *   round = q - [1 - [r >= 1] + (q mod 2) >= 2].
 *
 * Where neither fits the operator is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_quotient.h"
#include "lowering/requantise.h"
#include "ops/qlinear.h"
#include "ops/quantise.h"

#define KEY_BITS   16
#define DEN_MOST   (INT64_C(1) << 20)
#define LINE_LIMIT (INT64_C(1) << 28) /* of |num a + c| */

/* floor((num a + c) / den) */
typedef struct line {
    int64_t num, den, c;
} line;

typedef struct scaling {
    bound a;        /* range of the accumulator */
    int64_t lo, hi; /* of the result without zero point */
    bool ties;      /* half-up lines, corrected at ties */
    size_t n;       /* factors */
    line *at;
    bound keys; /* range of all quotients */
} scaling;

/* The least a in (r.lo, r.hi + 1] with round(a factor) >= v, monotone; r.hi + 1 if there is none. */
static int64_t threshold(bound r, double factor, int64_t v) {
    int64_t lo = r.lo, hi = r.hi + 1; /* not reached at lo, unless it is everywhere; reached from hi on */
    while (hi - lo > 1) {
        const int64_t middle = lo + (hi - lo) / 2;
        if (qlinear_scaled((double)middle, factor) >= (double)v)
            hi = middle;
        else
            lo = middle;
    }
    return hi;
}

/* Thresholds t[i] of first + i. */
typedef struct thresholds {
    int64_t first;
    size_t n;
    int64_t *t;
} thresholds;

static bool find_thresholds(const scaling *s, double factor, thresholds *f, mica_status *st) {
    const double least = qlinear_scaled((double)s->a.lo, factor),
                 most = qlinear_scaled((double)s->a.hi, factor);
    const int64_t below = least > (double)s->lo ? (least < (double)s->hi ? (int64_t)least : s->hi) : s->lo;
    const int64_t above = most < (double)s->hi ? (most > (double)s->lo ? (int64_t)most : s->lo) : s->hi;
    f->first = below + 1;
    f->n = above > below ? (size_t)(above - below) : 0;
    f->t = malloc((f->n + 1) * sizeof *f->t);
    if (!f->t)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (size_t i = 0; i < f->n; i++)
        f->t[i] = threshold(s->a, factor, f->first + (int64_t)i);
    return true;
}

/* |num|, |t|, den, v stay below 2^28: every product is below 2^57. */
static bool fits(const thresholds *f, line *l) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (size_t i = 0; i < f->n; i++) {
        const int64_t d = l->den * (f->first + (int64_t)i) - l->num * f->t[i];
        least = d < least ? d : least;
        most = d > most ? d : most;
        if (most - least > l->num - 1)
            return false;
    }
    l->c = f->n ? most : l->den * f->first - 1; /* no threshold: one result everywhere */
    return true;
}

static bool within_limits(const scaling *s, const line *l) {
    const bound e = bound_scale(s->a, l->num);
    const int64_t span = (e.hi - e.lo) / l->den + 2;
    return e.lo + l->c > -LINE_LIMIT && e.hi + l->c < LINE_LIMIT && span < (INT64_C(1) << KEY_BITS) - 4 &&
           l->den << mica_log2_ceil((uint64_t)span + 4) < INT64_C(1) << 29;
}

static bool find_line(const scaling *s, const thresholds *f, double factor, line *l) {
    for (l->den = 1; l->den < DEN_MOST; l->den++) {
        const double exact = factor * (double)l->den;
        if (exact >= (double)LINE_LIMIT)
            return false;
        l->num = f->n ? (int64_t)exact : 0;
        for (int up = 0; up < 2; up++, l->num++)
            if ((f->n == 0 || l->num > 0) && fits(f, l) && within_limits(s, l))
                return true;
    }
    return false;
}

/* factor = num / 2^k, and rounding to even is what the thresholds say. */
static bool find_tie_line(const scaling *s, const thresholds *f, double factor, line *l) {
    l->den = 1;
    while (l->den < DEN_MOST && factor * (double)l->den != (double)(int64_t)(factor * (double)l->den))
        l->den *= 2;
    if (l->den < 2 || factor * (double)l->den >= (double)LINE_LIMIT)
        return false;
    l->num = (int64_t)(factor * (double)l->den);
    l->c = l->den / 2;
    if (l->den >= DEN_MOST || l->num < 1 || !within_limits(s, l))
        return false;
    for (size_t i = 0; i < f->n; i++) {
        const int64_t v = f->first + (int64_t)i, half = l->den * v - l->c; /* num a >= half, > at odd v */
        int64_t t = half >= 0 ? (half + l->num - 1) / l->num : -(-half / l->num);
        t += v % 2 != 0 && l->num * t == half;
        if (t != f->t[i])
            return false;
    }
    return true;
}

static bool plan_scaling(scaling *s, const double *factor, mica_status *st, bool *found) {
    *found = true;
    s->keys = (bound){INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < s->n && *found; i++) {
        thresholds f;
        line *l = &s->at[i];
        if (!find_thresholds(s, factor[i], &f, st))
            return false;
        *found = (s->ties ? find_tie_line : find_line)(s, &f, factor[i], l);
        free(f.t);
        if (!*found)
            break;
        const bound e = bound_scale(s->a, l->num);
        const int64_t lo = (e.lo + l->c) / l->den - 1, hi = (e.hi + l->c) / l->den + 1;
        s->keys.lo = lo < s->keys.lo ? lo : s->keys.lo;
        s->keys.hi = hi > s->keys.hi ? hi : s->keys.hi;
    }
    return true;
}

/* --- the circuit --- */

typedef enum part { PART_NUM, PART_DEN, PART_C } part;

/* A number per factor as a form over the accumulator's domain. */
static bool line_form(lowering *l, const form *like, const layout *axes, const graph_value *shape,
                      const scaling *s, part which, form *f, mica_status *st) {
    double *x = malloc((s->n + 1) * sizeof *x);
    if (!x)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (size_t i = 0; i < s->n; i++) {
        const line *k = &s->at[i];
        /* e = num a + c - den keys.lo >= 0 */
        x[i] = (double)(which == PART_NUM ? k->num : which == PART_DEN ? k->den : k->c - k->den * s->keys.lo);
    }
    form_create(f, like->batched, like->rank, like->dim);
    const int64_t *dim = shape->dim;
    unsigned rank = shape->rank;
    if (rank > axes->rank) { /* the batch axis, along which factors do not vary */
        dim++;
        rank--;
    }
    const bool ok = lowering_add_constant(l, f, axes, rank, dim, x, 1, st);
    free(x);
    return ok;
}

/* *f := num a + c - den keys.lo */
static bool numerator(lowering *l, const graph_node *n, const form *a, const layout *axes, const scaling *s,
                      form *f, mica_status *st) {
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    const graph_value *shape = &l->g->value[n->in[1]];
    form num;
    uint32_t t;
    if (!line_form(l, a, axes, shape, s, PART_C, f, st))
        return false;
    if (s->n == 1)
        return form_add_form(f, lowering_tensors(l), a, s->at[0].num, same_axes) ||
               lowering_too_many_terms(l, n, st);
    if (!line_form(l, a, axes, shape, s, PART_NUM, &num, st) || !lowering_product(l, n, a, &num, &t, st))
        return false;
    return form_add_tensor(f, lowering_tensors(l), t, 1) || lowering_too_many_terms(l, n, st);
}

/* *f -= 1 where the remainder is 0 and the quotient (counted from keys.lo) is odd. */
static bool round_ties(lowering *l, const graph_node *n, const scaling *s, uint32_t quotient,
                       const form *remainder, unsigned bits, form *f, mica_status *st) {
    const int64_t parity = s->keys.lo & 1;
    form two, counted = lowering_tensor_form(l, quotient), odd, both;
    uint32_t some, half, tie;
    form_create(&two, counted.batched, counted.rank, counted.dim);
    if (!form_add_constant(&two, 2) || (parity && !form_add_constant(&counted, 1)))
        return lowering_too_many_terms(l, n, st);
    if (!step_function(l, remainder, &some, st) ||
        !floor_quotient(l, n, &counted, &two, bits, &half, &odd, st))
        return false;
    both = odd; /* odd + (1 - some) - 1 >= 1 */
    if (!form_add_tensor(&both, lowering_tensors(l), some, -1))
        return lowering_too_many_terms(l, n, st);
    return step_function(l, &both, &tie, st) &&
           (form_add_tensor(f, lowering_tensors(l), tie, -1) || lowering_too_many_terms(l, n, st));
}

/* The quotient, saturated, with the zero point. */
static bool finish(lowering *l, const graph_node *n, const scaling *s, form *f, int64_t zero, const qvalue *a,
                   mica_status *st) {
    const activation clamp = {.kind = MICA_TABLE_ROUND,
                              .lo = (double)s->lo,
                              .hi = (double)s->hi,
                              .in_factor = 1,
                              .out_factor = 1,
                              .out_scale = 1,
                              .wanted = 1,
                              .tolerable = 1,
                              .exact = true};
    uint32_t y;
    double scale;
    form sum;
    if (!form_add_constant(f, s->keys.lo))
        return lowering_too_many_terms(l, n, st);
    if (!requantise(l, f, 1, &clamp, n->out[0], &y, &scale, st))
        return false;
    form_create(&sum, f->batched, f->rank, f->dim);
    if (!form_add_tensor(&sum, lowering_tensors(l), y, 1) || (zero && !form_add_constant(&sum, zero)))
        return lowering_too_many_terms(l, n, st);
    return lowering_set_tensor(l, n, zero ? builder_sum(&l->b, &sum) : y, &a->axes, 1, n->out[0]);
}

static bool emit_scaling(lowering *l, const graph_node *n, const scaling *s, const form *a, const qvalue *q,
                         int64_t zero, mica_status *st) {
    const unsigned bits = mica_log2_ceil((uint64_t)(s->keys.hi - s->keys.lo) + 2);
    form e, den, rem;
    uint32_t quotient;
    if (!numerator(l, n, a, &q->axes, s, &e, st) ||
        !line_form(l, a, &q->axes, &l->g->value[n->in[1]], s, PART_DEN, &den, st) ||
        !floor_quotient(l, n, &e, &den, bits, &quotient, &rem, st))
        return false;
    form f = lowering_tensor_form(l, quotient);
    return (!s->ties || round_ties(l, n, s, quotient, &rem, bits, &f, st)) &&
           finish(l, n, s, &f, zero, q, st);
}

bool lower_requantize(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *factor = &l->g->value[n->in[1]];
    const int64_t zero = l->g->value[n->in[2]].integer[0];
    double lo = 0, hi = 0;
    form f;
    qvalue a;
    bool found = false;
    if (!lowering_form(l, n->in[0], &f, &a, st) || !lowering_layer(l, n, st) ||
        !quantise_range(l->g->value[n->out[0]].onnx_dtype, &lo, &hi))
        return false;
    const uint32_t t = lowering_form_tensor(l, &f); /* read by several forms */
    if (t == NO_INDEX)
        return false;
    f = lowering_tensor_form(l, t);
    scaling s = {.a = bound_hull(form_range(&f, lowering_tensors(l)), (bound){0, 0}),
                 .lo = (int64_t)lo - zero,
                 .hi = (int64_t)hi - zero,
                 .n = (size_t)graph_elements(factor)};
    s.at = calloc(s.n + 1, sizeof *s.at);
    bool ok = s.at || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (int ties = 0; ok && !found && ties < 2; ties++) {
        s.ties = ties == 1;
        ok = plan_scaling(&s, factor->real, st, &found);
    }
    if (ok && !found)
        ok = lowering_fail(
            l, n, st, MICA_ERR_UNSUPPORTED,
            "no quotient of small integers rounds accumulators in [%lld, %lld] as its scales do",
            (long long)s.a.lo, (long long)s.a.hi);
    ok = ok && emit_scaling(l, n, &s, &f, &a, zero, st);
    free(s.at);
    return ok;
}
