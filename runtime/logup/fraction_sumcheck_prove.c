#include "logup/fraction_sumcheck.h"

#include "base/parallel.h"
#include "poly/eq_prove.h"
#include "poly/mle.h"
#include "simd/kernels.h"

#define MAX_WORKERS 256u /* of parallel_workers() */

/* eq(r, .) over the low_bits + high_bits lowest variables as a product: entry i is
 * low[i mod 2^low_bits] * high[i >> low_bits]. One chunk of nodes meets one entry of `high`. */
typedef struct eq_split {
    qvec low, high;
    unsigned low_bits, high_bits;
} eq_split;

/* The state between two rounds: tables t over n real entries of 2^vars, the rest 0/1 0/1. While `leaves` is
 * set the tables are still unread and t is only where they will go once a variable is bound. */
typedef struct sumcheck {
    fraction_layer layer;
    unsigned vars;
    const qm31 *r;
    qm31 lambda;
    eq_split eq;
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
    qm31 sum[MAX_WORKERS][2];
} sweep;

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How many of `len` entries from `first` on are real. */
static size_t real_entries(size_t n, size_t first, size_t len) {
    return n > first ? min_size(n - first, len) : 0;
}

static void views_at(const qvec t[LOGUP_VALUES], size_t first, qvec view[LOGUP_VALUES]) {
    for (size_t j = 0; j < LOGUP_VALUES; j++)
        view[j] = qvec_from(t[j], first);
}

/* Entries [first, first + len) become lo + x (hi - lo), hi being `half` entries further on, where they are
 * real, and constants elsewhere. */
static void bind_range(const sumcheck *s, qm31 x, size_t half, size_t first, size_t len) {
    const size_t real = real_entries(s->layer.n, first + half, len);
    fraction_buffer buffer;
    qvec lo[LOGUP_VALUES], hi[LOGUP_VALUES];
    views_at(s->layer.t, first, lo);
    if (s->layer.leaves)
        fraction_load_leaves(s->layer.leaves, first, len, lo);
    if (real)
        fraction_children(&s->layer, first + half, real, &buffer, hi);
    for (size_t j = 0; j < LOGUP_VALUES; j++) {
        if (real)
            kernels()->fold(lo[j], hi[j], x, real);
        if (real < len)
            kernels()->fold(qvec_from(lo[j], real), s->tail[j], x, len - real);
    }
}

static void pair_up(const qvec lo[LOGUP_VALUES], const qvec hi[LOGUP_VALUES], qvec pair[LOGUP_VALUES][2]) {
    for (size_t j = 0; j < LOGUP_VALUES; j++) {
        pair[j][0] = lo[j];
        pair[j][1] = hi[j];
    }
}

/* Adds the contribution of nodes [first, first + len), all below `half`, to sum. */
static void evaluate_range(const sweep *w, size_t first, size_t len, qm31 sum[2]) {
    const sumcheck *s = w->s;
    const fraction_layer bound = {.n = w->n,
                                  .leaves = w->bind ? NULL : s->layer.leaves,
                                  .t = {s->layer.t[0], s->layer.t[1], s->layer.t[2], s->layer.t[3]}};
    const size_t real = real_entries(w->n, first + w->half, len);
    fraction_buffer lo_buffer, hi_buffer;
    qvec lo[LOGUP_VALUES], hi[LOGUP_VALUES], pair[LOGUP_VALUES][2];
    qm31 part[2] = {qm31_zero(), qm31_zero()}, more[2];
    fraction_children(&bound, first, len, &lo_buffer, lo);
    if (real) {
        fraction_children(&bound, first + w->half, real, &hi_buffer, hi);
        pair_up(lo, hi, pair);
        kernels()->round_fraction(s->eq.low, (const qvec(*)[2])pair, s->lambda, real, part);
    }
    if (real < len) {
        views_at(lo, real, lo);
        pair_up(lo, s->tail, pair);
        kernels()->round_fraction(qvec_from(s->eq.low, real), (const qvec(*)[2])pair, s->lambda, len - real,
                                  more);
        part[0] = qm31_add(part[0], more[0]);
        part[1] = qm31_add(part[1], more[1]);
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

/* --- eq of the variables that are not yet bound --- */

static bool eq_split_init(eq_split *eq, const qm31 *r, unsigned vars, size_t n, mica_arena *arena,
                          mica_status *st) {
    eq->low_bits = vars < FRACTION_CHUNK_BITS ? vars : FRACTION_CHUNK_BITS;
    eq->high_bits = 0;
    /* as many more variables as the indices of real nodes have bits */
    while (eq->low_bits + eq->high_bits < vars && (n - 1) >> (eq->low_bits + eq->high_bits))
        eq->high_bits++;
    eq->low = qvec_alloc(arena, FRACTION_CHUNK, st);
    eq->high = qvec_alloc(arena, (size_t)1 << eq->high_bits, st);
    if (!eq->low.p || !eq->high.p)
        return false;
    eq_table_build(eq->low, r, eq->low_bits, qm31_one());
    eq_table_build(eq->high, r + eq->low_bits, eq->high_bits, qm31_one());
    return true;
}

/* Drops the top variable of 2^bits entries: eq sums to 1 over a variable. */
static void halve(qvec table, unsigned bits) {
    const size_t half = (size_t)1 << (bits - 1);
    for (size_t i = 0; i < half; i++)
        qvec_set(table, i, qm31_add(qvec_get(table, i), qvec_get(table, half + i)));
}

/* Leaves at most `vars` variables. */
static void eq_split_shrink(eq_split *eq, unsigned vars) {
    while (eq->low_bits + eq->high_bits > vars) {
        if (eq->high_bits)
            halve(eq->high, eq->high_bits--);
        else
            halve(eq->low, eq->low_bits--);
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
    eq_split_shrink(&s->eq, vars - 1);
    parallel_for((entries - 1) / FRACTION_CHUNK + 1, FRACTION_GRAIN, sweep_chunks, &w);
    message[0] = message[1] = qm31_zero();
    for (unsigned i = 0; i < MAX_WORKERS; i++) {
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

static bool run(sumcheck *s, mica_channel *ch, unsigned k, qm31 *x, qm31 value[LOGUP_VALUES],
                mica_arena *arena, mica_status *st) {
    if (!init_tail(s, arena, st) || !eq_split_init(&s->eq, s->r, k - 1, s->layer.n, arena, st))
        return false;
    if (s->layer.leaves &&
        !fraction_tables_alloc(s->layer.t, min_size(s->layer.n, (size_t)1 << (k - 1)), arena, st))
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
    const size_t qm31_bytes = QM31_DEGREE * sizeof(m31);
    const size_t fixed = 3 * FRACTION_CHUNK * qm31_bytes; /* tail constants, low eq table */
    /* high eq table: at most as many entries as chunks, rounded up to a power of two and to 16 */
    const size_t chunks = layer->n / FRACTION_CHUNK + 1;
    const size_t high = (2 * chunks + 16) * qm31_bytes;
    return fixed + high +
           (layer->leaves ? fraction_tables_bytes(min_size(layer->n, (size_t)1 << (k - 1))) : 0);
}
