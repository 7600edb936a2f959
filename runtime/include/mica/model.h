/* The contract between generated code and the runtime.
 *
 * Generated code fills the value arrays of one batch item at a time; the runtime plans the memory, runs the
 * items, commits and proves. Arrays hold int32 cells in the padded row-major layout of mica/circuit.h; cells
 * outside D are zero on entry and must stay zero. Item i of a batched tensor starts at i <<
 * mica_item_bits(t).
 */
#ifndef MICA_MODEL_H
#define MICA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MICA_WEIGHTS_VERSION 3u /* of the weight file's format */
#define MICA_MODEL_VERSION                                                                                   \
    5u /* of what generated code and the runtime agree on: this header and mica/layer.h */

/* What one call of `run` sees. value[t] points at tensor t's cells for this item (weights: the whole tensor),
 * for every tensor that is materialised (mica_tensor_is_materialised), NULL for the others. table[k] points
 * at the values of table k (mica_table_fill). scratch has the size the model asked for and is aligned to 64
 * bytes. */
typedef struct mica_frame {
    int32_t *const *value;
    const int32_t *const *table;
    void *scratch;
    const uint32_t *index; /* lists of placements, as in the circuit */
    void *own;             /* workspace of this part alone; that of the only part is `scratch` */
    uint32_t part, parts;  /* which of how many threads this is that compute the item together */
} mica_frame;

/* What a prover executable consists of; everything is static data of the executable, or mapped from the
 * files beside it, and outlives every prover. run computes all cells of one batch item, calls nothing but
 * mica/layer.h, cannot fail, and may run in several threads at once with frames of their own. */
typedef struct mica_model {
    const uint8_t *vk; /* file of verifier parameters, vk_size bytes */
    size_t vk_size;
    const uint8_t *weights; /* weight file (docs/formats.md): values and the commitment's Merkle nodes */
    size_t weights_size;
    size_t scratch_bytes; /* per call of run */
    void (*run)(const mica_frame *frame);
    const char *float_file;  /* name of the float model's file beside the executable; NULL: there is none */
    const char *weight_file; /* name of the weights' file beside the executable; NULL: they are part of it */
    bool in_parts;           /* run computes its part of an item that several threads compute together */
    bool weights_mapped; /* they are pages of a file, mapped for reading: let go of, they are read again */
} mica_model;

#endif
