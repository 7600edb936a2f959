#include "sumcheck/sumcheck.h"

qm31 sumcheck_round_value(const qm31 *message, unsigned degree, qm31 claim, qm31 x) {
    const qm31 g0 = message[0], top = message[1], g1 = qm31_sub(claim, g0);
    const qm31 s = qm31_sub(qm31_sub(g1, g0), top); /* sum of the middle coefficients */
    if (degree == 2)
        return qm31_add(g0, qm31_mul(x, qm31_add(s, qm31_mul(x, top))));
    const qm31 d = qm31_add(qm31_sub(message[2], g0), top);
    const qm31 c2 = qm31_mul_m31(qm31_add(s, d), M31_HALF), c1 = qm31_mul_m31(qm31_sub(s, d), M31_HALF);
    return qm31_add(g0, qm31_mul(x, qm31_add(c1, qm31_mul(x, qm31_add(c2, qm31_mul(x, top))))));
}

qm31 sumcheck_half_power(unsigned n) {
    return qm31_from_m31(m31_pow(M31_HALF, n));
}
