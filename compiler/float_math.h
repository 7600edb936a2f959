/* Elementary functions of the float reference: the same bits on every CPU and C library, which libm does not
 * promise. Relative error below 1e-14 in the normal range. Built from +, -, *, / in fixed order; compiled
 * without contraction.
 */
#ifndef MICA_COMPILER_FLOAT_MATH_H
#define MICA_COMPILER_FLOAT_MATH_H

double fm_exp(double x);
double fm_expm1(double x); /* exp(x) - 1, also accurate near 0 */
double fm_sigmoid(double x);
double fm_tanh(double x);

#endif
