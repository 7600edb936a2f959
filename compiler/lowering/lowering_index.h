/* Indices that depend on the network's inputs. */
#ifndef MICA_COMPILER_LOWERING_INDEX_H
#define MICA_COMPILER_LOWERING_INDEX_H

#include "lowering/lowering.h"

/* *tensor := 1 where the index equals the position along a new last axis of the given size, 0 elsewhere; its
 * other axes are those of `index`, a form of integers (scale 1). Negative indices count from the end. An
 * index outside [-size, size) has no 1; with `inside` there is no proof for it. */
bool lowering_one_hot(lowering *l, const graph_node *n, const form *index, int64_t size, bool inside,
                      uint32_t *tensor, mica_status *st);

#endif
