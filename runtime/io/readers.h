/* Parsers of one file's bytes; `path` is for messages only. Private to io/. */
#ifndef MICA_IO_READERS_H
#define MICA_IO_READERS_H

#include "io/tensor_file.h"

bool npy_parse(tensor_data *t, const uint8_t *bytes, size_t size, const char *path, mica_status *st);
bool tensor_pb_parse(tensor_data *t, const uint8_t *bytes, size_t size, const char *path, mica_status *st);
bool tensor_json_parse(tensor_data **t, uint32_t *n, const char *key, const uint8_t *bytes, size_t size,
                       const char *path, mica_status *st);

/* Sets count from rank and dim and allocates value; refuses more than TENSOR_MAX_ELEMENTS.
 */
bool tensor_data_allocate(tensor_data *t, const char *path, mica_status *st);

#endif
