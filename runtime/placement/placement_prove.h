/* Prover's side of PLACEMENT. */
#ifndef MICA_PLACEMENT_PLACEMENT_PROVE_H
#define MICA_PLACEMENT_PLACEMENT_PROVE_H

#include "protocol/tensor_prove.h"
#include "sumcheck/batch_prove.h"

/* The two tables of an instance: sum_j lambda_j M(z_j, .) and x(pass-through axes bound, .), over the source
 * axes that do not pass through, row-major. lambda has k->n_claims elements. */
bool placement_instance(const tensor_store *s, const walk *w, const plan_instance *k, const qm31 *lambda,
                        batch_summand *out);

#endif
