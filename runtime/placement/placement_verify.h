/* PLACEMENT: v(z) = sum over src of M(z, src) x(src), reduced by a batched sumcheck to one claim on x per
 * instance. */
#ifndef MICA_PLACEMENT_PLACEMENT_VERIFY_H
#define MICA_PLACEMENT_PLACEMENT_VERIFY_H

#include "protocol/walk.h"

/* Checks sum_l 2^-(N - n_l) ( sum_j lambda_j prod_f M_f(z_jf, s_f) ) x_l = final claim. */
bool placement_verify(const walk *w, const plan_event *e, mica_verdict *verdict);

/* Bytes of w->arena that placement_verify needs at most for a plan. */
size_t placement_verify_workspace(const plan *p);

#endif
