#include "base/parallel.h"
#include "logup/fraction_layer.h"
#include "simd/kernels.h"

static size_t half_up(size_t n) {
    return n / 2 + (n & 1);
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* even[i] = x[2i] for i < half_up(n), odd[i] = x[2i + 1] for i < n/2 */
static void split_plane(const m31 *restrict x, size_t n, m31 *restrict even, m31 *restrict odd) {
    for (size_t i = 0; i < n / 2; i++) {
        even[i] = x[2 * i];
        odd[i] = x[2 * i + 1];
    }
    if (n & 1)
        even[n / 2] = x[n - 1];
}

static void split(qvec x, size_t n, qvec even, qvec odd) {
    for (size_t j = 0; j < QM31_DEGREE; j++)
        split_plane(x.p + j * x.stride, n, even.p + j * even.stride, odd.p + j * odd.stride);
}

/* The odd child that an odd number of nodes lacks. */
static void complete(size_t children, qvec p1, qvec q1) {
    if (children & 1) {
        qvec_set(p1, children / 2, qm31_zero());
        qvec_set(q1, children / 2, qm31_one());
    }
}

static void place(fraction_nodes *nodes, m31 *slot, size_t at) {
    nodes->t[LOGUP_P0] = (qvec){slot + at, FRACTION_CHUNK};
    nodes->t[LOGUP_P1] = (qvec){slot + QM31_DEGREE * FRACTION_CHUNK + at, FRACTION_CHUNK};
}

fraction_nodes fraction_numerators_of(const fraction_numerators *p, size_t first) {
    fraction_nodes nodes = {.numerator = p->chunk[first >> FRACTION_CHUNK_BITS]};
    if (!nodes.numerator.constant)
        place(&nodes, p->pool + (size_t)nodes.numerator.slot * FRACTION_SLOT, first & (FRACTION_CHUNK - 1));
    return nodes;
}

fraction_nodes fraction_children(const fraction_layer *layer, size_t first) {
    const fraction_numerators *p = layer->numerators;
    fraction_nodes nodes = {.numerator.constant = false};
    if (p) {
        nodes = fraction_numerators_of(p, first);
    } else {
        nodes.t[LOGUP_P0] = qvec_from(layer->t[LOGUP_P0], first);
        nodes.t[LOGUP_P1] = qvec_from(layer->t[LOGUP_P1], first);
    }
    nodes.t[LOGUP_Q0] = qvec_from(layer->t[LOGUP_Q0], first);
    nodes.t[LOGUP_Q1] = qvec_from(layer->t[LOGUP_Q1], first);
    return nodes;
}

void fraction_write_numerators(fraction_nodes *nodes, size_t n, fraction_buffer *buffer) {
    if (!nodes->numerator.constant)
        return;
    place(nodes, buffer->word, 0);
    for (size_t i = 0; i < n; i++) {
        qvec_set(nodes->t[LOGUP_P0], i, nodes->numerator.value);
        qvec_set(nodes->t[LOGUP_P1], i, nodes->numerator.value);
    }
}

/* --- from layer to layer --- */

/* n nodes, n <= FRACTION_CHUNK, are added up and filed as children of half as many. */
static void climb(const fraction_nodes *nodes, size_t n, const qvec up[LOGUP_VALUES]) {
    fraction_buffer sums;
    const qvec *t = nodes->t;
    const qvec p = {sums.word, FRACTION_CHUNK},
               q = {sums.word + QM31_DEGREE * FRACTION_CHUNK, FRACTION_CHUNK};
    if (nodes->numerator.constant) /* 1: nothing is bound yet */
        kernels()->fraction_add_ones(t[LOGUP_Q0], t[LOGUP_Q1], p, q, n);
    else
        kernels()->fraction_add(t[LOGUP_P0], t[LOGUP_Q0], t[LOGUP_P1], t[LOGUP_Q1], p, q, n);
    split(p, n, up[LOGUP_P0], up[LOGUP_P1]);
    split(q, n, up[LOGUP_Q0], up[LOGUP_Q1]);
    complete(n, up[LOGUP_P1], up[LOGUP_Q1]);
}

static void tables_from(const qvec t[LOGUP_VALUES], size_t first, qvec out[LOGUP_VALUES]) {
    for (size_t i = 0; i < LOGUP_VALUES; i++)
        out[i] = qvec_from(t[i], first);
}

/* Children of a chunk of nodes that are nowhere else, on a worker's stack. */
typedef struct chunk_tables {
    _Alignas(64) m31 word[(size_t)LOGUP_VALUES * QM31_DEGREE * FRACTION_CHUNK];
} chunk_tables;

static void chunk_views(chunk_tables *room, qvec t[LOGUP_VALUES]) {
    for (size_t i = 0; i < LOGUP_VALUES; i++)
        t[i] = (qvec){room->word + i * QM31_DEGREE * FRACTION_CHUNK, FRACTION_CHUNK};
}

/* Denominators of the leaves below n nodes of the last layer. */
static void write_leaves(const fraction_source *s, size_t first, size_t n, qvec q0, qvec q1) {
    const logup_leaves *l = s->leaves;
    const size_t leaves = min_size(2 * n, l->count - 2 * first);
    l->write(l->write_ctx, 2 * first, leaves, (const qvec[2]){q0, q1});
    if (leaves & 1) /* the child that is missing; its numerator is 0 in its slot */
        qvec_set(q1, n - 1, qm31_one());
}

static fraction_nodes leaf_nodes(const fraction_source *s, size_t first, size_t n, chunk_tables *room) {
    fraction_layer last = {.n = n, .numerators = s->numerators};
    last.t[LOGUP_Q0] = s->leaves->q[0];
    last.t[LOGUP_Q1] = s->leaves->q[1];
    if (last.t[LOGUP_Q0].p)
        return fraction_children(&last, first);
    qvec t[LOGUP_VALUES];
    chunk_views(room, t);
    write_leaves(s, first, n, t[LOGUP_Q0], t[LOGUP_Q1]);
    fraction_nodes nodes = fraction_numerators_of(s->numerators, first);
    nodes.t[LOGUP_Q0] = t[LOGUP_Q0];
    nodes.t[LOGUP_Q1] = t[LOGUP_Q1];
    return nodes;
}

/* Tables of nodes [first, first + n) of layer k, a chunk or its end, from the leaves. */
static void make_chunk(const fraction_source *s, unsigned k, size_t first, size_t n,
                       const qvec t[LOGUP_VALUES]) {
    const size_t below = fraction_layer_size(s, k + 1);
    for (size_t at = 0; at < n; at += FRACTION_CHUNK / 2) {
        const size_t child = 2 * (first + at), m = min_size(FRACTION_CHUNK, below - child);
        chunk_tables room;
        fraction_nodes nodes = {.numerator.constant = false};
        qvec up[LOGUP_VALUES];
        if (k + 2 == s->bits) {
            nodes = leaf_nodes(s, child, m, &room);
        } else {
            chunk_views(&room, nodes.t);
            make_chunk(s, k + 1, child, m, nodes.t);
        }
        tables_from(t, at, up);
        climb(&nodes, m, up);
    }
}

/* --- layers --- */

size_t fraction_layer_size(const fraction_source *s, unsigned k) {
    size_t n = half_up(s->leaves->count);
    for (unsigned i = s->bits - 1; i > k; i--)
        n = half_up(n);
    return n;
}

typedef struct make_job {
    const fraction_source *source;
    const fraction_layer *below, *layer; /* below: the next layer, where it is in memory */
    unsigned k;
} make_job;

static void make_chunks(void *ctx, size_t begin, size_t end, unsigned worker) {
    const make_job *j = ctx;
    (void)worker;
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t first = chunk * FRACTION_CHUNK, n = min_size(FRACTION_CHUNK, j->layer->n - first);
        qvec t[LOGUP_VALUES];
        tables_from(j->layer->t, first, t);
        make_chunk(j->source, j->k, first, n, t);
    }
}

