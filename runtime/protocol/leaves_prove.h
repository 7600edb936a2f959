/* Prover: the leaves of the lookup argument, and multiplicities. */
#ifndef MICA_PROTOCOL_LEAVES_PROVE_H
#define MICA_PROTOCOL_LEAVES_PROVE_H

#include "logup/logup.h"
#include "protocol/tensor_prove.h"

/* Counts how often each row of each table is looked up, from the integer cells, and checks on the way that
 * every lookup inside D is a row of its table and that cells outside D are zero. value[t]: integer cells of
 * materialised tensors; multiplicity tensors are written. table[k]: values of table k. `arena` serves for
 * temporaries: a table for every worker. */
bool leaves_count(const plan *p, int32_t *const *value, const int32_t *const *table, mica_arena *arena,
                  mica_status *st);

/* Numerators of all leaves, and how their denominators are made, from field cells (leaves_verify.h states
 * them), in the arena; there lie the denominators too, if they are to be kept. */
bool leaves_build(const tensor_store *s, const walk *w, const int32_t *const *table, bool keep,
                  logup_leaves *leaves);
/* Bytes of arena for the leaves and for logup_prove. */
size_t leaves_workspace(const plan *p, logup_thrift thrift);

#endif
