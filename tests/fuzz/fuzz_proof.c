/* Proofs under the verifier: honest proofs of small circuits, made at the start, and changes to them.
 *
 * An input is a script: a byte for the proof and a byte for the mode, then 8 bytes per change. It stays
 * small, reaches every part of a proof and can be read. In raw mode the rest of the input is the proof file
 * itself. A changed proof that is accepted is a finding, and so is a verdict that depends on anything but a
 * clear reason. */
#include <string.h>

#include "circuit_samples.h"
#include "fuzz.h"

#define SECURITY_BITS 40 /* small proofs; an accepted forgery by chance is out of the question */
#define BATCHES       2  /* of sizes 1 and 2 */
#define MAX_EDITS     16
#define EDIT_BYTES    8
#define P             0x7fffffffu

typedef struct honest {
    uint8_t *file;
    size_t size;
} honest;

static kit kits[SAMPLES];
static mica_vk vks[SAMPLES];
static honest proofs[SAMPLES][BATCHES];

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

static uint32_t load(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store(uint8_t *p, uint32_t x) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> 8 * i);
}

static size_t less(size_t a, size_t b) {
    return a < b ? a : b;
}

/* One change. size > 8 before and after; the buffer has room for `room` bytes. */
static size_t edit(uint8_t *file, size_t size, size_t room, const uint8_t *e, const honest *other) {
    const uint32_t where = (uint32_t)e[1] | (uint32_t)e[2] << 8 | (uint32_t)e[3] << 16, value = load(e + 4);
    const size_t at = where % (size - 7), from = value % (size - 7);
    switch (e[0] % 9) {
    case 0: /* one byte */
        file[at] ^= (uint8_t)value;
        return size;
    case 1: /* one word */
        store(file + at, value);
        return size;
    case 2: /* beyond the field's canonical values */
        store(file + at, P + (value & 3));
        return size;
    case 3: /* another element of the field */
        store(file + at, (load(file + at) + value % P) % P);
        return size;
    case 4: /* truncate */
        return at + 8 <= size ? at + 8 : size;
    case 5: { /* extend */
        const size_t more = less(value % 64, room - size);
        memset(file + size, (int)(value >> 8), more);
        return size + more;
    }
    case 6: { /* an element, a digest or more from elsewhere */
        const size_t n = less((size_t)16 << (e[0] / 9 % 8), size - (at > from ? at : from));
        memmove(file + at, file + from, n);
        return size;
    }
    case 7: /* the rest of another proof */
        if (at < other->size && other->size <= room) {
            memcpy(file + at, other->file + at, other->size - at);
            return other->size;
        }
        return size;
    default: { /* take bytes out */
        const size_t n = less(value % 64, size - 8 - less(at, size - 8));
        memmove(file + at, file + at + n, size - at - n);
        return size - n;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const int sample = data[0] % SAMPLES;
    const unsigned batch = data[0] / SAMPLES % BATCHES;
    const bool raw = data[1] % 4 == 3;
    const honest *from = &proofs[sample][batch];
    data += 2;
    size -= 2;
    if (raw) {
        FUZZ_CHECK(!accepts(&vks[sample], data, size) ||
                   (size == from->size && memcmp(data, from->file, size) == 0));
        return 0;
    }
    const size_t room = from->size + proofs[sample][1 - batch].size;
    uint8_t *file = malloc(room);
    FUZZ_CHECK(file != NULL);
    memcpy(file, from->file, from->size);
    size_t n = from->size;
    for (size_t i = 0; i < MAX_EDITS && (i + 1) * EDIT_BYTES <= size; i++)
        n = edit(file, n, room, data + i * EDIT_BYTES, &proofs[sample][1 - batch]);
    /* A proof at the end of its own block, so that reading past its end is seen. */
    uint8_t *exact = malloc(n);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, file, n);
    free(file);
    bool same = false;
    for (unsigned b = 0; b < BATCHES; b++)
        same |= n == proofs[sample][b].size && memcmp(exact, proofs[sample][b].file, n) == 0;
    FUZZ_CHECK(accepts(&vks[sample], exact, n) == same);
    free(exact);
    return 0;
}

/* Whole changes are added, dropped and altered in one part; now and then any byte. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint64_t random = seed;
    const size_t edits = size < 2 ? 0 : (size - 2) / EDIT_BYTES;
    if (size < 2 || data[1] % 4 == 3 || fuzz_random(&random) % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    if ((edits == 0 || fuzz_random(&random) % 4 == 0) && edits < MAX_EDITS &&
        2 + (edits + 1) * EDIT_BYTES <= max_size) {
        uint8_t *e = data + 2 + edits * EDIT_BYTES;
        for (unsigned i = 0; i < EDIT_BYTES; i++)
            e[i] = (uint8_t)fuzz_random(&random);
        return 2 + (edits + 1) * EDIT_BYTES;
    }
    if (edits == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    uint8_t *e = data + 2 + fuzz_random(&random) % edits * EDIT_BYTES;
    switch (fuzz_random(&random) % 4) {
    case 0:
        e[0] = (uint8_t)fuzz_random(&random);
        return size;
    case 1:
        store(e, (load(e) & 0xff) | fuzz_random(&random) << 8);
        return size;
    case 2:
        store(e + 4, fuzz_random(&random) % 3 == 0 ? 1u << fuzz_random(&random) % 32 : fuzz_random(&random));
        return size;
    default: /* drop it */
        memmove(e, e + EDIT_BYTES, (size_t)(data + size - e) - EDIT_BYTES);
        return size - EDIT_BYTES;
    }
}
