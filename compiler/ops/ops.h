/* The operator list: the one place that says which ONNX operators Mica knows.
 *
 * An operator is a shape rule (infer_*), a float reference (eval_*), both in the file of its family
 * (op_<family>.c), and a lowering to the circuit (lower_*, in lower_<family>.c). Adding one is a line below
 * and those three functions.
 */
#ifndef MICA_COMPILER_OPS_H
#define MICA_COMPILER_OPS_H

#include "graph/graph.h"

/* Operators that graph_expand replaces by simpler ones (expand_ops.c): they have a shape rule and a
 * reference, and no lowering of their own. */
#define MICA_COMPOSITE_OPS(X)                                                                                \
    X(REDUCE_L2, reduce_l2, "ReduceL2", 1, 2)                                                                \
    X(REDUCE_PROD, reduce_prod, "ReduceProd", 1, 2)                                                          \
    X(REDUCE_LOG_SUM, reduce_log_sum, "ReduceLogSum", 1, 2)                                                  \
    X(REDUCE_LOG_SUM_EXP, reduce_log_sum_exp, "ReduceLogSumExp", 1, 2)                                       \
    X(LOGSOFTMAX, logsoftmax, "LogSoftmax", 1, 1)                                                            \
    X(GLOBAL_MAXPOOL, global_maxpool, "GlobalMaxPool", 1, 1)                                                 \
    X(GLOBAL_LPPOOL, global_lppool, "GlobalLpPool", 1, 1)                                                    \
    X(LPPOOL, lppool, "LpPool", 1, 1)                                                                        \
    X(INSTANCENORM, instancenorm, "InstanceNormalization", 3, 3)                                             \
    X(LAYERNORM, layernorm, "LayerNormalization", 2, 3)                                                      \
    X(GROUPNORM, groupnorm, "GroupNormalization", 3, 3)                                                      \
    X(MVN, mvn, "MeanVarianceNormalization", 1, 1)                                                           \
    X(LRN, lrn, "LRN", 1, 1)                                                                                 \
    X(MATMULINTEGER, matmulinteger, "MatMulInteger", 2, 4)                                                   \
    X(CONVINTEGER, convinteger, "ConvInteger", 2, 4)                                                         \
    X(QLINEARMATMUL, qlinearmatmul, "QLinearMatMul", 8, 8)                                                   \
    X(QLINEARCONV, qlinearconv, "QLinearConv", 8, 9)                                                         \
    X(DYNAMICQUANTIZELINEAR, dynamicquantizelinear, "DynamicQuantizeLinear", 1, 1)                           \
    X(VARIANCE, variance, "mica.Variance", 2, 2)                                                             \
    X(TOPK, topk, "TopK", 1, 2)                                                                              \
    X(LPNORMALIZATION, lpnormalization, "LpNormalization", 1, 1)                                             \
    X(SINH, sinh, "Sinh", 1, 1)                                                                              \
    X(COSH, cosh, "Cosh", 1, 1)                                                                              \
    X(ASINH, asinh, "Asinh", 1, 1)                                                                           \
    X(ACOSH, acosh, "Acosh", 1, 1)                                                                           \
    X(ATANH, atanh, "Atanh", 1, 1)                                                                           \
    X(BITWISENOT, bitwisenot, "BitwiseNot", 1, 1)                                                            \
    X(BITWISEAND, bitwiseand, "BitwiseAnd", 2, 2)                                                            \
    X(BITWISEOR, bitwiseor, "BitwiseOr", 2, 2)                                                               \
    X(BITWISEXOR, bitwisexor, "BitwiseXor", 2, 2)                                                            \
    X(BITSHIFT, bitshift, "BitShift", 2, 2)                                                                  \
    X(ISINF, isinf, "IsInf", 1, 1)                                                                           \
    X(COL2IM, col2im, "Col2Im", 3, 3)                                                                        \
    X(MAXUNPOOL, maxunpool, "MaxUnpool", 2, 3)                                                               \
    X(AFFINEGRID, affinegrid, "AffineGrid", 2, 2)                                                            \
    X(GRIDSAMPLE, gridsample, "GridSample", 2, 2)                                                            \
    X(DFT, dft, "DFT", 1, 3)                                                                                 \
    X(STFT, stft, "STFT", 2, 4)                                                                              \
    X(NLLLOSS, nllloss, "NegativeLogLikelihoodLoss", 2, 3)                                                   \
    X(CROSSENTROPY, crossentropy, "SoftmaxCrossEntropyLoss", 2, 3)                                           \
    X(CASTLIKE, castlike, "CastLike", 2, 2)                                                                  \
    X(LINEARCLASSIFIER, linearclassifier, "ai.onnx.ml.LinearClassifier", 1, 1)                               \
    X(LINEARREGRESSOR, linearregressor, "ai.onnx.ml.LinearRegressor", 1, 1)                                  \
    X(NORMALIZER, normalizer, "ai.onnx.ml.Normalizer", 1, 1)                                                 \
    X(SCALER, scaler, "ai.onnx.ml.Scaler", 1, 1)                                                             \
    X(BINARIZER, binarizer, "ai.onnx.ml.Binarizer", 1, 1)                                                    \
    X(IMPUTER, imputer, "ai.onnx.ml.Imputer", 1, 1)                                                          \
    X(FEATUREEXTRACTOR, featureextractor, "ai.onnx.ml.ArrayFeatureExtractor", 2, 2)

