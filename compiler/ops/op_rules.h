/* Declarations of the rules that ops.c tabulates, and what the rules share. */
#ifndef MICA_COMPILER_OP_RULES_H
#define MICA_COMPILER_OP_RULES_H

#include "ops/ops.h"

#define X(kind, symbol, type, fewest, most)                                                                  \
    bool infer_##symbol(op_context *c, const graph_node *n, mica_status *st);                                \
    bool eval_##symbol(const op_args *a, mica_status *st);
MICA_OPS(X)
#undef X

/* Input or output i of a node; NULL if it is absent. */
const graph_value *op_in(const graph *g, const graph_node *n, uint32_t i);
const graph_value *op_out(const graph *g, const graph_node *n, uint32_t i);

/* Records "node 'x' (Conv, shapes): <message>". Always returns false. */
bool op_fail(const graph *g, const graph_node *n, mica_status *st, mica_code code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
#if defined(__clang_analyzer__) || defined(__CPPCHECK__) /* as for mica_fail */
#define op_fail(...) (op_fail(__VA_ARGS__), false)
#endif

/* Why an input that must be a constant is not taken at run time. */
#define OP_DECIDES_SHAPE  "decides the output's shape, which would depend on the data"
#define OP_NEEDS_CONSTANT "depends on the network's inputs; constants are supported"

/* Refuses input `input` of node n, which is not a constant: "node ...: input 1 ('k') <why>; --const k=FILE
 * makes it a constant". The remedy is told where the input is a graph input, or computed from integers or
 * single numbers. Always returns false. */
bool op_fail_varying(const graph *g, const graph_node *n, uint32_t input, const char *why, mica_status *st);
/* The remedy alone, for messages of other steps; empty if there is none. Returns buffer. */
const char *op_freeze_hint(const graph *g, uint32_t value, char *buffer, size_t size);

/* What a rule returns when it finds that axis 0 of a batched value is not a pure batch axis. */
bool op_mixes_batch(op_context *c);

/* Gives n->out[0] the type of `like`, the shape dim[0..rank) and the batch mark. Refuses more than
 * GRAPH_MAX_ELEMENTS elements. dim must not point into the graph's values. */
bool op_set_output(op_context *c, const graph_node *n, const graph_value *like, uint32_t rank,
                   const int64_t *dim, bool batched, mica_status *st);

/* The output has type, shape and batch axis of `like`. */
bool op_set_output_like(op_context *c, const graph_node *n, const graph_value *like, mica_status *st);

/* Every present input has the type of the first. */
bool op_same_types(const graph *g, const graph_node *n, mica_status *st);
/* Every present input is floating-point, all of one type. */
bool op_all_float(const graph *g, const graph_node *n, mica_status *st);

/* Attribute `name`, a dimension in [-rank, rank - 1 + past_end], as a dimension >= 0. */
bool op_axis(const graph *g, const graph_node *n, const char *name, int64_t otherwise, uint32_t rank,
             uint32_t past_end, uint32_t *axis, mica_status *st);

/* The rules of Conv and MatMul for operands of any type, which the output has then. */
bool infer_conv_shape(op_context *c, const graph_node *n, mica_status *st);
bool infer_matmul_shape(op_context *c, const graph_node *n, mica_status *st);

/* Numpy broadcasting of `count` shapes aligned at the last axis; false if they do not fit. */
bool op_broadcast(const graph_value *const *v, size_t count, uint32_t *rank, int64_t *dim);

/* Element strides of v seen with shape `rank`, aligned at the last axis; 0 along broadcast axes. rank >=
 * v->rank. */
void op_broadcast_strides(const graph_value *v, uint32_t rank, size_t *stride);

/* Steps a row-major index over dim[0..rank); false after the last one. rank 0 has one index. */
bool op_next_index(int64_t *index, const int64_t *dim, uint32_t rank);

/* Whether Cast keeps the low bits of an integer that its result's type cannot hold. */
bool cast_wraps(const graph_value *from, const graph_value *to);

/* Whether any live node or the graph's outputs read the value. */
bool op_value_used(const graph *g, uint32_t value);

#endif
