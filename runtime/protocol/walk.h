/* The state of a walk along the plan, the same for prover and verifier: the challenges drawn and the values
 * of claims. Points and public polynomials follow from them alone. */
#ifndef MICA_PROTOCOL_WALK_H
#define MICA_PROTOCOL_WALK_H

#include "base/arena.h"
#include "hash/channel.h"
#include "mica/statement.h"
#include "plan/plan.h"

typedef struct walk {
    const plan *plan;
    const mica_vk *vk;
    const mica_statement *statement;
    mica_channel *ch;
    qm31 *challenge; /* [n_slots] */
    qm31 *value;     /* [n_claims] */
    qm31 *item;      /* [n_ports * batch]: values of the items of committed ports at their port's point */
    mica_arena *arena;
    mica_status *st;
    /* lookup argument */
    qm31 alpha, beta;
    qm31 leaf_p, leaf_q; /* claims on numerators and denominators at the final point */
    /* the batched sumcheck under way */
    qm31 *lambda; /* one per reduced claim, in the order of the instances' links */
    qm31 final_claim;
} walk;

/* Absorbs what comes first: the vk's digest and the statement (docs/protocol.md, "Transcript"). */
void walk_begin(walk *w);
/* Draws alpha and beta (after the witness root and the proof of work). */
void walk_lookup_challenges(walk *w);
/* Draws the point of an EVENT_POINT. */
void walk_point(walk *w, const plan_event *e);

/* Draws lambda for a batched sumcheck; room for the plan's largest batch is w->lambda. */
void walk_batch(walk *w, const plan_event *e);
/* Elements of w->lambda that a plan needs. */
uint32_t walk_max_batch_claims(const plan *p);

qm31 walk_coord(const walk *w, plan_coord c);
/* The point of a claim: mica_tensor_bits elements, variable 0 first. */
void walk_claim_point(const walk *w, uint32_t claim, qm31 *point);

/* Opening i: its group, its value, and its point within the group, which is the tensor's own variables (for
 * an item of a committed port those of its item), then the bits of the slot's offset. */
pcs_claim walk_opening(const walk *w, uint32_t i, qm31 point[PCS_MAX_VARS]);

/* prod over the axes in `axes` (bit i: axis i, bit rank: batch) of the indicator of [lo_i, hi_i) at `point`;
 * lo and hi NULL: the valid box. */
qm31 walk_box(const walk *w, const mica_tensor *x, const qm31 *point, unsigned axes, const uint32_t *lo,
              const uint32_t *hi);

/* The multilinear extension of public values (valid cells, row-major, item by item) of a tensor, zero outside
 * D. */
bool walk_public_eval(const walk *w, const mica_tensor *x, const int32_t *values, const qm31 *point,
                      qm31 *out);

/* The value of a claim on an input, or of an output's claim, from the statement. */
bool walk_input_value(const walk *w, uint32_t claim, qm31 *out);
bool walk_output_value(const walk *w, uint32_t claim, qm31 *out);
/* The value of a committed port's claim from those of its items: sum over i of eq(z_batch, i) item_i. */
qm31 walk_committed_value(const walk *w, uint32_t claim);

#endif
