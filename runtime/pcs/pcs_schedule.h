/* What prover, verifier and planner of an opening share: the order of messages and the sizes that follow from
 * the parameters; never a check of a value.
 *
 * An opening runs in steps 0 .. n_levels. Step s:
 *   s < n_levels: the root of level s + 1 is absorbed; s = n_levels: the clear message
 *   proof of work, query indices of every source of the step, then their columns and multiproofs
 *   s < n_levels: gamma, then the row sumcheck of level s + 1
 * The sources of step 0 are the groups, the source of step s >= 1 is level s: queries into a codeword always
 * follow the absorption of everything that claims to be its fold.
 */
#ifndef MICA_PCS_PCS_SCHEDULE_H
#define MICA_PCS_PCS_SCHEDULE_H

#include "pcs/pcs.h"

#define PCS_MAX_RATE_BITS 8
#define PCS_MAX_QUERIES   (1u << 16) /* per codeword */
#define PCS_MAX_POW_BITS  40
#define PCS_ROUND_VALUES  2 /* g(0) and g(inf) of a round polynomial of degree 2 */

/* One codeword that a step looks into. */
typedef struct pcs_source {
    unsigned col_vars, rate_bits, queries, digest_bytes;
    size_t n_words;  /* M31 words of one column */
    uint64_t offset; /* of its folded rows within the message above */
} pcs_source;

/* Returns how many. */
unsigned pcs_step_sources(const pcs_params *p, unsigned step, pcs_source source[PCS_MAX_GROUPS]);

/* max a over the groups: rounds of the first sumcheck. */
unsigned pcs_row_vars(const pcs_params *p);
/* Sum of 2^b over the groups; the level-1 message is zero beyond. */
uint64_t pcs_message_size(const pcs_params *p);
/* Rows of level[l] that are not identically zero: only those are encoded, hashed and opened. */
size_t pcs_level_rows(const pcs_params *p, unsigned l);
/* Elements of the clear message: its zero tail (no level, padded stack) is not sent. */
size_t pcs_clear_size(const pcs_params *p);
/* Queries of all steps together. */
size_t pcs_total_queries(const pcs_params *p);

/* Places y_0, y_1, ... by descending length: offsets are multiples of the length and leave no gap. Sets
 * group_offset and message_vars from the shapes. */
void pcs_stack_groups(pcs_params *p);

/* Whether every bound and relation between the fields holds that prover and verifier rely on. */
bool pcs_params_wellformed(const pcs_params *p);
bool pcs_claims_wellformed(const pcs_params *p, const pcs_claim *claim, size_t n_claims);

/* Absorbs the claimed values and squeezes the challenge that combines them. */
qm31 pcs_combine_claims(mica_channel *ch, const pcs_claim *claim, size_t n_claims);

/* Squeezes s->queries indices, uniform with replacement, and leaves the distinct ones in ascending order in
 * index [s->queries]; returns their number. A repeated index adds no constraint, so each is opened and
 * checked once: the set of constraints is the same. */
size_t pcs_draw_queries(mica_channel *ch, const pcs_source *s, uint32_t *index);

/* class_of[j]: the number of the class of claim j, classes being the distinct (group, column part of the
 * point) in order of appearance; first[c]: a claim of class c. Returns the number of classes. */
size_t pcs_classes(const pcs_params *p, const pcs_claim *claim, size_t n_claims, uint32_t *class_of,
                   uint32_t *first);

/* g(x) of the round polynomial with g(0) + g(1) = claim and message g(0), g(inf). */
static inline qm31 pcs_round_at(qm31 claim, const qm31 message[PCS_ROUND_VALUES], qm31 x) {
    /* g(x) = g(0) + x ((g(1) - g(0)) + (x - 1) g(inf)) */
    const qm31 slope = qm31_sub(qm31_sub(claim, message[0]), message[0]);
    const qm31 curve = qm31_mul(qm31_sub(x, qm31_one()), message[1]);
    return qm31_add(message[0], qm31_mul(x, qm31_add(slope, curve)));
}

/* --- sizes (pcs_size.c) --- */
/* Expected number of distinct values among t uniform draws from 2^d, in units of 1/256. t <= PCS_MAX_QUERIES.
 */
uint64_t pcs_expected_distinct(unsigned d, unsigned t);

#endif
