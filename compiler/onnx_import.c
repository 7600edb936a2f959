/* ONNX file to graph. The only file that sees protobuf. Everything in the file is hostile: names, counts,
 * nesting and sizes are checked before they are used. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"
#include "name_map.h"
#include "onnx.pb-c.h"
#include "onnx_tensor.h"
#include "onnx_types.h"
#include "ops/op_versions.h"
#include "ops/ops.h"
#include "passes.h"

#define MIN_OPSET      1 /* below 7: operators that did not change since (op_versions.h) */
#define MAX_OPSET      21
#define MAX_FILE_BYTES (((uint64_t)1 << 31) - 1) /* protobuf's own limit */
#define MAX_NESTING    48 /* messages within messages; 12 levels reach a subgraph's tensor */
#define MAX_NAME_BYTES 4096

/* --- Parsing
 * ------------------------------------------------------------------------------------------------------ */

/* A base-128 number; false past the end or beyond 64 bits. */
static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

/* Whether messages nest at most `depth` levels. The parser recurses without limit, so this must hold before
 * it runs. */
static bool nesting_bounded(const ProtobufCMessageDescriptor *m, const uint8_t *p, const uint8_t *end,
                            unsigned depth) {
    static const uint8_t fixed_size[8] = {[1] = 8, [5] = 4};
    while (p < end) {
        uint64_t tag, size;
        if (!read_varint(&p, end, &tag))
            return false;
        switch (tag & 7) {
        case 0:
            if (!read_varint(&p, end, &size))
                return false;
            continue;
        case 1:
        case 5:
            size = fixed_size[tag & 7];
            break;
        case 2:
            if (!read_varint(&p, end, &size))
                return false;
            break;
        default:
            return false;
        }
        if (size > (uint64_t)(end - p))
            return false;
        const ProtobufCFieldDescriptor *f =
            tag >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(m, (unsigned)(tag >> 3)) : NULL;
        if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == 2 &&
            (depth == 0 || !nesting_bounded(f->descriptor, p, p + size, depth - 1)))
            return false;
        p += size;
    }
    return true;
}

/* A file of two-byte messages would unpack to a hundred times its size: memory is granted up to a budget. */
static void *budget_alloc(void *budget, size_t size) {
    size_t *left = budget;
    if (size > *left)
        return NULL;
    *left -= size;
    return malloc(size ? size : 1);
}

static void budget_free(void *budget, void *p) {
    (void)budget;
    free(p);
}

static void model_free(Onnx__ModelProto *m) {
    size_t unused = 0;
    ProtobufCAllocator a = {budget_alloc, budget_free, &unused};
    if (m)
        onnx__model_proto__free_unpacked(m, &a);
}

