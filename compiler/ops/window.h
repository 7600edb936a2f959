/* Sliding windows of Conv, MaxPool and AveragePool with every attribute resolved (auto_pad, ceil_mode,
 * defaults).
 *
 * Tap k of output position o reads input position o*stride - pad_begin + k*dilation; positions outside [0,
 * in) are padding. With ceil_mode the last window may reach beyond in + pad_end.
 *
 * ConvTranspose runs such a window backwards: tap k of its output position o reads input position i where
 * i*stride - pad_begin + k*dilation = o, if there is one.
 */
#ifndef MICA_COMPILER_WINDOW_H
#define MICA_COMPILER_WINDOW_H

#include "graph/graph.h"

typedef struct op_window {
    uint32_t n;      /* spatial dimensions: axes 2 .. 2 + n of the input */
    bool transposed; /* ConvTranspose */
    int64_t in[GRAPH_MAX_RANK], out[GRAPH_MAX_RANK];
    int64_t kernel[GRAPH_MAX_RANK], stride[GRAPH_MAX_RANK], dilation[GRAPH_MAX_RANK];
    int64_t pad_begin[GRAPH_MAX_RANK], pad_end[GRAPH_MAX_RANK];
} op_window;

/* The node's window; the shape of its first input (and of Conv's weights) must be known. */
bool op_window_resolve(op_window *w, const graph *g, const graph_node *n, mica_status *st);

/* Fails if some window lies wholly in the padding, where a maximum or an average has no value. */
bool op_window_covers_input(const op_window *w, const graph *g, const graph_node *n, mica_status *st);

/* Input position along axis d that tap k of output position o reads; it may lie outside [0, in). False if
 * there is none (ConvTranspose between two of its strides). */
bool op_window_source(const op_window *w, uint32_t d, int64_t o, int64_t k, int64_t *at);

/* The place in the input plane that tap k of output position o reads, counted row by row, or by columns (the
 * first spatial axis runs fastest). It is linear in o and k, and says nothing where the tap is in the
 * padding. */
int64_t op_window_place(const op_window *w, const int64_t *o, const int64_t *k, bool by_columns);

/* Outputs [*lo, *hi) of axis d are those whose tap k lies inside the input (*lo == *hi if there is none). Not
 * for ConvTranspose. */
void op_window_valid(const op_window *w, uint32_t d, int64_t k, int64_t *lo, int64_t *hi);

#endif
