/* The plan: the whole schedule of a proof after the lookup argument, a function of the vk and the batch size
 * alone.
 *
 * It lists every claim that will be made, at a symbolic point (which challenge each coordinate is), and the
 * events that make, relate and reduce claims, in order. Prover and verifier walk the same plan: the prover
 * computes the values of the claims, the verifier checks each event. The plan holds no check and no
 * challenge.
 */
#ifndef MICA_PLAN_PLAN_H
#define MICA_PLAN_PLAN_H

#include "mica/vk.h"
#include "plan/layout.h"

/* A coordinate of an evaluation point. */
typedef uint32_t plan_coord;
#define COORD_ZERO  0u
#define COORD_ONE   1u
#define COORD_HALF  2u
#define COORD_FIRST 3u /* COORD_FIRST + s is challenge slot s */

#define PLAN_NONE UINT32_MAX

typedef enum claim_source {
    CLAIM_SENT,     /* the prover sends the value */
    CLAIM_PUBLIC,   /* on an INPUT tensor: the verifier evaluates it */
    CLAIM_OUTPUT,   /* a public output's claim: the verifier evaluates the values of the statement */
    CLAIM_COMMITTED /* a committed port's claim: the prover sends the values of the items behind the digests,
                       which are opened, and the verifier combines them */
} claim_source;

typedef struct plan_claim {
    uint32_t tensor;
    uint32_t point; /* first of mica_tensor_bits coordinates in plan.coord, variable 0 first */
    claim_source source;
    uint32_t port; /* CLAIM_OUTPUT: which output; CLAIM_COMMITTED: which of plan.port */
    uint32_t next; /* next claim on the same tensor, or PLAN_NONE */
} plan_claim;

/* Leaves of the lookup argument: 2^bits fractions starting at leaf `first`, a multiple of 2^bits. */
typedef enum block_kind { BLOCK_LOOKUP, BLOCK_TABLE, BLOCK_ZERO } block_kind;
typedef struct plan_block {
    block_kind kind;
    uint32_t index; /* of the lookup or table */
    unsigned bits;
    uint64_t first;
    uint32_t claim[MICA_MAX_ENTRIES]; /* entries of a lookup; [0]: multiplicities of a table */
} plan_block;

/* A committed input or output: per item a commitment group whose root is a digest of the statement. */
typedef struct plan_port {
    bool is_input;
    uint32_t index; /* of circuit.input or circuit.output */
    uint32_t claim; /* at a point of its own: the items together are the tensor */
    layout layout;  /* of one item */
} plan_port;

/* A claim on a committed tensor, or on one item behind a digest, which is opened. */
typedef struct plan_opening {
    uint32_t claim;
    uint32_t group;
    uint32_t item; /* of a committed port's claim: which value (walk.item); PLAN_NONE: the claim's own */
} plan_opening;

typedef enum event_kind {
    EVENT_SEND,   /* the values of the CLAIM_SENT and CLAIM_COMMITTED claims among [first, first + count) */
    EVENT_LEAVES, /* the claims of the blocks against the final lookup claim */
    EVENT_LINEAR, /* claim `first` against the claims link[link .. link + count), one per term of its form */
    EVENT_POINT,  /* squeeze `count` challenges into slots from `first`: the point of a port's claim */
    EVENT_CONTRACT, /* the rounds of a batched sumcheck: instances [first, first + count) */
    EVENT_PLACEMENT,
    EVENT_FINAL /* the operands' claims against the final claim of the sumcheck at event `first` */
} event_kind;

typedef struct plan_event {
    event_kind kind;
    uint32_t first, count;
    uint32_t link;
    /* sumchecks: */
    uint32_t slot;   /* challenges: variable v of an instance is slot + v (little-endian) */
    uint32_t rounds; /* round j binds variable rounds-1-j */
    uint32_t degree;
    uint32_t n_claims; /* claims reduced, each with a lambda */
} plan_event;

/* One summand of a batched sumcheck: it has `vars` variables and joins in the last `vars` rounds.
 * CONTRACT: one claim. PLACEMENT: all claims on one tensor that agree on the pass-through axes. */
typedef struct plan_instance {
    uint32_t tensor;
    uint32_t first_claim, n_claims; /* in plan.link: the claims reduced */
    uint32_t vars;
    uint32_t operand[2]; /* new claims: A and B, or the source and PLAN_NONE */
} plan_instance;

typedef struct plan {
    const mica_circuit *circuit;
    uint32_t batch;

    unsigned lookup_bits; /* log2 of the leaves, 0: no lookups; its challenges are slots [0, lookup_bits) */
    uint64_t leaves;
    uint64_t zero_lookups; /* lookups of the zero tuple: cells outside D */
    uint32_t n_blocks;
    plan_block *block;

    uint32_t n_slots; /* challenges in all */
    uint32_t n_claims, n_coords, n_events, n_links, n_instances, n_strata;
    plan_claim *claim;
    plan_coord *coord;
    plan_event *event;
    uint32_t *link;
    plan_instance *instance;

    /* commitments: group 0 is the weights where there are any, then the witness, then the items of the
     * committed ports: item i of port k is group first_port_group + k * batch + i */
    layout weights, witness;
    uint32_t n_ports; /* committed inputs, then committed outputs, in the circuit's order */
    plan_port *port;
    unsigned n_groups, first_port_group;
    int weight_group, witness_group; /* -1: absent */
    pcs_params pcs;
    uint32_t n_openings;
    plan_opening *opening;

    unsigned lookup_pow_bits;
} plan;

/* Ids of tables in lookup fingerprints: the zero tuple's, then those of circuit.table. */
#define PLAN_ZERO_ID 1u
static inline uint32_t plan_table_id(uint32_t table) {
    return table + 2;
}

/* Builds the plan; the circuit (inside vk) must outlive it and be valid. */
bool plan_build(plan *p, const mica_vk *vk, uint32_t batch, mica_status *st);
void plan_free(plan *p);

/* First coordinate of axis i of tensor t within a point (i == rank: the batch axis). */
unsigned plan_axis_var(const mica_tensor *x, unsigned axis);

/* Whether a contraction's label is summed (contracted or paired), and if it is in the result. */
typedef struct label_role {
    bool in_out, in_a, in_b;
    unsigned out_axis, a_axis, b_axis; /* meaningful where in_* */
} label_role;
void plan_label_roles(const mica_circuit *c, uint32_t tensor, label_role role[MICA_MAX_LABELS]);
static inline bool label_is_summed(const label_role *r) {
    return r->in_a && r->in_b;
}

/* Whether factor f only passes one axis through. */
bool plan_factor_is_pass(const mica_circuit *c, uint32_t tensor, const mica_factor *f);

#endif