static Onnx__ModelProto *model_read(const char *path, digest_hash *digest, mica_status *st) {
    size_t size = 0;
    uint8_t *bytes = file_read(path, 0, FILE_READ_REST, MAX_FILE_BYTES, &size, st);
    Onnx__ModelProto *m = NULL;
    if (!bytes)
        return NULL;
    digest_u64(digest, size);
    digest_bytes(digest, bytes, size);
    if (nesting_bounded(&onnx__model_proto__descriptor, bytes, bytes + size, MAX_NESTING)) {
        size_t budget = ((size_t)256 << 20) + 4 * size;
        ProtobufCAllocator a = {budget_alloc, budget_free, &budget};
        m = onnx__model_proto__unpack(&a, size, bytes);
    }
    free(bytes);
    if (!m)
        mica_fail(st, MICA_ERR_FORMAT, "%s is not an ONNX model", path);
    else if (!m->graph)
        mica_fail(st, MICA_ERR_FORMAT, "%s is not an ONNX model: it has no graph", path);
    if (m && !m->graph) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* --- Names
 * -------------------------------------------------------------------------------------------------------- */

typedef struct importer {
    graph *g;
    const char *path;
    name_map values;
    const dim_binding *dims;
    size_t n_dims;
    digest_hash *digest;
    bool standard_domain; /* the model declares an opset of the default domain */
    mica_status *st;
} importer;

/* A copy in the graph's pool. Control characters are refused, so that names can go to terminals and files as
 * they are. */
static const char *copy_name(importer *im, const char *s) {
    size_t n = s ? strlen(s) : 0;
    if (n > MAX_NAME_BYTES) {
        mica_fail(im->st, MICA_ERR_LIMIT, "a name has %zu bytes, at most %d are supported", n,
                  MAX_NAME_BYTES);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            mica_fail(im->st, MICA_ERR_FORMAT, "a name contains control characters");
            return NULL;
        }
    char *copy = graph_alloc(im->g, n + 1, 1, im->st);
    if (copy && n)
        memcpy(copy, s, n);
    return copy;
}

static bool is_default_domain(const char *domain) {
    return !domain || !*domain || !strcmp(domain, "ai.onnx");
}

/* Adds a value under a name that must be new. */
static uint32_t add_value(importer *im, graph_value *v, const char *name, const char *what) {
    v->name = copy_name(im, name);
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

/* --- Tensors
 * ------------------------------------------------------------------------------------------------------ */

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

static bool read_tensor(importer *im, const Onnx__TensorProto *p, graph_value *v) {
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

/* --- Attributes
 * --------------------------------------------------------------------------------------------------- */

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
    char *s = p->s.len <= MAX_NAME_BYTES ? graph_alloc(im->g, p->s.len + 1, 1, im->st) : NULL;
    if (s && p->s.len)
        memcpy(s, p->s.data, p->s.len);
    a->type = ATTR_STRING;
    a->s = s;
    return s || mica_fail(im->st, MICA_ERR_LIMIT, "attribute '%.60s' is longer than %d bytes", a->name,
                          MAX_NAME_BYTES);
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
    if (!read_tensor(im, p->t, &v))
        return false;
    a->tensor = add_constant(im, a->name, &v);
    return a->tensor != UINT32_MAX;
}

static bool read_attr(importer *im, const Onnx__AttributeProto *p, bool constant, graph_attr *a) {
    *a = (graph_attr){.name = copy_name(im, p->name)};
    if (!a->name)
        return false;
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
    default:
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "attribute '%.60s' has type %d, which no supported operator has", a->name,
                         (int)p->type);
    }
    a->tensor = GRAPH_NO_VALUE;
    return ok && (!constant || a->type == ATTR_STRING || attr_as_constant(im, a));
}

static bool read_attrs(importer *im, const Onnx__NodeProto *p, graph_node *n) {
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

/* --- Nodes
 * -------------------------------------------------------------------------------------------------------- */

static bool name_node(importer *im, const Onnx__NodeProto *p, size_t index, graph_node *n) {
    bool standard = is_default_domain(p->domain);
    char text[MAX_NAME_BYTES];
    if (!p->op_type || !*p->op_type)
        return mica_fail(im->st, MICA_ERR_FORMAT, "node %zu has no operator", index);
    if (standard && !im->standard_domain)
        return mica_fail(im->st, MICA_ERR_FORMAT,
                         "node %zu (%.60s): the model declares no opset of the default domain", index,
                         p->op_type);
    int length =
        snprintf(text, sizeof text, "%s%s%s", standard ? "" : p->domain, standard ? "" : ".", p->op_type);
    if (length < 0 || (size_t)length >= sizeof text)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node %zu: the operator's name is too long", index);
    if (standard && im->g->opset < op_since(p->op_type))
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "node %zu (%.60s): opset %lld; this operator is supported from opset %lld", index,
                         p->op_type, (long long)im->g->opset, (long long)op_since(p->op_type));
    n->op = copy_name(im, text);
    n->kind = op_find(text);
    if (p->name && *p->name) {
        n->name = copy_name(im, p->name);
    } else {
        (void)snprintf(text, sizeof text, "%.60s_%zu", p->op_type, index);
        n->name = copy_name(im, text);
    }
    return n->name && n->op;
}

