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
double fm_log(double x);           /* natural; NaN for x < 0 */
double fm_log1p(double x);         /* ln(1 + x), also accurate near 0 */
double fm_pow(double x, double p); /* NaN for x < 0 unless p is an integer */
double fm_erf(double x);           /* absolute error below 1e-14 */
double fm_sin(double x);           /* absolute error below 1e-14 for |x| < 2^20; likewise fm_cos */
double fm_cos(double x);
double fm_floor(double x);
double fm_round_even(double x); /* to the nearest integer, ties to even */

#endif
