#include "base/parallel.h"
#include "logup/fraction_layer.h"
#include "simd/kernels.h"

static size_t half_up(size_t n) {
    return n / 2 + (n & 1);
}

bool fraction_tables_alloc(qvec t[LOGUP_VALUES], size_t n, mica_arena *arena, mica_status *st) {
    for (size_t i = 0; i < LOGUP_VALUES; i++) {
        t[i] = qvec_alloc(arena, n, st);
        if (!t[i].p)
            return false;
    }
    return true;
}

size_t fraction_tables_bytes(size_t n) {
    const size_t stride = (n + 15) & ~(size_t)15; /* that of qvec_alloc */
    return stride * LOGUP_VALUES * QM31_DEGREE * sizeof(m31);
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

fraction_nodes fraction_children(const fraction_layer *layer, size_t first) {
    const fraction_numerators *p = layer->numerators;
    fraction_nodes nodes = {.numerator.constant = false};
    nodes.t[LOGUP_Q0] = qvec_from(layer->t[LOGUP_Q0], first);
    nodes.t[LOGUP_Q1] = qvec_from(layer->t[LOGUP_Q1], first);
    if (!p) {
        nodes.t[LOGUP_P0] = qvec_from(layer->t[LOGUP_P0], first);
        nodes.t[LOGUP_P1] = qvec_from(layer->t[LOGUP_P1], first);
        return nodes;
    }
    nodes.numerator = p->chunk[first >> FRACTION_CHUNK_BITS];
    if (!nodes.numerator.constant)
        place(&nodes, p->pool + (size_t)nodes.numerator.slot * FRACTION_SLOT, first & (FRACTION_CHUNK - 1));
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

typedef struct climb {
    const fraction_layer *below;
    fraction_layer *above;
} climb;

/* Nodes of the layer below, a chunk at a time, are added up and filed as children of the layer above. */
static void climb_chunks(void *ctx, size_t begin, size_t end, unsigned worker) {
    const climb *c = ctx;
    fraction_buffer sums;
    const qvec p = {sums.word, FRACTION_CHUNK},
               q = {sums.word + QM31_DEGREE * FRACTION_CHUNK, FRACTION_CHUNK};
    (void)worker;
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t first = chunk * FRACTION_CHUNK, left = c->below->n - first;
        const size_t n = left < FRACTION_CHUNK ? left : FRACTION_CHUNK;
        const fraction_nodes nodes = fraction_children(c->below, first);
        const qvec *t = nodes.t;
        qvec up[LOGUP_VALUES];
        if (nodes.numerator.constant) /* 1: nothing is bound yet */
            kernels()->fraction_add_ones(t[LOGUP_Q0], t[LOGUP_Q1], p, q, n);
        else
            kernels()->fraction_add(t[LOGUP_P0], t[LOGUP_Q0], t[LOGUP_P1], t[LOGUP_Q1], p, q, n);
        for (size_t i = 0; i < LOGUP_VALUES; i++)
            up[i] = qvec_from(c->above->t[i], first / 2);
        split(p, n, up[LOGUP_P0], up[LOGUP_P1]);
        split(q, n, up[LOGUP_Q0], up[LOGUP_Q1]);
        complete(n, up[LOGUP_P1], up[LOGUP_Q1]);
    }
}

bool fraction_tree_build(fraction_layer *layer, unsigned bits, const logup_leaves *leaves,
                         fraction_numerators *numerators, mica_arena *arena, mica_status *st) {
    fraction_layer *last = &layer[bits - 1];
    *last = (fraction_layer){.n = half_up(leaves->count), .numerators = numerators};
    last->t[LOGUP_Q0] = leaves->q[0];
    last->t[LOGUP_Q1] = leaves->q[1];
    if (leaves->count & 1) /* the numerator of the child that is missing is 0 in its slot */
        qvec_set(leaves->q[1], leaves->count / 2, qm31_one());
    for (unsigned k = bits - 1; k-- > 0;) {
        climb c = {&layer[k + 1], &layer[k]};
        layer[k] = (fraction_layer){.n = half_up(layer[k + 1].n)};
        if (!fraction_tables_alloc(layer[k].t, layer[k].n, arena, st))
            return false;
        parallel_for((c.below->n - 1) / FRACTION_CHUNK + 1, FRACTION_GRAIN, climb_chunks, &c);
    }
    return true;
}

size_t fraction_tree_bytes(size_t count, unsigned bits) {
    size_t bytes = 0, n = half_up(count);
    for (unsigned k = bits - 1; k-- > 0;) {
        n = half_up(n);
        bytes += fraction_tables_bytes(n);
    }
    return bytes;
}
