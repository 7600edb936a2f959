/* LogUp-GKR: sum over all leaves of p/q = 0, reduced to one evaluation of p and of q (docs/protocol.md, "Lookups";
 * Haboeck ePrint 2022/1530, Papini-Haboeck ePrint 2023/1284).
 *
 * A binary tree over 2^bits leaves. Node x of layer k (2^k nodes) has children 2x and 2x+1 in layer k+1:
 *   p(x) = p(2x) q(2x+1) + p(2x+1) q(2x),  q(x) = q(2x) q(2x+1).
 * Layer by layer from the root: claims p_k(r), q_k(r) become, by a sumcheck over x in {0,1}^k of
 *   eq(r, x) * ( p0 q1 + p1 q0 + lambda q0 q1 ),   index 0: even child, 1: odd child,
 * claims on the four values at a point x*, which a challenge mu merges: the point for layer k+1 has mu as variable 0
 * and x* as variables 1..k. Sumchecks bind the top variable first. A round message is (h(0), h(inf)), where the round
 * polynomial is g(X) = E * eq(r_i, X) * h(X), E the eq of the variables bound so far, h of degree 2; h(1) follows from
 * the claim: claim = E * ((1 - r_i) h(0) + r_i h(1)). The verifier rejects r_i = 0 or E = 0.
 *
 * Leaves beyond `count` are the fraction 0/1.
 */
#ifndef MICA_LOGUP_LOGUP_H
#define MICA_LOGUP_LOGUP_H

#include "base/arena.h"
#include "field/qvec.h"
#include "hash/channel.h"

#define LOGUP_MAX_BITS 34

/* Prover. p: numerators in M31; q: denominators; count leaves, 1 <= count <= 2^bits, bits >= 1. On return
 * rho[0..bits) is the final point and *p_claim, *q_claim the evaluations of p and q there. Fails if some denominator
 * is zero (probability below (count)/2^124; the caller reports it). */
bool logup_prove(mica_channel *ch, const m31 *p, qvec q, size_t count, unsigned bits, qm31 *rho, qm31 *p_claim,
                 qm31 *q_claim, mica_arena *arena, mica_status *st);
/* Bytes of arena that logup_prove needs at most. */
size_t logup_prove_workspace(size_t count, unsigned bits);

/* Verifier: the same reduction; leaves the claim on p and q at rho open. Rejects a root with p != 0 or q = 0. */
bool logup_reduce(mica_channel *ch, unsigned bits, qm31 *rho, qm31 *p_claim, qm31 *q_claim);

/* Exact size of the proof part in bytes. */
size_t logup_proof_bytes(unsigned bits);

#endif
