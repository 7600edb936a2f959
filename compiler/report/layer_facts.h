/* What there is to say about each layer of a compiled circuit, for the reports. */
#ifndef MICA_COMPILER_LAYER_FACTS_H
#define MICA_COMPILER_LAYER_FACTS_H

#include "driver.h"

/* Cells are those of one inference, padded to powers of two as the proof counts them. */
typedef struct layer_fact {
    uint64_t witness_cells; /* committed in every proof */
    uint64_t weights;       /* elements of committed weights, without padding */
    uint64_t lookups;
    unsigned activation_bits; /* log2 of the integers between the bounds of the widest value; 0: no value */
    unsigned weight_bits;     /* likewise */
    uint32_t first_stratum, last_stratum; /* in which claims on its tensors are reduced; 0, 0: none */
    double added_error;       /* of its values, the most that one adds to what it is computed from */
    const value_error *error; /* of the last value of the layer that was compared; NULL if none was */
} layer_fact;

/* One fact per layer of c->vk.circuit; the caller frees *facts. */
bool layer_facts_make(layer_fact **facts, const compilation *c, mica_status *st);

/* The number of bits that tell apart the integers lo..hi. */
unsigned layer_facts_bits(int64_t lo, int64_t hi);

#endif
