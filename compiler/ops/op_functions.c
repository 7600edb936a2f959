/* Functions of one variable that are made of others: shape rules and references. */
#include <math.h>

#include "graph/onnx_types.h"
#include "ops/op_rules.h"
#include "reference/float_math.h"

static double f_sinh(double x) {
    return (fm_expm1(x) - fm_expm1(-x)) / 2;
}

static double f_cosh(double x) {
    return (fm_exp(x) + fm_exp(-x)) / 2;
}

static double f_asinh(double x) {
    const double m = x < 0 ? -x : x, y = fm_log1p(m + m * m / (1 + sqrt(1 + m * m)));
    return x < 0 ? -y : y;
}

static double f_acosh(double x) {
    return fm_log(x + sqrt(x * x - 1));
}

static double f_atanh(double x) {
    return (fm_log1p(x) - fm_log1p(-x)) / 2;
}

#define FUNCTION(symbol)                                                                                     \
    bool infer_##symbol(op_context *c, const graph_node *n, mica_status *st) {                               \
        return op_all_float(c->g, n, st) && op_set_output_like(c, n, op_in(c->g, n, 0), st);                 \
    }                                                                                                        \
    bool eval_##symbol(const op_args *a, mica_status *st) {                                                  \
        (void)st;                                                                                            \
        for (size_t i = 0, n = (size_t)graph_elements(op_out(a->g, a->n, 0)); i < n; i++)                    \
            a->out[0][i] = f_##symbol(a->in[0][i]);                                                          \
        return true;                                                                                         \
    }

FUNCTION(sinh)
FUNCTION(cosh)
FUNCTION(asinh)
FUNCTION(acosh)
FUNCTION(atanh)

bool infer_bitwisenot(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    if (x->dtype != DTYPE_INT || x->onnx_dtype == ONNX_BOOL)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds no integers");
    if (onnx_type_bits(x->onnx_dtype) > 16 && !onnx_type_signed(x->onnx_dtype))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "integers of 2^28 and more");
    return op_set_output_like(c, n, x, st);
}

bool eval_bitwisenot(const op_args *a, mica_status *st) {
    const graph_value *out = op_out(a->g, a->n, 0);
    (void)st;
    for (size_t i = 0, n = (size_t)graph_elements(out); i < n; i++)
        a->out[0][i] = (double)onnx_wrap_integer(out->onnx_dtype, ~(uint64_t)(int64_t)a->in[0][i]);
    return true;
}
