/* CONTRACT: v(z) = sum over summed labels s of eq(z_paired, s_paired) A(z, s) B(z, s), one instance of a
 * batched sumcheck per claim, reduced to one claim on each operand. */
#ifndef MICA_CONTRACT_CONTRACT_VERIFY_H
#define MICA_CONTRACT_CONTRACT_VERIFY_H

#include "protocol/walk.h"

/* Checks sum_l lambda_l 2^-(N - n_l) eq_l A_l B_l = final claim. */
bool contract_verify(const walk *w, const plan_event *e, mica_verdict *verdict);

#endif
