#include "graph/onnx_types.h"

#include <stddef.h>

static const struct onnx_type {
    const char *name;
    unsigned bits;
    bool is_signed, is_float;
} types[] = {
    [ONNX_FLOAT] = {"float32", 32, true, true},     [ONNX_UINT8] = {"uint8", 8, false, false},
    [ONNX_INT8] = {"int8", 8, true, false},         [ONNX_UINT16] = {"uint16", 16, false, false},
    [ONNX_INT16] = {"int16", 16, true, false},      [ONNX_INT32] = {"int32", 32, true, false},
    [ONNX_INT64] = {"int64", 64, true, false},      [ONNX_BOOL] = {"bool", 8, false, false},
    [ONNX_FLOAT16] = {"float16", 16, true, true},   [ONNX_DOUBLE] = {"float64", 64, true, true},
    [ONNX_UINT32] = {"uint32", 32, false, false},   [ONNX_UINT64] = {"uint64", 64, false, false},
    [ONNX_BFLOAT16] = {"bfloat16", 16, true, true}, [ONNX_UINT4] = {"uint4", 4, false, false},
    [ONNX_INT4] = {"int4", 4, true, false},
};

static const struct onnx_type *find(int type) {
    static const struct onnx_type none = {0};
    return type > 0 && (size_t)type < sizeof types / sizeof *types ? &types[type] : &none;
}

const char *onnx_type_name(int type) {
    return find(type)->name;
}

unsigned onnx_type_bits(int type) {
    return find(type)->bits;
}

bool onnx_type_signed(int type) {
    return find(type)->bits && find(type)->is_signed;
}

bool onnx_type_float(int type) {
    return find(type)->is_float;
}

int64_t onnx_wrap_integer(int type, uint64_t bits) {
    unsigned width = find(type)->bits;
    if (width == 0 || width == 64)
        return (int64_t)bits;
    uint64_t mask = (UINT64_C(1) << width) - 1;
    bits &= mask;
    if (find(type)->is_signed && bits >> (width - 1))
        return (int64_t)(bits | ~mask);
    return (int64_t)bits;
}
