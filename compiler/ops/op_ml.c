/* Operators of ai.onnx.ml on numbers: LinearClassifier, LinearRegressor, Normalizer, Scaler, Binarizer,
 * Imputer, ArrayFeatureExtractor. Where the standard's text is silent they do what onnxruntime does.
 */
#include "ops/ml.h"

#include <math.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_rules.h"
#include "reference/float_math.h"

/* --- rows of features --- */

/* [N, C], or [C] as one row. */
static bool rows_of(const graph *g, const graph_node *n, int64_t *rows, int64_t *columns, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    if (x->rank < 1 || x->rank > 2)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the input needs 1 or 2 dimensions");
    *rows = x->rank == 2 ? x->dim[0] : 1;
    *columns = x->dim[x->rank - 1];
    return *columns > 0 || op_fail(g, n, st, MICA_ERR_FORMAT, "an input without features");
}

static bool set_float(op_context *c, const graph_node *n, uint32_t rank, const int64_t *dim,
                      mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), like = {.dtype = DTYPE_FLOAT, .onnx_dtype = ONNX_FLOAT};
    return op_set_output(c, n, &like, rank, dim, x->batched, st);
}

/* The shape of the input, as floats. */
static bool infer_floats(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0);
    return set_float(c, n, x.rank, x.dim, st);
}

static size_t elements(const op_args *a) {
    return (size_t)graph_elements(op_out(a->g, a->n, 0));
}

/* --- linear models --- */

static size_t length_of(const graph_node *n, const char *name) {
    const graph_attr *a = graph_attr_find(n, name);
    return a ? a->n : 0;
}

bool ml_linear_resolve(ml_linear *m, const graph *g, const graph_node *n, mica_status *st) {
    const graph_attr *coefficients = graph_attr_find(n, "coefficients"),
                     *bias = graph_attr_find(n, "intercepts");
    const char *after = graph_attr_string(n, "post_transform", "NONE");
    if (!rows_of(g, n, &m->rows, &m->columns, st))
        return false;
    if (!coefficients || coefficients->type != ATTR_FLOATS || coefficients->n == 0 ||
        coefficients->n % (size_t)m->columns != 0)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the coefficients are no rows of %lld",
                       (long long)m->columns);
    m->targets = (int64_t)(coefficients->n / (size_t)m->columns);
    if (bias && (bias->type != ATTR_FLOATS || (bias->n != 0 && bias->n != (size_t)m->targets)))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the intercepts are not one for each of %lld rows",
                       (long long)m->targets);
    m->coefficient = coefficients->floats;
    m->intercept = bias && bias->n ? bias->floats : NULL;
    m->after = !strcmp(after, "NONE")       ? ML_NONE
               : !strcmp(after, "LOGISTIC") ? ML_LOGISTIC
               : !strcmp(after, "SOFTMAX")  ? ML_SOFTMAX
                                            : ML_OTHER;
    if (m->after == ML_OTHER)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED,
                       "post_transform '%.20s'; NONE, LOGISTIC and SOFTMAX are supported", after);
    return true;
}

bool ml_classes(const graph *g, const graph_node *n, const ml_linear *m, int64_t *classes, mica_status *st) {
    const size_t ints = length_of(n, "classlabels_ints"), strings = length_of(n, "classlabels_strings");
    *classes = (int64_t)(ints ? ints : strings);
    if (*classes == m->targets || (*classes == 2 && m->targets == 1))
        return *classes > 1 || op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "a classifier with one class");
    return op_fail(g, n, st, MICA_ERR_FORMAT, "%lld class labels for %lld rows of coefficients",
                   (long long)*classes, (long long)m->targets);
}

static bool wants_label(const graph_node *n) {
    return op_part(n) == 0;
}

bool infer_linearclassifier(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value label = {.dtype = DTYPE_INT, .onnx_dtype = ONNX_INT64};
    ml_linear m;
    int64_t classes;
    if (!ml_linear_resolve(&m, c->g, n, st) || !ml_classes(c->g, n, &m, &classes, st))
        return false;
    if (wants_label(n) && !length_of(n, "classlabels_ints"))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "the label is a string, for which no integer stands; the scores are supported");
    if (wants_label(n))
        return op_set_output(c, n, &label, 1, &m.rows, op_in(c->g, n, 0)->batched, st);
    return set_float(c, n, 2, (const int64_t[]){m.rows, classes}, st);
}

