/* Checking a weight certificate and saying what it confirms. */
#ifndef MICA_CLI_CERTIFICATE_SHOW_H
#define MICA_CLI_CERTIFICATE_SHOW_H

#include <stdio.h>

#include "mica/certificate.h"

/* min_security_bits: 0 for MICA_DEFAULT_SECURITY_BITS. Prints what holds, or why the certificate is rejected,
 * to `out`; what could not be read, to stderr. Returns the exit code: 0 accepted, 1 rejected, 2 no decision.
 */
int certificate_show(const mica_vk *vk, const char *path, uint32_t min_security_bits, bool json, FILE *out);

#endif
