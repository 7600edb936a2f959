/* The circuits of a weight certificate, derived from verifier parameters alone (docs/protocol.md, "Weight
 * certificate"). Prover and verifier both derive it; nothing of it is in the certificate. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_CIRCUIT_H
#define MICA_CERTIFICATE_CERTIFICATE_CIRCUIT_H

#include "mica/certificate.h"

/* How the prover computes a WITNESS tensor: each cell is bits [at, at + width) of max(x, 0), x the cell of
 * `source`, an older tensor of the same shape, or of max(-x, 0). */
typedef struct certificate_rule {
    uint32_t source;
    bool negated;
    uint8_t at, width;
} certificate_rule;

/* One part of a certificate. */
typedef struct certificate {
    mica_vk vk;             /* the certificate's circuit over the model's weight group; a digest of its own */
    uint32_t n_weights;     /* tensors [0, n_weights) are the model's WEIGHT tensors, in order */
    uint32_t *weight;       /* [n_weights] their ids in the model's circuit */
    certificate_rule *rule; /* [n_tensors] of WITNESS tensors that are not multiplicities */
    uint32_t first, end;    /* the WEIGHT tensors that this part speaks of; the others only lie beside them */
    uint32_t products;      /* contractions with checked rows */
    uint64_t cells, rows;   /* valid cells of its weights; rows checked */
} certificate;

/* A certificate has parts so that a prover's memory is bounded: each has at most so many lookups of weights,
 * or one tensor. */
#define CERTIFICATE_PART_LOOKUPS ((uint64_t)1 << 26)
#define CERTIFICATE_MAX_PARTS    64

/* Parts of at most `most` lookups. 0: there are no weights. */
bool certificate_parts(const mica_circuit *model, uint64_t most, uint32_t *n_parts, mica_status *st);

/* model must be valid and have more than `part` parts. */
bool certificate_derive(certificate *k, const mica_vk *model, uint64_t most, uint32_t part, mica_status *st);
void certificate_free(certificate *k);

#endif
