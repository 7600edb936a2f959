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

/* <message, tensor of a query's term>, coefficient left out. scratch: 2^vars words. */
qm31 pcs_query_at(const pcs_term *term, const qm31 *message, m31 *scratch);

/* sum over n claims' terms of coef <message, tensor>. Sorts the terms. At most 2^vars products a term, fewer
 * for each whose first coordinates are those of another. scratch: 2^vars elements, vars the most of any. */
qm31 pcs_claims_at(pcs_term *term, size_t n, const qm31 *message, qm31 *scratch);

/* sum_i x[i] w[i], n < 2^30. */
qm31 pcs_dot_m31(const qm31 *x, const m31 *w, size_t n);

#endif
