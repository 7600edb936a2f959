/* Writes small ONNX files for tests, on the wire format directly: what it writes does not depend on the
 * schema that the compiler reads with, and it can be told to write nonsense.
 */
#ifndef MICA_TESTS_ONNX_WRITER_H
#define MICA_TESTS_ONNX_WRITER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    uint8_t *p;
    size_t n, capacity;
} bytes;

static inline void put(bytes *b, const void *data, size_t n) {
    while (b->n + n > b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 256;
        b->p = realloc(b->p, b->capacity);
        if (!b->p)
            abort();
    }
    if (n)
        memcpy(b->p + b->n, data, n);
    b->n += n;
}

static inline void put_varint(bytes *b, uint64_t x) {
    do {
        uint8_t byte = (uint8_t)((x & 127) | (x > 127 ? 128 : 0));
        put(b, &byte, 1);
        x >>= 7;
    } while (x);
}

static inline void put_int(bytes *b, unsigned field, int64_t x) {
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)x);
}

static inline void put_blob(bytes *b, unsigned field, const void *data, size_t n) {
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    put(b, data, n);
}

static inline void put_text(bytes *b, unsigned field, const char *s) {
    put_blob(b, field, s, strlen(s));
}

static inline void put_f32(bytes *b, unsigned field, float x) {
    put_varint(b, field << 3 | 5);
    put(b, &x, 4);
}

/* Appends `message` as a field and empties it. */
static inline void put_message(bytes *b, unsigned field, bytes *message) {
    put_blob(b, field, message->p, message->n);
    free(message->p);
    *message = (bytes){0};
}

typedef struct onnx_writer {
    bytes graph, attributes;
    int64_t opset; /* 0: none is declared */
    unsigned n_nodes;
} onnx_writer;

/* dim[i] < 0 is a free dimension: -1 is named "N", -2 "M", -3 has no name. */
static inline void ow_port(onnx_writer *w, unsigned field, const char *name, int type, uint32_t rank,
                           const int64_t *dim) {
    bytes shape = {0}, tensor = {0}, types = {0}, info = {0};
    for (uint32_t i = 0; i < rank; i++) {
        bytes d = {0};
        if (dim[i] >= 0)
            put_int(&d, 1, dim[i]);
        else if (dim[i] > -3)
            put_text(&d, 2, dim[i] == -1 ? "N" : "M");
        put_message(&shape, 1, &d);
    }
    put_int(&tensor, 1, type);
    put_message(&tensor, 2, &shape);
    put_message(&types, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &types);
    put_message(&w->graph, field, &info);
}

static inline void ow_input(onnx_writer *w, const char *name, uint32_t rank, const int64_t *dim) {
    ow_port(w, 11, name, 1, rank, dim);
}

static inline void ow_output(onnx_writer *w, const char *name) {
    ow_port(w, 12, name, 1, 0, NULL);
}

static inline bytes ow_tensor(const char *name, int type, uint32_t rank, const int64_t *dim) {
    bytes t = {0};
    for (uint32_t i = 0; i < rank; i++)
        put_int(&t, 1, dim[i]);
    put_int(&t, 2, type);
    put_text(&t, 8, name);
    return t;
}

static inline size_t ow_count(uint32_t rank, const int64_t *dim) {
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= (size_t)dim[i];
    return n;
}

static inline void ow_floats(onnx_writer *w, const char *name, uint32_t rank, const int64_t *dim,
                             const float *x) {
    bytes t = ow_tensor(name, 1, rank, dim);
    put_blob(&t, 9, x, ow_count(rank, dim) * sizeof *x);
    put_message(&w->graph, 5, &t);
}

static inline void ow_ints(onnx_writer *w, const char *name, uint32_t rank, const int64_t *dim,
                           const int64_t *x) {
    bytes t = ow_tensor(name, 7, rank, dim);
    put_blob(&t, 9, x, ow_count(rank, dim) * sizeof *x);
    put_message(&w->graph, 5, &t);
}

/* Attributes of the next node. */
static inline void ow_attr_int(onnx_writer *w, const char *name, int64_t x) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_int(&a, 3, x);
    put_int(&a, 20, 2);
    put_message(&w->attributes, 5, &a);
}

static inline void ow_attr_float(onnx_writer *w, const char *name, float x) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_f32(&a, 2, x);
    put_int(&a, 20, 1);
    put_message(&w->attributes, 5, &a);
}

static inline void ow_attr_text(onnx_writer *w, const char *name, const char *x) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_text(&a, 4, x);
    put_int(&a, 20, 3);
    put_message(&w->attributes, 5, &a);
}

static inline void ow_attr_ints(onnx_writer *w, const char *name, size_t n, const int64_t *x) {
    bytes a = {0};
    put_text(&a, 1, name);
    for (size_t i = 0; i < n; i++)
        put_int(&a, 8, x[i]);
    put_int(&a, 20, 7);
    put_message(&w->attributes, 5, &a);
}

/* The graph that `body` has written; body is empty again. */
static inline void ow_attr_graph(onnx_writer *w, const char *name, onnx_writer *body) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_message(&a, 6, &body->graph);
    put_int(&a, 20, 5);
    put_message(&w->attributes, 5, &a);
    *body = (onnx_writer){0};
}

/* Names separated by blanks; "-" is an absent one. */
static inline void ow_names(bytes *node, unsigned field, const char *names) {
    while (*names) {
        size_t n = strcspn(names, " ");
        put_blob(node, field, names, n == 1 && *names == '-' ? 0 : n);
        names += n + (names[n] == ' ');
    }
}

static inline void ow_node_in(onnx_writer *w, const char *domain, const char *op, const char *inputs,
                              const char *outputs) {
    char name[32];
    bytes node = {0};
    (void)snprintf(name, sizeof name, "n%u", w->n_nodes++);
    ow_names(&node, 1, inputs);
    ow_names(&node, 2, outputs);
    put_text(&node, 3, name);
    put_text(&node, 4, op);
    put_text(&node, 7, domain);
    put(&node, w->attributes.p, w->attributes.n);
    free(w->attributes.p);
    w->attributes = (bytes){0};
    put_message(&w->graph, 1, &node);
}

static inline void ow_node(onnx_writer *w, const char *op, const char *inputs, const char *outputs) {
    ow_node_in(w, "", op, inputs, outputs);
}

/* The model's bytes; the writer is empty again. */
static inline bytes ow_finish(onnx_writer *w) {
    bytes model = {0}, opset = {0};
    put_int(&model, 1, 8);
    put_text(&w->graph, 2, "test graph");
    put_message(&model, 7, &w->graph);
    if (w->opset) {
        put_int(&opset, 2, w->opset);
        put_message(&model, 8, &opset);
    }
    *w = (onnx_writer){0};
    return model;
}

static inline void write_file(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        abort();
}

static inline void ow_save(onnx_writer *w, const char *path) {
    bytes model = ow_finish(w);
    write_file(path, model.p, model.n);
    free(model.p);
}

#endif
