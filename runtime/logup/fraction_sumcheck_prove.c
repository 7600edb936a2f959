#include "logup/fraction_sumcheck.h"

#include <string.h>

#include "base/parallel.h"
#include "logup/fraction_eq.h"
#include "poly/mle.h"
#include "simd/kernels.h"

/* The state between two rounds: tables over n real entries of 2^vars, the rest 0/1 0/1. */
typedef struct sumcheck {
    fraction_layer layer;
    unsigned vars;
    const qm31 *r;
    qm31 lambda, inv_lambda; /* the latter only where numerators may be constant; 0 if lambda is */
    fraction_eq eq;
    qvec tail[LOGUP_VALUES]; /* FRACTION_CHUNK entries of the constants 0 1 0 1 */
} sumcheck;

/* One sweep over the tables: binds the top variable to x (bind), then sums the next round's h over the
 * halves. */
typedef struct sweep {
    const sumcheck *s;
    bool bind;
    qm31 x;
    size_t n;    /* real entries once bound */
    size_t half; /* 2^(vars-1) once bound */
    qm31 sum[PARALLEL_MAX_WORKERS][2];
} sweep;

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many of `len` entries from `first` on are real. */
static size_t real_entries(size_t n, size_t first, size_t len) {
    return n > first ? min_size(n - first, len) : 0;
}

/* The fractions 0/1, of which `tail` holds the values. */
static const fraction_nodes not_real = {.numerator = {.constant = true}};

/* Whether a chunk's numerators are one value after binding: `len` nodes, of whose partners in the upper half
 * `real` are real. Constants stand for whole chunks only. */
static bool is_constant(const fraction_nodes *lo, const fraction_nodes *hi, size_t len, size_t real) {
    return len == FRACTION_CHUNK && (real == 0 || real == len) && lo->numerator.constant &&
           hi->numerator.constant;
}

/* t becomes t + x (hi - t), hi being real in the first `real` of len entries. */
static void bind_table(const sumcheck *s, size_t j, qvec t, qvec hi, qm31 x, size_t len, size_t real) {
    if (real)
        kernels()->fold(t, hi, x, real);
    if (real < len)
        kernels()->fold(qvec_from(t, real), s->tail[j], x, len - real);
}

/* The numerators of a chunk that are not constant once bound. They stay in the slot that one of the halves
 * has; a chunk whose numerators were constant takes over that of its partner, which is not needed any more.
 */
static fraction_numerator bind_numerators(const sumcheck *s, qm31 x, fraction_nodes lo, fraction_nodes hi,
                                          size_t len, size_t real) {
    fraction_buffer lo_buffer, hi_buffer;
    const bool moves = lo.numerator.constant;
    const qvec to[2] = {hi.t[LOGUP_P0], hi.t[LOGUP_P1]};
    const fraction_numerator bound = {.slot = moves ? hi.numerator.slot : lo.numerator.slot};
    fraction_write_numerators(&lo, len, &lo_buffer);
    if (real)
        fraction_write_numerators(&hi, real, &hi_buffer);
    for (size_t j = LOGUP_P0, i = 0; j <= LOGUP_P1; j += LOGUP_P1 - LOGUP_P0, i++) {
        bind_table(s, j, lo.t[j], hi.t[j], x, len, real);
        for (size_t k = 0; moves && k < QM31_DEGREE; k++)
            memcpy(to[i].p + k * to[i].stride, lo.t[j].p + k * lo.t[j].stride, len * sizeof(m31));
    }
    return bound;
}

/* Entries [first, first + len) become lo + x (hi - lo), hi being `half` entries further on, where they are
 * real, and constants elsewhere. */
static void bind_range(const sumcheck *s, qm31 x, size_t half, size_t first, size_t len) {
    const size_t real = real_entries(s->layer.n, first + half, len);
    const fraction_numerators *p = s->layer.numerators;
    fraction_nodes lo = fraction_children(&s->layer, first), hi = not_real;
    if (real)
        hi = fraction_children(&s->layer, first + half);
    bind_table(s, LOGUP_Q0, lo.t[LOGUP_Q0], hi.t[LOGUP_Q0], x, len, real);
    bind_table(s, LOGUP_Q1, lo.t[LOGUP_Q1], hi.t[LOGUP_Q1], x, len, real);
    fraction_numerator bound = lo.numerator;
    if (is_constant(&lo, &hi, len, real)) {
        const qm31 slope = qm31_sub(hi.numerator.value, lo.numerator.value);
        bound.value = qm31_add(lo.numerator.value, qm31_mul(x, slope));
    } else {
        bound = bind_numerators(s, x, lo, hi, len, real);
    }
    if (p)
        p->chunk[first >> FRACTION_CHUNK_BITS] = bound;
}

