/* Batched sumcheck over instances of different numbers of variables (docs/protocol.md, "Strata").
 *
 * Instance l with claim v_l and n_l variables is extended to the N = max n_l rounds by variables on which it
 * does not depend, scaled by 2^-(N - n_l); the extra variables are bound first, so it joins in the last n_l
 * rounds. The batch proves sum_l lambda_l v_l. A round binds the highest variable not bound yet; its message
 * is g(0), g(inf) and, for degree 3, g(-1); g(1) = claim - g(0).
 */
#ifndef MICA_SUMCHECK_SUMCHECK_H
#define MICA_SUMCHECK_SUMCHECK_H

#include "field/qm31.h"
#include "hash/channel.h"

#define SUMCHECK_MAX_DEGREE 3

/* g(x) for the round polynomial of a message of `degree` elements and a claim g(0) + g(1). Degree 2:
 *   g = g0 + (g1 - g0 - ginf) X + ginf X^2.
 * Degree 3, c3 = ginf, S = g1 - g0 - c3 = c1 + c2, D = g(-1) - g0 + c3 = c2 - c1. */
qm31 sumcheck_round_value(const qm31 *message, unsigned degree, qm31 claim, qm31 x);

/* One round, the same for both sides: message (written or read), challenge, next claim. */
static inline bool sumcheck_round(mica_channel *ch, qm31 *message, unsigned degree, qm31 *claim,
                                  qm31 *challenge) {
    const bool ok = channel_qm31(ch, TAG_SUMCHECK_ROUND, message, degree);
    channel_challenge(ch, TAG_SUMCHECK_POINT, challenge, 1);
    *claim = sumcheck_round_value(message, degree, *claim, *challenge);
    return ok;
}

/* 2^-n. */
qm31 sumcheck_half_power(unsigned n);

#endif
