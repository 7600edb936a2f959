/* Proofs under the verifier: honest proofs of small circuits, made at the start, and changes to them.
 *
 * An input is a script: a byte for the proof and a byte for the mode, then changes (proof_edits.h). It stays
 * small, reaches every part of a proof and can be read. In raw mode the rest of the input is the proof file
 * itself. A changed proof that is accepted is a finding, and so is a verdict that depends on anything but a
 * clear reason. */
#include <string.h>

#include "circuit_samples.h"
#include "fuzz.h"
#include "proof_edits.h"

#define SECURITY_BITS 40 /* small proofs; an accepted forgery by chance is out of the question */
#define BATCHES       2  /* of sizes 1 and 2 */

static kit kits[SAMPLES];
static mica_vk vks[SAMPLES];
static fuzz_proof_bytes proofs[SAMPLES][BATCHES];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    for (int i = 0; i < SAMPLES; i++) {
        mica_status st = {0};
        samples[i].build(&kits[i]);
        FUZZ_CHECK(kit_finish(&kits[i], SECURITY_BITS));
        FUZZ_CHECK(mica_vk_read(&vks[i], kits[i].vk_bytes, kits[i].vk_size, &st));
        for (uint32_t b = 0; b < BATCHES; b++)
            FUZZ_CHECK(kit_prove(&kits[i], b + 1, 7, &proofs[i][b].file, &proofs[i][b].size, &st));
    }
    return 0;
}

/* Exactly one of: accepted; rejected with a verdict; not a proof at all. */
static bool accepts(const mica_vk *vk, const uint8_t *file, size_t size) {
    const mica_verify_options options = {.min_security_bits = vk->security_bits};
    mica_status st = {0};
    mica_verdict verdict = {0};
    mica_statement s;
    size_t used = 0;
    if (!mica_statement_read(&s, &vk->circuit, file, size, &used, &st, &verdict)) {
        FUZZ_CHECK(verdict.code != MICA_ACCEPT);
        FUZZ_CHECK((verdict.code == MICA_VERDICT_UNSET) == (st.code == MICA_ERR_FORMAT));
        return false;
    }
    FUZZ_CHECK(used <= size);
    const bool ok = mica_verify(vk, &s, file + used, size - used, &options, &verdict, &st);
    mica_statement_free(&s, &vk->circuit);
    FUZZ_CHECK(st.code == MICA_OK);
    FUZZ_CHECK(ok == (verdict.code == MICA_ACCEPT) && verdict.code != MICA_VERDICT_UNSET);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const int sample = data[0] % SAMPLES;
    const unsigned batch = data[0] / SAMPLES % BATCHES;
    const bool raw = data[1] % 4 == 3;
    const fuzz_proof_bytes *from = &proofs[sample][batch];
    data += 2;
    size -= 2;
    if (raw) {
        FUZZ_CHECK(!accepts(&vks[sample], data, size) ||
                   (size == from->size && memcmp(data, from->file, size) == 0));
        return 0;
    }
    size_t n;
    uint8_t *exact = proof_edited(from, &proofs[sample][1 - batch], data, size, &n);
    bool same = false;
    for (unsigned b = 0; b < BATCHES; b++)
        same |= n == proofs[sample][b].size && memcmp(exact, proofs[sample][b].file, n) == 0;
    FUZZ_CHECK(accepts(&vks[sample], exact, n) == same);
    free(exact);
    return 0;
}
