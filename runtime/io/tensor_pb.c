/* ONNX TensorProto files (.pb), as ONNX's own test data uses them. */
#include <string.h>

#include "io/element.h"
#include "io/readers.h"
#include "tensor.pb-c.h"

/* TensorProto.DataType: the element of raw_data and the field that holds the values otherwise. */
typedef enum typed_field { FIELD_FLOAT, FIELD_INT32, FIELD_INT64, FIELD_DOUBLE, FIELD_UINT64 } typed_field;
typedef struct onnx_type {
    const char *name;
    element_type raw;
    typed_field field;
    bool packed; /* two elements of four bits to a byte, the low half first */
} onnx_type;
static const onnx_type onnx_types[] = {
    [1] = {"float", {ELEMENT_FLOAT, 4, false}, FIELD_FLOAT},
    [2] = {"uint8", {ELEMENT_UNSIGNED, 1, false}, FIELD_INT32},
    [3] = {"int8", {ELEMENT_SIGNED, 1, false}, FIELD_INT32},
    [4] = {"uint16", {ELEMENT_UNSIGNED, 2, false}, FIELD_INT32},
    [5] = {"int16", {ELEMENT_SIGNED, 2, false}, FIELD_INT32},
    [6] = {"int32", {ELEMENT_SIGNED, 4, false}, FIELD_INT32},
    [7] = {"int64", {ELEMENT_SIGNED, 8, false}, FIELD_INT64},
    [9] = {"bool", {ELEMENT_BOOL, 1, false}, FIELD_INT32},
    [10] = {"float16", {ELEMENT_FLOAT, 2, false}, FIELD_INT32},
    [11] = {"double", {ELEMENT_FLOAT, 8, false}, FIELD_DOUBLE},
    [12] = {"uint32", {ELEMENT_UNSIGNED, 4, false}, FIELD_UINT64},
    [13] = {"uint64", {ELEMENT_UNSIGNED, 8, false}, FIELD_UINT64},
    [16] = {"bfloat16", {ELEMENT_BFLOAT16, 2, false}, FIELD_INT32},
    [21] = {"uint4", {ELEMENT_UNSIGNED, 1, false}, FIELD_INT32, true},
    [22] = {"int4", {ELEMENT_SIGNED, 1, false}, FIELD_INT32, true},
};

static const onnx_type *find_type(int32_t code) {
    if (code < 0 || (size_t)code >= sizeof onnx_types / sizeof *onnx_types || !onnx_types[code].name)
        return NULL;
    return &onnx_types[code];
}

static size_t field_count(const MicaIo__Tensor *p, typed_field field) {
    switch (field) {
    case FIELD_FLOAT:
        return p->n_float_data;
    case FIELD_INT32:
        return p->n_int32_data;
    case FIELD_INT64:
        return p->n_int64_data;
    case FIELD_DOUBLE:
        return p->n_double_data;
    case FIELD_UINT64:
        break;
    }
    return p->n_uint64_data;
}

static double field_value(const MicaIo__Tensor *p, const onnx_type *type, size_t i) {
    switch (type->field) {
    case FIELD_FLOAT:
        return (double)p->float_data[i];
    case FIELD_INT32:
        if (type->raw.kind == ELEMENT_FLOAT)
            return element_from_half((uint16_t)p->int32_data[i]);
        if (type->raw.kind == ELEMENT_BFLOAT16)
            return element_from_bfloat16((uint16_t)p->int32_data[i]);
        return type->raw.kind == ELEMENT_BOOL ? p->int32_data[i] != 0 : p->int32_data[i];
    case FIELD_INT64:
        return (double)p->int64_data[i];
    case FIELD_DOUBLE:
        return p->double_data[i];
    case FIELD_UINT64:
        break;
    }
    return (double)p->uint64_data[i];
}

/* Element i of bytes (or of integers that hold a byte each) with two elements to a byte. */
static double packed_value(const MicaIo__Tensor *p, const onnx_type *type, uint64_t i) {
    const uint32_t byte = p->has_raw_data ? p->raw_data.data[i / 2] : (uint32_t)p->int32_data[i / 2];
    const int32_t half = (int32_t)(byte >> (i % 2 * 4) & 15);
    return type->raw.kind == ELEMENT_SIGNED && half > 7 ? half - 16 : half;
}

static double element_value(const MicaIo__Tensor *p, const onnx_type *type, uint64_t i) {
    if (type->packed)
        return packed_value(p, type, i);
    return p->has_raw_data ? element_decode(type->raw, p->raw_data.data + i * type->raw.bytes)
                           : field_value(p, type, i);
}

/* The shape, and that it needs exactly the values that are there. */
static bool check_shape(tensor_data *t, const MicaIo__Tensor *p, const onnx_type *type, const char *path,
                        mica_status *st) {
    if (p->n_dims > TENSOR_MAX_RANK)
        return mica_fail(st, MICA_ERR_LIMIT, "%.800s: %zu axes; at most %d are read", path, p->n_dims,
                         TENSOR_MAX_RANK);
    uint64_t stored = field_count(p, type->field);
    if (p->has_raw_data) {
        stored = p->raw_data.len / type->raw.bytes;
        if (p->raw_data.len % type->raw.bytes != 0)
            return mica_fail(st, MICA_ERR_FORMAT, "%.800s: %zu raw bytes are not a whole number of %s values",
                             path, p->raw_data.len, type->name);
    }
    uint64_t count = 1;
    t->rank = (uint32_t)p->n_dims;
    t->has_shape = true;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (p->dims[i] < 0 || (p->dims[i] > 0 && count > TENSOR_MAX_ELEMENTS / (uint64_t)p->dims[i]))
            return mica_fail(st, MICA_ERR_LIMIT, "%.800s: a negative dimension or more than %llu elements",
                             path, (unsigned long long)TENSOR_MAX_ELEMENTS);
        t->dim[i] = p->dims[i];
        count *= (uint64_t)p->dims[i];
    }
    if ((type->packed ? (count + 1) / 2 : count) != stored)
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: the shape has %llu elements, the file holds %llu%s",
                         path, (unsigned long long)count, (unsigned long long)stored,
                         type->packed ? " pairs" : "");
    return true;
}

static bool convert(tensor_data *t, const MicaIo__Tensor *p, const char *path, mica_status *st) {
    const onnx_type *type = find_type(p->data_type);
    if (p->n_external_data > 0 || p->data_location == 1 || p->has_segment)
        return mica_fail(st, MICA_ERR_UNSUPPORTED,
                         "%.800s: the values lie outside this file; store them in the TensorProto itself",
                         path);
    if (!type)
        return mica_fail(st, MICA_ERR_UNSUPPORTED, "%.800s: not a TensorProto of numbers (data_type %d)",
                         path, (int)p->data_type);
    if (!check_shape(t, p, type, path, st) || !tensor_data_allocate(t, path, st))
        return false;
    for (uint64_t i = 0; i < t->count; i++)
        t->value[i] = element_value(p, type, i);
    return true;
}

bool tensor_pb_parse(tensor_data *t, const uint8_t *bytes, size_t size, const char *path, mica_status *st) {
    memset(t, 0, sizeof *t);
    MicaIo__Tensor *p = mica_io__tensor__unpack(NULL, size, bytes);
    if (!p)
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: neither a .npy file nor an ONNX TensorProto", path);
    bool ok = convert(t, p, path, st);
    mica_io__tensor__free_unpacked(p, NULL);
    return ok;
}
