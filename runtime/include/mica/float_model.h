/* The float network of a model, beside the integers that are proven: evaluated on request, and part of no
 * proof. The implementation is the compiler's deterministic reference (libmica-reference). */
#ifndef MICA_FLOAT_MODEL_H
#define MICA_FLOAT_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

#define MICA_FLOAT_MAGIC   "MICAFLT\n"
#define MICA_FLOAT_VERSION 1u

typedef struct mica_float_model mica_float_model;

/* Blake2s of a float model file, as the record of verifier parameters names it (docs/formats.md). */
void mica_float_digest(const uint8_t *bytes, size_t size, uint8_t digest[32]);

/* Whether the bytes begin like a float model of this version; the error says which version they have. */
bool mica_float_check(const uint8_t *bytes, size_t size, mica_status *st);
/* Reads NAME.float; hostile bytes are safe. NULL and a recorded error on failure. */
mica_float_model *mica_float_read(const uint8_t *bytes, size_t size, mica_status *st);
void mica_float_free(mica_float_model *m); /* NULL is fine */

/* How many inputs and outputs the graph has. */
uint32_t mica_float_inputs(const mica_float_model *m);
uint32_t mica_float_outputs(const mica_float_model *m);
/* Elements of one item of input or output k. */
uint64_t mica_float_input_cells(const mica_float_model *m, uint32_t k);
uint64_t mica_float_output_cells(const mica_float_model *m, uint32_t k);

/* One item: input[k] and output[k] have the elements of input and output k, row-major in ONNX order. The
 * result is the same on every CPU. */
bool mica_float_evaluate(mica_float_model *m, const double *const *input, double *const *output,
                         mica_status *st);

#endif