/* The part of nodes [from, from + len) of a chunk in the round's sums, given their halves. */
static void evaluate_pairs(const sumcheck *s, size_t from, const qvec lo[LOGUP_VALUES],
                           const qvec hi[LOGUP_VALUES], size_t len, qm31 sum[2]) {
    qvec pair[LOGUP_VALUES][2];
    qm31 part[2];
    for (size_t j = 0; j < LOGUP_VALUES; j++) {
        pair[j][0] = qvec_from(lo[j], from);
        pair[j][1] = hi[j];
    }
    kernels()->round_fraction(qvec_from(s->eq.low, from), (const qvec(*)[2])pair, s->lambda, len, part);
    sum[0] = qm31_add(sum[0], part[0]);
    sum[1] = qm31_add(sum[1], part[1]);
}

/* The same of a whole chunk with constant numerators: with v = c / lambda,
 *   f = c q1 + c q0 + lambda q0 q1 = lambda ((q0 + v) (q1 + v) - v^2),
 * and the chunk's entries of eq.low sum to 1. */
static void evaluate_constant(const sumcheck *s, const fraction_nodes *lo, const qvec hi[LOGUP_VALUES],
                              qm31 hi_numerator, qm31 sum[2]) {
    const qvec pair[2][2] = {{lo->t[LOGUP_Q0], hi[LOGUP_Q0]}, {lo->t[LOGUP_Q1], hi[LOGUP_Q1]}};
    const qm31 slope = qm31_sub(hi_numerator, lo->numerator.value);
    const qm31 v[2] = {qm31_mul(lo->numerator.value, s->inv_lambda), qm31_mul(slope, s->inv_lambda)};
    qm31 part[2];
    kernels()->round_shifted(s->eq.low, pair, v, FRACTION_CHUNK, part);
    for (size_t i = 0; i < 2; i++)
        sum[i] = qm31_mul(s->lambda, qm31_sub(part[i], qm31_mul(v[i], v[i])));
}

/* Adds the contribution of nodes [first, first + len), all below `half`, to sum. */
static void evaluate_range(const sweep *w, size_t first, size_t len, qm31 sum[2]) {
    const sumcheck *s = w->s;
    const size_t real = real_entries(w->n, first + w->half, len);
    fraction_buffer lo_buffer, hi_buffer;
    qm31 part[2] = {qm31_zero(), qm31_zero()};
    fraction_nodes lo = fraction_children(&s->layer, first), hi = not_real;
    if (real)
        hi = fraction_children(&s->layer, first + w->half);
    if (is_constant(&lo, &hi, len, real) && !qm31_is_zero(s->inv_lambda)) {
        evaluate_constant(s, &lo, real ? hi.t : s->tail, hi.numerator.value, part);
    } else {
        fraction_write_numerators(&lo, len, &lo_buffer);
        if (real)
            fraction_write_numerators(&hi, real, &hi_buffer);
        if (real)
            evaluate_pairs(s, 0, lo.t, hi.t, real, part);
        if (real < len)
            evaluate_pairs(s, real, lo.t, s->tail, len - real, part);
    }
    const qm31 high = qvec_get(s->eq.high, first >> FRACTION_CHUNK_BITS);
    sum[0] = qm31_add(sum[0], qm31_mul(high, part[0]));
    sum[1] = qm31_add(sum[1], qm31_mul(high, part[1]));
}

static void sweep_chunks(void *ctx, size_t begin, size_t end, unsigned worker) {
    sweep *w = ctx;
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t first = chunk << FRACTION_CHUNK_BITS;
        const size_t len = min_size(FRACTION_CHUNK, min_size(w->n, w->half) - first);
        if (w->bind) {
            const size_t upper = real_entries(w->n, first + w->half, len);
            bind_range(w->s, w->x, 2 * w->half, first, len);
            if (upper)
                bind_range(w->s, w->x, 2 * w->half, first + w->half, upper);
        }
        evaluate_range(w, first, len, w->sum[worker]);
    }
}

/* --- rounds --- */

