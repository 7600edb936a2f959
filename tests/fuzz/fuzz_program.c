/* The text of a program: what is read is written and read again the same. */
#include <string.h>

#include "fuzz.h"
#include "program/program.h"

/* Files in memory of their own: the text is written by path. */
static void text_of(const program *p, char **text, size_t *size) {
    mica_status st = {0};
    const char *path = fuzz_file((const uint8_t *)"", 0);
    FUZZ_CHECK(program_dump(p, path, &st));
    FILE *f = fopen(path, "r");
    FUZZ_CHECK(f != NULL && fseek(f, 0, SEEK_END) == 0);
    *size = (size_t)ftell(f);
    rewind(f);
    *text = malloc(*size + 1);
    FUZZ_CHECK(fread(*text, 1, *size, f) == *size);
    (void)fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0}, valid = {0}, again = {0};
    program p, q;
    char *text, *copy;
    size_t n, m;
    const bool ok = program_parse(&p, fuzz_file(data, size), &st);
    fuzz_check_status(ok, &st);
    if (!ok)
        return 0;
    fuzz_check_status(mica_circuit_validate(&p.circuit, &valid), &valid);
    text_of(&p, &text, &n);
    FUZZ_CHECK(program_parse(&q, fuzz_file((const uint8_t *)text, n), &again));
    text_of(&q, &copy, &m);
    FUZZ_CHECK(n == m && memcmp(text, copy, n) == 0);
    free(text);
    free(copy);
    program_free(&p);
    program_free(&q);
    return 0;
}
