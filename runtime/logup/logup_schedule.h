/* What prover and verifier of the lookup argument share: the order of messages and challenges, and the
 * merging of the two children's claims. Never a check. */
#ifndef MICA_LOGUP_LOGUP_SCHEDULE_H
#define MICA_LOGUP_LOGUP_SCHEDULE_H

#include "hash/channel.h"

/* The children of a node, or the multilinear extensions of the four arrays at a point: p0 q0 p1 q1. */
enum { LOGUP_P0, LOGUP_Q0, LOGUP_P1, LOGUP_Q1, LOGUP_VALUES };

static inline bool logup_send_root(mica_channel *ch, qm31 value[LOGUP_VALUES]) {
    return channel_qm31(ch, TAG_GKR_ROOT, value, LOGUP_VALUES);
}

static inline bool logup_send_values(mica_channel *ch, qm31 value[LOGUP_VALUES]) {
    return channel_qm31(ch, TAG_GKR_VALUES, value, LOGUP_VALUES);
}

static inline qm31 logup_squeeze(mica_channel *ch, transcript_tag tag) {
    qm31 x;
    channel_challenge(ch, tag, &x, 1);
    return x;
}

/* message = h(0), h(inf); *x is the challenge that binds the round's variable. */
static inline bool logup_round(mica_channel *ch, qm31 message[2], qm31 *x) {
    const bool ok = channel_qm31(ch, TAG_GKR_ROUND, message, 2);
    *x = logup_squeeze(ch, TAG_SUMCHECK_POINT);
    return ok;
}

/* p0 q1 + p1 q0 */
static inline qm31 logup_numerator(const qm31 value[LOGUP_VALUES]) {
    return qm31_add(qm31_mul(value[LOGUP_P0], value[LOGUP_Q1]), qm31_mul(value[LOGUP_P1], value[LOGUP_Q0]));
}

/* q0 q1 */
static inline qm31 logup_denominator(const qm31 value[LOGUP_VALUES]) {
    return qm31_mul(value[LOGUP_Q0], value[LOGUP_Q1]);
}

/* The claims on p and q at (mu, x*), where the values are those of the children at x*. */
static inline void logup_merge(const qm31 value[LOGUP_VALUES], qm31 mu, qm31 *p, qm31 *q) {
    *p = qm31_add(value[LOGUP_P0], qm31_mul(mu, qm31_sub(value[LOGUP_P1], value[LOGUP_P0])));
    *q = qm31_add(value[LOGUP_Q0], qm31_mul(mu, qm31_sub(value[LOGUP_Q1], value[LOGUP_Q0])));
}

/* point = (mu, x[0..n)) */
static inline void logup_extend_point(qm31 *point, qm31 mu, const qm31 *x, unsigned n) {
    point[0] = mu;
    for (unsigned i = 0; i < n; i++)
        point[i + 1] = x[i];
}

#endif
