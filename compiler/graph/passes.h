/* The front end's passes, in order. Each leaves a valid graph; each is one file. */
#ifndef MICA_COMPILER_PASSES_H
#define MICA_COMPILER_PASSES_H

#include "graph/graph.h"

/* A binding of a free dimension by name: --dim NAME=SIZE. */
typedef struct dim_binding {
    const char *name;
    int64_t size;
} dim_binding;

/* onnx_import.c, which with onnx_attr.c and onnx_parse.c alone sees protobuf: file -> graph. External data is
 * read relative to the file. Nodes of unknown operators are kept with kind OP_UNSUPPORTED. The first
 * dimension of a graph input is the batch dimension if it is free (symbolic) or 1 and the input has rank >=
 * 2, unless a later pass finds an operator that mixes it. */
bool onnx_import(graph *g, const char *path, const dim_binding *dims, size_t n_dims, mica_status *st);

/* freeze.c: graph input `name` becomes a constant: element[0..product(dim)), row-major. Before samples are
 * bound. A shape of one element takes any form of it. */
bool graph_freeze_input(graph *g, const char *name, uint32_t rank, const int64_t *dim, const double *element,
                        mica_status *st);
/* freeze.c: inputs with a dimension of 0, as the file has them, become constants: there is nothing to read.
 */
bool graph_freeze_empty_inputs(graph *g, mica_status *st);
/* freeze.c: the batch axis of the inputs as the file has them: every input has one, or none has. */
void graph_find_batch(graph *g);

/* shapes.c: gives the free dimensions of graph input `index` (a position in g->input) the sizes of a caller's
 * data; equal symbolic names are bound together. Before graph_infer_shapes. A free dimension that nothing
 * binds has size 1, and so has a batch axis whatever it is bound to. */
bool graph_bind_input(graph *g, uint32_t index, uint32_t rank, const int64_t *dim, mica_status *st);
/* shapes.c: makes axis 0 of every graph input the batch axis, or an ordinary one. */
void graph_set_batched(graph *g, bool batched);
/* shapes.c: infers every shape by the operators' rules, marks batched values, refuses unsupported operators
 * by name. Integer values that depend on constants only (shapes) become constants on the way. If an operator
 * mixes the batch axis with another, the whole graph is inferred again with no batch axis. Outputs without
 * elements go from the outputs to g->empty_output. */
bool graph_infer_shapes(graph *g, mica_status *st);
/* fold.c: nodes with constant inputs become constants by the operators' float reference. */
bool graph_fold_constants(graph *g, mica_status *st);
/* recognise.c: statistics that are written out in simple operators take the form that loses least. */
bool graph_recognise(graph *g, mica_status *st);
/* expand.c: operators that are made of others are replaced by them. graph_canonicalise begins with it. */
bool graph_expand(graph *g, mica_status *st);
/* merge.c: nodes of one kind with equal inputs and attributes become copies of the first. */
bool graph_merge(graph *g, mica_status *st);
/* canonical.c: removes Identity, Dropout and dead nodes; fuses BatchNormalization and constant Add/Mul into a
 * preceding Conv/Gemm/MatMul; MatMul + Add becomes Gemm. */
bool graph_canonicalise(graph *g, mica_status *st);

/* masks.c: constants that say "never", infinite ones or such that a softmax alone reads, become as large as
 * the samples ask for and no larger. sample[s][i]: as calibration_collect. */
bool graph_bound_masks(graph *g, const double *const *const *sample, uint32_t n_samples, mica_status *st);

/* equalise.c: channels between convolutions get like ranges, by powers of two that the weights before and
 * behind them take in; what the graph computes does not change. sample[s][i]: as calibration_collect; without
 * samples nothing happens. */
bool graph_equalise(graph *g, const double *const *const *sample, uint32_t n_samples, mica_status *st);

/* reference.c: evaluates the graph on float inputs, deterministically (fixed order, no contraction). value[v]
 * receives the elements of value v (allocated by the caller for every non-constant value; integers are stored
 * as doubles). */
bool graph_evaluate(const graph *g, const double *const *input, double **value, mica_status *st);
/* Buffers for graph_evaluate, one for each value without constant elements that has a shape. */
double **graph_buffers_create(const graph *g, mica_status *st);
void graph_buffers_free(const graph *g, double **value);

#endif
