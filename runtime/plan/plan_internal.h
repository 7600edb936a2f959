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

/* plan_commitments.c: layouts, commitment parameters, grinding, and the list of claims to open. */
bool plan_commitments(plan *p, const mica_vk *vk, mica_status *st);

/* plan_check.c: whether every claim is made and reduced exactly once, every output has a claim of its own,
 * and the verifier's work is bounded. A plan that fails the first two would prove less than it says. */
bool plan_check(const plan *p, uint64_t work, mica_status *st);

#endif
