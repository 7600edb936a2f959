/* The typed graph: an ONNX model after import, independent of protobuf.
 *
 * Values are tensors with a static shape; nodes are operators from ops/ops.h in topological order. Memory
 * belongs to the graph's pool and lives as long as the graph.
 */
#ifndef MICA_COMPILER_GRAPH_H
#define MICA_COMPILER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

#define GRAPH_MAX_RANK     8
#define GRAPH_MAX_ELEMENTS (INT64_C(1) << 31) /* of one tensor */
#define GRAPH_MAX_ITEMS    (1 << 22)          /* values, and nodes, of a graph */
#define GRAPH_NO_VALUE     UINT32_MAX         /* an optional input that is absent */

typedef enum graph_dtype {
    DTYPE_FLOAT, /* float, float16 and double of the file, held as double in `real` */
    DTYPE_INT,   /* every integer type and bool of the file, held as int64 in `integer` */
} graph_dtype;

typedef struct graph_value {
    const char *name;
    graph_dtype dtype;
    int onnx_dtype; /* TensorProto.DataType of the file, for messages and conversions */
    uint32_t rank;
    int64_t dim[GRAPH_MAX_RANK]; /* >= 0 once shapes are inferred; -1 unknown before */
    bool has_shape;
    bool masked;        /* places of it hold masks (masks.c), far from all others, whose resolution counts */
    bool batched;       /* dim[0] is the batch dimension (1 in the graph: one item) */
    const double *real; /* constants only: product(dim) elements, row-major */
    const int64_t *integer;
    uint32_t producer; /* node index, or UINT32_MAX for inputs and constants */
} graph_value;

static inline bool graph_is_const(const graph_value *v) {
    return v->real != NULL || v->integer != NULL;
}

struct graph_node;

/* A subgraph: what the nodes of If, Loop and Scan run. Its values are values of the graph in which nothing is
 * computed; control flow (control.c) copies the nodes, with values of their own, to where they run. */
typedef struct graph_body {
    uint32_t n_in, n_out, n_nodes, capacity;
    uint32_t *in, *out; /* value indices; outputs may be values of a graph around */
    struct graph_node *node;
    uint32_t first_value, end_value; /* values that the subgraph and those within it have */
} graph_body;

typedef struct graph_attr {
    const char *name;
    enum { ATTR_INT, ATTR_FLOAT, ATTR_STRING, ATTR_INTS, ATTR_FLOATS, ATTR_TENSOR, ATTR_GRAPH } type;
    int64_t i;
    double f;
    const char *s;
    size_t n;
    const int64_t *ints;
    const double *floats;
    uint32_t tensor; /* a constant value of the graph */
    const graph_body *body;
} graph_attr;

typedef struct graph_node {
    const char *name; /* the file's, or "Op_7" where it has none */
    const char *op;   /* ONNX operator type */
    uint32_t kind;    /* op_kind of ops/ops.h; OP_UNSUPPORTED if not in the list */
    uint32_t n_in, n_out;
    uint32_t *in, *out; /* value indices */
    uint32_t n_attrs;
    graph_attr *attr;
    bool removed;        /* folded, fused or dead */
    const char *trouble; /* why graph_infer_report could not handle it; NULL: it could */
} graph_node;

typedef struct graph_pool graph_pool; /* bump allocator, private to graph.c */

/* A dimension of a graph input that the file leaves open. */
typedef struct graph_free_dim {
    uint32_t value, axis;
    const char *name; /* symbolic name; NULL if it has none */
    int64_t size;     /* bound by a caller's data; 0 until then, and then taken as 1 */
} graph_free_dim;

typedef struct graph {
    const char *file;
    const char *name;
    uint8_t digest[32]; /* of the file and its external data (digest.h) */
    int64_t opset;
    uint32_t n_values, n_nodes, n_inputs, n_outputs;
    graph_value *value;
    graph_node *node;
    uint32_t *input, *output; /* value indices; initialisers that are listed as inputs are not inputs */
    uint32_t *empty_output;   /* outputs without elements, which shape inference takes from the list */
    uint32_t n_empty_outputs, n_empty_inputs; /* such inputs are constants */
    graph_free_dim *free_dim;
    uint32_t n_free_dims;
    uint64_t folded;   /* elements of all constants that folding made */
    uint64_t unrolled; /* nodes that control flow has become */
    bool batched; /* axis 0 of every input is the batch axis; shapes.c clears it if an operator mixes that
                     axis */
    graph_pool *pool;
} graph;

/* Whether no proof can say anything of the graph: every output is a constant once shapes are known, or none
 * has elements. */
static inline bool graph_is_settled(const graph *g) {
    return g->n_inputs == 0 || g->n_outputs == 0;
}

bool graph_create(graph *g, mica_status *st);
void graph_free(graph *g);
/* Zeroed memory of the graph's pool; NULL and a recorded error if there is none. */
void *graph_alloc(graph *g, size_t count, size_t element, mica_status *st);
uint32_t graph_add_value(graph *g, const graph_value *v, mica_status *st);
uint32_t graph_add_node(graph *g, const graph_node *n, mica_status *st);
/* Tells the outputs of the nodes from `first` on which node computes them, after nodes have moved. */
void graph_set_producers(graph *g, uint32_t first);

static inline uint64_t graph_elements(const graph_value *v) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->rank; i++)
        n *= (uint64_t)v->dim[i];
    return n;
}

/* Attribute access with the standard's default. */
const graph_attr *graph_attr_find(const graph_node *n, const char *name);
int64_t graph_attr_int(const graph_node *n, const char *name, int64_t otherwise);
double graph_attr_float(const graph_node *n, const char *name, double otherwise);
const char *graph_attr_string(const graph_node *n, const char *name, const char *otherwise);

/* "node 'conv1' (Conv, [1,3,32,32] * [8,3,5,5])": how every message names a node. */
const char *graph_describe(const graph *g, const graph_node *n, char *buffer, size_t size);

#endif