bool infer_linearregressor(op_context *c, const graph_node *n, mica_status *st) {
    ml_linear m;
    return ml_linear_resolve(&m, c->g, n, st) && set_float(c, n, 2, (const int64_t[]){m.rows, m.targets}, st);
}

static double score(const ml_linear *m, const double *row, int64_t target) {
    double sum = m->intercept ? m->intercept[target] : 0;
    for (int64_t i = 0; i < m->columns; i++)
        sum += row[i] * m->coefficient[target * m->columns + i];
    return sum;
}

/* y[0..n) := the transform of itself */
static void transform(ml_after after, double *y, int64_t n) {
    double top = y[0], sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = y[i] > top ? y[i] : top;
    for (int64_t i = 0; i < n && after == ML_SOFTMAX; i++)
        sum += y[i] = fm_exp(y[i] - top);
    for (int64_t i = 0; i < n; i++)
        y[i] = after == ML_SOFTMAX ? y[i] / sum : after == ML_LOGISTIC ? fm_sigmoid(y[i]) : y[i];
}

static double label_of(const graph_node *n, const ml_linear *m, const double *row) {
    const int64_t *label = graph_attr_find(n, "classlabels_ints")->ints;
    int64_t best = 0;
    if (m->targets == 1)
        return (double)label[score(m, row, 0) > 0];
    for (int64_t t = 1; t < m->targets; t++)
        best = score(m, row, t) > score(m, row, best) ? t : best;
    return (double)label[best];
}

bool eval_linearclassifier(const op_args *a, mica_status *st) {
    ml_linear m;
    int64_t classes;
    if (!ml_linear_resolve(&m, a->g, a->n, st) || !ml_classes(a->g, a->n, &m, &classes, st))
        return false;
    for (int64_t j = 0; j < m.rows; j++) {
        const double *row = a->in[0] + j * m.columns;
        if (wants_label(a->n)) {
            a->out[0][j] = label_of(a->n, &m, row);
            continue;
        }
        double *y = a->out[0] + j * classes;
        for (int64_t t = 0; t < m.targets; t++)
            y[t] = score(&m, row, t);
        if (m.targets > 1) {
            transform(m.after, y, classes);
        } else { /* two classes by one score */
            y[1] = m.after == ML_LOGISTIC ? fm_sigmoid(y[0]) : y[0];
            y[0] = 1 - y[1];
        }
    }
    return true;
}

bool eval_linearregressor(const op_args *a, mica_status *st) {
    ml_linear m;
    if (!ml_linear_resolve(&m, a->g, a->n, st))
        return false;
    for (int64_t j = 0; j < m.rows; j++) {
        double *y = a->out[0] + j * m.targets;
        for (int64_t t = 0; t < m.targets; t++)
            y[t] = score(&m, a->in[0] + j * m.columns, t);
        transform(m.after, y, m.targets);
    }
    return true;
}

/* --- Normalizer --- */

ml_norm ml_norm_of(const graph_node *n) {
    const char *norm = graph_attr_string(n, "norm", "MAX");
    return !strcmp(norm, "MAX")  ? ML_MAX
           : !strcmp(norm, "L1") ? ML_L1
           : !strcmp(norm, "L2") ? ML_L2
                                 : ML_NO_NORM;
}

bool infer_normalizer(op_context *c, const graph_node *n, mica_status *st) {
    int64_t rows = 0, columns = 0;
    if (ml_norm_of(n) == ML_NO_NORM)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "norm is none of MAX, L1, L2");
    return rows_of(c->g, n, &rows, &columns, st) && infer_floats(c, n, st);
}

bool eval_normalizer(const op_args *a, mica_status *st) {
    const ml_norm kind = ml_norm_of(a->n);
    int64_t rows = 0, columns = 0;
    if (!rows_of(a->g, a->n, &rows, &columns, st))
        return false;
    for (int64_t j = 0; j < rows; j++) {
        const double *x = a->in[0] + j * columns;
        double norm = kind == ML_MAX ? x[0] : 0;
        for (int64_t i = 0; i < columns; i++)
            norm = kind == ML_MAX ? (x[i] > norm ? x[i] : norm)
                                  : norm + (kind == ML_L1 ? fabs(x[i]) : x[i] * x[i]);
        norm = kind == ML_L2 ? sqrt(norm) : norm;
        for (int64_t i = 0; i < columns; i++)
            a->out[0][j * columns + i] = norm == 0 ? 0 : x[i] / norm;
    }
    return true;
}

