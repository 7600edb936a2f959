/* Quotients and square roots: committed integers that two range checks determine (docs/protocol.md). */
#ifndef MICA_COMPILER_LOWERING_QUOTIENT_H
#define MICA_COMPILER_LOWERING_QUOTIENT_H

#include "lowering/lowering.h"

/* *u := floor(e / s) in [0, 2^bits), both forms over one domain, for e in [0, 2^bits s) and s >= 1; *rem,
 * unless NULL, is e - s u through the limbs of its range check. The relation is
 *
 *   u in [0, 2^bits),  0 <= e - s u,  e - s u <= s - 1,
 *
 * which no u satisfies unless s >= 1, and then only the quotient. The status is MICA_ERR_RANGE where one of
 * its sides could wrap. */
bool floor_quotient(lowering *l, const graph_node *n, const form *e, const form *s, unsigned bits,
                    uint32_t *u, form *rem, mica_status *st);

/* *r := floor(sqrt(v)) for a form v in [0, 2^30). The relation is r in [0, 2^15), 0 <= v - r^2, v - r^2 <= 2
 * r: r^2 <= v < (r + 1)^2 has one solution r >= 0. */
bool floor_root(lowering *l, const graph_node *n, const form *v, uint32_t *r, mica_status *st);

#endif
