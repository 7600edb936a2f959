/* Grinding, prover only. */
#ifndef MICA_HASH_POW_PROVE_H
#define MICA_HASH_POW_PROVE_H

#include "hash/transcript.h"

/* The smallest nonce that transcript_pow_holds for; uses all workers. 0 bits: 0. */
uint64_t pow_grind(const transcript *t, unsigned bits);

/* Wall-clock seconds that the calling thread has spent in pow_grind since it began: grinding is reported
 * apart from the phases that ask for it. */
double pow_grind_seconds(void);

#endif
