/* Hook of a lying prover of certificates, for tests that compile their own copy of it with MICA_CHEAT
 * defined. Without it the hook does not exist. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_CHEAT_H
#define MICA_CERTIFICATE_CERTIFICATE_CHEAT_H

#ifdef MICA_CHEAT
#include "certificate/certificate_circuit.h"

/* May change the cells of tensor t, which have just been computed; younger tensors follow from them. */
static void (*certificate_cheat)(const certificate *k, uint32_t t, int32_t *cells);
#define CERTIFICATE_CHEAT(k, t, cells)                                                                       \
    do {                                                                                                     \
        if (certificate_cheat)                                                                               \
            certificate_cheat(k, t, cells);                                                                  \
    } while (0)
#else
#define CERTIFICATE_CHEAT(k, t, cells) ((void)0)
#endif

#endif
