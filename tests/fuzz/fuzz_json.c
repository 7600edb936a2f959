/* A JSON file of flat lists: the parser, and the file as a model's inputs. */
#include "fuzz.h"
#include "io/readers.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0};
    tensor_data *t = NULL;
    uint32_t n = 0;
    const bool ok = tensor_json_parse(&t, &n, "input_data", data, size, "input", &st);
    fuzz_check_status(ok, &st);
    for (uint32_t k = 0; ok && k < n; k++) {
        tensors_check(&t[k]);
        tensor_data_free(&t[k]);
    }
    if (ok)
        free(t);
    tensors_as_items(fuzz_json_file(data, size));
    return 0;
}
