#include <string.h>

#include "base/bytes.h"
#include "certificate/certificate_circuit.h"
#include "certificate/certificate_file.h"

bool mica_certificate_report_make(const mica_vk *vk, mica_certificate_report *report, mica_status *st) {
    certificate k;
    mica_report plan;
    *report = (mica_certificate_report){0};
    if (!certificate_is_needed(&vk->circuit))
        return true;
    if (!certificate_derive(&k, vk, st))
        return false;
    const bool ok = mica_report_make(&k.vk, 1, &plan, st);
    if (ok)
        *report = (mica_certificate_report){.tensors = k.n_weights,
                                            .weights = k.cells,
                                            .products = k.products,
                                            .rows = k.rows,
                                            .proven_bits = plan.proven_bits,
                                            .proof_bytes_max = plan.proof_bytes_max,
                                            .prover_memory_bytes = plan.prover_memory_bytes};
    certificate_free(&k);
    return ok;
}

/* A foreign file is no decision; a certificate of other parameters is a rejection. */
static bool read_head(byte_reader *r, const mica_vk *vk, mica_verdict *verdict, mica_status *st) {
    uint8_t magic[8], digest[MICA_DIGEST_BYTES];
    read_bytes(r, magic, sizeof magic);
    const bool ours = !r->failed && memcmp(magic, MICA_CERTIFICATE_MAGIC, sizeof magic) == 0;
    const uint32_t version = read_u32(r);
    if (!ours || r->failed)
        return mica_fail(st, MICA_ERR_FORMAT, "this is not a weight certificate of Mica (foreign magic)");
    if (version != MICA_CERTIFICATE_VERSION)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "a weight certificate of format version %u; this program reads version %u", version,
                         MICA_CERTIFICATE_VERSION);
    read_bytes(r, digest, sizeof digest);
    if (r->failed)
        return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                           "the certificate is truncated");
    return memcmp(digest, vk->digest, sizeof digest) == 0 ||
           mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                       "the certificate was made for other verifier parameters");
}

static bool verify_proof(const mica_vk *vk, const byte_reader *r, const mica_verify_options *options,
                         mica_verdict *verdict, mica_status *st) {
    certificate k;
    mica_statement s = {.batch = 1};
    if (!certificate_derive(&k, vk, st))
        return false;
    memcpy(s.vk_digest, k.vk.digest, MICA_DIGEST_BYTES);
    const bool ok = mica_verify(&k.vk, &s, r->at, r->left, options, verdict, st);
    certificate_free(&k);
    return ok;
}

bool mica_certificate_verify(const mica_vk *vk, const uint8_t *file, size_t size,
                             const mica_verify_options *options, mica_verdict *verdict, mica_status *st) {
    byte_reader r = {file, size, false};
    *verdict = (mica_verdict){.layer = UINT32_MAX, .round = UINT32_MAX};
    if (!read_head(&r, vk, verdict, st))
        return false;
    if (certificate_is_needed(&vk->circuit))
        return verify_proof(vk, &r, options, verdict, st);
    if (r.left)
        return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                           "a certificate of parameters without weights has a proof");
    verdict->code = MICA_ACCEPT;
    return true;
}