/* Why a node's input has no value: it comes later in the file, or not at all. */
static bool fail_unknown_input(const importer *im, const Onnx__GraphProto *p, const graph_node *n,
                               const char *name) {
    for (size_t j = 0; j < p->n_node; j++)
        for (size_t i = 0; i < p->node[j]->n_output; i++)
            if (!strcmp(p->node[j]->output[i], name))
                return mica_fail(
                    im->st, MICA_ERR_FORMAT,
                    "node '%.100s' (%.60s) reads '%.200s' before it is computed: the nodes are not in "
                    "topological order",
                    n->name, n->op, name);
    return mica_fail(im->st, MICA_ERR_FORMAT, "node '%.100s' (%.60s) reads '%.200s', which nothing computes",
                     n->name, n->op, name);
}

static bool read_inputs(importer *im, const Onnx__GraphProto *graph_proto, const Onnx__NodeProto *p,
                        graph_node *n) {
    n->in = graph_alloc(im->g, p->n_input, sizeof *n->in, im->st);
    if (!n->in)
        return false;
    for (size_t i = 0; i < p->n_input; i++) {
        n->in[i] = GRAPH_NO_VALUE;
        if (!*p->input[i])
            continue;
        n->in[i] = name_map_get(&im->values, p->input[i]);
        if (n->in[i] == NAME_MAP_NONE)
            return fail_unknown_input(im, graph_proto, n, p->input[i]);
        n->n_in = (uint32_t)i + 1; /* trailing absent inputs are not counted */
    }
    return true;
}

static bool read_outputs(importer *im, const Onnx__NodeProto *p, graph_node *n) {
    char what[200];
    (void)snprintf(what, sizeof what, "node '%.100s' (%.60s)", n->name, n->op);
    n->n_out = (uint32_t)p->n_output;
    n->out = graph_alloc(im->g, p->n_output, sizeof *n->out, im->st);
    if (!n->out)
        return false;
    for (size_t i = 0; i < p->n_output; i++) {
        graph_value v = {.producer = im->g->n_nodes};
        n->out[i] = GRAPH_NO_VALUE;
        if (!*p->output[i])
            continue;
        n->out[i] = add_value(im, &v, p->output[i], what);
        if (n->out[i] == UINT32_MAX)
            return false;
    }
    return true;
}

#define MAX_PARTS 4096 /* each part looks at the sizes of all */

/* A node of several outputs becomes one node for each of them that has a name: nodes of the graph have one.
 * The parts are numbered by attributes of their own; what they share is merged again (merge.c). */
static bool add_parts(importer *im, const graph_node *whole) {
    if (whole->n_out > MAX_PARTS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node '%.100s' (%.60s) has more than %d outputs",
                         whole->name, whole->op, MAX_PARTS);
    for (uint32_t i = 0; i < whole->n_out; i++) {
        graph_node part = *whole;
        if (whole->out[i] == GRAPH_NO_VALUE)
            continue;
        part.out = &whole->out[i];
        part.n_out = 1;
        im->g->value[part.out[0]].producer = im->g->n_nodes;
        if (i == 0 && whole->kind != OP_SPLIT) { /* a node like any other */
            if (graph_add_node(im->g, &part, im->st) == UINT32_MAX)
                return false;
            continue;
        }
        part.n_attrs = whole->n_attrs + 2;
        part.attr = graph_alloc(im->g, part.n_attrs, sizeof *part.attr, im->st);
        if (!part.attr)
            return false;
        /* First, so that they are found before anything of that name in the file. */
        part.attr[0] = (graph_attr){.name = "mica_part", .type = ATTR_INT, .i = i, .tensor = GRAPH_NO_VALUE};
        part.attr[1] =
            (graph_attr){.name = "mica_parts", .type = ATTR_INT, .i = whole->n_out, .tensor = GRAPH_NO_VALUE};
        if (whole->n_attrs)
            memcpy(part.attr + 2, whole->attr, whole->n_attrs * sizeof *part.attr);
        if (graph_add_node(im->g, &part, im->st) == UINT32_MAX)
            return false;
    }
    return true;
}

