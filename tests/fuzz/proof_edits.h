/* Scripts of changes to an honest proof, for targets that verify: two bytes of the target's own, then 8 bytes
 * per change. The mutator of libFuzzer adds, drops and alters whole changes; a script whose second byte is 3
 * modulo 4 is raw and changed byte by byte. */
#ifndef MICA_TESTS_PROOF_EDITS_H
#define MICA_TESTS_PROOF_EDITS_H

#include <stddef.h>
#include <stdint.h>

#define PROOF_MAX_EDITS  16
#define PROOF_EDIT_BYTES 8

typedef struct fuzz_proof_bytes {
    uint8_t *file;
    size_t size;
} fuzz_proof_bytes;

/* `from` after the script's changes, some of which take bytes of `other`. At the end of its own block, so
 * that reading past its end is seen. The caller frees it. */
uint8_t *proof_edited(const fuzz_proof_bytes *from, const fuzz_proof_bytes *other, const uint8_t *script,
                      size_t script_size, size_t *size);

#endif
