/* Elementwise operators of several operands: the common index space that numpy's broadcasting gives them, and
 * what is built on it: sums, values at one scale, products.
 */
#ifndef MICA_COMPILER_LOWERING_DOMAIN_H
#define MICA_COMPILER_LOWERING_DOMAIN_H

#include "lowering/lowering.h"

/* Tensor axes of a result, and where its ONNX axes live in them. */
typedef struct domain {
    layout axes;
    unsigned rank;
    uint32_t dim[MICA_MAX_RANK];
    bool batched;
} domain;

void domain_create(domain *d, unsigned onnx_rank);

/* Adds an operand of layout `axes` over tensor axes dim[0..rank). map[i] becomes the domain's axis that the
 * operand's axis i runs with, or NO_AXIS. New axes of the domain follow the operand's own order, so that the
 * view of the first operand is the identity. False if both split an ONNX axis differently, or there are too
 * many axes; the domain is then unchanged. */
bool domain_join(domain *d, const layout *axes, const uint32_t *dim, unsigned rank, uint8_t *map);

/* The domain of constants: axes that it lacks are appended. */
bool domain_join_constant(domain *d, const graph_value *c);

/* Elements of a constant as reals, whatever its type; the caller frees. NULL after recording an error. */
double *lowering_constant(const lowering *l, uint32_t v, mica_status *st);

static inline bool lowering_is_constant(const lowering *l, uint32_t v) {
    return graph_is_const(&l->g->value[v]);
}

/* ONNX axes of the node's output without the batch axis. */
unsigned lowering_result_rank(const lowering *l, const graph_node *n);

/* --- sums --- */

typedef struct addend {
    uint32_t value;
    int sign;
    bool compared; /* only the sum's sign counts: a constant that the others do not reach comes as near */
} addend;

/* *f := sum of sign * value over the joint domain, with its scale. Starts the layer of n, or continues that
 * of the only activation if it is pending. */
bool lowering_linear(lowering *l, const graph_node *n, uint32_t count, const addend *a, form *f, layout *axes,
                     double *scale, mica_status *st);

/* --- operands at one scale --- */

/* Every operand in[first..n_in) of n as a form over the joint domain at one scale, saturated as the output is
 * (which commutes with monotone functions and selections). forms: n_in - first of them. Starts the layer. */
typedef struct aligned {
    domain d;
    double scale;
    bound range; /* of all forms, with 0 */
} aligned;
bool lowering_align(lowering *l, const graph_node *n, uint32_t first, aligned *a, form *forms,
                    mica_status *st);

/* Both inputs of n, activations, as forms over the joint domain. *scale is the product of their scales,
 * *widest the one whose narrowing helps a bound most. */
bool lowering_pair(lowering *l, const graph_node *n, domain *d, form *x, form *y, double *scale,
                   uint32_t *widest, mica_status *st);

/* Graph value v, an activation, as a form over a domain that it has joined. */
bool lowering_on_domain(lowering *l, const graph_node *n, const domain *d, uint32_t v, form *f,
                        mica_status *st);

/* The same in units of `scale`; 0: its own. */
bool lowering_on_domain_at(lowering *l, const graph_node *n, const domain *d, uint32_t v, double scale,
                           form *f, mica_status *st);

/* A constant as a form over a domain that it has joined, clamped to 2^bits steps of `scale`. */
bool lowering_constant_form(lowering *l, uint32_t v, const domain *d, double scale, unsigned bits, form *f,
                            mica_status *st);

/* The joint domain of all inputs of n, each of which lowering_on_domain or lowering_constant_form then maps.
 */
bool lowering_joint_domain(lowering *l, const graph_node *n, domain *d, mica_status *st);

/* --- products --- */

/* Products and quotients add up the relative errors of their operands: where a layer is small, operands get
 * more bits, and divisors as many as their smallest calibrated magnitude asks for; so do radicands. Before
 * the first attempt. */
void lowering_widen_factors(lowering *l);

/* *t := a b, cell by cell, over the domain of both. On a bound that fails the status is MICA_ERR_RANGE. */
bool lowering_product(lowering *l, const graph_node *n, const form *a, const form *b, uint32_t *t,
                      mica_status *st);

/* A form of one tensor, over that tensor's axes. */
form lowering_tensor_form(const lowering *l, uint32_t t);
/* The tensor that a form is, or a new LINEAR. */
uint32_t lowering_form_tensor(lowering *l, const form *f);

#endif
