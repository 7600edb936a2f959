/* Shared by the files of plan/ only. */
#ifndef MICA_PLAN_PLAN_INTERNAL_H
#define MICA_PLAN_PLAN_INTERNAL_H

#include "plan/plan.h"

#define PLAN_LIMIT (1u << 26) /* entries of any array of a plan */

typedef struct builder {
    plan *p;
    mica_status *st;
    uint32_t event_capacity, link_capacity, claim_capacity, coord_capacity, instance_capacity;
    uint32_t *first_claim; /* per tensor: its newest claim */
    uint32_t *stage;
    uint32_t cursor; /* claims before it are expanded */
} builder;

/* Grows an array by doubling. */
bool plan_grow(void **array, uint32_t *capacity, uint32_t need, size_t element, mica_status *st);

/* plan_commitments.c: layouts, commitment parameters, grinding, and the list of claims to open. */
bool plan_commitments(plan *p, const mica_vk *vk, mica_status *st);

#endif
