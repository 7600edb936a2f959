/* Every count is checked against the bytes that are left before anything is allocated for it. */
#include "reference/float_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "graph/onnx_types.h"
#include "ops/ops.h"

#define MAX_NAME_BYTES ((size_t)1 << 16)
#define MIN_OPSET      7
#define MAX_OPSET      21

typedef struct reading {
    byte_reader r;
    graph *g;
    bool *known; /* [n_values]: constants, inputs, and what the nodes so far compute */
    mica_status *st;
} reading;

static bool fail(reading *f, const char *what) {
    return mica_fail(f->st, MICA_ERR_FORMAT, "the float model is malformed: %s", what);
}

/* A count of things that take at least `least` bytes each. */
static bool get_count(reading *f, size_t least, uint32_t *n) {
    *n = read_u32(&f->r);
    return (!f->r.failed && *n <= f->r.left / least) || fail(f, "a count exceeds the file");
}

static double get_double(reading *f) {
    const uint64_t bits = read_u64(&f->r);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static const char *get_text(reading *f) {
    uint32_t n;
    if (!get_count(f, 1, &n))
        return NULL;
    char *s = n <= MAX_NAME_BYTES ? graph_alloc(f->g, (size_t)n + 1, 1, f->st) : NULL;
    if (s)
        read_bytes(&f->r, s, n);
    if (!s || !text_field_valid(s, (size_t)n + 1) || strlen(s) != n) {
        (void)fail(f, "a text is too long or has control characters");
        return NULL;
    }
    return s;
}

/* Ids of values; GRAPH_NO_VALUE only where it may stand. */
static bool get_ids(reading *f, uint32_t **id, uint32_t *n, bool absent) {
    if (!get_count(f, 4, n))
        return false;
    *id = graph_alloc(f->g, *n, sizeof **id, f->st);
    if (!*id)
        return false;
    for (uint32_t i = 0; i < *n; i++) {
        (*id)[i] = read_u32(&f->r);
        if ((*id)[i] >= f->g->n_values && !(absent && (*id)[i] == GRAPH_NO_VALUE))
            return fail(f, "a value does not exist");
    }
    return true;
}

/* --- values --- */

static bool get_shape(reading *f, graph_value *v) {
    int64_t product = 1;
    v->has_shape = read_u8(&f->r) != 0;
    v->rank = read_u32(&f->r);
    if (f->r.failed || v->rank > GRAPH_MAX_RANK || (!v->has_shape && v->rank > 0))
        return fail(f, "a rank is out of range");
    for (uint32_t i = 0; i < v->rank; i++) {
        v->dim[i] = (int64_t)read_u64(&f->r);
        if (v->dim[i] < -1 || v->dim[i] > GRAPH_MAX_ELEMENTS)
            return fail(f, "a dimension is out of range");
        if (v->dim[i] > 0 &&
            (__builtin_mul_overflow(product, v->dim[i], &product) || product > GRAPH_MAX_ELEMENTS))
            return fail(f, "a value has more than 2^31 elements");
    }
    return true;
}

static bool get_reals(reading *f, graph_value *v, uint64_t n, bool single) {
    double *x = graph_alloc(f->g, (size_t)n, sizeof *x, f->st);
    for (uint64_t i = 0; x && i < n; i++) {
        if (single) {
            const uint32_t bits = read_u32(&f->r);
            float y;
            memcpy(&y, &bits, sizeof y);
            x[i] = (double)y;
        } else {
            x[i] = get_double(f);
        }
    }
    v->real = x;
    return x != NULL;
}

static bool get_elements(reading *f, graph_value *v) {
    const uint8_t kind = read_u8(&f->r);
    if (kind == FLOAT_FILE_NO_ELEMENTS)
        return true;
    if (kind > FLOAT_FILE_I64 || !v->has_shape || (kind == FLOAT_FILE_I64) != (v->dtype == DTYPE_INT))
        return fail(f, "the elements of a constant do not have its type");
    for (uint32_t i = 0; i < v->rank; i++) {
        if (v->dim[i] < 0)
            return fail(f, "a constant has a free dimension");
    }
    const uint64_t n = graph_elements(v); /* <= 2^31 */
    if (n > f->r.left / (kind == FLOAT_FILE_F32 ? 4 : 8))
        return fail(f, "a constant exceeds the file");
    if (kind != FLOAT_FILE_I64)
        return get_reals(f, v, n, kind == FLOAT_FILE_F32);
    int64_t *x = graph_alloc(f->g, (size_t)n, sizeof *x, f->st);
    for (uint64_t i = 0; x && i < n; i++)
        x[i] = (int64_t)read_u64(&f->r);
    v->integer = x;
    return x != NULL;
}

static bool get_value(reading *f) {
    graph_value v = {.producer = UINT32_MAX};
    v.name = get_text(f);
    if (!v.name)
        return false;
    const uint8_t dtype = read_u8(&f->r);
    v.dtype = dtype == DTYPE_INT ? DTYPE_INT : DTYPE_FLOAT;
    v.onnx_dtype = (int)(read_u32(&f->r) & 0xffff);
    if (dtype > DTYPE_INT)
        return fail(f, "a type does not exist");
    return get_shape(f, &v) && get_elements(f, &v) && graph_add_value(f->g, &v, f->st) != UINT32_MAX;
}

static bool get_values(reading *f) {
    uint32_t n;
    if (!get_count(f, 15, &n)) /* an empty name, types, a rank, no elements */
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!get_value(f))
            return false;
    }
    f->known = calloc((size_t)n + 1, sizeof *f->known);
    if (!f->known)
        return mica_fail(f->st, MICA_ERR_MEMORY, "out of memory for the float model");
    for (uint32_t i = 0; i < n; i++)
        f->known[i] = graph_is_const(&f->g->value[i]);
    return true;
}

