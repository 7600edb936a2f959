/* Checking a weight certificate and saying what it confirms. */
#ifndef MICA_CLI_CERTIFICATE_SHOW_H
#define MICA_CLI_CERTIFICATE_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "mica/certificate.h"

/* A certificate file and what was found. */
typedef struct certificate_judged {
    const mica_vk *vk;
    const char *path;
    size_t size; /* of the file */
    mica_verdict verdict;
    mica_certificate_report report;
    double seconds;
} certificate_judged;

/* Reads and checks a file. min_security_bits: 0 for MICA_DEFAULT_SECURITY_BITS. True if a decision was
 * reached, which is j->verdict. */
bool certificate_judge(certificate_judged *j, const mica_vk *vk, const char *path, uint32_t min_security_bits,
                       mica_status *st);
/* What an accepted certificate confirms: lines of text, and fields added to a JSON object. */
void certificate_show_facts(const certificate_judged *j, FILE *out);
void certificate_show_facts_json(const certificate_judged *j, json_t *object);

/* min_security_bits: 0 for MICA_DEFAULT_SECURITY_BITS. Prints what holds, or why the certificate is rejected,
 * to `out`; what could not be read, to stderr. Returns the exit code: 0 accepted, 1 rejected, 2 no decision.
 */
int certificate_show(const mica_vk *vk, const char *path, uint32_t min_security_bits, bool json, FILE *out);

#endif
