/* Verifier parameters: reading with all checks, writing back, plan and report for the smallest and largest
 * batch. */
#include <string.h>

#include "fuzz.h"
#include "mica/verify.h"

static void check_report(const mica_vk *vk, uint32_t batch) {
    mica_status st = {0};
    mica_report report;
    const bool ok = mica_report_make(vk, batch, &report, &st);
    fuzz_check_status(ok, &st);
    FUZZ_CHECK(!ok || report.n_lines <= sizeof report.line / sizeof *report.line);
}

/* There is one encoding of what was read: the one it was read from. */
static void check_written(mica_vk *vk, const uint8_t *data, size_t size) {
    mica_status st = {0};
    uint8_t digest[MICA_DIGEST_BYTES], *bytes;
    size_t written;
    memcpy(digest, vk->digest, sizeof digest);
    FUZZ_CHECK(mica_vk_write(vk, &bytes, &written, &st));
    FUZZ_CHECK(written == size && memcmp(bytes, data, size) == 0);
    FUZZ_CHECK(memcmp(digest, vk->digest, sizeof digest) == 0);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0};
    mica_vk vk;
    const bool ok = mica_vk_read(&vk, data, size, &st);
    fuzz_check_status(ok, &st);
    if (!ok)
        return 0;
    check_written(&vk, data, size);
    check_report(&vk, 1);
    check_report(&vk, vk.circuit.max_batch);
    mica_vk_free(&vk);
    return 0;
}
