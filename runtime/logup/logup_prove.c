#include "base/require.h"
#include "logup/fraction_sumcheck.h"
#include "logup/logup.h"

/* The values of the root's children. */
static void root_values(const fraction_layer *root, qm31 value[LOGUP_VALUES]) {
    fraction_buffer buffer;
    fraction_nodes node = fraction_children(root, 0, 1, &buffer);
    fraction_write_numerators(&node, 1);
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

static bool prove(mica_channel *ch, const fraction_leaves *leaves, unsigned bits, qm31 *rho, qm31 *p_claim,
                  qm31 *q_claim, mica_arena *arena, mica_status *st) {
    fraction_layer layer[LOGUP_MAX_BITS];
    qm31 value[LOGUP_VALUES];
    const size_t mark = arena_mark(arena);
    if (!fraction_tree_build(layer, bits, leaves, arena, st))
        return false;
    root_values(&layer[0], value);
    if (qm31_is_zero(logup_denominator(value)))
        return mica_fail(st, MICA_ERR_INTERNAL, "lookup argument: a denominator is zero");
    logup_send_root(ch, value);
    rho[0] = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, rho[0], p_claim, q_claim);
    for (unsigned k = 1; k < bits; k++) {
        if (k == bits - 1)
            arena_reset(arena, mark); /* the stored layers are used up, the last one lives in the leaves */
        if (!prove_layer(ch, &layer[k], k, rho, p_claim, q_claim, arena, st))
            return false;
    }
    return true;
}

bool logup_prove(mica_channel *ch, const m31 *p, qvec q, size_t count, unsigned bits, qm31 *rho,
                 qm31 *p_claim, qm31 *q_claim, mica_arena *arena, mica_status *st) {
    MICA_REQUIRE(bits >= 1 && bits <= LOGUP_MAX_BITS && count >= 1 && count <= (size_t)1 << bits);
    const fraction_leaves leaves = {p, q, count};
    const size_t mark = arena_mark(arena);
    const bool ok = prove(ch, &leaves, bits, rho, p_claim, q_claim, arena, st);
    arena_reset(arena, mark);
    return ok;
}

size_t logup_prove_workspace(size_t count, unsigned bits) {
    const fraction_leaves leaves = {.count = count};
    const size_t n = count / 2 + (count & 1);
    const fraction_layer last = {.n = n, .leaves = &leaves}, stored = {.n = n / 2 + (n & 1)};
    const size_t last_bytes = bits > 1 ? fraction_sumcheck_bytes(&last, bits - 1) : 0;
    const size_t upper_bytes =
        fraction_tree_bytes(count, bits) + (bits > 2 ? fraction_sumcheck_bytes(&stored, bits - 2) : 0);
    return last_bytes > upper_bytes ? last_bytes : upper_bytes;
}
