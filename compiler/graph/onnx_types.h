/* TensorProto.DataType of the ONNX standard, for files that do not see protobuf. */
#ifndef MICA_COMPILER_ONNX_TYPES_H
#define MICA_COMPILER_ONNX_TYPES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT8 = 3,
    ONNX_UINT16 = 4,
    ONNX_INT16 = 5,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_STRING = 8,
    ONNX_BOOL = 9,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11,
    ONNX_UINT32 = 12,
    ONNX_UINT64 = 13,
    ONNX_BFLOAT16 = 16,
    ONNX_UINT4 = 21,
    ONNX_INT4 = 22,
};

/* "float32", "int8", ...; NULL for types that Mica does not hold. */
const char *onnx_type_name(int type);
/* Bits of one element in raw data; 0 for types that Mica does not hold. */
unsigned onnx_type_bits(int type);
/* Whether the type is a signed integer. */
bool onnx_type_signed(int type);
/* Whether the type is one of the floating-point types. */
bool onnx_type_float(int type);

/* The value of an integer type that is congruent to `bits` modulo 2^width. */
int64_t onnx_wrap_integer(int type, uint64_t bits);

#endif
