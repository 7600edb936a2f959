/* Elementwise functions of one variable: attributes, float reference, and the lookup table of each. Pow and
 * PRelu are here where their second operand is one constant number. */
#include "ops/unary.h"

#include <math.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_rules.h"
#include "reference/float_math.h"

/* --- functions; p holds the attributes in the order of the list below --- */

static double f_leaky(double x, const double *p) {
    return x > 0 ? x : p[0] * x;
}

static double f_elu(double x, const double *p) {
    return x > 0 ? x : p[0] * fm_expm1(x);
}

static double f_selu(double x, const double *p) {
    return p[1] * f_elu(x, p);
}

static double f_celu(double x, const double *p) {
    return x > 0 ? x : p[0] * fm_expm1(x / p[0]);
}

static double f_hard_sigmoid(double x, const double *p) {
    const double y = p[0] * x + p[1];
    return y > 1 ? 1 : y > 0 ? y : 0;
}

static double f_hard_swish(double x, const double *p) {
    return x * f_hard_sigmoid(x, p);
}

static double f_softplus(double x, const double *p) {
    (void)p;
    return x > 0 ? x + fm_log1p(fm_exp(-x)) : fm_log1p(fm_exp(x));
}

static double f_softsign(double x, const double *p) {
    (void)p;
    return x / (1 + (x < 0 ? -x : x));
}

static double f_mish(double x, const double *p) {
    return x * fm_tanh(f_softplus(x, p));
}

static double f_erf(double x, const double *p) {
    (void)p;
    return fm_erf(x);
}

static double f_gelu(double x, const double *p) {
    (void)p;
    return 0.5 * x * (1 + fm_erf(x * 0x1.6a09e667f3bcdp-1)); /* 1/sqrt(2) */
}

static double f_gelu_tanh(double x, const double *p) {
    (void)p;
    return x * fm_sigmoid(0x1.9884533d43651p+0 * (x + 0.044715 * x * x * x)); /* 2 sqrt(2/pi) */
}

static double f_exp(double x, const double *p) {
    (void)p;
    return fm_exp(x);
}

static double f_log(double x, const double *p) {
    (void)p;
    return fm_log(x);
}

static double f_pow(double x, const double *p) {
    return fm_pow(x, p[0]);
}

static double f_sign(double x, const double *p) {
    (void)p;
    return x > 0 ? 1 : x < 0 ? -1 : x; /* NaN and zeros as they are */
}

static double f_floor(double x, const double *p) {
    (void)p;
    return fm_floor(x);
}

static double f_ceil(double x, const double *p) {
    (void)p;
    return -fm_floor(-x);
}

static double f_round(double x, const double *p) {
    (void)p;
    return fm_round_even(x);
}

static double f_threshold(double x, const double *p) {
    return x > p[0] ? x : 0;
}

static double f_shrink(double x, const double *p) {
    return x < -p[0] ? x + p[1] : x > p[0] ? x - p[1] : 0;
}

static double f_sin(double x, const double *p) {
    (void)p;
    return fm_sin(x);
}

static double f_cos(double x, const double *p) {
    (void)p;
    return fm_cos(x);
}

/* --- the list --- */

#define ANY INFINITY

typedef struct entry {
    op_kind op;
    double (*f)(double x, const double *p);
    mica_table_kind kind;
    double lo, hi; /* of the values, outward of the true bounds */
    struct {
        const char *name; /* NULL: not an attribute but a constant of the operator, the default */
        double otherwise;
    } attr[2];
} entry;

