/* Prover of weight certificates. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_PROVE_H
#define MICA_CERTIFICATE_CERTIFICATE_PROVE_H

#include "certificate/certificate_circuit.h"
#include "protocol/weights_prove.h"

/* Proves the certificate's circuit over the weights of the model's vk; the file's head names that vk. */
bool certificate_prove(const certificate *k, const mica_vk *model, const weight_store *weights,
                       uint8_t **file, size_t *size, mica_status *st);

#endif
