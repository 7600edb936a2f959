/* The weight certificate (docs/protocol.md, "Weight certificate"): a proof, made once per vk, that the
 * weights under its root are what the no-wrap rule takes them for:
 *
 *   - every weight lies in the declared range of its tensor and is zero outside the valid box,
 *   - every contraction with weights stays in its declared range for all values that its other operand's
 *     range admits,
 *   - the commitment is close to a codeword, so that there are such weights.
 *
 * With an accepted certificate, accepted proofs under the vk are statements about integers
 * (docs/soundness.md, Theorem 2). It is a proof of an ordinary circuit that both sides derive from the vk, or
 * of several, each for some of the weights. */
#ifndef MICA_CERTIFICATE_H
#define MICA_CERTIFICATE_H

#include "mica/verify.h"

#define MICA_CERTIFICATE_MAGIC   "MICACRT\n"
#define MICA_CERTIFICATE_VERSION 3u

/* What a certificate of some vk speaks of, and what it costs. */
typedef struct mica_certificate_report {
    uint32_t parts;     /* proofs */
    uint32_t tensors;   /* WEIGHT tensors */
    uint64_t weights;   /* their valid cells */
    uint32_t products;  /* contractions with weights whose range does not follow from those of the operands */
    uint64_t rows;      /* of weights in them, each with a proven bound */
    double proven_bits; /* the least of the parts' */
    size_t proof_bytes_max;     /* the file without its head; 0: there are no weights and nothing to prove */
    size_t prover_memory_bytes; /* planned peak of the prover */
} mica_certificate_report;

/* Plans the certificate of a vk. MICA_ERR_LIMIT or MICA_ERR_RANGE: its weights cannot be certified. */
bool mica_certificate_report_make(const mica_vk *vk, mica_certificate_report *report, mica_status *st);

/* Checks a certificate file. True exactly if accepted, and then the weights under vk's root are as above. A
 * recorded status means that no decision was reached: foreign magic or version, memory, limits. */
bool mica_certificate_verify(const mica_vk *vk, const uint8_t *file, size_t size,
                             const mica_verify_options *options, mica_verdict *verdict, mica_status *st);

/* Prover: makes the certificate from the weight file of the vk (mica/prove.h); the caller frees *file. Needs
 * about report.prover_memory_bytes. Fails if the weights are not as above. */
bool mica_certificate_make(const mica_vk *vk, const uint8_t *weights, size_t weights_size, uint8_t **file,
                           size_t *size, mica_status *st);

#endif
