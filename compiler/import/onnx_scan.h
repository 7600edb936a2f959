/* What a file's bytes are held to before protobuf's parser sees them: it recurses as deep as messages nest,
 * and takes memory for every message and unknown field. */
#ifndef MICA_COMPILER_ONNX_SCAN_H
#define MICA_COMPILER_ONNX_SCAN_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

/* Whether the file holds one message of this kind, whole and within the limits on nesting, on the number of
 * messages and on bytes in unknown fields. It reads tags and skips contents: nonsense is refused at its first
 * bytes, whatever the file's size, and memory is constant. */
bool onnx_scan_file(const ProtobufCMessageDescriptor *m, const char *path, mica_status *st);

/* The same of bytes in memory: a file may have changed since. `path` is for messages. */
bool onnx_scan_bytes(const ProtobufCMessageDescriptor *m, const uint8_t *bytes, size_t size, const char *path,
                     mica_status *st);

#endif
