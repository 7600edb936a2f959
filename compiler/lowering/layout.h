/* Where the ONNX axes of a value live in its tensor: each ONNX axis (the batch axis left out) is a list of
 * tensor axes, slowest first, whose sizes multiply to its size. Flatten, Transpose and most Reshapes only
 * change the lists.
 *
 * An axis of size 1 has an empty list. A tensor axis in no list has size 1.
 */
#ifndef MICA_COMPILER_LAYOUT_H
#define MICA_COMPILER_LAYOUT_H

#include "graph/graph.h"
#include "mica/circuit.h"

typedef struct axis_list {
    uint8_t n;
    uint8_t axis[MICA_MAX_RANK];
} axis_list;

typedef struct layout {
    uint8_t rank; /* ONNX axes, batch left out */
    axis_list of[GRAPH_MAX_RANK];
} layout;

/* ONNX dims of a value without its batch axis. */
unsigned layout_dims(const graph_value *v, int64_t *dim);

/* One tensor axis for every ONNX axis longer than 1; fills tensor_dim and returns the tensor's rank. */
unsigned layout_plain(layout *l, unsigned rank, const int64_t *dim, uint32_t *tensor_dim);

/* A tensor has at most MICA_MAX_RANK axes and a list names each at most once: there is always room. */
static inline void axis_list_push(axis_list *l, unsigned axis) {
    if (l->n < MICA_MAX_RANK)
        l->axis[l->n++] = (uint8_t)axis;
}

/* Product of the sizes of a list's axes. */
uint64_t axis_list_size(const axis_list *l, const uint32_t *dim);

/* Whether two lists split their axis alike. */
bool axis_list_same_split(const axis_list *a, const uint32_t *a_dim, const axis_list *b,
                          const uint32_t *b_dim);

/* The same cells, row-major, seen with shape dim[0..rank). False if some new axis is not a product of
 * consecutive tensor axes; the layout is then unchanged. */
bool layout_regroup(layout *l, const uint32_t *tensor_dim, unsigned rank, const int64_t *dim);

/* Tensor axes in the row-major order of the ONNX value. */
axis_list layout_order(const layout *l);

#endif
