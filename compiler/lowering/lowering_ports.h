/* Inputs and outputs of the graph as ports of the circuit. */
#ifndef MICA_COMPILER_LOWERING_PORTS_H
#define MICA_COMPILER_LOWERING_PORTS_H

#include "lowering/lowering.h"

#define LOWERING_EXACT_BITS 16 /* with the sign: integers up to this width are taken as they are */

/* Input number `index` of the graph: a layer of its own, the tensor that holds it, its port. */
bool lowering_input(lowering *l, uint32_t index, mica_status *st);
/* Output number `index`, after every node: the value becomes a tensor that a port may expose. */
bool lowering_output(lowering *l, uint32_t index, mica_status *st);
/* *port := name, tensor, scale and order of axes of graph value v, which q holds. */
bool lowering_make_port(const lowering *l, mica_port *port, uint32_t v, const qvalue *q, mica_status *st);

#endif
