/* Readers of the user's tensors: .npy, ONNX TensorProto (.pb), JSON with flat lists, and folders of these.
 *
 * Every file is hostile: sizes are checked against the bytes that are there before anything is allocated, and
 * values that are not finite are refused. A message names the file, what was expected and what was found.
 */
#ifndef MICA_IO_TENSOR_FILE_H
#define MICA_IO_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/circuit.h"

#define TENSOR_MAX_RANK     (MICA_MAX_RANK + 2) /* a stacked file has a sample axis and a batch axis more */
#define TENSOR_MAX_ELEMENTS (UINT64_C(1) << 28) /* of one file and of all items of one input together */
#define TENSOR_MAX_PORTS    1024
#define TENSOR_MAX_FILE     ((size_t)1 << 31)
#define TENSOR_MAX_JSON     ((size_t)1 << 26) /* a parsed number takes about 16 times its text */

/* One tensor of a file. */
typedef struct tensor_data {
    uint64_t count; /* >= 1, but for tensor_file_read_any */
    double *value;  /* [count], row-major */
    bool has_shape; /* false for a flat list of JSON */
    uint32_t rank;
    int64_t dim[TENSOR_MAX_RANK]; /* >= 1, likewise >= 0 */
} tensor_data;

void tensor_data_free(tensor_data *t);

/* What a graph input (or output) takes. */
typedef struct tensor_spec {
    const char *name;
    bool batched; /* the ONNX tensor has a leading batch axis, left out of rank and dim */
    uint32_t rank;
    int64_t dim[MICA_MAX_RANK]; /* >= 1; -1: free, fixed by the first tensor that is read */
} tensor_spec;

/* The spec of a circuit's port; the name is borrowed. */
tensor_spec tensor_spec_of_port(const mica_port *port);

/* Reads a .npy or .pb file (told apart by content) with at least one element. Finite values only. */
bool tensor_file_read(tensor_data *t, const char *path, mica_status *st);
/* The same for any tensor: it may be empty, and values may be infinite or no numbers. */
bool tensor_file_read_any(tensor_data *t, const char *path, mica_status *st);

/* Reads list `key` of a JSON object: key[k] is the flat list of tensor k. The caller frees each tensor and
 * *t. */
bool tensor_json_read(tensor_data **t, uint32_t *n, const char *key, const char *path, mica_status *st);

/* The number of items that a tensor holds for a spec: 1 if its shape is the item's (with or without a batch
 * axis of 1), b if it has a leading axis of b more, b if a flat list is b items long; 0 if it does not fit.
 */
uint64_t tensor_items_in(const tensor_data *t, const tensor_spec *spec);

/* Items of all inputs (or outputs) of a model. */
typedef struct tensor_items {
    uint32_t n_ports;
    uint64_t items;
    double **value;    /* [n_ports][items * cells of one item] */
    tensor_spec *spec; /* [n_ports] free dimensions resolved */
} tensor_items;

void tensor_items_free(tensor_items *t);

/* Appends the items of every argument, in order. An argument is
 *   FILE.json      all ports: "<stem>_data"[k] is port k
 *   FILE.npy|.pb   the only port of a model that has one
 *   FOLDER         <stem>_K.npy or <stem>_K.pb for every port K; or folders case_* or test_data_set_* of such
 * files, in the order of their names NAME=FILE      one port, by its name or its position; such arguments
 * together make up one set of all ports `stem` is "input" or "output". */
bool tensor_items_read(tensor_items *t, const tensor_spec *spec, uint32_t n_specs, const char *stem,
                       const char *const *args, size_t n_args, mica_status *st);

/* The samples of a calibration set: `path` is a folder (see above) or, for a model with one input, a stacked
 * .npy whose leading axis runs over the samples. Free dimensions of `spec` take the samples' sizes. */
bool calibration_read(tensor_items *t, const tensor_spec *spec, uint32_t n_specs, const char *path,
                      mica_status *st);

/* Elements of one item; no dimension may be free. */
uint64_t tensor_spec_cells(const tensor_spec *spec);

/* "[1,28,28]" or "[B,1,28,28]" into buffer; returns buffer. */
const char *tensor_shape_text(char *buffer, size_t size, const int64_t *dim, uint32_t rank, bool batched);

#endif
