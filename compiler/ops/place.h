/* Col2Im and MaxUnpool: where their elements go. */
#ifndef MICA_COMPILER_PLACE_H
#define MICA_COMPILER_PLACE_H

#include "ops/op_move.h"

/* Blocks at positions of an image: cell k of the block at position o belongs to cell o * stride + k *
 * dilation - pad_begin of the image; where several meet they add up. */
typedef struct col2im {
    uint32_t n;    /* axes of the image */
    int64_t cells; /* of a block */
    int64_t image[GRAPH_MAX_RANK], block[GRAPH_MAX_RANK], positions[GRAPH_MAX_RANK];
    int64_t stride[GRAPH_MAX_RANK], dilation[GRAPH_MAX_RANK];
    int64_t pad_begin[GRAPH_MAX_RANK], pad_end[GRAPH_MAX_RANK];
} col2im;

bool col2im_read(col2im *p, const graph *g, const graph_node *n, mica_status *st);

/* The shape that MaxUnpool's indices count in: dim[0..rank of the input). */
bool unpool_shape(const graph *g, const graph_node *n, int64_t *dim, mica_status *st);

#endif
