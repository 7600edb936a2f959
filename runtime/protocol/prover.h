/* The prover's state, private to the prover's own files. */
#ifndef MICA_PROTOCOL_PROVER_H
#define MICA_PROTOCOL_PROVER_H

#include "logup/logup.h"
#include "mica/prove.h"
#include "protocol/tensor_prove.h"
#include "protocol/weights_prove.h"

/* Runs the circuit on all items. value[t]: cells of materialised tensors for the whole batch, zero outside D
 * and, but for inputs and weights, anywhere. Fills the inputs from s and s's outputs. */
typedef bool (*prover_forward_fn)(mica_prover *p, mica_statement *s, int32_t *const *value, mica_status *st);

struct mica_prover {
    const mica_model *model; /* of a network; NULL: the circuit is of another kind */
    prover_forward_fn forward;
    const void *forward_ctx; /* for forward alone */
    mica_vk vk;
    uint32_t max_batch;
    unsigned savings; /* bit 1 << x for each mica_saving x */
    weight_store weights;
    int32_t **table;  /* [n_tables] values */
    plan plan;        /* of the last batch size; plan.batch is 0 if there is none */
    mica_arena arena; /* the workspace of proofs, kept from one to the next: its pages stay backed */
};

/* Plans a batch, unless it is planned already. */
bool prover_plan(mica_prover *p, uint32_t batch, mica_status *st);

/* The workspace, empty and of at least `bytes`; what was in it is lost. */
bool prover_workspace(mica_prover *p, size_t bytes, mica_status *st);
/* n zeroed cells of it: the memory may have served an earlier proof. */
m31 *prover_zeroed_cells(mica_prover *p, size_t n, mica_status *st);

/* What running the network takes of it for a while, beside the cells. */
size_t prover_forward_bytes(const mica_prover *p);

static inline bool prover_saves(unsigned savings, mica_saving x) {
    return savings >> x & 1;
}
/* How the lookups' tree is kept. */
logup_thrift prover_lookup_thrift(unsigned savings);

/* Bytes of address space for a proof, backed only where it is touched: a generous bound on what the phases
 * allocate (memory_prove.c has the figure). */
size_t prover_address_space(const plan *p);

/* The values of all tables of p->vk. */
bool prover_fill_tables(mica_prover *p, mica_status *st);

/* Frees all but the prover itself, the vk and the weights. */
void prover_release(mica_prover *p);

#endif
