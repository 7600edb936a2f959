/* Integer products: MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv and the scaling that ends the last
 * two. */
#ifndef MICA_COMPILER_QLINEAR_H
#define MICA_COMPILER_QLINEAR_H

#include "ops/op_rules.h"

/* Which inputs of a node are what; GRAPH_NO_VALUE where the operator has none. */
typedef struct qlinear_inputs {
    uint32_t x, x_zero, w, w_zero; /* both operands and their zero points */
    uint32_t x_scale, w_scale, y_scale, y_zero, bias;
    bool conv; /* otherwise a matrix product */
} qlinear_inputs;

const qlinear_inputs *qlinear_inputs_of(op_kind kind);

/* The shape dim[0..rank) in which the scales or zero points `v` of an operand of rank `rank` broadcast: one
 * number, or a vector along `axis`, or as many axes as the operand. False if they are none of these. */
bool qlinear_aligned(const graph_value *v, uint32_t rank, uint32_t axis, int64_t *dim);

/* The axis of operand and result that a vector of zero points or scales of x or w runs along. */
uint32_t qlinear_axis(const qlinear_inputs *in, uint32_t rank, bool of_x);
uint32_t qlinear_result_axis(const qlinear_inputs *in, uint32_t rank, bool of_x);

/* x_scale w_scale / y_scale: in double precision, so that single-precision scales do not decide by their
 * rounding which side of a half a product is on. */
double qlinear_factor(double x_scale, double w_scale, double y_scale);

/* round(a * factor), halves to even: monotone in a for factor > 0. Before zero point and
 * saturation. */
double qlinear_scaled(double a, double factor);

#endif
