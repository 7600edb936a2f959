#include "reference/float_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void put_text(byte_writer *w, const char *s) {
    const size_t n = s ? strlen(s) : 0;
    write_u32(w, (uint32_t)n);
    write_bytes(w, s, n);
}

static void put_double(byte_writer *w, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    write_u64(w, bits);
}

static void put_ids(byte_writer *w, const uint32_t *id, uint32_t n) {
    write_u32(w, n);
    for (uint32_t i = 0; i < n; i++)
        write_u32(w, id[i]);
}

/* Whether single precision holds every element; NaNs are kept as they are. */
static bool fits_single(const double *x, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        if (!((double)(float)x[i] == x[i]))
            return false;
    }
    return true;
}

static void put_elements(byte_writer *w, const graph_value *v) {
    const uint64_t n = graph_is_const(v) ? graph_elements(v) : 0;
    if (v->integer) {
        write_u8(w, FLOAT_FILE_I64);
        for (uint64_t i = 0; i < n; i++)
            write_u64(w, (uint64_t)v->integer[i]);
    } else if (v->real && fits_single(v->real, n)) {
        write_u8(w, FLOAT_FILE_F32);
        for (uint64_t i = 0; i < n; i++) {
            const float x = (float)v->real[i];
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            write_u32(w, bits);
        }
    } else if (v->real) {
        write_u8(w, FLOAT_FILE_F64);
        for (uint64_t i = 0; i < n; i++)
            put_double(w, v->real[i]);
    } else {
        write_u8(w, FLOAT_FILE_NO_ELEMENTS);
    }
}

static void put_value(byte_writer *w, const graph_value *v) {
    put_text(w, v->name);
    write_u8(w, (uint8_t)v->dtype);
    write_u32(w, (uint32_t)v->onnx_dtype);
    write_u8(w, v->has_shape);
    write_u32(w, v->has_shape ? v->rank : 0);
    for (uint32_t i = 0; v->has_shape && i < v->rank; i++)
        write_u64(w, (uint64_t)v->dim[i]);
    put_elements(w, v);
}

static void put_attr(byte_writer *w, const graph_attr *a) {
    put_text(w, a->name);
    write_u8(w, (uint8_t)a->type);
    write_u32(w, a->tensor);
    switch (a->type) {
    case ATTR_INT:
        write_u64(w, (uint64_t)a->i);
        break;
    case ATTR_FLOAT:
        put_double(w, a->f);
        break;
    case ATTR_STRING:
        put_text(w, a->s);
        break;
    case ATTR_INTS:
        write_u32(w, (uint32_t)a->n);
        for (size_t i = 0; i < a->n; i++)
            write_u64(w, (uint64_t)a->ints[i]);
        break;
    case ATTR_FLOATS:
        write_u32(w, (uint32_t)a->n);
        for (size_t i = 0; i < a->n; i++)
            put_double(w, a->floats[i]);
        break;
    case ATTR_TENSOR:
    case ATTR_GRAPH: /* of control flow, which has been replaced */
        break;
    }
}

static void put_node(byte_writer *w, const graph_node *n) {
    put_text(w, n->name);
    put_text(w, n->op);
    put_ids(w, n->in, n->n_in);
    put_ids(w, n->out, n->n_out);
    write_u32(w, n->n_attrs);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        put_attr(w, &n->attr[i]);
}

static uint32_t live_nodes(const graph *g) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        n += !g->node[i].removed;
    return n;
}

bool float_file_write(const graph *g, uint8_t **bytes, size_t *size, mica_status *st) {
    char version[FLOAT_FILE_VERSION_BYTES] = "";
    byte_writer w = {0};
    (void)snprintf(version, sizeof version, "%s", MICA_VERSION);
    write_bytes(&w, MICA_FLOAT_MAGIC, 8);
    write_u32(&w, MICA_FLOAT_VERSION);
    write_bytes(&w, version, sizeof version);
    write_bytes(&w, g->digest, sizeof g->digest);
    write_u64(&w, (uint64_t)g->opset);
    write_u8(&w, g->batched);
    write_u32(&w, g->n_values);
    for (uint32_t v = 0; v < g->n_values; v++)
        put_value(&w, &g->value[v]);
    put_ids(&w, g->input, g->n_inputs);
    write_u32(&w, g->n_free_dims);
    for (uint32_t i = 0; i < g->n_free_dims; i++) {
        write_u32(&w, g->free_dim[i].value);
        write_u32(&w, g->free_dim[i].axis);
        write_u64(&w, (uint64_t)g->free_dim[i].size);
    }
    write_u32(&w, live_nodes(g));
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->node[i].removed)
            put_node(&w, &g->node[i]);
    put_ids(&w, g->output, g->n_outputs);
    if (w.failed) {
        free(w.data);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float model");
    }
    *bytes = w.data;
    *size = w.size;
    return true;
}