static bool read_node(importer *im, const Onnx__GraphProto *graph_proto, size_t index) {
    const Onnx__NodeProto *p = graph_proto->node[index];
    graph_node n = {0};
    if (!name_node(im, p, index, &n))
        return false;
    if (p->n_input > GRAPH_MAX_ITEMS || p->n_output > GRAPH_MAX_ITEMS || p->n_attribute > GRAPH_MAX_ITEMS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node '%.100s' has too many inputs, outputs or attributes",
                         n.name);
    /* Attributes of operators outside the list may hold anything, and nothing reads them. */
    if (!read_inputs(im, graph_proto, p, &n) || (n.kind != OP_UNSUPPORTED && !read_attrs(im, p, &n)) ||
        !read_outputs(im, p, &n))
        return false;
    if (n.kind == OP_SPLIT || (n.n_out > 1 && op_outputs(n.kind) > 1))
        return add_parts(im, &n);
    return graph_add_node(im->g, &n, im->st) != UINT32_MAX;
}

/* --- Inputs and outputs
 * ------------------------------------------------------------------------------------------- */

static int64_t bound_size(const importer *im, const char *name) {
    for (size_t i = 0; name && i < im->n_dims; i++)
        if (!strcmp(im->dims[i].name, name))
            return im->dims[i].size;
    return -1;
}

static bool read_free_dim(importer *im, uint32_t value, uint32_t axis, const char *name) {
    graph_free_dim *d = &im->g->free_dim[im->g->n_free_dims++];
    *d = (graph_free_dim){.value = value, .axis = axis};
    if (name && *name)
        d->name = copy_name(im, name);
    return d->name || !name || !*name;
}

static bool read_input_shape(importer *im, const Onnx__TensorShapeProto *shape, uint32_t index) {
    graph_value *v = &im->g->value[index];
    if (shape->n_dim > GRAPH_MAX_RANK)
        return mica_fail(im->st, MICA_ERR_LIMIT,
                         "input '%.200s' has %zu dimensions, at most %d are supported", v->name, shape->n_dim,
                         GRAPH_MAX_RANK);
    v->rank = (uint32_t)shape->n_dim;
    for (uint32_t i = 0; i < v->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        const char *symbol =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? d->dim_param : NULL;
        bool fixed =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0;
        v->dim[i] = fixed ? d->dim_value : bound_size(im, symbol);
        if (v->dim[i] > GRAPH_MAX_ELEMENTS)
            return mica_fail(im->st, MICA_ERR_LIMIT, "input '%.200s': dimension %u is too large", v->name, i);
        if (v->dim[i] < 0 && !read_free_dim(im, index, i, symbol))
            return false;
    }
    v->has_shape = true;
    return true;
}

static bool read_input(importer *im, const Onnx__ValueInfoProto *p) {
    const char *name = p->name ? p->name : "";
    uint32_t known = name_map_get(&im->values, name);
    graph_value v = {.producer = UINT32_MAX};
    if (known != NAME_MAP_NONE && graph_is_const(&im->g->value[known]))
        return true; /* an initialiser that IR versions before 4 had to list here */
    const Onnx__TypeProto__Tensor *t =
        p->type && p->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? p->type->tensor_type : NULL;
    if (!t || !t->shape)
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "input '%.200s' is not a tensor of known rank", name);
    v.onnx_dtype = t->has_elem_type ? t->elem_type : 0;
    v.dtype = onnx_type_float(v.onnx_dtype) ? DTYPE_FLOAT : DTYPE_INT;
    if (!onnx_type_bits(v.onnx_dtype))
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "input '%.200s' has element type %d; supported are floats, integers and bool", name,
                         v.onnx_dtype);
    uint32_t index = add_value(im, &v, name, "graph inputs");
    if (index == UINT32_MAX)
        return false;
    im->g->input[im->g->n_inputs++] = index;
    return read_input_shape(im, t->shape, index);
}

