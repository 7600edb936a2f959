#ifndef MICA_CIRCUIT_CIRCUIT_VALIDATE_H
#define MICA_CIRCUIT_CIRCUIT_VALIDATE_H

#include "mica/circuit.h"

/* mica_circuit_validate without the rules that there is an output and that every WEIGHT is read: a circuit
 * that states facts about some of the weights. */
bool circuit_validate_relations(const mica_circuit *c, mica_status *st);

#endif
