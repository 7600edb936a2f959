/* The commitment scheme: interleaved line codes, row-first opening, a new code at every level
 * (docs/protocol.md, "Commitment"; Ligerito/WHIR family), unique decoding at every level.
 *
 * A group is a matrix over M31 of 2^a rows and 2^b columns, seen as a multilinear polynomial in a+b
 * variables: bit j of the column index is variable j, bit j of the row index is variable b+j. Rows that are
 * not present are zero: they are neither stored in codewords nor hashed nor opened. Which rows are present is
 * fixed by the vk and the batch size.
 *
 * Opening, for claims P_g(z) = v:
 *   gamma; classes c = distinct (group, column part zc). u_c[row] = <P[row], eq(zc)>,
 *     wt_c[row] = sum over claims of the class of gamma^j eq(zr_j, row)
 *   sumcheck over max a variables of sum_c wt_c[row] u_c[row]                           -> r
 *   y_g = sum_row eq(r, row) P_g[row]; residual claim sum_c wt_c(r) <y_g, eq(zc_c)> = sigma
 *   (a group with fewer row variables is zero where one of the missing, highest ones is 1, its wt_c does not
 * depend on them: y_g has the factor prod (1 - r_v) over the missing ones) Level l >= 1: message (level 1:
 * the y_g stacked by descending length, aligned, zero-padded to a power of two) as 2^a rows of 2^b' columns
 * over QM31, each coordinate encoded; a column is its rows in order, four words each; rows that are padding
 * only are absent; commit; proof of work; t queries into the level below, each distinct one opened once;
 * gamma; add the query functionals to the linear form; sumcheck over the a row variables; the folded message
 * goes on. The last message is sent in the clear; then its queries and the final linear form are checked.
 */
#ifndef MICA_PCS_PCS_H
#define MICA_PCS_PCS_H

#include "base/arena.h"
#include "field/qvec.h"
#include "hash/channel.h"
#include "hash/merkle.h"
#include "mica/status.h"
#include "soundness/soundness.h"

#define PCS_MAX_GROUPS   258 /* weights, witness and the digests of a statement */
#define PCS_MAX_LEVELS   8
#define PCS_MAX_ROW_BITS 20 /* a */
#define PCS_MAX_VARS     48 /* a + b of a group */

typedef struct pcs_shape {
    unsigned row_vars;       /* a: 2^a rows */
    unsigned col_vars;       /* b: 2^b columns */
    unsigned rate_bits;      /* r: rate 2^-r */
    unsigned digest_bytes;   /* of the Merkle tree over its columns */
    uint32_t n_present;      /* rows that are present */
    const uint32_t *present; /* their indices, ascending */
} pcs_shape;

typedef struct pcs_level {
    unsigned row_vars, col_vars; /* a, b' of this level's message: 2^(a+b') QM31 values */
    unsigned rate_bits;
    unsigned queries; /* into this level's codeword, made at the next level */
} pcs_level;

/* All of it is a function of the shapes and the security target (pcs_params_choose); nothing comes from a
 * proof. */
typedef struct pcs_params {
    unsigned n_groups;
    pcs_shape group[PCS_MAX_GROUPS];
    unsigned group_queries[PCS_MAX_GROUPS];
    uint64_t group_offset[PCS_MAX_GROUPS]; /* of y_g in the level-1 message */
    unsigned n_levels;                     /* committed levels >= 1; may be 0: y in the clear */
    pcs_level level[PCS_MAX_LEVELS];
    unsigned message_vars; /* log2 of the level-1 message */
    unsigned final_vars;   /* log2 of the clear message */
    unsigned query_pow_bits;
    unsigned digest_bytes; /* of the trees of the levels */
} pcs_params;

typedef struct pcs_claim {
    uint32_t group;
    const qm31 *point; /* row_vars + col_vars elements, variable 0 first; selectors are exact 0 and 1 */
    qm31 value;
} pcs_claim;

/* Whether a group is encoded and hashed for every proof, or once, when a model is compiled. */
typedef enum pcs_commit_time { PCS_EACH_PROOF, PCS_ONCE } pcs_commit_time;

/* Row length and rate for a group of `cells` cells, chosen as if it were the only one, with room left for
 * three more of the same length: minimises a fixed integer cost of proof bytes and prover work, and of the
 * bytes of a tree that is stored, the same on every CPU. For PCS_EACH_PROOF the choice is part of the
 * protocol (docs/formats.md, "Witness rows"), for PCS_ONCE the vk holds it. */
void pcs_choose_row_bits(uint64_t cells, unsigned security_bits, pcs_commit_time when, unsigned *col_vars,
                         unsigned *rate_bits);
/* Completes params from group shapes: queries, levels, pow. Fails if the target cannot be met. */
bool pcs_params_choose(pcs_params *p, const pcs_shape *group, unsigned n_groups, unsigned security_bits,
                       mica_status *st);
/* Upper bound of the opening's size in bytes; *expected is the mean over query sets. */
size_t pcs_proof_bytes(const pcs_params *p, size_t *expected);

/* Adds every error term of an opening of n_claims claims, round by round. */
void pcs_budget(const pcs_params *p, unsigned n_claims, soundness_budget *budget);

/* --- prover --- */
/* Row i of the matrix is at matrix + (i << b), absent rows included (they are zero). */
typedef struct pcs_committed {
    pcs_shape shape;
    const m31 *matrix;
    m31 *codeword; /* n_present rows of 2^(b+r), or NULL: rows are encoded again when columns are queried */
    merkle_tree tree;
    const struct narrow_matrix *narrow; /* the matrix once more (poly/narrow_prove.h), or NULL; rows are whole
                                           chunks */
} pcs_committed;

/* Encodes and hashes. keep_codeword: keep it in the arena, else its room is free again on return. */
bool pcs_commit(pcs_committed *c, const pcs_shape *shape, const m31 *matrix, bool keep_codeword,
                mica_arena *arena, uint8_t root[MERKLE_DIGEST], mica_status *st);
/* The caller has absorbed the roots (or the vk digest that holds them), and points are functions of the
 * transcript; the claimed values are absorbed here, before gamma. Needs pcs_open_workspace bytes of the
 * arena, gives them back. */
bool pcs_open(mica_channel *ch, const pcs_params *p, const pcs_committed *group, const pcs_claim *claim,
              size_t n_claims, mica_arena *arena, mica_status *st);
size_t pcs_commit_workspace(const pcs_shape *shape, bool keep_codeword);
size_t pcs_open_workspace(const pcs_params *p, size_t n_claims); /* a bound */
/* Takes of an arena, which may be unbacked, what pcs_open takes, and gives it back. Of a group only whether
 * it has a codeword and narrow cells matters, of claims which coordinates are equal, 0 or 1. */
bool pcs_open_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim, size_t n_claims,
                  mica_arena *arena, mica_status *st);

/* --- verifier --- */
/* root[g]: 32 bytes each. arena: pcs_verify_workspace bytes, a function of params and n_claims alone.
 * Rejections: MALFORMED, POW, MERKLE (round: 0 for the groups, else the level) and OPENING (round: the last
 * level, since every lie in rounds or messages surfaces only at the clear message). Does not require the
 * proof to end. */
bool pcs_verify(mica_channel *ch, const pcs_params *p, const uint8_t (*root)[MERKLE_DIGEST],
                const pcs_claim *claim, size_t n_claims, mica_arena *arena, mica_status *st);
size_t pcs_verify_workspace(const pcs_params *p, size_t n_claims);

#endif