/* Control flow, which control.c replaces before anything else of a node is asked for. */
#define MICA_CONTROL_OPS(X)                                                                                  \
    X(IF, if, "If", 1, 1)                                                                                    \
    X(LOOP, loop, "Loop", 0, UINT32_MAX)                                                                     \
    X(SCAN, scan, "Scan", 1, UINT32_MAX)

/* X(kind, symbol, ONNX operator type, fewest inputs, most inputs) over opsets 7 to 21. Every node has one
 * output: an operator with several (op_outputs) is imported as one node for each, whose rules ask op_part
 * which of them they are. Further outputs of the standard (statistics of BatchNormalization's training mode)
 * are refused where they are used. */
#define MICA_OPS(X)                                                                                          \
    MICA_COMPOSITE_OPS(X)                                                                                    \
    MICA_CONTROL_OPS(X)                                                                                      \
    X(CONV, conv, "Conv", 2, 3)                                                                              \
    X(CONVTRANSPOSE, convtranspose, "ConvTranspose", 2, 3)                                                   \
    X(GEMM, gemm, "Gemm", 2, 3)                                                                              \
    X(MATMUL, matmul, "MatMul", 2, 2)                                                                        \
    X(BATCHNORM, batchnorm, "BatchNormalization", 5, 5)                                                      \
    X(RELU, relu, "Relu", 1, 1)                                                                              \
    X(CLIP, clip, "Clip", 1, 3)                                                                              \
    X(SIGMOID, sigmoid, "Sigmoid", 1, 1)                                                                     \
    X(TANH, tanh, "Tanh", 1, 1)                                                                              \
    X(LEAKYRELU, leakyrelu, "LeakyRelu", 1, 1)                                                               \
    X(ELU, elu, "Elu", 1, 1)                                                                                 \
    X(SELU, selu, "Selu", 1, 1)                                                                              \
    X(CELU, celu, "Celu", 1, 1)                                                                              \
    X(HARDSIGMOID, hardsigmoid, "HardSigmoid", 1, 1)                                                         \
    X(HARDSWISH, hardswish, "HardSwish", 1, 1)                                                               \
    X(MISH, mish, "Mish", 1, 1)                                                                              \
    X(SOFTPLUS, softplus, "Softplus", 1, 1)                                                                  \
    X(SOFTSIGN, softsign, "Softsign", 1, 1)                                                                  \
    X(ERF, erf, "Erf", 1, 1)                                                                                 \
    X(GELU, gelu, "Gelu", 1, 1)                                                                              \
    X(EXP, exp, "Exp", 1, 1)                                                                                 \
    X(LOG, log, "Log", 1, 1)                                                                                 \
    X(SQRT, sqrt, "Sqrt", 1, 1)                                                                              \
    X(RECIPROCAL, reciprocal, "Reciprocal", 1, 1)                                                            \
    X(ABS, abs, "Abs", 1, 1)                                                                                 \
    X(SIGN, sign, "Sign", 1, 1)                                                                              \
    X(FLOOR, floor, "Floor", 1, 1)                                                                           \
    X(CEIL, ceil, "Ceil", 1, 1)                                                                              \
    X(ROUND, round, "Round", 1, 1)                                                                           \
    X(THRESHOLDEDRELU, thresholdedrelu, "ThresholdedRelu", 1, 1)                                             \
    X(SHRINK, shrink, "Shrink", 1, 1)                                                                        \
    X(SIN, sin, "Sin", 1, 1)                                                                                 \
    X(COS, cos, "Cos", 1, 1)                                                                                 \
    X(NEG, neg, "Neg", 1, 1)                                                                                 \
    X(POW, pow, "Pow", 2, 2)                                                                                 \
    X(PRELU, prelu, "PRelu", 2, 2)                                                                           \
    X(MAXPOOL, maxpool, "MaxPool", 1, 1)                                                                     \
    X(MAXPOOL_INDEX, maxpool_index, "mica.MaxPoolIndex", 2, 2)                                               \
    X(AVGPOOL, avgpool, "AveragePool", 1, 1)                                                                 \
    X(GLOBAL_AVGPOOL, global_avgpool, "GlobalAveragePool", 1, 1)                                             \
    X(ADD, add, "Add", 2, 2)                                                                                 \
    X(SUB, sub, "Sub", 2, 2)                                                                                 \
    X(SUM, sum, "Sum", 1, UINT32_MAX)                                                                        \
    X(MEAN, mean, "Mean", 1, UINT32_MAX)                                                                     \
    X(MAX, max, "Max", 1, UINT32_MAX)                                                                        \
    X(MIN, min, "Min", 1, UINT32_MAX)                                                                        \
    X(MUL, mul, "Mul", 2, 2)                                                                                 \
    X(DIV, div, "Div", 2, 2)                                                                                 \
    X(MOD, mod, "Mod", 2, 2)                                                                                 \
    X(EQUAL, equal, "Equal", 2, 2)                                                                           \
    X(GREATER, greater, "Greater", 2, 2)                                                                     \
    X(GREATER_EQUAL, greater_equal, "GreaterOrEqual", 2, 2)                                                  \
    X(LESS, less, "Less", 2, 2)                                                                              \
    X(LESS_EQUAL, less_equal, "LessOrEqual", 2, 2)                                                           \
    X(AND, and, "And", 2, 2)                                                                                 \
    X(OR, or, "Or", 2, 2)                                                                                    \
    X(XOR, xor, "Xor", 2, 2)                                                                                 \
    X(NOT, not, "Not", 1, 1)                                                                                 \
    X(WHERE, where, "Where", 3, 3)                                                                           \
    X(REDUCE_SUM, reduce_sum, "ReduceSum", 1, 2)                                                             \
    X(REDUCE_MEAN, reduce_mean, "ReduceMean", 1, 2)                                                          \
    X(REDUCE_MAX, reduce_max, "ReduceMax", 1, 2)                                                             \
    X(REDUCE_MIN, reduce_min, "ReduceMin", 1, 2)                                                             \
    X(REDUCE_SUM_SQUARE, reduce_sum_square, "ReduceSumSquare", 1, 2)                                         \
    X(REDUCE_L1, reduce_l1, "ReduceL1", 1, 2)                                                                \
    X(ROOT, root, "mica.Root", 1, 1)                                                                         \
    X(ARGMAX, argmax, "ArgMax", 1, 1)                                                                        \
    X(ARGMIN, argmin, "ArgMin", 1, 1)                                                                        \
    X(HARDMAX, hardmax, "Hardmax", 1, 1)                                                                     \
    X(TOP, top, "mica.Top", 1, 1)                                                                            \
    X(PICK, pick, "mica.Pick", 2, 2)                                                                         \
    X(FLATTEN, flatten, "Flatten", 1, 1)                                                                     \
    X(RESHAPE, reshape, "Reshape", 2, 2)                                                                     \
    X(TRANSPOSE, transpose, "Transpose", 1, 1)                                                               \
    X(IDENTITY, identity, "Identity", 1, 1)                                                                  \
    X(DROPOUT, dropout, "Dropout", 1, 3)                                                                     \
    X(CONSTANT, constant, "Constant", 0, 0)                                                                  \
    X(CONCAT, concat, "Concat", 1, UINT32_MAX)                                                               \
    X(SQUEEZE, squeeze, "Squeeze", 1, 2)                                                                     \
    X(UNSQUEEZE, unsqueeze, "Unsqueeze", 1, 2)                                                               \
    X(SLICE, slice, "Slice", 1, 5)                                                                           \
    X(SPLIT, split, "Split", 1, 2)                                                                           \
    X(PAD, pad, "Pad", 1, 4)                                                                                 \
    X(EXPAND, expand, "Expand", 2, 2)                                                                        \
    X(TILE, tile, "Tile", 2, 2)                                                                              \
    X(TRILU, trilu, "Trilu", 1, 2)                                                                           \
    X(CENTERCROPPAD, centercroppad, "CenterCropPad", 2, 2)                                                   \
    X(REVERSESEQUENCE, reversesequence, "ReverseSequence", 2, 2)                                             \
    X(DEPTHTOSPACE, depthtospace, "DepthToSpace", 1, 1)                                                      \
    X(SPACETODEPTH, spacetodepth, "SpaceToDepth", 1, 1)                                                      \
    X(GATHER, gather, "Gather", 2, 2)                                                                        \
    X(GATHERELEMENTS, gatherelements, "GatherElements", 2, 2)                                                \
    X(GATHERND, gathernd, "GatherND", 2, 2)                                                                  \
    X(SCATTERELEMENTS, scatterelements, "ScatterElements", 3, 3)                                             \
    X(SCATTERND, scatternd, "ScatterND", 3, 3)                                                               \
    X(SCATTER, scatter, "Scatter", 3, 3)                                                                     \
    X(PUT, put, "mica.Put", 3, 3)                                                                            \
    X(ONEHOT, onehot, "OneHot", 3, 3)                                                                        \
    X(EINSUM, einsum, "Einsum", 1, UINT32_MAX)                                                               \
    X(CUMSUM, cumsum, "CumSum", 2, 2)                                                                        \
    X(RESIZE, resize, "Resize", 1, 4)                                                                        \
    X(UPSAMPLE, upsample, "Upsample", 1, 2)                                                                  \
    X(CAST, cast, "Cast", 1, 1)                                                                              \
    X(QUANTIZELINEAR, quantizelinear, "QuantizeLinear", 2, 3)                                                \
    X(DEQUANTIZELINEAR, dequantizelinear, "DequantizeLinear", 2, 3)                                          \
    X(REQUANTIZE, requantize, "mica.Requantize", 3, 3)                                                       \
    X(SHAPE, shape, "Shape", 1, 1)                                                                           \
    X(SIZE, size, "Size", 1, 1)                                                                              \
    X(NONZERO, nonzero, "NonZero", 1, 1)                                                                     \
    X(UNIQUE, unique, "Unique", 1, 1)                                                                        \
    X(COMPRESS, compress, "Compress", 2, 2)                                                                  \
    X(RANGE, range, "Range", 3, 3)                                                                           \
    X(CONSTANTOFSHAPE, constantofshape, "ConstantOfShape", 1, 1)                                             \
    X(HANNWINDOW, hannwindow, "HannWindow", 1, 1)                                                            \
    X(HAMMINGWINDOW, hammingwindow, "HammingWindow", 1, 1)                                                   \
    X(BLACKMANWINDOW, blackmanwindow, "BlackmanWindow", 1, 1)                                                \
    X(ISNAN, isnan, "IsNaN", 1, 1)                                                                           \
    X(EYELIKE, eyelike, "EyeLike", 1, 1)                                                                     \
    X(SOFTMAX, softmax, "Softmax", 1, 1)