static bool read_graph_inputs(importer *im, const Onnx__GraphProto *p) {
    graph *g = im->g;
    if (p->n_input > GRAPH_MAX_ITEMS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "the graph has more than %d inputs", GRAPH_MAX_ITEMS);
    g->input = graph_alloc(g, p->n_input, sizeof *g->input, im->st);
    g->free_dim = graph_alloc(g, p->n_input * GRAPH_MAX_RANK, sizeof *g->free_dim, im->st);
    if (!g->input || !g->free_dim)
        return false;
    for (size_t i = 0; i < p->n_input; i++)
        if (!read_input(im, p->input[i]))
            return false;
    /* The batch axis: every input has one, or none has. */
    g->batched = g->n_inputs > 0;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        g->batched &= v->rank >= 2 && (v->dim[0] == 1 || v->dim[0] == -1);
    }
    return true;
}

static bool read_graph_outputs(importer *im, const Onnx__GraphProto *p) {
    graph *g = im->g;
    if (p->n_output == 0)
        return mica_fail(im->st, MICA_ERR_FORMAT, "the graph has no outputs");
    g->output = graph_alloc(g, p->n_output, sizeof *g->output, im->st);
    if (!g->output)
        return false;
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        uint32_t v = name_map_get(&im->values, name);
        if (v == NAME_MAP_NONE)
            return mica_fail(im->st, MICA_ERR_FORMAT, "nothing computes the output '%.200s'", name);
        for (uint32_t j = 0; j < g->n_outputs; j++)
            if (g->output[j] == v)
                return mica_fail(im->st, MICA_ERR_FORMAT, "the output '%.200s' is listed twice", name);
        g->output[g->n_outputs++] = v;
    }
    return true;
}

static bool read_initialisers(importer *im, const Onnx__GraphProto *p) {
    if (p->n_sparse_initializer)
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "sparse initialisers are not supported");
    for (size_t i = 0; i < p->n_initializer; i++) {
        graph_value v = {0};
        if (!read_tensor(im, p->initializer[i], &v) ||
            add_value(im, &v, p->initializer[i]->name, "initialisers") == UINT32_MAX)
            return false;
    }
    return true;
}

/* --- Model
 * -------------------------------------------------------------------------------------------------------- */

static bool read_opset(importer *im, const Onnx__ModelProto *m) {
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];
        if (!is_default_domain(o->domain))
            continue;
        if (im->standard_domain && o->version != im->g->opset)
            return mica_fail(im->st, MICA_ERR_FORMAT, "the model declares two opsets of the default domain");
        if (o->version < MIN_OPSET || o->version > MAX_OPSET)
            return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "opset %lld; supported are %d to %d",
                             (long long)o->version, MIN_OPSET, MAX_OPSET);
        im->g->opset = o->version;
        im->standard_domain = true;
    }
    if (!im->standard_domain) /* that of the operators of which those of other domains are made */
        im->g->opset = MAX_OPSET;
    return true;
}

static bool read_model(importer *im, const Onnx__ModelProto *m) {
    const Onnx__GraphProto *p = m->graph;
    im->g->name = copy_name(im, p->name);
    im->g->file = copy_name(im, im->path);
    if (!im->g->name || !im->g->file || !read_opset(im, m) || !read_initialisers(im, p) ||
        !read_graph_inputs(im, p))
        return false;
    for (size_t i = 0; i < p->n_node; i++)
        if (!read_node(im, p, i))
            return false;
    return read_graph_outputs(im, p);
}

bool onnx_import(graph *g, const char *path, const dim_binding *dims, size_t n_dims, mica_status *st) {
    importer im = {.g = g, .path = path, .dims = dims, .n_dims = n_dims, .st = st};
    Onnx__ModelProto *m;
    if (!graph_create(g, st))
        return false;
    im.digest = digest_begin("mica model v1", st);
    m = im.digest ? model_read(path, im.digest, st) : NULL;
    bool ok = m && read_model(&im, m);
    digest_end(im.digest, g->digest);
    model_free(m);
    name_map_free(&im.values);
    if (!ok)
        graph_free(g);
    return ok;
}
