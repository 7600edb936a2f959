/* The weights in the prover's memory (file format: docs/formats.md, "Weight file"). */
#ifndef MICA_PROTOCOL_WEIGHTS_PROVE_H
#define MICA_PROTOCOL_WEIGHTS_PROVE_H

#include "mica/vk.h"
#include "pcs/pcs.h"
#include "plan/layout.h"
#include "poly/narrow_prove.h"

typedef struct weight_store {
    layout layout;
    int32_t **value;       /* per tensor: padded integer cells of WEIGHT tensors, else NULL */
    m31 *matrix;           /* the committed matrix; a tensor's padded cells lie at its slot's offset */
    narrow_matrix *narrow; /* the matrix once more; NULL where rows are short */
    pcs_committed group;   /* its tree lies in the weight file */
    bool mapped;           /* which is a mapped one */
} weight_store;

typedef struct weight_file {
    const uint8_t *bytes;
    size_t size;
    bool mapped; /* the bytes are pages of a file that nobody writes to */
} weight_file;

/* Reads a weight file and checks that it belongs to the vk: shapes, ranges and root. The bytes must stay as
 * long as the store. */
bool weights_load(weight_store *s, const mica_vk *vk, const weight_file *f, mica_status *st);
/* After an opening: what it has read of the tree need not stay in memory. */
void weights_let_go(const weight_store *s);
void weights_free(weight_store *s, const mica_vk *vk);

#endif