static const entry entries[] = {
    {OP_LEAKYRELU, f_leaky, MICA_TABLE_LEAKY, -ANY, ANY, {{"alpha", 0.01}}},
    {OP_ELU, f_elu, MICA_TABLE_ELU, -ANY, ANY, {{"alpha", 1}}},
    {OP_SELU,
     f_selu,
     MICA_TABLE_ELU,
     -ANY,
     ANY,
     {{"alpha", 1.67326319217681884765625}, {"gamma", 1.05070102214813232421875}}},
    {OP_CELU, f_celu, MICA_TABLE_ELU, -ANY, ANY, {{"alpha", 1}}},
    {OP_HARDSIGMOID, f_hard_sigmoid, MICA_TABLE_HARD_SIGMOID, 0, 1, {{"alpha", 0.2}, {"beta", 0.5}}},
    {OP_HARDSWISH, f_hard_swish, MICA_TABLE_HARD_SWISH, -0.376, ANY, {{NULL, 1.0 / 6}, {NULL, 0.5}}},
    {OP_MISH, f_mish, MICA_TABLE_MISH, -0.31, ANY, {{NULL, 0}}},
    {OP_SOFTPLUS, f_softplus, MICA_TABLE_SOFTPLUS, 0, ANY, {{NULL, 0}}},
    {OP_SOFTSIGN, f_softsign, MICA_TABLE_SOFTSIGN, -1, 1, {{NULL, 0}}},
    {OP_ERF, f_erf, MICA_TABLE_ERF, -1, 1, {{NULL, 0}}},
    {OP_GELU, f_gelu, MICA_TABLE_GELU, -0.171, ANY, {{NULL, 0}}},
    {OP_EXP, f_exp, MICA_TABLE_EXP, 0, ANY, {{NULL, 0}}},
    {OP_LOG, f_log, MICA_TABLE_LOG, -ANY, ANY, {{NULL, 0}}},
    {OP_SQRT, f_pow, MICA_TABLE_POW, 0, ANY, {{NULL, 0.5}}},
    {OP_RECIPROCAL, f_pow, MICA_TABLE_POW, -ANY, ANY, {{NULL, -1}}},
    {OP_ABS, f_leaky, MICA_TABLE_LEAKY, 0, ANY, {{NULL, -1}}},
    {OP_SIGN, f_sign, MICA_TABLE_SIGN, -1, 1, {{NULL, 0}}},
    {OP_FLOOR, f_floor, MICA_TABLE_FLOOR, -ANY, ANY, {{NULL, 0}}},
    {OP_CEIL, f_ceil, MICA_TABLE_CEIL, -ANY, ANY, {{NULL, 0}}},
    {OP_ROUND, f_round, MICA_TABLE_ROUND, -ANY, ANY, {{NULL, 0}}},
    {OP_THRESHOLDEDRELU, f_threshold, MICA_TABLE_THRESHOLD, -ANY, ANY, {{"alpha", 1}}},
    {OP_SHRINK, f_shrink, MICA_TABLE_SHRINK, -ANY, ANY, {{"lambd", 0.5}, {"bias", 0}}},
    {OP_SIN, f_sin, MICA_TABLE_SIN, -1, 1, {{NULL, 0}}},
    {OP_COS, f_cos, MICA_TABLE_COS, -1, 1, {{NULL, 0}}},
};

static bool gelu_by_tanh(const graph_node *n) {
    return !strcmp(graph_attr_string(n, "approximate", "none"), "tanh");
}

/* Parameters that the table does not hold as they are. */
static void adapt(unary *u, const graph_node *n) {
    if (n->kind == OP_SELU) { /* gamma * elu(x; alpha) */
        u->param[1] = 0;
        u->out_factor = u->p[1];
    } else if (n->kind == OP_CELU) { /* alpha * elu(x / alpha; 1) */
        u->param[0] = 1;
        u->in_factor = 1 / u->p[0];
        u->out_factor = u->p[0];
    } else if (n->kind == OP_GELU && gelu_by_tanh(n)) {
        u->f = f_gelu_tanh;
        u->kind = MICA_TABLE_GELU_TANH;
    }
}

/* Whether v holds one number, however often. */
static bool is_one_number(const graph_value *v) {
    const uint64_t count = graph_elements(v);
    bool same = v->real && count > 0;
    for (uint64_t i = 1; same && i < count; i++)
        same = v->real[i] == v->real[0];
    return same;
}

