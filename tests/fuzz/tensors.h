/* Files of tensors against what models take. */
#ifndef MICA_TESTS_FUZZ_TENSORS_H
#define MICA_TESTS_FUZZ_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "io/tensor_file.h"

/* Checks what every tensor that a parser let through has. */
void tensors_check(const tensor_data *t);

/* Reads the file as calibration data and as named inputs of models of several shapes. */
void tensors_as_items(const char *path);

#endif