/* --- inputs --- */

static bool get_inputs(reading *f) {
    graph *g = f->g;
    if (!get_ids(f, &g->input, &g->n_inputs, false))
        return false;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        graph_value *v = &g->value[g->input[i]];
        if (f->known[g->input[i]] || !v->has_shape || !onnx_type_bits(v->onnx_dtype))
            return fail(f, "an input is a constant, is listed twice, or has no type");
        if (g->batched && v->rank < 1)
            return fail(f, "an input has no batch axis");
        f->known[g->input[i]] = true;
    }
    return true;
}

/* graph_infer_shapes gives sizes to the dimensions that are listed as free, and to no others. */
static bool is_free(const graph *g, uint32_t value, uint32_t axis) {
    for (uint32_t i = 0; i < g->n_free_dims; i++) {
        if (g->free_dim[i].value == value && g->free_dim[i].axis == axis)
            return true;
    }
    return false;
}

static bool get_free_dims(reading *f) {
    graph *g = f->g;
    if (!get_count(f, 16, &g->n_free_dims))
        return false;
    if (g->n_free_dims > (uint64_t)g->n_inputs * GRAPH_MAX_RANK)
        return fail(f, "more free dimensions than dimensions");
    g->free_dim = graph_alloc(g, g->n_free_dims, sizeof *g->free_dim, f->st);
    if (!g->free_dim)
        return false;
    for (uint32_t i = 0; i < g->n_free_dims; i++) {
        graph_free_dim *d = &g->free_dim[i];
        *d = (graph_free_dim){.value = read_u32(&f->r), .axis = read_u32(&f->r)};
        d->size = (int64_t)read_u64(&f->r);
        if (d->value >= g->n_values || !f->known[d->value] || graph_is_const(&g->value[d->value]) ||
            d->axis >= g->value[d->value].rank || d->size < 0 || d->size > GRAPH_MAX_ELEMENTS)
            return fail(f, "a free dimension is not one of an input");
    }
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        for (uint32_t d = 0; d < v->rank; d++) {
            if (v->dim[d] < 0 && !is_free(g, g->input[i], d))
                return fail(f, "a dimension of an input has no size");
        }
    }
    return true;
}

/* --- nodes --- */

static bool get_int_list(reading *f, graph_attr *a) {
    uint32_t n;
    if (!get_count(f, 8, &n))
        return false;
    int64_t *x = graph_alloc(f->g, n, sizeof *x, f->st);
    for (uint32_t i = 0; x && i < n; i++)
        x[i] = (int64_t)read_u64(&f->r);
    a->ints = x;
    a->n = n;
    return x != NULL;
}

static bool get_float_list(reading *f, graph_attr *a) {
    uint32_t n;
    if (!get_count(f, 8, &n))
        return false;
    double *x = graph_alloc(f->g, n, sizeof *x, f->st);
    for (uint32_t i = 0; x && i < n; i++)
        x[i] = get_double(f);
    a->floats = x;
    a->n = n;
    return x != NULL;
}

