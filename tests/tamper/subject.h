/* A proof under attack: its bytes, the items that they consist of, and the verdicts on what was made of them.
 */
#ifndef MICA_TESTS_TAMPER_SUBJECT_H
#define MICA_TESTS_TAMPER_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/verify.h"

#define MAX_OTHERS 8

/* An item of the proof part, as the verifier reads it. */
typedef struct item {
    size_t at, size;   /* in the file */
    unsigned work;     /* bits of work that a nonce must meet; 0: no nonce */
    uint8_t state[32]; /* of the transcript before a nonce */
} item;

typedef struct proof {
    uint8_t *file;
    size_t size, head; /* head: bytes before the proof part */
    item *item;
    size_t n_items;
} proof;

/* What is tried, and what became of it. */
typedef struct tally {
    const char *name;
    uint64_t tried, accepted,
        unreadable; /* unreadable: foreign magic or version, parameters that are refused */
    uint64_t rejected[MICA_REJECT_OPENING + 1];
} tally;

typedef struct subject {
    uint8_t *vk_bytes;
    size_t vk_size;
    mica_vk vk;
    proof own, other[MAX_OTHERS]; /* proofs under the same parameters, each of which must be accepted */
    unsigned n_others;
    uint64_t random;      /* state of the generator of pseudo-random numbers */
    uint64_t part, parts; /* every parts-th attempt is made, from attempt `part` on */
    uint64_t attempts;
} subject;

/* Reads parameters and proofs, and verifies these. Prints why and returns false if that fails. */
bool subject_load(subject *s, const char *vk_path, const char *const *proof_path, unsigned n_proofs);
void subject_free(subject *s);

uint64_t subject_random(subject *s);
/* Tries bytes of which the verifier must accept none, unless they are one of the proofs, which is no attempt.
 * Bytes are copied to a block of their own size before. */
void subject_try(subject *s, tally *t, const uint8_t *file, size_t size);
/* Tries other parameters, for the proof as it is and for one whose head names them. */
void subject_try_vk(subject *s, tally *t, const uint8_t *vk_bytes, size_t vk_size);

#endif
