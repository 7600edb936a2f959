/* Elements chosen by indices that depend on the network's inputs: rows of zeros and a one, and contractions
 * whose labels have names.
 *
 * A label is a small number that a lowering gives to an axis of its operator: axes of different tensors with
 * the same label run together.
 */
#ifndef MICA_COMPILER_LOWERING_SELECT_H
#define MICA_COMPILER_LOWERING_SELECT_H

#include "lowering/lowering.h"

#define NO_LABEL (-1)

/* A tensor and the label of each of its axes; an axis without one is taken at its first index. */
typedef struct labelled {
    uint32_t tensor;
    int8_t label[MICA_MAX_RANK];
} labelled;

/* Value v, whose ONNX axis i (batch axis included) has label[i], as a tensor at the given scale. Axes of size
 * 1 have no label there. A constant becomes a weight. */
bool select_operand(lowering *l, const graph_node *n, uint32_t v, const int8_t *label, double scale,
                    labelled *out, mica_status *st);

/* The scale at which select_operand keeps most of v: its own, or a constant's. */
bool select_scale(lowering *l, uint32_t v, double *scale, mica_status *st);

/* Indices into an axis of `size` entries that gets the label `hot`: 1 where the axis is at the index, 0
 * elsewhere. `index` holds integers; with `at` >= 0 it is taken at that place of its last ONNX axis. An index
 * outside [-size, size) has no proof. */
bool select_hot(lowering *l, const graph_node *n, uint32_t index, const int8_t *label, int64_t at,
                int64_t size, int8_t hot, labelled *out, mica_status *st);

/* The product of a and b, summed over the labels of `summed` (bit i: label i), which both must have. */
bool select_contract(lowering *l, const graph_node *n, const labelled *a, const labelled *b, uint32_t summed,
                     labelled *out, mica_status *st);

/* Entries of x along `label`: 1 if it has no such axis. */
uint32_t select_size(const lowering *l, const labelled *x, int8_t label);

/* x with `size` entries along `label`, the first of which is entry `first` of x; 0 where x has none. */
bool select_resize(lowering *l, const graph_node *n, labelled *x, int8_t label, uint32_t size, int32_t first,
                   mica_status *st);

/* A form over the axes of x, and x as its only term. */
form select_form(const lowering *l, const labelled *x);

/* A form over the node's output, and the labels of its axes: output_label[i] is that of ONNX axis i. */
typedef struct selection {
    form f;
    layout axes;
    int8_t label[MICA_MAX_RANK];
} selection;
void select_result(const lowering *l, const graph_node *n, const int8_t *output_label, selection *s);
/* Adds coef * x; axes of the output that x lacks repeat it. */
bool select_add(lowering *l, const graph_node *n, selection *s, const labelled *x, int64_t coef,
                mica_status *st);

#endif
