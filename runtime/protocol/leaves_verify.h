/* The end of the lookup argument: the blocks' claims against the final claim on numerators and denominators.
 */
#ifndef MICA_PROTOCOL_LEAVES_VERIFY_H
#define MICA_PROTOCOL_LEAVES_VERIFY_H

#include "protocol/walk.h"

/* With rho the final point, e_k = eq(address of block k, upper part of rho) and rho_k the lower part:
 *   p = sum_k e_k p_k(rho_k),  q = sum_k e_k q_k(rho_k) + (1 - sum_k e_k)      (absent leaves are 0/1)
 *   lookup block: p_k = 1,  q_k = alpha - (id 1_D + id_0 (1 - 1_D) + sum_j beta^(j+1) entry_j)
 *   table block:  p_k = -m, q_k = alpha - (id + beta key + beta^2 value)
 *   zero block:   p_k = -(number of cells outside D), q_k = alpha - id_0. */
bool leaves_verify(const walk *w, mica_verdict *verdict);

size_t leaves_verify_workspace(const plan *p);

#endif
