/* Names, tensors and attributes of an ONNX file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"
#include "graph/onnx_types.h"
#include "import/onnx_importer.h"
#include "import/onnx_tensor.h"
#include "ops/ops.h"

/* --- names --- */

const char *import_name(importer *im, const char *s) {
    size_t n = s ? strlen(s) : 0;
    if (n > IMPORT_MAX_NAME) {
        mica_fail(im->st, MICA_ERR_LIMIT, "a name has %zu bytes, at most %d are supported", n,
                  IMPORT_MAX_NAME);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            mica_fail(im->st, MICA_ERR_FORMAT, "a name contains control characters");
            return NULL;
        }
    char *copy = graph_alloc(im->g, n + 1, 1, im->st);
    if (copy && n)
        memcpy(copy, s, n); /* graph_alloc clears */ // NOLINT(bugprone-not-null-terminated-result)
    return copy;
}

bool import_default_domain(const char *domain) {
    return !domain || !*domain || !strcmp(domain, "ai.onnx");
}

uint32_t import_find(const importer *im, const char *name) {
    uint32_t v = NAME_MAP_NONE;
    for (; im && v == NAME_MAP_NONE; im = im->outer)
        v = name_map_get(&im->values, name);
    return v;
}

uint32_t import_value(importer *im, graph_value *v, const char *name, const char *what) {
    v->name = import_name(im, name);
    if (!v->name)
        return UINT32_MAX;
    if (name_map_get(&im->values, v->name) != NAME_MAP_NONE) {
        mica_fail(im->st, MICA_ERR_FORMAT, "%s: the value '%.200s' is defined twice", what, v->name);
        return UINT32_MAX;
    }
    uint32_t index = graph_add_value(im->g, v, im->st);
    if (index == UINT32_MAX || !name_map_add(&im->values, v->name, index, im->st))
        return UINT32_MAX;
    return index;
}

/* --- tensors --- */

static bool read_number(const char *s, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && *end == 0 && errno == 0;
}

static bool read_external(const Onnx__TensorProto *p, onnx_tensor *t, mica_status *st) {
    t->length = FILE_READ_REST;
    for (size_t i = 0; i < p->n_external_data; i++) {
        const char *key = p->external_data[i]->key, *value = p->external_data[i]->value;
        bool ok = key && value;
        if (ok && !strcmp(key, "location"))
            t->location = value;
        else if (ok && !strcmp(key, "offset"))
            ok = read_number(value, &t->offset);
        else if (ok && !strcmp(key, "length"))
            ok = read_number(value, &t->length);
        if (!ok)
            return mica_fail(st, MICA_ERR_FORMAT, "tensor '%.200s': malformed external data", t->name);
    }
    return t->location ||
           mica_fail(st, MICA_ERR_FORMAT, "tensor '%.200s': external data without a location", t->name);
}

bool import_tensor(importer *im, const Onnx__TensorProto *p, graph_value *v) {
    onnx_tensor t = {
        .name = p->name ? p->name : "",
        .type = p->has_data_type ? p->data_type : 0,
        .n_dims = p->n_dims,
        .dims = p->dims,
        /* An empty raw_data stands for no elements. */
        .raw = p->has_raw_data ? (p->raw_data.data ? p->raw_data.data : (const uint8_t *)"") : NULL,
        .raw_size = p->has_raw_data ? p->raw_data.len : 0,
        .n_float = p->n_float_data,
        .n_int32 = p->n_int32_data,
        .n_int64 = p->n_int64_data,
        .n_double = p->n_double_data,
        .n_uint64 = p->n_uint64_data,
        .f32 = p->float_data,
        .i32 = p->int32_data,
        .i64 = p->int64_data,
        .f64 = p->double_data,
        .u64 = p->uint64_data,
        .digest = im->digest,
    };
    if (p->segment)
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "tensor '%.200s' is stored in segments", t.name);
    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL &&
        !read_external(p, &t, im->st))
        return false;
    v->producer = UINT32_MAX;
    return onnx_tensor_decode(im->g, &t, im->path, v, im->st);
}

/* --- attributes --- */

static uint32_t add_constant(importer *im, const char *name, graph_value *v) {
    v->name = name;
    v->producer = UINT32_MAX;
    v->has_shape = true;
    return graph_add_value(im->g, v, im->st);
}

/* The constant that Constant's scalar and list attributes stand for. */
static bool attr_as_constant(importer *im, graph_attr *a) {
    bool list = a->type == ATTR_INTS || a->type == ATTR_FLOATS;
    bool real = a->type == ATTR_FLOAT || a->type == ATTR_FLOATS;
    graph_value v = {.dtype = real ? DTYPE_FLOAT : DTYPE_INT, .onnx_dtype = real ? ONNX_FLOAT : ONNX_INT64};
    v.rank = list ? 1 : 0;
    v.dim[0] = list ? (int64_t)a->n : 0;
    if (real) {
        double *x = graph_alloc(im->g, list ? a->n : 1, sizeof *x, im->st);
        for (size_t i = 0; x && i < (list ? a->n : 1); i++)
            x[i] = list ? a->floats[i] : a->f;
        v.real = x;
    } else {
        int64_t *x = graph_alloc(im->g, list ? a->n : 1, sizeof *x, im->st);
        for (size_t i = 0; x && i < (list ? a->n : 1); i++)
            x[i] = list ? a->ints[i] : a->i;
        v.integer = x;
    }
    if (!graph_is_const(&v))
        return false;
    a->tensor = add_constant(im, a->name, &v);
    return a->tensor != UINT32_MAX;
}

