/* The weight certificate of a compilation, made from the commitment that the weights already have. */
#include "driver.h"

#include <stdio.h>
#include <time.h>

#include "mica/certificate.h"

/* Larger ones are not made: the parameters are good without, and mica audit settles the same question. */
static const size_t most_memory = (size_t)8 << 30;

static double seconds_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A certificate that its verifier refuses is a bug, not a finding about the weights. */
static bool check(const compilation *c, mica_status *st) {
    const mica_verify_options options = {c->request->security_bits};
    mica_verdict verdict;
    return mica_certificate_verify(&c->vk, c->certificate.bytes, c->certificate.size, &options, &verdict,
                                   st) ||
           mica_fail(st, MICA_ERR_INTERNAL, "the weight certificate was rejected: %s %s",
                     mica_verdict_name(verdict.code), verdict.detail);
}

static bool plan(certificate_result *r, const mica_vk *vk, mica_status *st) {
    mica_status why = {0};
    if (!mica_certificate_report_make(vk, &r->report, &why)) {
        if (why.code != MICA_ERR_LIMIT && why.code != MICA_ERR_RANGE)
            return mica_fail(st, why.code, "%s", why.message);
        (void)snprintf(r->refused, sizeof r->refused, "%.500s", why.message);
    } else if (r->report.prover_memory_bytes > most_memory) {
        (void)snprintf(r->refused, sizeof r->refused, "it would take %.1f GB of memory, more than %.1f GB",
                       (double)r->report.prover_memory_bytes / 1e9, (double)most_memory / 1e9);
    }
    return true;
}

bool certify(compilation *c, mica_status *st) {
    certificate_result *r = &c->certificate;
    const double start = seconds_now();
    if (c->request->no_certificate)
        return true;
    if (!plan(r, &c->vk, st))
        return false;
    if (r->refused[0]) {
        (void)fprintf(stderr, "warning: no weight certificate: %s\n", r->refused);
        return true;
    }
    const bool ok =
        mica_certificate_make(&c->vk, c->weights, c->weights_size, &r->bytes, &r->size, st) && check(c, st);
    r->seconds = seconds_now() - start;
    return ok;
}
