/* The statement of a proof and the container that carries both (docs/formats.md, "Proof file").
 *
 *   proof file = header (magic, version), statement, proof part
 *
 * The statement is what the verifier knows: the vk's digest, the batch size, an optional verifier nonce, and
 * for every input and output (inputs in order, then outputs) what its visibility shows: the integers of a
 * public one, batch item by item, valid cells row-major over the tensor's axes; the digests of a committed
 * one, item by item; nothing of a private one.
 */
#ifndef MICA_STATEMENT_H
#define MICA_STATEMENT_H

#include "mica/vk.h"

#define MICA_PROOF_MAGIC     "MICAPRF\n"
#define MICA_PROOF_VERSION   2u
#define MICA_MAX_NONCE_BYTES 64

typedef struct mica_statement {
    uint8_t vk_digest[MICA_DIGEST_BYTES];
    uint32_t batch;
    uint32_t nonce_size;
    uint8_t nonce[MICA_MAX_NONCE_BYTES];
    int32_t **input;  /* [n_inputs][batch * cells]; a prover's statement has those of every port, one that */
    int32_t **output; /* [n_outputs][batch * cells] was read from a file NULL where they are not public */
    uint8_t **input_digest, **output_digest; /* [batch * MICA_DIGEST_BYTES]; NULL for ports not committed */
} mica_statement;

/* Valid cells of one batch item of a port. */
uint64_t mica_port_cells(const mica_circuit *c, const mica_port *p);

/* Allocates the arrays for a batch, the values of all ports; free with mica_statement_free. */
bool mica_statement_create(mica_statement *s, const mica_circuit *c, uint32_t batch, mica_status *st);
/* c is the circuit that s was made or read for. */
void mica_statement_free(mica_statement *s, const mica_circuit *c);

/* Bytes of header and statement for a batch (fixed by the vk, the batch size and the nonce's length). */
size_t mica_statement_bytes(const mica_circuit *c, uint32_t batch, uint32_t nonce_size);
/* Writes header and statement to out (mica_statement_bytes); every value and digest must be filled. */
void mica_statement_write(const mica_statement *s, const mica_circuit *c, uint8_t *out);

/* Reads header and statement from a proof file. MICA_ERR_FORMAT in st: foreign magic or version (exit code
 * 2). Anything later that is wrong is a rejection in verdict (exit code 1). On success *used is the number of
 * bytes read and s is to be freed; the digest and ranges are not compared yet (mica_verify does). */
bool mica_statement_read(mica_statement *s, const mica_circuit *c, const uint8_t *bytes, size_t size,
                         size_t *used, mica_status *st, mica_verdict *verdict);

/* The digits of an input that is not public (mica/circuit.h), from its cells: value[t] are the padded cells
 * of tensor t for one item. Those of a public input have none. */
void mica_port_fill_digits(const mica_circuit *c, const mica_port *p, int32_t *const *value);

/* --- user's values <-> integers of a port --- */
/* round half away from zero of real/scale, saturated to the tensor's declared range; *saturated counts the
 * values that were outside it; a port that is exact refuses them. values: row-major in the user's (ONNX)
 * order, per item; cells: tensor order. NaN is refused. */
bool mica_port_quantise(const mica_circuit *c, const mica_port *p, const double *values, int32_t *cells,
                        uint64_t *saturated, mica_status *st);
/* values[i] = scale * integer, in the user's order. */
void mica_port_dequantise(const mica_circuit *c, const mica_port *p, const int32_t *cells, double *values);

#endif
