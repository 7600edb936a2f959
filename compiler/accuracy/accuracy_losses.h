/* Where precision is lost: by how much the error grows at each value. */
#ifndef MICA_COMPILER_ACCURACY_LOSSES_H
#define MICA_COMPILER_ACCURACY_LOSSES_H

#include "accuracy/accuracy.h"

typedef struct accuracy_loss {
    const value_error *at;
    double added; /* mean error beyond that of the worst value that the node reads */
} accuracy_loss;

/* What inner value i adds; 0 if its error is not the larger one. */
double accuracy_increase(const accuracy *a, const graph *g, uint32_t i);

/* The values that add most, the worst first; returns their number, at most `most`. */
uint32_t accuracy_losses(const accuracy *a, const graph *g, accuracy_loss *worst, uint32_t most);

#endif
