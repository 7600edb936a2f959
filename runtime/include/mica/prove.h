/* The prover, for generated executables and for the compiler. */
#ifndef MICA_PROVE_H
#define MICA_PROVE_H

#include "mica/model.h"
#include "mica/statement.h"

/* Chooses the weight commitment's parameters, commits, and fills vk->weight_*. weight[t]: valid cells
 * row-major of WEIGHT tensor t. *file (caller frees) is the weight file that mica_model.weights points at.
 * vk->circuit must be complete and valid; the result is the same on every CPU. */
bool mica_weights_commit(mica_vk *vk, const int32_t *const *weight, uint8_t **file, size_t *size,
                         mica_status *st);

typedef struct mica_prover mica_prover;

/* Reads the vk and the weights, checks that they belong together, and reserves the workspace for batches up
 * to max_batch (0: the vk's). The model's weight file must stay until mica_prover_free. NULL and a recorded
 * error on failure. */
mica_prover *mica_prover_create(const mica_model *model, uint32_t max_batch, mica_status *st);
void mica_prover_free(mica_prover *p); /* NULL is fine */
/* What one proof takes, in bytes, known before it is made. */
typedef struct mica_memory {
    size_t resident;  /* of the whole process, at its peak */
    size_t loaded;    /* of that, what a prover holds beside its workspace: program, weights, tables */
    size_t workspace; /* peak of the workspace: cells, codewords, sumchecks */
    size_t verifying; /* not of a proof: what its verification takes, in the same process */
} mica_memory;
/* What a proof can compute again when it is needed rather than keep: less memory, more time, the same bytes.
 * What costs least for what it saves comes first. */
typedef enum mica_saving {
    MICA_SAVE_LAYER,     /* the largest layer of the lookups' tree */
    MICA_SAVE_LEAVES,    /* and its leaves */
    MICA_SAVE_CODEWORDS, /* the encoded witness and ports: queried columns are computed from the rows */
    MICA_SAVINGS
} mica_saving;
/* What pays off in a process that makes one proof: the first touch of a page costs more than computing what
 * it would hold again. */
#define MICA_SAVE_FOR_ONE (1u << MICA_SAVE_LAYER | 1u << MICA_SAVE_LEAVES)
/* A word for messages and JSON ("leaves"); never NULL. */
const char *mica_saving_name(mica_saving saving);

/* For a proof of `batch` items by a prover of these parameters, by walking its plan without computing
 * anything; nothing of the size that is predicted is allocated. savings: bit 1 << x for each saving x. Every
 * worker counts with its buffers, whether or not there is work for it: with very many of them the prediction
 * is too high. The CPU's kernels matter a little. */
bool mica_prover_memory(const mica_vk *vk, uint32_t batch, unsigned savings, mica_memory *m, mica_status *st);
/* For proofs from now on. */
void mica_prover_set_savings(mica_prover *p, unsigned savings);

/* The parameters as they were read; the prover's. */
const mica_vk *mica_prover_vk(const mica_prover *p);

/* Runs the network: s->batch items of s->input to s->output, s being made by mica_statement_create for at
 * most the prover's largest batch. Inputs outside their declared ranges are refused (MICA_ERR_RANGE). */
bool mica_prover_infer(mica_prover *p, mica_statement *s, mica_status *st);

/* Seconds per phase of one mica_prover_prove; phases in protocol order. */
typedef enum mica_phase {
    MICA_PHASE_FORWARD,
    MICA_PHASE_WITNESS, /* multiplicities and layout */
    MICA_PHASE_COMMIT,  /* encoding and hashing of the witness */
    MICA_PHASE_LOOKUP,
    MICA_PHASE_SUMCHECK,
    MICA_PHASE_OPENING,
    MICA_PHASE_GRINDING, /* all proofs of work, wherever the protocol asks for them */
    MICA_PHASES
} mica_phase;
typedef struct mica_prove_stats {
    double seconds[MICA_PHASES];
    size_t workspace_peak; /* bytes */
} mica_prove_stats;
/* A word for messages and JSON ("commit"); never NULL. */
const char *mica_phase_name(mica_phase phase);

/* Called between phases with the share of the expected work that is done, 0 to 1; may be NULL. */
typedef void (*mica_progress_fn)(void *ctx, mica_phase phase, double done);

/* The digest of one item of a port (cells: its valid cells, row-major over the tensor's axes, each in its
 * declared range), as a statement shows it where the port is committed. Needs no weights: anyone who knows
 * the integers computes it. */
bool mica_port_digest(const mica_circuit *c, const mica_port *port, const int32_t *cells,
                      uint8_t digest[MICA_DIGEST_BYTES], mica_status *st);

/* Fills the digests of a statement whose values are complete, as a proof of it will show them. */
bool mica_statement_digest(mica_statement *s, const mica_circuit *c, mica_status *st);

/* Fills s->output, the digests and s->vk_digest and writes the whole proof file (caller frees *file): header,
 * statement, proof part. The same inputs, nonce and model give the same bytes. stats may be NULL, progress
 * too. Errors are as for mica_prover_infer, and MICA_ERR_MEMORY; on failure *file stays as it was. */
bool mica_prover_prove(mica_prover *p, mica_statement *s, uint8_t **file, size_t *size,
                       mica_prove_stats *stats, mica_progress_fn progress, void *progress_ctx,
                       mica_status *st);

#endif
