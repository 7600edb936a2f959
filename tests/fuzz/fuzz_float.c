/* A float model file: reading, what shape inference makes of it, and writing it back. */
#include <string.h>

#include "fuzz.h"
#include "graph/passes.h"
#include "reference/float_file.h"

/* There is one encoding of what was read, but for single precision: constants that fit it are written so. */
static void check_written(const graph *g) {
    mica_status st = {0};
    uint8_t *bytes, *again;
    size_t n, m;
    graph copy;
    FUZZ_CHECK(float_file_write(g, &bytes, &n, &st));
    FUZZ_CHECK(float_file_read(&copy, bytes, n, &st));
    FUZZ_CHECK(float_file_write(&copy, &again, &m, &st));
    FUZZ_CHECK(n == m && memcmp(bytes, again, n) == 0);
    graph_free(&copy);
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0}, inferred = {0};
    graph g;
    const bool ok = float_file_read(&g, data, size, &st);
    fuzz_check_status(ok, &st);
    if (!ok)
        return 0;
    check_written(&g);
    const bool has_shapes = graph_infer_shapes(&g, &inferred);
    fuzz_check_status(has_shapes, &inferred);
    graph_free(&g);
    return 0;
}
