/* The float model file: a typed graph as the import left it, with its free dimensions bound (docs/formats.md,
 * "Float model"). */
#ifndef MICA_COMPILER_FLOAT_FILE_H
#define MICA_COMPILER_FLOAT_FILE_H

#include "graph/graph.h"

#include "mica/float_model.h"

#define FLOAT_FILE_VERSION_BYTES 32

/* How the elements of a constant are stored. */
enum { FLOAT_FILE_NO_ELEMENTS, FLOAT_FILE_F32, FLOAT_FILE_F64, FLOAT_FILE_I64 };

/* Before graph_infer_shapes. The caller frees *bytes. */
bool float_file_write(const graph *g, uint8_t **bytes, size_t *size, mica_status *st);
/* A graph like that of onnx_import; graph_infer_shapes is next. */
bool float_file_read(graph *g, const uint8_t *bytes, size_t size, mica_status *st);

#endif
