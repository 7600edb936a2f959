#include "ops/op_refused.h"

#include <stddef.h>
#include <string.h>

static const char data_shape[] = "its output's shape depends on the data, a proof has one shape: end the "
                                 "network before it",
                  random_output[] = "its output is random, a proof is of a function: export for inference",
                  training[] = "it belongs to training: export for inference",
                  text[] = "texts and files have no integers: leave it outside the network",
                  container[] = "sequences, maps and optional values have no fixed shape: use tensors";

/* The first three are supported where constants decide the shape. */
static const struct {
    const char *op, *reason;
} refused[] = {
    {"Compress", data_shape},
    {"NonZero", data_shape},
    {"Unique", data_shape},
    {"NonMaxSuppression", data_shape},
    {"Bernoulli", random_output},
    {"Multinomial", random_output},
    {"RandomNormal", random_output},
    {"RandomNormalLike", random_output},
    {"RandomUniform", random_output},
    {"RandomUniformLike", random_output},
    {"ai.onnx.preview.training.Adagrad", training},
    {"ai.onnx.preview.training.Adam", training},
    {"ai.onnx.preview.training.Gradient", training},
    {"ai.onnx.preview.training.Momentum", training},
    {"ImageDecoder", text},
    {"RegexFullMatch", text},
    {"StringConcat", text},
    {"StringNormalizer", text},
    {"StringSplit", text},
    {"ai.onnx.ml.CategoryMapper", text},
    {"ConcatFromSequence", container},
    {"Optional", container},
    {"OptionalGetElement", container},
    {"OptionalHasElement", container},
    {"SequenceAt", container},
    {"SequenceConstruct", container},
    {"SequenceEmpty", container},
    {"SequenceErase", container},
    {"SequenceInsert", container},
    {"SequenceLength", container},
    {"SequenceMap", container},
    {"SplitToSequence", container},
    {"ai.onnx.ml.CastMap", container},
    {"ai.onnx.ml.DictVectorizer", container},
    {"ai.onnx.ml.ZipMap", container},
};

const char *op_refusal(const char *op) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(refused[i].op, op))
            return refused[i].reason;
    return NULL;
}
