/* The prover's state, private to protocol/prover_prove.c and protocol/prove_prove.c. */
#ifndef MICA_PROTOCOL_PROVER_H
#define MICA_PROTOCOL_PROVER_H

#include "mica/prove.h"
#include "protocol/tensor_prove.h"
#include "protocol/weights_prove.h"

struct mica_prover {
    const mica_model *model;
    mica_vk vk;
    uint32_t max_batch;
    weight_store weights;
    int32_t **table;  /* [n_tables] values */
    plan plan;        /* of the last batch size; plan.batch is 0 if there is none */
    mica_arena arena; /* the workspace of proofs, kept from one to the next: its pages stay backed */
};

/* Plans a batch, unless it is planned already. */
bool prover_plan(mica_prover *p, uint32_t batch, mica_status *st);

/* Runs the network on all items. value[t]: cells of materialised tensors for the whole batch, zero outside D
 * and, but for inputs and weights, anywhere. Fills the inputs from s and s's outputs. */
bool prover_forward(const mica_prover *p, mica_statement *s, int32_t *const *value, mica_status *st);

#endif