/* x^p, and PRelu with one slope. */
static bool with_constant(unary *u, const graph *g, const graph_node *n) {
    const graph_value *x = op_in(g, n, 0), *c = op_in(g, n, 1), *y = op_out(g, n, 0);
    if (graph_is_const(x) || !(c->real || c->integer) || graph_elements(x) != graph_elements(y))
        return false;
    if (c->real ? !is_one_number(c) : graph_elements(c) != 1)
        return false;
    const double p = c->real ? c->real[0] : (double)c->integer[0];
    *u = (unary){.f = n->kind == OP_POW ? f_pow : f_leaky,
                 .p = {p},
                 .kind = n->kind == OP_POW ? MICA_TABLE_POW : MICA_TABLE_LEAKY,
                 .param = {p},
                 .in_factor = 1,
                 .out_factor = 1,
                 .lo = -ANY,
                 .hi = ANY};
    return true;
}

bool unary_of(unary *u, const graph *g, const graph_node *n) {
    if (n->kind == OP_POW || n->kind == OP_PRELU)
        return with_constant(u, g, n);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const entry *e = &entries[i];
        if ((uint32_t)e->op != n->kind)
            continue;
        *u = (unary){.f = e->f, .kind = e->kind, .in_factor = 1, .out_factor = 1, .lo = e->lo, .hi = e->hi};
        for (int k = 0; k < 2; k++)
            u->p[k] = u->param[k] = e->attr[k].name
                                        ? graph_attr_float(n, e->attr[k].name, e->attr[k].otherwise)
                                        : e->attr[k].otherwise;
        adapt(u, n);
        return true;
    }
    return false;
}

/* --- rules --- */

static bool infer_same(op_context *c, const graph_node *n, bool floats_only, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    if (floats_only && x->dtype != DTYPE_FLOAT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds integers");
    return op_set_output_like(c, n, x, st);
}

static bool infer_float(op_context *c, const graph_node *n, mica_status *st) {
    return infer_same(c, n, true, st);
}

static bool infer_any(op_context *c, const graph_node *n, mica_status *st) {
    return infer_same(c, n, false, st);
}

static bool infer_scaled_elu(op_context *c, const graph_node *n, const char *name, mica_status *st) {
    if (!(graph_attr_float(n, name, 1) > 0))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "%s is not positive", name);
    return infer_float(c, n, st);
}

static bool infer_gelu_kinds(op_context *c, const graph_node *n, mica_status *st) {
    const char *how = graph_attr_string(n, "approximate", "none");
    if (!gelu_by_tanh(n) && strcmp(how, "none") != 0)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "approximate is neither 'none' nor 'tanh'");
    return infer_float(c, n, st);
}

/* out[0] = f(in[0]), integers in their type. */
static bool eval_function(const op_args *a, mica_status *st) {
    unary u;
    const graph_value *out = op_out(a->g, a->n, 0);
    if (!unary_of(&u, a->g, a->n))
        return op_fail(a->g, a->n, st, MICA_ERR_INTERNAL, "not a function of one variable");
    const size_t count = (size_t)graph_elements(out);
    for (size_t i = 0; i < count; i++)
        a->out[0][i] = u.f(a->in[0][i], u.p);
    for (size_t i = 0; i < count && out->dtype == DTYPE_INT; i++)
        a->out[0][i] = (double)onnx_wrap_integer(out->onnx_dtype, (uint64_t)(int64_t)a->out[0][i]);
    return true;
}

#define FUNCTION(symbol, infer)                                                                              \
    bool infer_##symbol(op_context *c, const graph_node *n, mica_status *st) {                               \
        return infer;                                                                                        \
    }                                                                                                        \
    bool eval_##symbol(const op_args *a, mica_status *st) {                                                  \
        return eval_function(a, st);                                                                         \
    }

FUNCTION(leakyrelu, infer_float(c, n, st))
FUNCTION(elu, infer_float(c, n, st))
FUNCTION(selu, infer_scaled_elu(c, n, "gamma", st))
FUNCTION(celu, infer_scaled_elu(c, n, "alpha", st))
FUNCTION(hardsigmoid, infer_float(c, n, st))
FUNCTION(hardswish, infer_float(c, n, st))
FUNCTION(mish, infer_float(c, n, st))
FUNCTION(softplus, infer_float(c, n, st))
FUNCTION(softsign, infer_float(c, n, st))
FUNCTION(erf, infer_float(c, n, st))
FUNCTION(gelu, infer_gelu_kinds(c, n, st))
FUNCTION(exp, infer_float(c, n, st))
FUNCTION(log, infer_float(c, n, st))
FUNCTION(sqrt, infer_float(c, n, st))
FUNCTION(reciprocal, infer_float(c, n, st))
FUNCTION(abs, infer_any(c, n, st))
FUNCTION(sign, infer_any(c, n, st))
FUNCTION(floor, infer_float(c, n, st))
FUNCTION(ceil, infer_float(c, n, st))
FUNCTION(round, infer_float(c, n, st))
FUNCTION(thresholdedrelu, infer_float(c, n, st))
FUNCTION(shrink, infer_float(c, n, st))
FUNCTION(sin, infer_float(c, n, st))
FUNCTION(cos, infer_float(c, n, st))

