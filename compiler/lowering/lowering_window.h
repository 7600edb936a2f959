/* Windows of Conv, ConvTranspose and the pools as placements: patches[c, k, o] = x[c, o * stride + k *
 * dilation - pad], for ConvTranspose x[c, (o + pad - k * dilation) / stride] where that is an integer. */
#ifndef MICA_COMPILER_LOWERING_WINDOW_H
#define MICA_COMPILER_LOWERING_WINDOW_H

#include "lowering/lowering.h"
#include "ops/window.h"

/* Axes of a patch tensor: the passed ones first, then taps, then positions; an axis of size 1 is left out
 * (-1). */
typedef struct patches {
    uint32_t tensor;
    unsigned rank;
    uint32_t dim[MICA_MAX_RANK];
    axis_list channel[2];    /* of the channel axis, or of its two parts after a split */
    axis_list lead;          /* an ordinary axis 0 of a graph without batch axis */
    int tap[GRAPH_MAX_RANK]; /* per spatial dimension */
    int position[GRAPH_MAX_RANK];
} patches;

/* The least number that every count of valid taps along dimension d divides; 0 where all counts are equal to
 * the kernel. */
uint32_t lowering_window_norm(const op_window *w, unsigned d);

/* x is the operand of node n, w its window. groups > 1 splits the channel axis into (groups, channels /
 * groups). With `norms`, entries are norm / (valid taps of the window) along each dimension, norm being
 * returned per dimension. */
bool lowering_patches(lowering *l, const graph_node *n, const op_window *w, const qvalue *x, uint32_t groups,
                      uint32_t *norms, patches *out, mica_status *st);

/* Layout of the window operator's result: channel from `channel`, positions of `p` through map (axis of the
 * result of each axis of the patches). */
layout lowering_window_axes(const lowering *l, const graph_node *n, const patches *p,
                            const axis_list *channel, const uint8_t *map);

#endif
