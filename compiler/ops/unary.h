/* Functions of one variable that a lookup table evaluates: what their float reference, their lowering and the
 * choice of their input's width share. */
#ifndef MICA_COMPILER_UNARY_H
#define MICA_COMPILER_UNARY_H

#include "graph/graph.h"
#include "mica/table.h"

/* f(x; p) = out_factor * table(in_factor * x; param), both factors > 0. */
typedef struct unary {
    double (*f)(double x, const double *p);
    double p[2];
    mica_table_kind kind;
    double param[2];
    double in_factor, out_factor;
    double lo, hi; /* f(x) stays within, for every x */
} unary;

/* Fills *u from the node's attributes and constants; false if the node is no such function (or Pow and PRelu
 * whose constant is not one number). */
bool unary_of(unary *u, const graph *g, const graph_node *n);

/* Whether a reader of value v jumps, at integers or at a number that has few bits as a rule: these should be
 * multiples of its scale. */
bool unary_wants_round_scale(const graph *g, uint32_t v);

/* The output of node n, a function of its first input, by one table. */
struct lowering;
bool unary_lower(struct lowering *l, const graph_node *n, mica_status *st);

/* Gives the values that such functions read the bits that their slopes ask for. */
void unary_widen_inputs(struct lowering *l);

#endif
