#include "import/onnx_tensor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"
#include "graph/onnx_types.h"

static bool fail(const onnx_tensor *t, mica_status *st, mica_code code, const char *what) {
    return mica_fail(st, code, "tensor '%.200s': %s", t->name, what);
}

/* --- Shape --- */

static bool read_shape(const onnx_tensor *t, graph_value *v, size_t *elements, mica_status *st) {
    int64_t product = 1; /* of the dimensions other than 0 */
    if (!onnx_type_bits(t->type))
        return mica_fail(st, MICA_ERR_UNSUPPORTED,
                         "tensor '%.200s': element type %d; supported are floats, integers and bool", t->name,
                         t->type);
    if (t->n_dims > GRAPH_MAX_RANK)
        return mica_fail(st, MICA_ERR_LIMIT, "tensor '%.200s': %zu dimensions, at most %d are supported",
                         t->name, t->n_dims, GRAPH_MAX_RANK);
    *elements = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        int64_t d = t->dims[i];
        if (d < 0)
            return fail(t, st, MICA_ERR_FORMAT, "a dimension is negative");
        if (d > 0 && (__builtin_mul_overflow(product, d, &product) || product > GRAPH_MAX_ELEMENTS))
            return fail(t, st, MICA_ERR_LIMIT, "more than 2^31 elements");
        *elements *= (size_t)d; /* at most `product` */
        v->dim[i] = d;
    }
    v->rank = (uint32_t)t->n_dims;
    v->onnx_dtype = t->type;
    v->dtype = onnx_type_float(t->type) ? DTYPE_FLOAT : DTYPE_INT;
    v->has_shape = true;
    return true;
}

/* --- Elements --- */

