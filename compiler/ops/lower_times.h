/* A product with a constant, which quotients by constants share. */
#ifndef MICA_COMPILER_LOWER_TIMES_H
#define MICA_COMPILER_LOWER_TIMES_H

#include "lowering/lowering.h"

/* Activation v times the constant, or divided by it. */
bool lower_times_constant(lowering *l, const graph_node *n, uint32_t v, uint32_t constant, bool inverse,
                          mica_status *st);

/* The axes and views of the product of the activation x (not pending) and a constant of shape c, into *w;
 * the caller sets w->w, row-major over that shape, and w->exact. */
bool lower_elements_product(lowering *l, const graph_node *n, const qvalue *x, const graph_value *c,
                            weighted *w, mica_status *st);

#endif