typedef enum op_kind {
    OP_UNSUPPORTED = 0,
#define X(kind, symbol, type, fewest, most) OP_##kind,
    MICA_OPS(X)
#undef X
        OP_KINDS
} op_kind;

/* Shape inference over one graph. A rule that finds axis 0 of a batched value moved, contracted or merged
 * with another axis sets mixes_batch and fails without recording an error: the graph is then inferred again
 * without a batch axis. */
typedef struct op_context {
    graph *g;
    bool mixes_batch;
} op_context;

/* One evaluation: in[i] and out[i] are the elements of value n->in[i] and n->out[i], row-major, integers as
 * doubles (exact up to 2^53); NULL where the value is absent. */
typedef struct op_args {
    const graph *g;
    const graph_node *n;
    const double *const *in;
    double *const *out;
} op_args;

typedef struct op_rule {
    const char *name;
    uint32_t min_in, max_in;
    /* Sets type, shape and batch axis of n->out[0] from those of the inputs, all known. */
    bool (*infer)(op_context *c, const graph_node *n, mica_status *st);
    /* n->out[0] in double precision: fixed order, no contraction, no libm. Shapes have been inferred. */
    bool (*eval)(const op_args *a, mica_status *st);
} op_rule;

extern const op_rule op_rules[OP_KINDS]; /* ops.c; the entry of OP_UNSUPPORTED is empty */

