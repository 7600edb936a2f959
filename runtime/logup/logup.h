/* LogUp-GKR: sum over all leaves of p/q = 0, reduced to one evaluation of p and of q (docs/protocol.md,
 * "Lookups"; Haboeck ePrint 2022/1530, Papini-Haboeck ePrint 2023/1284).
 *
 * A binary tree over 2^bits leaves. Node x of layer k (2^k nodes) has children 2x and 2x+1 in layer k+1:
 *   p(x) = p(2x) q(2x+1) + p(2x+1) q(2x),  q(x) = q(2x) q(2x+1).
 * Layer by layer from the root: claims p_k(r), q_k(r) become, by a sumcheck over x in {0,1}^k of
 *   claim = sum_x eq(r, x) * f(x),  f = p0 q1 + p1 q0 + lambda q0 q1,   index 0: even child, 1: odd child,
 * claims on the four values at a point x*, which a challenge mu merges: the point for layer k+1 has mu as
 * variable 0 and x* as variables 1..k.
 *
 * Sumchecks bind the top variable first. The eq of a bound variable is a factor that both sides know, so it
 * is left out of the claim. With the variables above i bound to x*, the claim and the round polynomial are
 *   c = sum over variables 0..i of eq(r, x) f(x, x*),
 *   h(X) = sum over variables 0..i-1 of eq(r, x) f(x, X, x*), of degree 2.
 * The message is (h(0), h(inf)), h(inf) the coefficient of X^2; c = (1 - r_i) h(0) + r_i h(1) gives h(1), the
 * next claim is h(x*_i), and the last one is f(x*). The verifier rejects r_i = 0 (probability 2^-124 per
 * round), where c would not determine h(1).
 *
 * On the wire: the values p0 q0 p1 q1 of the root's children, checked for p0 q1 + p1 q0 = 0 and q0 q1 != 0,
 * and mu; then for k = 1..bits-1: lambda, k rounds of message and challenge, the values p0 q0 p1 q1 at x*,
 * and mu.
 *
 * Leaves beyond `count` are the fraction 0/1.
 */
#ifndef MICA_LOGUP_LOGUP_H
#define MICA_LOGUP_LOGUP_H

#include "base/arena.h"
#include "field/qvec.h"
#include "hash/channel.h"

#define LOGUP_MAX_BITS 34

/* Leaves from `first` to the next segment, or to the end: numerators p[0], p[1], ..., or 1 if p is NULL. */
typedef struct logup_segment {
    size_t first;
    const m31 *p;
} logup_segment;

/* Denominators of leaves [first, first + n), first even: of leaf first + 2i + j to entry i of q[j]. Threads
 * call it at the same time. */
typedef void (*logup_write_fn)(const void *ctx, size_t first, size_t n, const qvec q[2]);

typedef struct logup_leaves {
    size_t count;
    qvec q[2]; /* denominators: of leaf 2i + j at entry i of q[j], half of count each, rounded up; q[0].p is
                  NULL where they are asked for by `write` instead */
    logup_write_fn write;
    const void *write_ctx;
    const logup_segment *segment; /* by ascending `first`, from 0 on */
    size_t n_segments;
} logup_leaves;

/* What the prover computes again rather than keep it, each with what stands before it. The proof is the same.
 */
typedef enum logup_thrift {
    LOGUP_ALL_KEPT,
    LOGUP_LAYER_AGAIN, /* the largest layer of sums, when those above it are used up */
    LOGUP_LEAVES_AGAIN /* the denominators of the leaves, which must have `write` and no memory */
} logup_thrift;

/* Prover. count leaves, 1 <= count <= 2^bits, bits >= 1; the denominators are used up. On return rho[0..bits)
 * is the final point and *p_claim, *q_claim the evaluations of p and q there. Fails if some denominator is
 * zero (probability below count/2^124 for honest challenges) or the arena is too small. It does not test
 * whether the sum is zero: that is the verifier's business. Cost: about 15 QM31 multiplications for each
 * leaf, 11 where numerators are 1, and 32 bytes of arena, 16 with any thrift; 32 more where numerators are
 * not 1. */
bool logup_prove(mica_channel *ch, const logup_leaves *leaves, unsigned bits, logup_thrift thrift, qm31 *rho,
                 qm31 *p_claim, qm31 *q_claim, mica_arena *arena, mica_status *st);
/* Bytes of arena that logup_prove needs at most. */
size_t logup_prove_workspace(const logup_leaves *leaves, unsigned bits, logup_thrift thrift);

/* Verifier: the same reduction; leaves the claim on p and q at rho open. A root with p != 0 or
 * q = 0 is rejected. */
bool logup_reduce(mica_channel *ch, unsigned bits, qm31 *rho, qm31 *p_claim, qm31 *q_claim);

/* Exact size of the proof part in bytes. */
size_t logup_proof_bytes(unsigned bits);

#endif
