/* What the fuzz targets share. A target calls the public entry point of one reader on hostile bytes and
 * checks what holds whatever the bytes are: a false return comes with a reason, a true one without. Anything
 * else - a crash, a leak, a hang, more memory than the bytes justify - is found by libFuzzer and the
 * sanitizers. */
#ifndef MICA_TESTS_FUZZ_H
#define MICA_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "mica/status.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size); /* provided by libFuzzer */

/* A property that must hold for every input. Printed and fatal in every build. */
#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* Success says nothing, failure says why. */
static inline void fuzz_check_status(bool ok, const mica_status *st) {
    FUZZ_CHECK(ok == (st->code == MICA_OK));
    FUZZ_CHECK(ok || st->message[0]);
    FUZZ_CHECK(st->code != MICA_ERR_INTERNAL);
}

/* Path of a file in memory with these bytes; the same file is used again by the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* The same file under a name that ends in ".json". */
const char *fuzz_json_file(const uint8_t *data, size_t size);

static inline uint32_t fuzz_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

#endif
