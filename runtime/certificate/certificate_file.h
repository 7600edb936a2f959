/* A certificate file (docs/formats.md, "Certificate"): magic, version and the digest of the verifier
 * parameters that it belongs to; then the proofs of the parts, each after its length (u64). */
#ifndef MICA_CERTIFICATE_CERTIFICATE_FILE_H
#define MICA_CERTIFICATE_CERTIFICATE_FILE_H

#include "mica/certificate.h"

#define CERTIFICATE_HEAD_BYTES   (8 + 4 + MICA_DIGEST_BYTES)
#define CERTIFICATE_LENGTH_BYTES 8

/* mica_certificate_verify and the report for parts of at most `most` lookups. */
bool certificate_verify(const mica_vk *vk, uint64_t most, const uint8_t *file, size_t size,
                        const mica_verify_options *options, mica_verdict *verdict, mica_status *st);
bool certificate_report(const mica_vk *vk, uint64_t most, mica_certificate_report *report, mica_status *st);

#endif
