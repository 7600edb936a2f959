/* A .npy file: the parser, and the file as a model's inputs. */
#include "fuzz.h"
#include "io/readers.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0};
    tensor_data t;
    const bool ok = npy_parse(&t, data, size, "input", &st);
    fuzz_check_status(ok, &st);
    if (ok)
        tensors_check(&t);
    tensor_data_free(&t);
    tensors_as_items(fuzz_file(data, size));
    return 0;
}