static double float_from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double double_from_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* IEEE binary16: exponent rebased from 15 to 127; subnormals are multiples of 2^-24, exact in float. */
static double half_from_bits(uint32_t bits) {
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ffu;
    if (exponent == 0) {
        double magnitude = (double)fraction * 0x1p-24;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31)
        return float_from_bits(sign | 0x7f800000u | fraction << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static double real_from_bits(int type, uint64_t bits) {
    switch (type) {
    case ONNX_FLOAT16:
        return half_from_bits((uint32_t)bits);
    case ONNX_BFLOAT16:
        return float_from_bits((uint32_t)bits << 16);
    case ONNX_DOUBLE:
        return double_from_bits(bits);
    default:
        return float_from_bits((uint32_t)bits);
    }
}

/* Element i of the raw bytes; 4-bit elements lie two to a byte, the low half first. */
static uint64_t raw_bits(const uint8_t *raw, unsigned width, size_t i) {
    if (width == 4)
        return raw[i / 2] >> (i % 2 * 4) & 15;
    uint64_t bits = 0;
    for (unsigned b = 0; b < width / 8; b++)
        bits |= (uint64_t)raw[i * (width / 8) + b] << 8 * b;
    return bits;
}

/* The typed field that holds elements of this type, seen as bits of element i. */
typedef enum typed_field { FIELD_FLOAT, FIELD_INT32, FIELD_INT64, FIELD_DOUBLE, FIELD_UINT64 } typed_field;

static typed_field field_of(int type) {
    switch (type) {
    case ONNX_FLOAT:
        return FIELD_FLOAT;
    case ONNX_DOUBLE:
        return FIELD_DOUBLE;
    case ONNX_INT64:
        return FIELD_INT64;
    case ONNX_UINT32:
    case ONNX_UINT64:
        return FIELD_UINT64;
    default:
        return FIELD_INT32; /* narrow integers, bool, and float16 and bfloat16 as bits */
    }
}

static size_t field_count(const onnx_tensor *t, typed_field f) {
    const size_t count[] = {t->n_float, t->n_int32, t->n_int64, t->n_double, t->n_uint64};
    return count[f];
}

static uint64_t field_bits(const onnx_tensor *t, typed_field f, size_t i) {
    uint64_t bits = 0;
    switch (f) {
    case FIELD_FLOAT:
        memcpy(&bits, &t->f32[i], sizeof t->f32[i]);
        break; /* low half on little-endian machines */
    case FIELD_DOUBLE:
        memcpy(&bits, &t->f64[i], sizeof bits);
        break;
    case FIELD_INT64:
        bits = (uint64_t)t->i64[i];
        break;
    case FIELD_UINT64:
        bits = t->u64[i];
        break;
    case FIELD_INT32:
        bits = onnx_type_bits(t->type) == 4 ? (uint64_t)(uint32_t)t->i32[i / 2] >> (i % 2 * 4) & 15
                                            : (uint64_t)(int64_t)t->i32[i];
        break;
    }
    return bits;
}

/* Elements are read as bits, so that raw and typed forms share one conversion. */
static bool convert(graph *g, const onnx_tensor *t, const uint8_t *raw, size_t elements, graph_value *v,
                    mica_status *st) {
    bool real = v->dtype == DTYPE_FLOAT;
    unsigned width = onnx_type_bits(t->type);
    typed_field field = field_of(t->type);
    double *reals = real ? graph_alloc(g, elements, sizeof *reals, st) : NULL;
    int64_t *integers = real ? NULL : graph_alloc(g, elements, sizeof *integers, st);
    if (!reals && !integers)
        return false;
    for (size_t i = 0; i < elements; i++) {
        uint64_t bits = raw ? raw_bits(raw, width, i) : field_bits(t, field, i);
        if (real)
            reals[i] = real_from_bits(t->type, bits);
        else if (t->type == ONNX_UINT64 && bits > INT64_MAX)
            return fail(t, st, MICA_ERR_UNSUPPORTED, "an element exceeds 2^63 - 1");
        else
            integers[i] = onnx_wrap_integer(t->type, bits);
    }
    v->real = reals;
    v->integer = integers;
    return true;
}

/* --- External data --- */

/* The location's absolute path if the file it names, links resolved, lies in the model's folder; NULL
 * otherwise. The caller frees it. */
static char *resolve_location(const onnx_tensor *t, const char *model_path, mica_status *st) {
    const char *slash = strrchr(model_path, '/');
    size_t folder_length = slash ? (size_t)(slash - model_path) + 1 : 2;
    size_t size = folder_length + strlen(t->location) + 1;
    char *joined = malloc(size), *folder = NULL, *resolved = NULL;
    if (joined) {
        (void)snprintf(joined, size, "%.*s", (int)folder_length, slash ? model_path : "./");
        folder = realpath(joined, NULL);
        (void)snprintf(joined, size, "%.*s%s", (int)folder_length, slash ? model_path : "./", t->location);
        resolved = realpath(joined, NULL);
    }
    free(joined);
    size_t n = folder ? strlen(folder) : 0;
    bool inside = folder && resolved && t->location[0] != '/' && !strncmp(folder, resolved, n) &&
                  (resolved[n] == '/' || !strcmp(folder, "/"));
    if (!inside) {
        mica_fail(st, MICA_ERR_FORMAT,
                  "tensor '%.200s': external data '%.200s' is not a file in the model's folder", t->name,
                  t->location);
        free(resolved);
        resolved = NULL;
    }
    free(folder);
    return resolved;
}

static bool decode_external(graph *g, const onnx_tensor *t, const char *model_path, size_t elements,
                            size_t bytes, graph_value *v, mica_status *st) {
    if (t->length != FILE_READ_REST && t->length != bytes)
        return fail(t, st, MICA_ERR_FORMAT, "the length of the external data does not match the shape");
    size_t path_length = strlen(model_path);
    if (path_length > PATH_MAX || strlen(t->location) > PATH_MAX)
        return fail(t, st, MICA_ERR_LIMIT, "the path of the external data is too long");
    char *path = resolve_location(t, model_path, st);
    size_t size = 0;
    uint8_t *raw = path ? file_read(path, t->offset, bytes, bytes, &size, st) : NULL;
    if (raw && t->digest) {
        digest_u64(t->digest, size);
        digest_bytes(t->digest, raw, size);
    }
    bool ok = raw && convert(g, t, raw, elements, v, st);
    free(raw);
    free(path);
    return ok;
}

bool onnx_tensor_decode(graph *g, const onnx_tensor *t, const char *model_path, graph_value *v,
                        mica_status *st) {
    size_t elements = 0;
    if (!read_shape(t, v, &elements, st))
        return false;
    unsigned width = onnx_type_bits(t->type);
    size_t bytes = width == 4 ? (elements + 1) / 2 : elements * (width / 8); /* <= 2^34 */
    if (t->location)
        return decode_external(g, t, model_path, elements, bytes, v, st);
    size_t typed = field_count(t, field_of(t->type));
    if (t->raw && t->raw_size != bytes)
        return fail(t, st, MICA_ERR_FORMAT, "the raw data does not have the size of the shape");
    if (!t->raw && typed != (width == 4 ? bytes : elements))
        return fail(t, st, MICA_ERR_FORMAT, "the number of elements does not match the shape");
    return convert(g, t, t->raw, elements, v, st);
}
