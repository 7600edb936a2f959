/* Composite operators become graphs of simpler ones, so that calibration sees every value on the way. */
#ifndef MICA_COMPILER_EXPAND_H
#define MICA_COMPILER_EXPAND_H

#include "ops/op_rules.h"

/* Builds the nodes that replace one node. After a failure every call returns GRAPH_NO_VALUE. */
typedef struct expander {
    graph *g;
    graph_node node; /* that is replaced */
    mica_status *st;
    graph_attr attr[8]; /* of the next node */
    uint32_t n_attrs;
    uint32_t last; /* value that the next node defines; GRAPH_NO_VALUE for a new one */
    uint32_t counter;
} expander;

/* The next node defines the replaced node's output. */
void expand_last(expander *x);
void expand_int(expander *x, const char *name, int64_t value);
void expand_text(expander *x, const char *name, const char *value); /* copied */
void expand_ints(expander *x, const char *name, size_t n, const int64_t *value);
/* Bit i of `axes`: axis i. */
void expand_axes(expander *x, uint32_t axes, bool keep);
void expand_attr(expander *x, const char *name); /* that of the replaced node, if it has it */

uint32_t expand_op1(expander *x, const char *op, uint32_t a);
uint32_t expand_op2(expander *x, const char *op, uint32_t a, uint32_t b);
uint32_t expand_op3(expander *x, const char *op, uint32_t a, uint32_t b, uint32_t c);

uint32_t expand_op4(expander *x, const char *op, const uint32_t *in);

/* Constants. elements: of the caller, copied. */
uint32_t expand_number(expander *x, double value);
uint32_t expand_reals(expander *x, uint32_t rank, const int64_t *dim, const double *element);
/* Elements of the graph's own, of an attribute, not copied: nodes that read them are equal. */
uint32_t expand_shared_reals(expander *x, uint32_t rank, const int64_t *dim, const double *element);
uint32_t expand_integer(expander *x, int64_t value); /* int64 */
uint32_t expand_integer_of(expander *x, int type, int64_t value);
uint32_t expand_list(expander *x, size_t n, const int64_t *value);

/* A constant of v's type and shape, every element `value`. */
uint32_t expand_filled(expander *x, uint32_t v, int value);

/* v with another shape; a constant stays one. */
uint32_t expand_reshape(expander *x, uint32_t v, uint32_t rank, const int64_t *dim);

/* Whether node n is replaced: it is of a composite kind, or has inputs that its kind's lowering does not
 * take. */
bool expand_applies(const graph *g, const graph_node *n);
/* Replaces one node (expand_ops.c), to which expand_applies. */
bool expand_composite(expander *x);

/* What nodes are made of, by family; the result is the replaced node's output. */
uint32_t expand_maxpool(expander *x);
uint32_t expand_lp_pool(expander *x);
uint32_t expand_global_pool(expander *x);
uint32_t expand_avgpool(expander *x);
uint32_t expand_einsum(expander *x);
uint32_t expand_gemm(expander *x);
uint32_t expand_conv(expander *x);
uint32_t expand_clip(expander *x);
uint32_t expand_castlike(expander *x);
uint32_t expand_sinh(expander *x);
uint32_t expand_cosh(expander *x);
uint32_t expand_asinh(expander *x);
uint32_t expand_acosh(expander *x);
uint32_t expand_atanh(expander *x);
uint32_t expand_bitwise_not(expander *x);
uint32_t expand_bitwise(expander *x);
uint32_t expand_bitshift(expander *x);
uint32_t expand_isinf(expander *x);
uint32_t expand_col2im(expander *x);
uint32_t expand_maxunpool(expander *x);
uint32_t expand_affinegrid(expander *x);
uint32_t expand_dft(expander *x);
uint32_t expand_stft(expander *x);
uint32_t expand_loss(expander *x);
uint32_t expand_gridsample(expander *x);
uint32_t expand_linear_classifier(expander *x);
uint32_t expand_linear_regressor(expander *x);
uint32_t expand_normalizer(expander *x);
uint32_t expand_scaler(expander *x);
uint32_t expand_binarizer(expander *x);
uint32_t expand_imputer(expander *x);
uint32_t expand_feature_extractor(expander *x);
uint32_t expand_scatter(expander *x);
uint32_t expand_topk(expander *x);
uint32_t expand_qlinear(expander *x);
uint32_t expand_quantise(expander *x);
uint32_t expand_dequantise(expander *x);
uint32_t expand_dynamic_quantise(expander *x);
/* Whether they are replaced. */
bool expand_maxpool_applies(const graph *g, const graph_node *n);
bool expand_avgpool_applies(const graph *g, const graph_node *n);
bool expand_einsum_applies(const graph *g, const graph_node *n);
bool expand_gemm_applies(const graph *g, const graph_node *n);
bool expand_conv_applies(const graph *g, const graph_node *n);
bool expand_clip_applies(const graph *g, const graph_node *n);
bool expand_quantise_applies(const graph *g, const graph_node *n);
bool expand_dequantise_applies(const graph *g, const graph_node *n);
bool expand_scatter_applies(const graph *g, const graph_node *n);

#endif