static void make_last_chunks(void *ctx, size_t begin, size_t end, unsigned worker) {
    const make_job *j = ctx;
    const size_t first = begin * FRACTION_CHUNK, last = min_size(end * FRACTION_CHUNK, j->layer->n);
    (void)worker;
    write_leaves(j->source, first, last - first, qvec_from(j->layer->t[LOGUP_Q0], first),
                 qvec_from(j->layer->t[LOGUP_Q1], first));
}

static void climb_chunks(void *ctx, size_t begin, size_t end, unsigned worker) {
    const make_job *j = ctx;
    (void)worker;
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t first = chunk * FRACTION_CHUNK;
        const fraction_nodes nodes = fraction_children(j->below, first);
        qvec up[LOGUP_VALUES];
        tables_from(j->layer->t, first / 2, up);
        climb(&nodes, min_size(FRACTION_CHUNK, j->below->n - first), up);
    }
}

static bool tables_alloc(fraction_layer *layer, unsigned first, unsigned step, mica_arena *arena,
                         mica_status *st) {
    for (size_t i = first; i < LOGUP_VALUES; i += step) {
        layer->t[i] = qvec_alloc(arena, layer->n, st);
        if (!layer->t[i].p)
            return false;
    }
    return true;
}

static size_t chunks(size_t n) {
    return (n - 1) / FRACTION_CHUNK + 1;
}

