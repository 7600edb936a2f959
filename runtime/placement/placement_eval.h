/* The verifier's evaluation of a placement's public matrix. */
#ifndef MICA_PLACEMENT_PLACEMENT_EVAL_H
#define MICA_PLACEMENT_PLACEMENT_EVAL_H

#include "field/qm31.h"
#include "mica/circuit.h"

/* M_f at (z, s): sum over the entries of a factor of the placement `tensor` of weight * prod eq(z, out) *
 * prod eq(s, src). out[i] and src[i] are the eq tables of the factor's axes at z and s. */
qm31 placement_factor_at(const mica_circuit *c, uint32_t tensor, const mica_factor *f, qm31 *const *out,
                         qm31 *const *src);

#endif
