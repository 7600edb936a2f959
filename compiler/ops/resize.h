/* Resize and Upsample, axis by axis: every output position is a weighted sum of a few input positions. */
#ifndef MICA_COMPILER_RESIZE_H
#define MICA_COMPILER_RESIZE_H

#include "graph/graph.h"

#define RESIZE_TAPS                                                                                          \
    512 /* of one position: more only where antialiasing shrinks an axis to less than 1/128                  \
         */

typedef enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;

typedef struct resize {
    resize_mode mode;
    const char *coordinates, *nearest; /* of the standard's names */
    double cubic_a, extrapolation;
    bool exclude_outside, antialias;
    uint32_t rank;
    int64_t in[GRAPH_MAX_RANK], out[GRAPH_MAX_RANK];
    double scale[GRAPH_MAX_RANK], from[GRAPH_MAX_RANK], to[GRAPH_MAX_RANK]; /* from, to: region of interest */
} resize;

/* The positions that output position `o` of an axis reads. outside: it lies beyond the input, and is the
 * extrapolation value. */
typedef struct resize_taps {
    unsigned n;
    bool outside;
    int64_t at[RESIZE_TAPS];
    double weight[RESIZE_TAPS];
} resize_taps;

bool resize_read(resize *r, const graph *g, const graph_node *n, mica_status *st);
void resize_axis(const resize *r, uint32_t axis, int64_t o, resize_taps *t);
/* Whether the axis stays as it is. */
bool resize_is_identity(const resize *r, uint32_t axis);

#endif