bool infer_neg(op_context *c, const graph_node *n, mica_status *st) {
    return infer_any(c, n, st);
}

bool eval_neg(const op_args *a, mica_status *st) {
    const graph_value *out = op_out(a->g, a->n, 0);
    (void)st;
    for (size_t i = 0, count = (size_t)graph_elements(out); i < count; i++) {
        const double x = a->in[0][i];
        a->out[0][i] =
            out->dtype == DTYPE_INT ? (double)onnx_wrap_integer(out->onnx_dtype, -(uint64_t)(int64_t)x) : -x;
    }
    return true;
}

/* --- Pow and PRelu: two operands --- */

bool infer_pow(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *v[2] = {op_in(c->g, n, 0), op_in(c->g, n, 1)};
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t rank;
    if (c->g->opset < 12 && !op_same_types(c->g, n, st))
        return false;
    if (!op_broadcast(v, 2, &rank, dim))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the shapes do not broadcast");
    for (int i = 0; i < 2; i++)
        if (v[i]->batched && (v[i]->rank != rank || dim[0] != 1))
            return op_mixes_batch(c);
    return op_set_output(c, n, v[0], rank, dim, v[0]->batched || v[1]->batched, st);
}

/* The slope broadcasts to x, not the other way round. */
bool infer_prelu(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *v[2] = {op_in(c->g, n, 0), op_in(c->g, n, 1)};
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t rank;
    if (!op_all_float(c->g, n, st))
        return false;
    bool fits = op_broadcast(v, 2, &rank, dim) && rank == v[0]->rank;
    for (uint32_t i = 0; fits && i < rank; i++)
        fits = dim[i] == v[0]->dim[i];
    if (!fits)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the slope does not broadcast to the input");
    return op_set_output_like(c, n, v[0], st);
}

static bool eval_pair(const op_args *a, double (*f)(double x, const double *p)) {
    const graph_value *out = op_out(a->g, a->n, 0);
    size_t stride[2][GRAPH_MAX_RANK], count = (size_t)graph_elements(out);
    int64_t index[GRAPH_MAX_RANK] = {0};
    for (uint32_t i = 0; i < 2; i++)
        op_broadcast_strides(op_in(a->g, a->n, i), out->rank, stride[i]);
    for (size_t e = 0; e < count; e++) {
        size_t at[2] = {0, 0};
        for (uint32_t d = 0; d < out->rank; d++) {
            at[0] += (size_t)index[d] * stride[0][d];
            at[1] += (size_t)index[d] * stride[1][d];
        }
        a->out[0][e] = f(a->in[0][at[0]], &a->in[1][at[1]]);
        op_next_index(index, out->dim, out->rank);
    }
    return true;
}

/* Integers are truncated, and wrap in their type. */
bool eval_pow(const op_args *a, mica_status *st) {
    const graph_value *out = op_out(a->g, a->n, 0);
    (void)st;
    (void)eval_pair(a, f_pow);
    for (size_t i = 0, count = (size_t)graph_elements(out); i < count && out->dtype == DTYPE_INT; i++) {
        const double y = a->out[0][i], limit = 0x1p63;
        a->out[0][i] =
            y > -limit && y < limit ? (double)onnx_wrap_integer(out->onnx_dtype, (uint64_t)(int64_t)y) : 0;
    }
    return true;
}

bool eval_prelu(const op_args *a, mica_status *st) {
    (void)st;
    return eval_pair(a, f_leaky);
}
