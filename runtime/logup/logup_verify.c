#include "base/require.h"
#include "logup/logup.h"
#include "logup/logup_schedule.h"

#define NOWHERE UINT32_MAX

/* h(x) for h of degree 2 with (1 - r) h(0) + r h(1) = claim, given h(0), h(inf) and r != 0. */
static qm31 next_claim(qm31 claim, qm31 r, const qm31 message[2], qm31 x) {
    const qm31 at_0 = message[0], at_inf = message[1];
    const qm31 rest = qm31_sub(claim, qm31_mul(qm31_sub(qm31_one(), r), at_0));
    const qm31 at_1 = qm31_mul(rest, qm31_inv(r));
    const qm31 linear = qm31_sub(qm31_sub(at_1, at_0), at_inf);
    return qm31_add(at_0, qm31_mul(x, qm31_add(linear, qm31_mul(x, at_inf))));
}

/* Layer k: the claims *p, *q at point[0..k) become claims on the children's layer at point[0..k+1). */
static bool reduce_layer(mica_channel *ch, unsigned k, qm31 *point, qm31 *p, qm31 *q) {
    qm31 x[LOGUP_MAX_BITS], value[LOGUP_VALUES];
    const qm31 lambda = logup_squeeze(ch, TAG_GKR_LAMBDA);
    qm31 claim = qm31_add(*p, qm31_mul(lambda, *q));
    for (unsigned i = k; i-- > 0;) {
        qm31 message[2];
        if (!logup_round(ch, message, &x[i]))
            return false;
        if (qm31_is_zero(point[i]))
            return mica_reject(ch->verdict, MICA_REJECT_LOGUP_ROUND, NOWHERE, k,
                               "coordinate %u of the point is 0", i);
        claim = next_claim(claim, point[i], message, x[i]);
    }
    if (!logup_send_values(ch, value))
        return false;
    const qm31 f = qm31_add(logup_numerator(value), qm31_mul(lambda, logup_denominator(value)));
    if (!qm31_eq(f, claim))
        return mica_reject(ch->verdict, MICA_REJECT_LOGUP_ROUND, NOWHERE, k,
                           "layer %u of the fraction tree does not match its claim", k);
    const qm31 mu = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, mu, p, q);
    logup_extend_point(point, mu, x, k);
    return true;
}

bool logup_reduce(mica_channel *ch, unsigned bits, qm31 *rho, qm31 *p_claim, qm31 *q_claim) {
    MICA_REQUIRE(bits >= 1 && bits <= LOGUP_MAX_BITS && ch->verdict != NULL);
    qm31 value[LOGUP_VALUES];
    if (!logup_send_root(ch, value))
        return false;
    if (!qm31_is_zero(logup_numerator(value)))
        return mica_reject(ch->verdict, MICA_REJECT_LOGUP_ROOT, NOWHERE, 0,
                           "the fractions do not sum to zero");
    if (qm31_is_zero(logup_denominator(value)))
        return mica_reject(ch->verdict, MICA_REJECT_LOGUP_ROOT, NOWHERE, 0, "the common denominator is zero");
    rho[0] = logup_squeeze(ch, TAG_GKR_MERGE);
    logup_merge(value, rho[0], p_claim, q_claim);
    for (unsigned k = 1; k < bits; k++) {
        if (!reduce_layer(ch, k, rho, p_claim, q_claim))
            return false;
    }
    return true;
}

/* 4 values at the root; k messages of 2 and 4 values for k = 1..bits-1: 4 bits + (bits - 1) bits elements. */
size_t logup_proof_bytes(unsigned bits) {
    return (size_t)QM31_BYTES * bits * (bits + 3u);
}
