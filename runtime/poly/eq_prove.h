/* The eq table in the prover's vector layout, built in parallel. */
#ifndef MICA_POLY_EQ_PROVE_H
#define MICA_POLY_EQ_PROVE_H

#include "field/qvec.h"

/* out[i] = scale * eq(z, i) for i < 2^n; z[0] belongs to bit 0 of i, as in poly/mle.h. 2^n multiplications.
 */
void eq_table_build(qvec out, const qm31 *z, unsigned n, qm31 scale);

#endif
