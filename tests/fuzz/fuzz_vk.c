/* Verifier parameters: reading with all checks, writing back, plan and report for the smallest and largest
 * batch. */
#include <string.h>

#include "base/bytes.h"
#include "circuit_mutate.h"
#include "fuzz.h"
#include "mica/certificate.h"

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

#define MAX_CELLS (1u << 12)

/* Zeros satisfy every relation but lookups and constants, so a proof of zeros gets far in a circuit without
 * them. */
static void check_verifier(const mica_vk *vk) {
    static const uint8_t zeros[1 << 16];
    const mica_circuit *c = &vk->circuit;
    const mica_verify_options options = {.min_security_bits = 1};
    mica_statement s;
    mica_status st = {0};
    mica_verdict verdict = {0};
    uint64_t cells = 0;
    for (uint32_t i = 0; i < c->n_inputs; i++)
        cells += mica_port_cells(c, &c->input[i]);
    for (uint32_t i = 0; i < c->n_outputs; i++)
        cells += mica_port_cells(c, &c->output[i]);
    if (cells > MAX_CELLS)
        return;
    FUZZ_CHECK(mica_statement_create(&s, c, 1, &st));
    memcpy(s.vk_digest, vk->digest, sizeof s.vk_digest);
    const bool ok = mica_verify(vk, &s, zeros, sizeof zeros, &options, &verdict, &st);
    mica_statement_free(&s, c);
    FUZZ_CHECK(!ok && verdict.code != MICA_ACCEPT); /* no proof is as long as the zeros */
    FUZZ_CHECK(st.code != MICA_ERR_INTERNAL && (verdict.code == MICA_VERDICT_UNSET) == (st.code != MICA_OK));
}

/* The certificate's circuit is derived from the same bytes, or refused for what they declare. */
static void check_certificate(const mica_vk *vk) {
    static uint8_t file[1 << 12] = MICA_CERTIFICATE_MAGIC "\2";
    const mica_verify_options options = {.min_security_bits = 1};
    mica_certificate_report report;
    mica_status st = {0};
    mica_verdict verdict;
    const bool ok = mica_certificate_report_make(vk, &report, &st);
    fuzz_check_status(ok, &st);
    memcpy(file + 12, vk->digest, MICA_DIGEST_BYTES);
    FUZZ_CHECK(!mica_certificate_verify(vk, file, sizeof file, &options, &verdict, &st));
    FUZZ_CHECK((verdict.code == MICA_VERDICT_UNSET) == (st.code != MICA_OK));
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
    check_verifier(&vk);
    check_certificate(&vk);
    mica_vk_free(&vk);
    return 0;
}

#define RECORD_SIZE_AT (8 + 4 + 4 + 1 + 1 + MICA_DIGEST_BYTES + MICA_NAME_BYTES + 32)

/* Bytes before the circuit; `size` if there are not as many. */
static size_t header_bytes(const uint8_t *data, size_t size) {
    if (size < RECORD_SIZE_AT + 4)
        return size;
    const uint32_t record = load_u32(data + RECORD_SIZE_AT);
    return record > size - (RECORD_SIZE_AT + 4) ? size : RECORD_SIZE_AT + 4 + record;
}

/* Half of the changes are to the circuit, the others to the bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint64_t random = seed;
    mica_status st = {0};
    mica_circuit c;
    uint8_t *bytes;
    size_t written;
    const size_t header = header_bytes(data, size);
    if (fuzz_random(&random) % 2 || !mica_circuit_read(&c, data + header, size - header, &st))
        return LLVMFuzzerMutate(data, size, max_size);
    for (unsigned n = 1 + fuzz_random(&random) % 3; n > 0; n--)
        circuit_mutate(&c, &random);
    FUZZ_CHECK(mica_circuit_write(&c, &bytes, &written, &st));
    mica_circuit_free(&c);
    if (written <= max_size - header) {
        memcpy(data + header, bytes, written);
        size = header + written;
    }
    free(bytes);
    return size;
}
