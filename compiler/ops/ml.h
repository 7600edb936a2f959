/* What the shape rules and the expansions of the operators of ai.onnx.ml share. */
#ifndef MICA_COMPILER_ML_H
#define MICA_COMPILER_ML_H

#include "graph/graph.h"

typedef enum ml_after { ML_NONE, ML_LOGISTIC, ML_SOFTMAX, ML_OTHER } ml_after;

/* LinearClassifier and LinearRegressor: scores = x [rows, columns] * coefficient [targets, columns]^T +
 * intercept. */
typedef struct ml_linear {
    int64_t rows, columns, targets;
    const double *coefficient, *intercept; /* of the node's attributes; intercept may be NULL: zeros */
    ml_after after;
} ml_linear;
bool ml_linear_resolve(ml_linear *m, const graph *g, const graph_node *n, mica_status *st);

/* Classes of a LinearClassifier: as many as targets, or two that one score decides. */
bool ml_classes(const graph *g, const graph_node *n, const ml_linear *m, int64_t *classes, mica_status *st);

/* Normalizer: L1 and L2 take magnitudes, MAX the largest element itself. */
typedef enum ml_norm { ML_MAX, ML_L1, ML_L2, ML_NO_NORM } ml_norm;
ml_norm ml_norm_of(const graph_node *n);

/* Imputer: the attribute that holds what is put in place of ml_replaced. */
const char *ml_imputed_name(const graph_value *x);
double ml_replaced(const graph_value *x, const graph_node *n);

#endif
