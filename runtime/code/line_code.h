/* The line code: Reed-Solomon on x-coordinates of the circle group (docs/protocol.md, "Code").
 *
 * S_k = { x(Q_{k+2}^{1+4j}) : 0 <= j < 2^k }, Q_j the circle point of order 2^j. C_{b,r} maps 2^b values v to
 * ( sum_i v_i prod_j T_{2^j}(x)^{i_j} ) over x in S_{b+r} in index order, T_1 = x, T_{2t} = 2 T_t^2 - 1.
 *   (I1) Enc(v)[x] = <v, w_x>, w_x = (x)_j (1, T_{2^j}(x))
 *   (I2) Enc is linear.
 */
#ifndef MICA_CODE_LINE_CODE_H
#define MICA_CODE_LINE_CODE_H

#include "code/circle.h"
#include "field/qm31.h"
#include "mica/status.h"

#define LINE_CODE_MAX_LOG 26 /* of the codeword length */

/* x-coordinate of point j of S_k, 1 <= k <= 29. O(k) circle operations. */
m31 line_domain_at(unsigned k, uint32_t j);

/* The same for many points of one S_k: about k/2 operations each. */
typedef struct line_domain {
    unsigned k;
    circle_point first;                      /* Q = Q_{k+2} */
    circle_point step[CIRCLE_LOG_ORDER - 2]; /* Q^{4 2^i}, i < k */
} line_domain;
void line_domain_begin(line_domain *d, unsigned k);
m31 line_domain_point(const line_domain *d, uint32_t j);

/* t[j] = T_{2^j}(x), j < b. */
void line_functional(m31 x, unsigned b, m31 *t);

/* sum_i v_i w_x[i] for the multilinear functional restricted to a point: <(x)_j (1, t_j), (x)_j (1 - z_j,
 * z_j)>, i.e. prod_j (1 + z_j (t_j - 1)). */
qm31 line_functional_at(const m31 *t, unsigned b, const qm31 *z);

/* Twiddles for codewords of 2^k points and all shorter ones; created once per process, thread-safe. */
typedef struct line_twiddles line_twiddles;
const line_twiddles *line_twiddles_get(unsigned k, mica_status *st);

/* Encodes 2^b values into out[0, 2^(b+r)), index order of S_{b+r}. out and v do not overlap. */
void line_encode(const line_twiddles *tw, const m31 *v, unsigned b, unsigned r, m31 *out);

#endif
