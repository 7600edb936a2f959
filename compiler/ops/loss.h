/* Losses of scores [items, classes, places...] and labels [items, places...]. */
#ifndef MICA_COMPILER_LOSS_H
#define MICA_COMPILER_LOSS_H

#include "ops/op_rules.h"

typedef enum loss_reduction { LOSS_NONE, LOSS_SUM, LOSS_MEAN } loss_reduction;

typedef struct loss {
    loss_reduction reduction;
    bool ignores;
    int64_t ignored; /* label that does not count */
    int64_t items, classes, places;
} loss;

bool loss_read(loss *l, const graph *g, const graph_node *n, mica_status *st);

#endif
