/* The verifier's linear form on the message of a level: a sum of terms
 *     coef * (selector bits of offset on the high variables) (x) (a tensor on the low `vars` variables).
 * The tensor's factor of variable j is (1 - z_j, z_j) for a claim and (1, t_j), t_j = T_{2^j}(x), for a
 * query. Folding the message's top variables touches coefficients only; no vector is ever written out before
 * the clear message.
 */
#ifndef MICA_PCS_PCS_FORM_H
#define MICA_PCS_PCS_FORM_H

#include <stddef.h>

#include "field/qm31.h"

typedef struct pcs_term {
    qm31 coef;
    uint64_t offset; /* a multiple of 2^vars */
    unsigned vars;
    const qm31 *z; /* claim: vars coordinates; NULL for a query */
    const m31 *t;  /* query: vars powers */
} pcs_term;

/* Binds variables [low, low + n) of the message, n of them on top, to r[0..n). */
void pcs_term_fold(pcs_term *term, unsigned low, const qm31 *r, unsigned n);

/* <message, tensor of the term>, coefficient left out. scratch: 2^vars elements. */
qm31 pcs_term_at(const pcs_term *term, const qm31 *message, qm31 *scratch);

/* sum_i x[i] w[i]. */
qm31 pcs_dot_m31(const qm31 *x, const m31 *w, size_t n);

#endif
