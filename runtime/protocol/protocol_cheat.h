/* Hooks of a cheating prover, for tests that compile their own copy of the prover with MICA_CHEAT defined.
 * Without it the hooks do not exist: a release build holds none of this. */
#ifndef MICA_PROTOCOL_PROTOCOL_CHEAT_H
#define MICA_PROTOCOL_PROTOCOL_CHEAT_H

#ifdef MICA_CHEAT
#include "protocol/walk.h"
#include "sumcheck/batch_prove.h"

typedef struct protocol_cheat {
    void *ctx;
    /* The statement after the forward pass, before it is absorbed. */
    void (*statement)(void *ctx, mica_statement *s);
    /* The cells of an item of a committed port (of plan.port) before they are committed to. */
    void (*item)(void *ctx, uint32_t port, uint32_t item, m31 *cells);
    /* The statement with its digests, before it is absorbed. */
    void (*digests)(void *ctx, mica_statement *s);
    /* The root of the witness before it is sent. */
    void (*root)(void *ctx, uint8_t root[MERKLE_DIGEST]);
    /* alpha and beta as the prover uses them. */
    void (*lookup_challenges)(void *ctx, walk *w);
    /* The values of the claims of an EVENT_SEND before they are sent. */
    void (*claims)(void *ctx, walk *w, const plan_event *e);
    /* The summands of a stratum before its first round. */
    void (*summands)(void *ctx, const plan_event *e, batch_summand *summand);
    /* A round message of a stratum, `left` variables to bind, before it is sent. */
    void (*round)(void *ctx, const plan_event *e, unsigned left, qm31 *message);
} protocol_cheat;

static const protocol_cheat *protocol_cheating; /* NULL: honest */
#define PROTOCOL_CHEAT(hook, ...)                                                                            \
    do {                                                                                                     \
        if (protocol_cheating && protocol_cheating->hook)                                                    \
            protocol_cheating->hook(protocol_cheating->ctx, __VA_ARGS__);                                    \
    } while (0)
#else
#define PROTOCOL_CHEAT(hook, ...) ((void)0)
#endif

#endif
