#include "logup/fraction_sumcheck.h"

#include "base/parallel.h"
#include "logup/fraction_eq.h"
#include "poly/mle.h"
#include "simd/kernels.h"

/* The state between two rounds: tables t over n real entries of 2^vars, the rest 0/1 0/1. While `leaves` is
 * set the tables are still unread and t is only where they will go once a variable is bound. */
typedef struct sumcheck {
    fraction_layer layer;
    unsigned vars;
    const qm31 *r;
    qm31 lambda, inv_lambda; /* the latter only with constant numerators */
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
static const fraction_nodes not_real = {.numerator = {true, {{0}}}};

/* The layer with n real nodes, all in tables. */
static fraction_layer tables_of(const sumcheck *s, size_t n) {
    fraction_layer layer = s->layer;
    layer.n = n;
    layer.leaves = NULL;
    return layer;
}

/* Whether a chunk's numerators stay out of memory: `len` nodes, of whose partners in the upper half `real`
 * are real. */
static bool is_constant(const sumcheck *s, const fraction_nodes *lo, const fraction_nodes *hi, size_t len,
                        size_t real) {
    return s->layer.numerator && len == FRACTION_CHUNK && (real == 0 || real == len) &&
           lo->numerator.constant && hi->numerator.constant;
}

/* Entries [first, first + len) become lo + x (hi - lo), hi being `half` entries further on, where they are
 * real, and constants elsewhere. */
static void bind_range(const sumcheck *s, qm31 x, size_t half, size_t first, size_t len) {
    const size_t real = real_entries(s->layer.n, first + half, len);
    fraction_buffer buffer;
    const fraction_layer tables = tables_of(s, s->layer.n);
    fraction_nodes lo = fraction_children(&tables, first, len, NULL), hi = not_real;
    if (s->layer.leaves)
        lo = fraction_load_leaves(s->layer.leaves, first, len, lo.t);
    if (real)
        hi = fraction_children(&s->layer, first + half, real, &buffer);
    const bool constant = is_constant(s, &lo, &hi, len, real);
    if (constant) {
        const qm31 slope = qm31_sub(hi.numerator.value, lo.numerator.value);
        lo.numerator.value = qm31_add(lo.numerator.value, qm31_mul(x, slope));
    } else {
        fraction_write_numerators(&lo, len);
        fraction_write_numerators(&hi, real);
    }
    if (s->layer.numerator)
        s->layer.numerator[first >> FRACTION_CHUNK_BITS] = lo.numerator;
    for (size_t j = 0; j < LOGUP_VALUES; j++) {
        if (constant && (j == LOGUP_P0 || j == LOGUP_P1))
            continue;
        if (real)
            kernels()->fold(lo.t[j], hi.t[j], x, real);
        if (real < len)
            kernels()->fold(qvec_from(lo.t[j], real), s->tail[j], x, len - real);
    }
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
    const fraction_layer bound = w->bind ? tables_of(s, w->n) : s->layer;
    const size_t real = real_entries(w->n, first + w->half, len);
    fraction_buffer lo_buffer, hi_buffer;
    qm31 part[2] = {qm31_zero(), qm31_zero()};
    fraction_nodes lo = fraction_children(&bound, first, len, &lo_buffer), hi = not_real;
    if (real)
        hi = fraction_children(&bound, first + w->half, real, &hi_buffer);
    if (is_constant(s, &lo, &hi, len, real)) {
        evaluate_constant(s, &lo, real ? hi.t : s->tail, hi.numerator.value, part);
    } else {
        fraction_write_numerators(&lo, len);
        fraction_write_numerators(&hi, real);
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

/* Numerators of all chunks into the tables, once halves are smaller than chunks. */
static void write_numerators(sumcheck *s) {
    for (size_t first = 0; first < s->layer.n; first += FRACTION_CHUNK) {
        const size_t len = min_size(FRACTION_CHUNK, s->layer.n - first);
        fraction_nodes nodes = fraction_children(&s->layer, first, len, NULL);
        fraction_write_numerators(&nodes, len);
    }
    s->layer.numerator = NULL;
}

/* Binds the top variable to *x unless x is NULL, and computes the message of the next one. */
static void next_message(sumcheck *s, const qm31 *x, qm31 message[2]) {
    sweep w = {.s = s, .bind = x != NULL, .x = x ? *x : qm31_zero()};
    const unsigned vars = s->vars - (w.bind ? 1 : 0);
    w.half = (size_t)1 << (vars - 1);
    w.n = min_size(s->layer.n, 2 * w.half);
    const size_t entries = min_size(w.n, w.half);
    fraction_eq_shrink(&s->eq, vars - 1);
    if (w.half < FRACTION_CHUNK && s->layer.numerator)
        write_numerators(s);
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
    if (w.bind)
        s->layer.leaves = NULL;
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

/* Layers of which binding one variable leaves whole chunks in either half. */
static bool keeps_numerators(const fraction_layer *layer, unsigned k) {
    return layer->leaves && k >= FRACTION_CHUNK_BITS + 2;
}

static bool init_leaves(sumcheck *s, unsigned k, mica_arena *arena, mica_status *st) {
    const size_t n = min_size(s->layer.n, (size_t)1 << (k - 1)), chunks = n / FRACTION_CHUNK + 1;
    if (!fraction_tables_alloc(s->layer.t, n, arena, st))
        return false;
    if (!keeps_numerators(&s->layer, k) || qm31_is_zero(s->lambda))
        return true;
    s->layer.numerator = arena_alloc(arena, chunks, sizeof *s->layer.numerator, st);
    if (!s->layer.numerator)
        return false;
    for (size_t i = 0; i < chunks; i++)
        s->layer.numerator[i].constant = false;
    s->inv_lambda = qm31_inv(s->lambda);
    return true;
}

static bool run(sumcheck *s, mica_channel *ch, unsigned k, qm31 *x, qm31 value[LOGUP_VALUES],
                mica_arena *arena, mica_status *st) {
    if (!init_tail(s, arena, st) || !fraction_eq_init(&s->eq, s->r, k - 1, s->layer.n, arena, st))
        return false;
    if (s->layer.leaves && !init_leaves(s, k, arena, st))
        return false;
    for (unsigned i = k; i-- > 0;) {
        qm31 message[2];
        next_message(s, i == k - 1 ? NULL : &x[i + 1], message);
        logup_round(ch, message, &x[i]);
    }
    bind_range(s, x[0], 1, 0, 1);
    for (size_t j = 0; j < LOGUP_VALUES; j++)
        value[j] = qvec_get(s->layer.t[j], 0);
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

size_t fraction_sumcheck_bytes(const fraction_layer *layer, unsigned k) {
    const size_t tails = 2 * FRACTION_CHUNK * QM31_DEGREE * sizeof(m31);
    const size_t n = min_size(layer->n, (size_t)1 << (k - 1));
    size_t leaves = 0;
    if (layer->leaves)
        leaves = fraction_tables_bytes(n);
    if (keeps_numerators(layer, k))
        leaves += (n / FRACTION_CHUNK + 1) * sizeof(fraction_numerator) + 64;
    return tails + fraction_eq_bytes(layer->n) + leaves;
}
