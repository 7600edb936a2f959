/* Prover of weight certificates. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_PROVE_H
#define MICA_CERTIFICATE_CERTIFICATE_PROVE_H

#include "certificate/certificate_circuit.h"
#include "protocol/weights_prove.h"

/* The file for weights of the model's vk, in parts of at most `most` lookups. */
bool certificate_make(const mica_vk *model, uint64_t most, const weight_store *weights, uint8_t **file,
                      size_t *size, mica_status *st);

#endif
