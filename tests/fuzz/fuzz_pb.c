/* An ONNX TensorProto file: the parser, and the file as a model's inputs. */
#include "fuzz.h"
#include "io/readers.h"
#include "tensors.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mica_status st = {0};
    tensor_data t;
    const bool ok = tensor_pb_parse(&t, data, size, "input", &st);
    fuzz_check_status(ok, &st);
    if (ok)
        tensors_check(&t);
    tensor_data_free(&t);
    tensors_as_items(fuzz_file(data, size));
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    return wire_mutate(data, size, max_size, seed);
}
