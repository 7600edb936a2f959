/* Operands over a domain: how inputs of a node are read, and the domain that they share. Private to
 * lowering_domain.c, lowering_sum.c and lowering_align.c. */
#ifndef MICA_COMPILER_LOWERING_OPERAND_H
#define MICA_COMPILER_LOWERING_OPERAND_H

#include "lowering/lowering_domain.h"

typedef struct operand {
    form f;
    qvalue q;
} operand;

/* narrow: requantised if pending; plain: one tensor axis per ONNX axis; level (sums only): requantised where
 * its steps are far finer than those of another operand; settled: pending unless it has been requantised for
 * another reader. */
typedef struct operand_mode {
    bool narrow, plain, level, settled;
} operand_mode;

bool operand_get(lowering *l, uint32_t v, operand_mode mode, operand *o, mica_status *st);

/* The joint domain of values v[0..count), read in that mode; *fits is false if they split an axis
 * differently. */
bool operand_join(lowering *l, const graph_node *n, uint32_t count, const uint32_t *v, operand_mode mode,
                  domain *d, bool *fits, mica_status *st);

/* The joint domain of values v[0..count): they are requantised if pending, and plain if they split an axis
 * differently otherwise; *mode says which. */
bool operand_join_narrow(lowering *l, const graph_node *n, uint32_t count, const uint32_t *v, domain *d,
                         operand_mode *mode, mica_status *st);

/* Graph value v in a mode that is narrow, as a tensor. */
bool operand_tensor(lowering *l, uint32_t v, operand_mode mode, qvalue *q, mica_status *st);

/* *f := the tensor of q over domain d, which it has joined. */
bool operand_map(lowering *l, const graph_node *n, domain *d, const qvalue *q, form *f, mica_status *st);

#endif
