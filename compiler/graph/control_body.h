/* Nodes in the place of a node of control flow. */
#ifndef MICA_COMPILER_CONTROL_BODY_H
#define MICA_COMPILER_CONTROL_BODY_H

#include "graph/graph.h"

/* What replaces one node. After a failure every call returns GRAPH_NO_VALUE. */
typedef struct flow {
    graph *g;
    graph_node node; /* that is replaced */
    graph_node *made;
    uint32_t n_made, capacity;
    mica_status *st;
} flow;

/* The graph of attribute `name`, which must have n_in inputs and n_out outputs; NULL after an error. */
const graph_body *flow_body(flow *f, const char *name, uint32_t n_in, uint32_t n_out);

/* A new constant: one integer of an ONNX element type, or a list. */
uint32_t flow_number(flow *f, int64_t value, int onnx_dtype);
uint32_t flow_list(flow *f, uint32_t n, const int64_t *value);

/* A node with an attribute of one integer (attr may be NULL). Its output is `out`, or a new value if that is
 * GRAPH_NO_VALUE. */
uint32_t flow_op(flow *f, const char *op, uint32_t n_in, const uint32_t *in, uint32_t out, const char *attr,
                 int64_t value);

/* out := v, if the replaced node's output number i has a name. */
bool flow_output(flow *f, uint32_t i, uint32_t v);

/* The replaced node's kind with other inputs: appended to the nodes that replace it. `taken_over`: the
 * replaced node was made by this function, so that its list of inputs may become the new node's. */
bool flow_again(flow *f, bool taken_over, uint32_t n_in, const uint32_t *in, uint32_t n_attrs,
                const graph_attr *attr);

/* A copy of the subgraph's nodes, run on the values in[0 .. n_in). out[i]: what its output i is here. `run`
 * is part of the nodes' names. */
bool flow_copy(flow *f, const graph_body *b, const uint32_t *in, const char *run, uint32_t *out);

/* Input i of the replaced node as one integer that is known. */
bool flow_known(const flow *f, uint32_t i, int64_t *value);

bool flow_fail(flow *f, mica_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