/* The kind of an operator, its domain before its name unless it is the default one; OP_UNSUPPORTED if it is
 * not in the list. */
op_kind op_find(const char *type);

/* Outputs of the operator that have rules; UINT32_MAX for Split. */
uint32_t op_outputs(uint32_t kind);

/* Which of its operator's outputs node n computes, from 0. */
static inline uint32_t op_part(const graph_node *n) {
    return (uint32_t)graph_attr_int(n, "mica_part", 0);
}

/* Whether every element of the output is an element of an input, or a constant. */
bool op_moves(op_kind kind);

/* Whether the elements of input i matter to node n: CastLike reads the type of its second input only. */
bool op_reads_elements(const graph_node *n, uint32_t i);

/* Entries of the shortest axis that the integers of value v are indices into, for an operator that gathers or
 * scatters (of one that reads coordinates of several axes, the longest counts); 0 if there is none. An input
 * of which this is not 0 holds integers in [-size, size): no other value has a meaning. */
int64_t op_indexed_size(const graph *g, uint32_t v);

/* Multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul; 0 for others. Shapes have been inferred. */
uint64_t op_macs(const graph *g, const graph_node *n);

/* The lowerings stand apart from the rules, so that the front end links without them. */
struct lowering;
typedef bool op_lower_fn(struct lowering *l, const graph_node *n, mica_status *st);
#define X(kind, symbol, type, fewest, most) op_lower_fn lower_##symbol;
MICA_OPS(X)
#undef X
extern op_lower_fn *const op_lowerings[OP_KINDS]; /* lower_table.c; NULL for OP_UNSUPPORTED */

#endif
