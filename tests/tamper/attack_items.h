/* Attacks on the order of a proof's items; as in attacks.h. */
#ifndef MICA_TESTS_TAMPER_ATTACK_ITEMS_H
#define MICA_TESTS_TAMPER_ATTACK_ITEMS_H

#include "tamper/subject.h"

/* Neighbours, two of one size, and halves, elements or words within an item. */
void items_exchange(subject *s, tally *t, size_t sample);
/* An item to the front or the end of the proof, and runs of siblings the other way round. */
void items_move(subject *s, tally *t, size_t sample);
void items_repeat(subject *s, tally *t, size_t sample);
/* The first items of one proof and the rest of another, one item of another, and the statement of another. */
void items_splice(subject *s, tally *t, size_t sample);

#endif
