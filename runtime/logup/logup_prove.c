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

static bool prove(mica_channel *ch, const logup_leaves *leaves, unsigned bits, qm31 *rho, qm31 *p_claim,
                  qm31 *q_claim, mica_arena *arena, mica_status *st) {
    fraction_layer layer[LOGUP_MAX_BITS];
    fraction_numerators numerators;
    qm31 value[LOGUP_VALUES];
    if (!fraction_numerators_make(&numerators, leaves, keeps_constants(bits), arena, st))
        return false;
    const size_t mark = arena_mark(arena);
    if (!fraction_tree_build(layer, bits, leaves, &numerators, arena, st))
        return false;
    root_values(&layer[0], value);
    if (qm31_is_zero(logup_denominator(value)))
        return mica_fail(st, MICA_ERR_INTERNAL, "lookup argument: a denominator is zero");
    logup_send_root(ch, value);
    rho[0] = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, rho[0], p_claim, q_claim);
    for (unsigned k = 1; k < bits; k++) {
        if (k == bits - 1)
            arena_reset(arena, mark); /* the other layers are used up */
        if (!prove_layer(ch, &layer[k], k, rho, p_claim, q_claim, arena, st))
            return false;
    }
    return true;
}

bool logup_prove(mica_channel *ch, const logup_leaves *leaves, unsigned bits, qm31 *rho, qm31 *p_claim,
                 qm31 *q_claim, mica_arena *arena, mica_status *st) {
    MICA_REQUIRE(bits >= 1 && bits <= LOGUP_MAX_BITS && leaves->count >= 1 &&
                 leaves->count <= (size_t)1 << bits && leaves->n_segments >= 1 &&
                 leaves->segment[0].first == 0);
    const size_t mark = arena_mark(arena);
    const bool ok = prove(ch, leaves, bits, rho, p_claim, q_claim, arena, st);
    arena_reset(arena, mark);
    return ok;
}

size_t logup_prove_workspace(const logup_leaves *leaves, unsigned bits) {
    const size_t last = leaves->count / 2 + (leaves->count & 1), stored = last / 2 + (last & 1);
    const size_t upper =
        fraction_tree_bytes(leaves->count, bits) + (bits > 2 ? fraction_sumcheck_bytes(stored) : 0);
    const size_t lower = bits > 1 ? fraction_sumcheck_bytes(last) : 0;
    return fraction_numerators_bytes(leaves, keeps_constants(bits)) + (lower > upper ? lower : upper);
}
