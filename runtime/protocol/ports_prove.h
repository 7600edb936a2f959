/* The commitment groups of committed inputs and outputs: one per item, whose root is the digest that the
 * statement shows (docs/formats.md, "Digests"). */
#ifndef MICA_PROTOCOL_PORTS_PROVE_H
#define MICA_PROTOCOL_PORTS_PROVE_H

#include "protocol/walk.h"

/* Commits to every item of every committed port of the plan, group[first_port_group + ...], and writes the
 * digests into s, whose values are complete. Matrices, and codewords if they are to be kept, stay in the
 * arena.
 */
bool ports_commit(const plan *p, mica_statement *s, pcs_committed *group, bool keep_codewords,
                  mica_arena *arena, mica_status *st);
size_t ports_workspace(const plan *p);

/* w->item of the port of a CLAIM_COMMITTED: its items' extensions at the claim's point. */
bool ports_eval(const walk *w, uint32_t claim, const pcs_committed *group);

#endif
