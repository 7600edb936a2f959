#include "base/require.h"
#include "logup/fraction_sumcheck.h"
#include "logup/logup.h"

/* The values of the root's children. */
static void root_values(const fraction_layer *root, qm31 value[LOGUP_VALUES]) {
    fraction_buffer buffer;
    fraction_nodes node = fraction_children(root, 0);
    fraction_write_numerators(&node, 1, &buffer);
    for (size_t i = 0; i < LOGUP_VALUES; i++)
        value[i] = qvec_get(node.t[i], 0);
}

/* Layer k: the point point[0..k) becomes point[0..k+1); *p, *q become the claims there. */
static bool prove_layer(mica_channel *ch, const fraction_layer *layer, unsigned k, qm31 *point, qm31 *p,
                        qm31 *q, mica_arena *arena, mica_status *st) {
    qm31 x[LOGUP_MAX_BITS], value[LOGUP_VALUES];
    const qm31 lambda = logup_squeeze(ch, TAG_GKR_LAMBDA);
    if (!fraction_sumcheck_prove(ch, layer, k, point, lambda, x, value, arena, st))
        return false;
    logup_send_values(ch, value);
    const qm31 mu = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, mu, p, q);
    logup_extend_point(point, mu, x, k);
    return true;
}

/* Layers of which binding one variable leaves whole chunks in either half. */
static bool keeps_constants(unsigned bits) {
    return bits - 1 >= FRACTION_CHUNK_BITS + 2;
}

/* The lowest layer that is made at the start and kept, with those above it, until it is its turn; layers
 * below are made one by one. A tree of few layers is kept whole. */
static unsigned top_layer(unsigned bits, logup_thrift thrift) {
    const unsigned apart = bits < 3 ? 0 : thrift == LOGUP_ALL_KEPT ? 1 : 2;
    return bits - 1 - apart;
}

static bool prove(mica_channel *ch, const fraction_source *source, unsigned top, qm31 *rho, qm31 *p_claim,
                  qm31 *q_claim, mica_arena *arena, mica_status *st) {
    fraction_layer layer[LOGUP_MAX_BITS];
    qm31 value[LOGUP_VALUES];
    const size_t mark = arena_mark(arena);
    if (!fraction_tree_build(layer, source, top, arena, st))
        return false;
    root_values(&layer[0], value);
    if (qm31_is_zero(logup_denominator(value)))
        return mica_fail(st, MICA_ERR_INTERNAL, "lookup argument: a denominator is zero");
    logup_send_root(ch, value);
    rho[0] = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, rho[0], p_claim, q_claim);
    for (unsigned k = 1; k < source->bits; k++) {
        if (k > top) {
            arena_reset(arena, mark); /* the layers above are used up */
            if (!fraction_layer_make(&layer[k], source, k, arena, st))
                return false;
        }
        if (!prove_layer(ch, &layer[k], k, rho, p_claim, q_claim, arena, st))
            return false;
    }
    return true;
}

bool logup_prove(mica_channel *ch, const logup_leaves *leaves, unsigned bits, logup_thrift thrift, qm31 *rho,
                 qm31 *p_claim, qm31 *q_claim, mica_arena *arena, mica_status *st) {
    MICA_REQUIRE(bits >= 1 && bits <= LOGUP_MAX_BITS && leaves->count >= 1 &&
                 leaves->count <= (size_t)1 << bits && leaves->n_segments >= 1 &&
                 leaves->segment[0].first == 0 && (leaves->q[0].p || leaves->write));
    const size_t mark = arena_mark(arena);
    fraction_numerators numerators;
    const fraction_source source = {leaves, &numerators, bits};
    if (leaves->q[0].p && leaves->count & 1) /* the child that is missing; its numerator is 0 in its slot */
        qvec_set(leaves->q[1], leaves->count / 2, qm31_one());
    const bool ok = fraction_numerators_make(&numerators, leaves, keeps_constants(bits), arena, st) &&
                    prove(ch, &source, top_layer(bits, thrift), rho, p_claim, q_claim, arena, st);
    arena_reset(arena, mark);
    return ok;
}

size_t logup_prove_workspace(const logup_leaves *leaves, unsigned bits, logup_thrift thrift) {
    const unsigned top = top_layer(bits, thrift);
    const bool kept = thrift < LOGUP_LEAVES_AGAIN;
    size_t most = 0, n = leaves->count / 2 + (leaves->count & 1);
    for (unsigned k = bits; k-- > top; n = n / 2 + (n & 1)) {
        const size_t bytes = (k == top ? fraction_tree_bytes(leaves->count, bits, top, kept)
                                       : fraction_layer_bytes(leaves->count, bits, k, kept)) +
                             (k > 0 ? fraction_sumcheck_bytes(n) : 0);
        most = bytes > most ? bytes : most;
    }
    return fraction_numerators_bytes(leaves, keeps_constants(bits)) + most;
}
