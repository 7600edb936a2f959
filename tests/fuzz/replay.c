/* usage: fuzz_X FILE...
 * Runs one fuzz target on each of these inputs, in place of libFuzzer. */
#include "fuzz.h"

#include <stdio.h>

/* What mutators ask of libFuzzer; nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) {
    (void)data, (void)max_size;
    return size;
}

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return 0;
}

/* The bytes of a file, of the size that they have: what is read behind them is a finding of the sanitizers.
 */
static uint8_t *bytes_of(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f && fseek(f, 0, SEEK_END) == 0);
    const long end = ftell(f);
    FUZZ_CHECK(end >= 0 && fseek(f, 0, SEEK_SET) == 0);
    *size = (size_t)end;
    uint8_t *bytes = malloc(*size ? *size : 1);
    FUZZ_CHECK(bytes && fread(bytes, 1, *size, f) == *size);
    (void)fclose(f);
    return bytes;
}

int main(int argc, char **argv) {
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        size_t size;
        uint8_t *bytes = bytes_of(argv[i], &size);
        (void)LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
    (void)printf("%d inputs\n", argc - 1);
    return 0;
}