static bool make_last(fraction_layer *layer, const fraction_source *s, mica_arena *arena, mica_status *st) {
    const logup_leaves *l = s->leaves;
    layer->numerators = s->numerators;
    layer->t[LOGUP_Q0] = l->q[0];
    layer->t[LOGUP_Q1] = l->q[1];
    if (l->q[0].p)
        return true;
    if (!tables_alloc(layer, LOGUP_Q0, LOGUP_Q1 - LOGUP_Q0, arena, st))
        return false;
    make_job j = {.source = s, .layer = layer};
    parallel_for(chunks(layer->n), FRACTION_GRAIN, make_last_chunks, &j);
    return true;
}

bool fraction_layer_make(fraction_layer *layer, const fraction_source *s, unsigned k, mica_arena *arena,
                         mica_status *st) {
    *layer = (fraction_layer){.n = fraction_layer_size(s, k)};
    if (k == s->bits - 1)
        return make_last(layer, s, arena, st);
    if (!tables_alloc(layer, 0, 1, arena, st))
        return false;
    make_job j = {.source = s, .layer = layer, .k = k};
    parallel_for(chunks(layer->n), FRACTION_GRAIN, make_chunks, &j);
    return true;
}

bool fraction_tree_build(fraction_layer *layer, const fraction_source *s, unsigned top, mica_arena *arena,
                         mica_status *st) {
    if (!fraction_layer_make(&layer[top], s, top, arena, st))
        return false;
    for (unsigned k = top; k-- > 0;) {
        make_job j = {.below = &layer[k + 1], .layer = &layer[k]};
        layer[k] = (fraction_layer){.n = half_up(layer[k + 1].n)};
        if (!tables_alloc(&layer[k], 0, 1, arena, st))
            return false;
        parallel_for(chunks(j.below->n), FRACTION_GRAIN, climb_chunks, &j);
    }
    return true;
}

size_t fraction_layer_bytes(size_t count, unsigned bits, unsigned k, bool leaves_kept) {
    size_t n = half_up(count);
    for (unsigned i = bits - 1; i > k; i--)
        n = half_up(n);
    const size_t table = ((n + 15) & ~(size_t)15) * QM31_DEGREE * sizeof(m31); /* that of qvec_alloc */
    if (k < bits - 1)
        return LOGUP_VALUES * table;
    return leaves_kept ? 0 : 2 * table;
}

size_t fraction_tree_bytes(size_t count, unsigned bits, unsigned top, bool leaves_kept) {
    size_t bytes = 0;
    for (unsigned k = 0; k <= top; k++)
        bytes += fraction_layer_bytes(count, bits, k, leaves_kept);
    return bytes;
}