/* Completes the sums over the first `entries` nodes of 2^vars: real nodes have all variables above those of
 * the tables at 0, and a node without real entries has f = lambda on either half. */
static void add_tail(const sumcheck *s, unsigned vars, size_t entries, qm31 sum[2]) {
    const unsigned covered = s->eq.low_bits + s->eq.high_bits;
    qm31 scale = qm31_one();
    for (unsigned i = covered; i < vars; i++)
        scale = qm31_mul(scale, qm31_sub(qm31_one(), s->r[i]));
    const qm31 real = qm31_mul(scale, mle_less_than(s->r, covered, entries));
    sum[0] = qm31_add(qm31_mul(scale, sum[0]), qm31_mul(s->lambda, qm31_sub(qm31_one(), real)));
    sum[1] = qm31_mul(scale, sum[1]);
}

/* Binds the top variable to *x unless x is NULL, and computes the message of the next one. */
static void next_message(sumcheck *s, const qm31 *x, qm31 message[2]) {
    sweep w = {.s = s, .bind = x != NULL, .x = x ? *x : qm31_zero()};
    const unsigned vars = s->vars - (w.bind ? 1 : 0);
    w.half = (size_t)1 << (vars - 1);
    w.n = min_size(s->layer.n, 2 * w.half);
    const size_t entries = min_size(w.n, w.half);
    fraction_eq_shrink(&s->eq, vars - 1);
    if (w.half < FRACTION_CHUNK && s->layer.numerators) /* of chunks before they are cut into halves */
        fraction_numerators_settle(s->layer.numerators, s->layer.n);
    parallel_for((entries - 1) / FRACTION_CHUNK + 1, FRACTION_GRAIN, sweep_chunks, &w);
    message[0] = message[1] = qm31_zero();
    for (unsigned i = 0; i < PARALLEL_MAX_WORKERS; i++) {
        message[0] = qm31_add(message[0], w.sum[i][0]);
        message[1] = qm31_add(message[1], w.sum[i][1]);
    }
    if (entries < w.half)
        add_tail(s, vars - 1, entries, message);
    s->layer.n = w.n;
    s->vars = vars;
}

static bool init_tail(sumcheck *s, mica_arena *arena, mica_status *st) {
    const qvec zero = qvec_alloc(arena, FRACTION_CHUNK, st), one = qvec_alloc(arena, FRACTION_CHUNK, st);
    if (!zero.p || !one.p)
        return false;
    for (size_t i = 0; i < FRACTION_CHUNK; i++) {
        qvec_set(zero, i, qm31_zero());
        qvec_set(one, i, qm31_one());
    }
    s->tail[LOGUP_P0] = s->tail[LOGUP_P1] = zero;
    s->tail[LOGUP_Q0] = s->tail[LOGUP_Q1] = one;
    return true;
}

static bool run(sumcheck *s, mica_channel *ch, unsigned k, qm31 *x, qm31 value[LOGUP_VALUES],
                mica_arena *arena, mica_status *st) {
    if (!init_tail(s, arena, st) || !fraction_eq_init(&s->eq, s->r, k - 1, s->layer.n, arena, st))
        return false;
    if (s->layer.numerators && !qm31_is_zero(s->lambda))
        s->inv_lambda = qm31_inv(s->lambda);
    for (unsigned i = k; i-- > 0;) {
        qm31 message[2];
        next_message(s, i == k - 1 ? NULL : &x[i + 1], message);
        logup_round(ch, message, &x[i]);
    }
    bind_range(s, x[0], 1, 0, 1);
    const fraction_nodes node = fraction_children(&s->layer, 0);
    for (size_t j = 0; j < LOGUP_VALUES; j++)
        value[j] = qvec_get(node.t[j], 0);
    return true;
}

bool fraction_sumcheck_prove(mica_channel *ch, const fraction_layer *layer, unsigned k, const qm31 *r,
                             qm31 lambda, qm31 *x, qm31 value[LOGUP_VALUES], mica_arena *arena,
                             mica_status *st) {
    sumcheck s = {.layer = *layer, .vars = k, .r = r, .lambda = lambda};
    const size_t mark = arena_mark(arena);
    const bool ok = run(&s, ch, k, x, value, arena, st);
    arena_reset(arena, mark);
    return ok;
}

size_t fraction_sumcheck_bytes(size_t n) {
    return 2 * FRACTION_CHUNK * QM31_DEGREE * sizeof(m31) + fraction_eq_bytes(n);
}
