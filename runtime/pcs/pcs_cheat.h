/* Hooks of a cheating prover, for tests that compile their own copy of the opening with MICA_CHEAT defined.
 * Without it the hooks do not exist: a release build holds none of this. */
#ifndef MICA_PCS_PCS_CHEAT_H
#define MICA_PCS_PCS_CHEAT_H

#ifdef MICA_CHEAT
#include "field/qvec.h"

typedef struct pcs_cheat {
    void *ctx;
    /* A round message before it is sent, and the challenge that answers it. Level 0: the rows of the groups.
     */
    void (*round)(void *ctx, unsigned level, unsigned variable, qm31 message[2]);
    void (*point)(void *ctx, unsigned level, unsigned variable, qm31 x);
    /* The message of size n that step `step` commits to or sends, and the form it is claimed to satisfy. */
    void (*message)(void *ctx, unsigned step, qvec message, qvec form, size_t n);
    /* The opened columns of a source, n of n_words each, before they are sent. */
    void (*columns)(void *ctx, unsigned step, unsigned source, const uint32_t *index, m31 *column, size_t n,
                    size_t n_words);
} pcs_cheat;

static const pcs_cheat *pcs_cheating; /* NULL: honest */
#define PCS_CHEAT(hook, ...)                                                                                 \
    do {                                                                                                     \
        if (pcs_cheating && pcs_cheating->hook)                                                              \
            pcs_cheating->hook(pcs_cheating->ctx, __VA_ARGS__);                                              \
    } while (0)
#else
#define PCS_CHEAT(hook, ...) ((void)0)
#endif

#endif
