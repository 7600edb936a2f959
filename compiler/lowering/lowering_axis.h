/* Linear maps along one axis. */
#ifndef MICA_COMPILER_LOWERING_AXIS_H
#define MICA_COMPILER_LOWERING_AXIS_H

#include "lowering/lowering.h"

/* Replaces ONNX axis `axis` (the batch axis not counted) of x by m times it, m being rows x size, row-major,
 * of integers: *f is the result and its layout and scale are in *out, which may be x. */
bool lowering_axis_product(lowering *l, const graph_node *n, const qvalue *x, unsigned axis, int64_t rows,
                           double *m, form *f, qvalue *out, mica_status *st);

#endif
