/* Weight certificates under their verifier: honest ones of small circuits, made at the start, and changes to
 * them, as in fuzz_proof.c. In raw mode the rest of the input is the certificate itself. */
#include <string.h>

#include "circuit_samples.h"
#include "fuzz.h"
#include "mica/certificate.h"
#include "proof_edits.h"

#define SECURITY_BITS 40 /* small proofs; an accepted forgery by chance is out of the question */

static kit kits[SAMPLES];
static mica_vk vks[SAMPLES];
static fuzz_proof_bytes certificates[SAMPLES];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    for (int i = 0; i < SAMPLES; i++) {
        mica_status st = {0};
        samples[i].build(&kits[i]);
        FUZZ_CHECK(kit_finish(&kits[i], SECURITY_BITS));
        FUZZ_CHECK(mica_vk_read(&vks[i], kits[i].vk_bytes, kits[i].vk_size, &st));
        FUZZ_CHECK(mica_certificate_make(&vks[i], kits[i].weights, kits[i].weights_size,
                                         &certificates[i].file, &certificates[i].size, &st));
    }
    return 0;
}

/* Exactly one of: accepted; rejected with a verdict; not a certificate at all. */
static bool accepts(const mica_vk *vk, const uint8_t *file, size_t size) {
    const mica_verify_options options = {.min_security_bits = SECURITY_BITS};
    mica_status st = {0};
    mica_verdict verdict = {0};
    const bool ok = mica_certificate_verify(vk, file, size, &options, &verdict, &st);
    FUZZ_CHECK(ok == (verdict.code == MICA_ACCEPT));
    FUZZ_CHECK((verdict.code == MICA_VERDICT_UNSET) == (st.code == MICA_ERR_FORMAT));
    FUZZ_CHECK(st.code == MICA_OK || st.code == MICA_ERR_FORMAT);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const int sample = data[0] % SAMPLES, other = (sample + 1) % SAMPLES;
    const fuzz_proof_bytes *from = &certificates[sample];
    size_t n;
    if (data[1] % 4 == 3) {
        FUZZ_CHECK(!accepts(&vks[sample], data + 2, size - 2) ||
                   (size - 2 == from->size && memcmp(data + 2, from->file, size - 2) == 0));
        return 0;
    }
    uint8_t *file = proof_edited(from, &certificates[other], data + 2, size - 2, &n);
    FUZZ_CHECK(accepts(&vks[sample], file, n) == (n == from->size && memcmp(file, from->file, n) == 0));
    free(file);
    return 0;
}
