/* Shared by the files of plan/ only. */
#ifndef MICA_PLAN_PLAN_INTERNAL_H
#define MICA_PLAN_PLAN_INTERNAL_H

#include "plan/plan.h"

/* A vk is hostile: few bytes can describe a circuit whose claims multiply. Every array of a plan is bounded,
 * and so is the work, counted in multiplications in F (about 5 ns), of building the plan and of verifying a
 * proof with it. Circuits of real networks stay below both by a factor of a hundred. */
#define PLAN_MAX_ARRAY_BYTES ((size_t)64 << 20)
#define PLAN_MAX_WORK        ((uint64_t)1 << 32)

typedef struct builder {
    plan *p;
    mica_status *st;
    uint32_t event_capacity, link_capacity, claim_capacity, coord_capacity, instance_capacity;
    uint32_t *first_claim; /* per tensor: its newest claim */
    uint32_t *stage;
    uint32_t cursor; /* claims before it are expanded */
    uint64_t work;
} builder;

/* Adds units to *work; false beyond PLAN_MAX_WORK. */
bool plan_spend(uint64_t *work, uint64_t units, mica_status *st);

/* Grows an array by doubling. */
bool plan_grow(void **array, uint32_t *capacity, uint32_t need, size_t element, mica_status *st);

/* --- plan.c: growing the schedule --- */

bool plan_add_event(builder *b, plan_event e);
bool plan_add_link(builder *b, uint32_t claim);
/* A new claim on `tensor` at `point`, whose mica_tensor_bits coordinates are copied. */
bool plan_add_claim(builder *b, uint32_t tensor, const plan_coord *point, uint32_t *claim);
/* The claim on `tensor` at `point`, an existing one where the same was made before. */
bool plan_find_or_add_claim(builder *b, uint32_t tensor, const plan_coord *point, uint32_t *claim);
/* Expands all claims on LINEAR tensors that are not expanded yet, sends the claims from first_new on, and
 * lists the relations between them. */
bool plan_settle(builder *b, uint32_t first_new);
/* The coordinates of a fixed index. */
void plan_put_constant(plan_coord *at, unsigned bits, uint32_t index);
/* The batch coordinates of x := those of a point of y, both batched. */
void plan_copy_batch(const plan *p, plan_coord *to, const mica_tensor *x, const plan_coord *from,
                     const mica_tensor *y);

/* plan_strata.c: reduces all claims on contractions and placements, stratum by stratum. */
bool plan_strata(builder *b);

/* plan_commitments.c: layouts, commitment parameters, grinding, and the list of claims to open. */
bool plan_commitments(plan *p, const mica_vk *vk, mica_status *st);

/* plan_ports.c: committed inputs and all outputs get claims at points of their own. */
bool plan_ports(builder *b);

/* plan_check.c: whether every claim is made and reduced exactly once, every shown port has a claim of its
 * own, and the verifier's work is bounded. A plan that fails the first two would prove less than it says. */
bool plan_check(const plan *p, uint64_t work, mica_status *st);

#endif
