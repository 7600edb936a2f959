/* ONNX file to protobuf messages. */
#ifndef MICA_COMPILER_ONNX_PARSE_H
#define MICA_COMPILER_ONNX_PARSE_H

#include "graph/digest.h"
#include "mica/status.h"
#include "onnx.pb-c.h"

/* Reads a model that has a graph. Nesting and memory are bounded before the parser runs. The file's bytes go
 * into the digest. NULL after recording an error; model_free frees it. */
Onnx__ModelProto *model_read(const char *path, digest_hash *digest, mica_status *st);
void model_free(Onnx__ModelProto *m);

#endif
