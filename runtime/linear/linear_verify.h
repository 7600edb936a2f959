/* LINEAR: v(z) = 2^-shift ( sum_j weight_j T_j(z_j) + sum_k box_k(z) ), a check between claims. */
#ifndef MICA_LINEAR_LINEAR_VERIFY_H
#define MICA_LINEAR_LINEAR_VERIFY_H

#include "protocol/walk.h"

/* Checks the relation of an EVENT_LINEAR on the values of its claims. */
bool linear_verify(const walk *w, const plan_event *e, mica_verdict *verdict);

#endif
