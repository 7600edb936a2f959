/* The head of a certificate file (docs/formats.md, "Certificate"): magic, version and the digest of the
 * verifier parameters that it belongs to. The rest is the proof. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_FILE_H
#define MICA_CERTIFICATE_CERTIFICATE_FILE_H

#include "mica/certificate.h"

#define CERTIFICATE_HEAD_BYTES (8 + 4 + MICA_DIGEST_BYTES)

#endif
