#include <string.h>

#include "base/bytes.h"
#include "certificate/certificate_circuit.h"
#include "certificate/certificate_file.h"

/* Adds one part to the report. */
static bool report_part(const mica_vk *vk, uint64_t most, uint32_t part, mica_certificate_report *r,
                        mica_status *st) {
    certificate k;
    mica_report plan;
    if (!certificate_derive(&k, vk, most, part, st))
        return false;
    const bool ok = mica_report_make(&k.vk, 1, &plan, st);
    if (ok) {
        r->proven_bits = part == 0 || plan.proven_bits < r->proven_bits ? plan.proven_bits : r->proven_bits;
        r->tensors = k.n_weights;
        r->weights += k.cells;
        r->products += k.products;
        r->rows += k.rows;
        r->proof_bytes_max += CERTIFICATE_LENGTH_BYTES + plan.proof_bytes_max;
        r->prover_memory_bytes = plan.prover_memory_bytes > r->prover_memory_bytes ? plan.prover_memory_bytes
                                                                                   : r->prover_memory_bytes;
    }
    certificate_free(&k);
    return ok;
}

bool certificate_report(const mica_vk *vk, uint64_t most, mica_certificate_report *report, mica_status *st) {
    *report = (mica_certificate_report){0};
    bool ok = certificate_parts(&vk->circuit, most, &report->parts, st);
    for (uint32_t i = 0; ok && i < report->parts; i++)
        ok = report_part(vk, most, i, report, st);
    return ok;
}

bool mica_certificate_report_make(const mica_vk *vk, mica_certificate_report *report, mica_status *st) {
    return certificate_report(vk, CERTIFICATE_PART_LOOKUPS, report, st);
}

static bool truncated(mica_verdict *verdict) {
    return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                       "the certificate is truncated");
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
        return truncated(verdict);
    return memcmp(digest, vk->digest, sizeof digest) == 0 ||
           mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                       "the certificate was made for other verifier parameters");
}

/* Acceptance of a part is none of the whole: `verdict` takes rejections alone. */
static bool verify_part(const mica_vk *vk, uint64_t most, uint32_t part, byte_reader *r,
                        const mica_verify_options *options, mica_verdict *verdict, mica_status *st) {
    certificate k;
    mica_verdict own;
    mica_statement s = {.batch = 1};
    const uint64_t size = read_u64(r);
    if (r->failed || size > r->left)
        return truncated(verdict);
    if (!certificate_derive(&k, vk, most, part, st))
        return false;
    memcpy(s.vk_digest, k.vk.digest, MICA_DIGEST_BYTES);
    const bool ok = mica_verify(&k.vk, &s, r->at, (size_t)size, options, &own, st);
    certificate_free(&k);
    r->at += size;
    r->left -= (size_t)size;
    if (!ok)
        *verdict = own;
    return ok;
}

bool certificate_verify(const mica_vk *vk, uint64_t most, const uint8_t *file, size_t size,
                        const mica_verify_options *options, mica_verdict *verdict, mica_status *st) {
    byte_reader r = {file, size, false};
    uint32_t parts;
    *verdict = (mica_verdict){.layer = UINT32_MAX, .round = UINT32_MAX};
    if (!read_head(&r, vk, verdict, st) || !certificate_parts(&vk->circuit, most, &parts, st))
        return false;
    for (uint32_t i = 0; i < parts; i++) {
        if (!verify_part(vk, most, i, &r, options, verdict, st))
            return false;
    }
    if (r.left)
        return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                           "the certificate has bytes behind its last proof");
    verdict->code = MICA_ACCEPT;
    return true;
}

bool mica_certificate_verify(const mica_vk *vk, const uint8_t *file, size_t size,
                             const mica_verify_options *options, mica_verdict *verdict, mica_status *st) {
    return certificate_verify(vk, CERTIFICATE_PART_LOOKUPS, file, size, options, verdict, st);
}
