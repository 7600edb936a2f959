#include "proof_edits.h"

#include <string.h>

#include "fuzz.h"

#define P 0x7fffffffu

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
static size_t edit(uint8_t *file, size_t size, size_t room, const uint8_t *e, const fuzz_proof_bytes *other) {
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

uint8_t *proof_edited(const fuzz_proof_bytes *from, const fuzz_proof_bytes *other, const uint8_t *script,
                      size_t script_size, size_t *size) {
    const size_t room = from->size + other->size;
    uint8_t *file = malloc(room);
    FUZZ_CHECK(file != NULL);
    memcpy(file, from->file, from->size);
    size_t n = from->size;
    for (size_t i = 0; i < PROOF_MAX_EDITS && (i + 1) * PROOF_EDIT_BYTES <= script_size; i++)
        n = edit(file, n, room, script + i * PROOF_EDIT_BYTES, other);
    uint8_t *exact = malloc(n);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, file, n);
    free(file);
    *size = n;
    return exact;
}

/* Whole changes are added, dropped and altered in one part; now and then any byte. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint64_t random = seed;
    const size_t edits = size < 2 ? 0 : (size - 2) / PROOF_EDIT_BYTES;
    if (size < 2 || data[1] % 4 == 3 || fuzz_random(&random) % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    if ((edits == 0 || fuzz_random(&random) % 4 == 0) && edits < PROOF_MAX_EDITS &&
        2 + (edits + 1) * PROOF_EDIT_BYTES <= max_size) {
        uint8_t *e = data + 2 + edits * PROOF_EDIT_BYTES;
        for (unsigned i = 0; i < PROOF_EDIT_BYTES; i++)
            e[i] = (uint8_t)fuzz_random(&random);
        return 2 + (edits + 1) * PROOF_EDIT_BYTES;
    }
    if (edits == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    uint8_t *e = data + 2 + fuzz_random(&random) % edits * PROOF_EDIT_BYTES;
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
        memmove(e, e + PROOF_EDIT_BYTES, (size_t)(data + size - e) - PROOF_EDIT_BYTES);
        return size - PROOF_EDIT_BYTES;
    }
}