/* --- Scaler, Binarizer, Imputer: element by element --- */

/* A list attribute of one element, or one for each feature. */
static bool per_feature(const op_context *c, const graph_node *n, const char *name, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const size_t length = length_of(n, name);
    return length == 0 || length == 1 || (x->rank > 0 && (int64_t)length == x->dim[x->rank - 1]) ||
           op_fail(c->g, n, st, MICA_ERR_FORMAT, "%s has %zu elements", name, length);
}

static double feature(const graph_node *n, const char *name, size_t i, double otherwise) {
    const graph_attr *a = graph_attr_find(n, name);
    if (!a || a->n == 0)
        return otherwise;
    return a->type == ATTR_INTS ? (double)a->ints[i % a->n] : a->floats[i % a->n];
}

bool infer_scaler(op_context *c, const graph_node *n, mica_status *st) {
    return per_feature(c, n, "offset", st) && per_feature(c, n, "scale", st) && infer_floats(c, n, st);
}

bool eval_scaler(const op_args *a, mica_status *st) {
    (void)st;
    for (size_t i = 0; i < elements(a); i++)
        a->out[0][i] = (a->in[0][i] - feature(a->n, "offset", i, 0)) * feature(a->n, "scale", i, 1);
    return true;
}

bool infer_binarizer(op_context *c, const graph_node *n, mica_status *st) {
    return op_set_output_like(c, n, op_in(c->g, n, 0), st);
}

bool eval_binarizer(const op_args *a, mica_status *st) {
    const double threshold = graph_attr_float(a->n, "threshold", 0);
    (void)st;
    for (size_t i = 0; i < elements(a); i++)
        a->out[0][i] = a->in[0][i] > threshold;
    return true;
}

const char *ml_imputed_name(const graph_value *x) {
    return x->dtype == DTYPE_INT ? "imputed_value_int64s" : "imputed_value_floats";
}

double ml_replaced(const graph_value *x, const graph_node *n) {
    return x->dtype == DTYPE_INT ? (double)graph_attr_int(n, "replaced_value_int64", 0)
                                 : graph_attr_float(n, "replaced_value_float", 0);
}

bool infer_imputer(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const char *name = ml_imputed_name(x);
    if (!length_of(n, name))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "%s is missing", name);
    return per_feature(c, n, name, st) && op_set_output_like(c, n, x, st);
}

bool eval_imputer(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const double replaced = ml_replaced(x, a->n);
    (void)st;
    for (size_t i = 0; i < elements(a); i++) {
        const double v = a->in[0][i];
        const bool equal = v == replaced || (v != v && replaced != replaced);
        a->out[0][i] = equal ? feature(a->n, ml_imputed_name(x), i, 0) : v;
    }
    return true;
}

/* --- ArrayFeatureExtractor --- */

bool infer_featureextractor(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value x = *op_in(c->g, n, 0), *y = op_in(c->g, n, 1);
    int64_t dim[GRAPH_MAX_RANK] = {1};
    const uint32_t rank = x.rank > 1 ? x.rank : 2;
    if (x.rank < 1 || y->dtype != DTYPE_INT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "it needs features, and integers to choose them");
    if (y->batched || (x.batched && x.rank < 2))
        return op_mixes_batch(c);
    for (uint32_t i = 0; i + 1 < x.rank; i++)
        dim[i] = x.dim[i];
    dim[rank - 1] = (int64_t)graph_elements(y);
    return op_set_output(c, n, &x, rank, dim, x.batched, st);
}

bool eval_featureextractor(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_in(a->g, a->n, 1);
    const size_t columns = (size_t)x->dim[x->rank - 1], chosen = (size_t)graph_elements(y);
    for (size_t i = 0; i < elements(a); i++) {
        const double at = a->in[1][i % chosen];
        if (!(at >= 0 && at < (double)columns))
            return op_fail(a->g, a->n, st, MICA_ERR_FORMAT, "there is no feature %g", at);
        a->out[0][i] = a->in[0][i / chosen * columns + (size_t)at];
    }
    return true;
}