static bool attr_lists(importer *im, const Onnx__AttributeProto *p, graph_attr *a) {
    if (p->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS) {
        int64_t *x = graph_alloc(im->g, p->n_ints, sizeof *x, im->st);
        for (size_t i = 0; x && i < p->n_ints; i++)
            x[i] = p->ints[i];
        *a = (graph_attr){.name = a->name, .type = ATTR_INTS, .n = p->n_ints, .ints = x};
        return x != NULL;
    }
    double *x = graph_alloc(im->g, p->n_floats, sizeof *x, im->st);
    for (size_t i = 0; x && i < p->n_floats; i++)
        x[i] = (double)p->floats[i];
    *a = (graph_attr){.name = a->name, .type = ATTR_FLOATS, .n = p->n_floats, .floats = x};
    return x != NULL;
}

static bool attr_string(importer *im, const Onnx__AttributeProto *p, graph_attr *a) {
    char *s = p->s.len <= IMPORT_MAX_NAME ? graph_alloc(im->g, p->s.len + 1, 1, im->st) : NULL;
    if (s && p->s.len)
        memcpy(s, p->s.data, p->s.len);
    a->type = ATTR_STRING;
    a->s = s;
    return s || mica_fail(im->st, MICA_ERR_LIMIT, "attribute '%.60s' is longer than %d bytes", a->name,
                          IMPORT_MAX_NAME);
}

/* No operator reads the text of a list of strings: their lengths stand for them. */
static bool attr_string_lengths(importer *im, const Onnx__AttributeProto *p, graph_attr *a) {
    int64_t *x = graph_alloc(im->g, p->n_strings + 1, sizeof *x, im->st);
    for (size_t i = 0; x && i < p->n_strings; i++)
        x[i] = (int64_t)p->strings[i].len;
    *a = (graph_attr){.name = a->name, .type = ATTR_INTS, .n = p->n_strings, .ints = x};
    return x != NULL;
}

static bool attr_tensor(importer *im, const Onnx__AttributeProto *p, graph_attr *a) {
    graph_value v = {0};
    a->type = ATTR_TENSOR;
    if (!p->t)
        return mica_fail(im->st, MICA_ERR_FORMAT, "attribute '%.60s' has no tensor", a->name);
    if (!import_tensor(im, p->t, &v))
        return false;
    a->tensor = add_constant(im, a->name, &v);
    return a->tensor != UINT32_MAX;
}

static bool attr_graph(importer *im, const Onnx__AttributeProto *p, graph_attr *a) {
    a->type = ATTR_GRAPH;
    a->tensor = GRAPH_NO_VALUE;
    if (!p->g)
        return mica_fail(im->st, MICA_ERR_FORMAT, "attribute '%.60s' has no graph", a->name);
    a->body = import_body(im, p->g);
    return a->body != NULL;
}

static bool read_attr(importer *im, const Onnx__AttributeProto *p, bool constant, graph_attr *a) {
    *a = (graph_attr){.name = import_name(im, p->name)};
    if (!a->name)
        return false;
    if (!strncmp(a->name, "mica_", 5)) /* the compiler's own */
        return mica_fail(im->st, MICA_ERR_FORMAT, "attribute '%.60s' is none of the standard's", a->name);
    bool ok;
    switch (p->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->type = ATTR_INT;
        a->i = p->i;
        ok = true;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->type = ATTR_FLOAT;
        a->f = (double)p->f;
        ok = true;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        ok = attr_lists(im, p, a);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        ok = attr_string(im, p, a);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        if (constant)
            return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "a constant of strings");
        ok = attr_string_lengths(im, p, a);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return attr_tensor(im, p, a);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        return attr_graph(im, p, a);
    default:
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "attribute '%.60s' has type %d, which no supported operator has", a->name,
                         (int)p->type);
    }
    a->tensor = GRAPH_NO_VALUE;
    return ok && (!constant || a->type == ATTR_STRING || attr_as_constant(im, a));
}

bool import_attrs(importer *im, const Onnx__NodeProto *p, graph_node *n) {
    n->attr = graph_alloc(im->g, p->n_attribute, sizeof *n->attr, im->st);
    if (!n->attr)
        return false;
    for (size_t i = 0; i < p->n_attribute; i++) {
        mica_status inner = {0};
        importer scope = *im;
        scope.st = &inner;
        if (!read_attr(&scope, p->attribute[i], n->kind == OP_CONSTANT, &n->attr[i]))
            return mica_fail(im->st, inner.code, "node '%.100s' (%.60s): %.600s", n->name, n->op,
                             inner.message);
        n->n_attrs++;
    }
    return true;
}
