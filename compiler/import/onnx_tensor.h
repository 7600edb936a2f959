/* The elements of an ONNX tensor, from raw bytes, typed fields or an external file, as the graph holds them.
 */
#ifndef MICA_COMPILER_ONNX_TENSOR_H
#define MICA_COMPILER_ONNX_TENSOR_H

#include "graph/digest.h"
#include "graph/graph.h"

/* A TensorProto without protobuf. Everything in it is hostile. */
typedef struct onnx_tensor {
    const char *name;
    int type; /* onnx_types.h */
    size_t n_dims;
    const int64_t *dims;
    const uint8_t *raw; /* little-endian; NULL if typed fields hold the elements */
    size_t raw_size;
    size_t n_float, n_int32, n_int64, n_double, n_uint64;
    const float *f32;
    const int32_t *i32;
    const int64_t *i64;
    const double *f64;
    const uint64_t *u64;
    /* External data; location NULL if the elements are in the model file. */
    const char *location;
    uint64_t offset, length; /* length FILE_READ_REST if not stated */
    digest_hash *digest;     /* takes the external data's length and bytes; NULL: they are not hashed */
} onnx_tensor;

/* Fills type, shape and elements of a constant value (not its name). `model_path` locates external data,
 * which must lie in the model's folder. */
bool onnx_tensor_decode(graph *g, const onnx_tensor *t, const char *model_path, graph_value *v,
                        mica_status *st);

#endif