static bool get_attr(reading *f, graph_attr *a) {
    a->name = get_text(f);
    if (!a->name)
        return false;
    const uint8_t type = read_u8(&f->r);
    a->tensor = read_u32(&f->r);
    if (a->tensor != GRAPH_NO_VALUE &&
        (a->tensor >= f->g->n_values || !graph_is_const(&f->g->value[a->tensor])))
        return fail(f, "an attribute's tensor is not a constant");
    switch (type) {
    case ATTR_INT:
        a->type = ATTR_INT;
        a->i = (int64_t)read_u64(&f->r);
        return true;
    case ATTR_FLOAT:
        a->type = ATTR_FLOAT;
        a->f = get_double(f);
        return true;
    case ATTR_STRING:
        a->type = ATTR_STRING;
        a->s = get_text(f);
        return a->s != NULL;
    case ATTR_INTS:
        a->type = ATTR_INTS;
        return get_int_list(f, a);
    case ATTR_FLOATS:
        a->type = ATTR_FLOATS;
        return get_float_list(f, a);
    case ATTR_TENSOR:
        a->type = ATTR_TENSOR;
        return a->tensor != GRAPH_NO_VALUE || fail(f, "an attribute has no tensor");
    default:
        return fail(f, "an attribute's type does not exist");
    }
}

static bool check_order(reading *f, const graph_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] != GRAPH_NO_VALUE && !f->known[n->in[i]])
            return fail(f, "a node reads what no earlier one computes");
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] == GRAPH_NO_VALUE)
            continue;
        if (f->known[n->out[i]])
            return fail(f, "a value is computed twice");
        f->known[n->out[i]] = true;
        f->g->value[n->out[i]].producer = f->g->n_nodes;
        f->g->value[n->out[i]].has_shape = false;
    }
    return n->n_out > 0 || fail(f, "a node has no output");
}

static bool get_node(reading *f) {
    graph_node n = {0};
    n.name = get_text(f);
    n.op = n.name ? get_text(f) : NULL;
    if (!n.op || !get_ids(f, &n.in, &n.n_in, true) || !get_ids(f, &n.out, &n.n_out, true) ||
        !get_count(f, 9, &n.n_attrs))
        return false;
    n.kind = op_find(n.op);
    n.attr = graph_alloc(f->g, n.n_attrs, sizeof *n.attr, f->st);
    if (!n.attr)
        return false;
    for (uint32_t i = 0; i < n.n_attrs; i++) {
        if (!get_attr(f, &n.attr[i]))
            return false;
    }
    return check_order(f, &n) && graph_add_node(f->g, &n, f->st) != UINT32_MAX;
}

static bool get_nodes(reading *f) {
    uint32_t n;
    if (!get_count(f, 20, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!get_node(f))
            return false;
    }
    return true;
}

static bool get_outputs(reading *f) {
    graph *g = f->g;
    if (!get_ids(f, &g->output, &g->n_outputs, false))
        return false;
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        if (!f->known[g->output[i]])
            return fail(f, "nothing computes an output");
    }
    return true;
}

static bool get_header(reading *f) {
    char version[FLOAT_FILE_VERSION_BYTES];
    uint8_t start[12]; /* what mica_float_check has looked at */
    read_bytes(&f->r, start, sizeof start);
    read_bytes(&f->r, version, sizeof version);
    read_bytes(&f->r, f->g->digest, sizeof f->g->digest);
    f->g->opset = (int64_t)read_u64(&f->r);
    f->g->batched = read_u8(&f->r) != 0;
    return (!f->r.failed && text_field_valid(version, sizeof version) && f->g->opset >= MIN_OPSET &&
            f->g->opset <= MAX_OPSET) ||
           fail(f, "its header is out of range");
}

bool mica_float_check(const uint8_t *bytes, size_t size, mica_status *st) {
    if (size < 8 || memcmp(bytes, MICA_FLOAT_MAGIC, 8) != 0)
        return mica_fail(st, MICA_ERR_FORMAT, "this is not a float model of Mica (foreign magic)");
    const uint32_t version = size < 12 ? 0 : load_u32(bytes + 8);
    return version == MICA_FLOAT_VERSION ||
           mica_fail(st, MICA_ERR_FORMAT, "a float model of format version %u; this program reads version %u",
                     version, MICA_FLOAT_VERSION);
}

bool float_file_read(graph *g, const uint8_t *bytes, size_t size, mica_status *st) {
    reading f = {.r = {bytes, size, false}, .g = g, .st = st};
    if (!mica_float_check(bytes, size, st) || !graph_create(g, st))
        return false;
    g->file = g->name = "";
    bool ok = get_header(&f) && get_values(&f) && get_inputs(&f) && get_free_dims(&f) && get_nodes(&f) &&
              get_outputs(&f);
    if (ok && (f.r.failed || f.r.left > 0))
        ok = fail(&f, f.r.failed ? "it is truncated" : "bytes follow its end");
    free(f.known);
    if (!ok)
        graph_free(g);
    return ok;
}
