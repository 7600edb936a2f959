/* What the reference, the expansion and the lowering of QuantizeLinear and DequantizeLinear share. */
#ifndef MICA_COMPILER_QUANTISE_H
#define MICA_COMPILER_QUANTISE_H

#include "ops/op_rules.h"

/* The values of an integer type of 4, 8 or 16 bits; false for any other type. */
bool quantise_range(int type, double *lo, double *hi);

/* The values of the result of QuantizeLinear: those of its type, or of a signed type of `mica_bits` bits,
 * which expansions ask for. */
bool quantise_result_range(const graph *g, const graph_node *n, double *lo, double *hi);

/* Constant scales and zero points of a node, spread over a shape that broadcasts to its input's: all axes 1
 * for one scale, all but one for a scale per entry of an axis, none for blocks. */
typedef struct quantise_points {
    uint32_t rank;
    int64_t dim[GRAPH_MAX_RANK];
    size_t n;
    double *scale, *zero; /* [n], row-major over dim; zero points that are absent are 0 */
} quantise_points;

/* Shapes have been inferred. Fails if scales or zero points are not constants; nothing is to be freed then.
 */
bool quantise_points_create(quantise_points *p, const graph *g, const graph_node *n, mica_status *st);
void quantise_points_free(quantise_points *p);

#endif
