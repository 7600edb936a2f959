/* Verifier parameters (model.vk): everything the verifier relies on.
 *
 * A vk holds the circuit, the commitment parameters of the weights and their root, the security target and
 * informative text (model id, version, the record of how they were made). Its digest is Blake2s-256 of the
 * whole file under the key "mica vk v1" and is the first thing absorbed by every transcript.
 */
#ifndef MICA_VK_H
#define MICA_VK_H

#include "mica/circuit.h"
#include "mica/record.h"

#define MICA_VK_MAGIC              "MICAVK\r\n"
#define MICA_VK_VERSION            5u
#define MICA_DIGEST_BYTES          32
#define MICA_DEFAULT_SECURITY_BITS 100

typedef struct mica_vk {
    mica_circuit circuit;
    uint32_t security_bits;                 /* target, proven, unique decoding */
    uint8_t weight_row_bits;                /* b: rows of the weight matrix have 2^b columns */
    uint8_t weight_rate_bits;               /* r: rate 2^-r */
    uint8_t weight_root[MICA_DIGEST_BYTES]; /* zero if the circuit has no weights */
    char model_id[MICA_NAME_BYTES];
    char compiler_version[32];
    mica_record record;                /* freed by mica_vk_free */
    uint8_t digest[MICA_DIGEST_BYTES]; /* computed by mica_vk_read and mica_vk_write, not stored */
} mica_vk;

/* Reads and validates (mica_circuit_validate included). Hostile bytes are safe. MICA_ERR_FORMAT names the
 * version where it is another one; on failure there is nothing to free. */
bool mica_vk_read(mica_vk *vk, const uint8_t *bytes, size_t size, mica_status *st);
/* The file's bytes (docs/formats.md). The caller frees *bytes. Sets vk->digest. */
bool mica_vk_write(mica_vk *vk, uint8_t **bytes, size_t *size, mica_status *st);
void mica_vk_free(mica_vk *vk);

#endif
