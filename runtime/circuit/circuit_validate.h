#ifndef MICA_CIRCUIT_CIRCUIT_VALIDATE_H
#define MICA_CIRCUIT_CIRCUIT_VALIDATE_H

#include "mica/circuit.h"

/* mica_circuit_validate without the rule that there is an output: a circuit that states facts about committed
 * tensors needs none. */
bool circuit_validate_relations(const mica_circuit *c, mica_status *st);

#endif
