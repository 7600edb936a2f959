/* The inner loops, one table of functions per instruction set.
 *
 * The portable table is the oracle: every other table computes exactly the same values. Kernels are
 * single-threaded and take ranges; callers split work with parallel_for. Lengths are arbitrary unless stated;
 * pointers need no alignment. All field values are canonical on entry and exit. (c) QM31 arguments of a
 * kernel never alias unless the kernel says "in place".
 */
#ifndef MICA_SIMD_KERNELS_H
#define MICA_SIMD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "field/qvec.h"
#include "simd/products.h"

typedef struct mica_kernels {
    const char *name;

    /* --- linear passes --- */
    /* sum_i row[i] * e[i] */
    qm31 (*dot_m31)(const m31 *row, qvec e, size_t n);
    /* sum_i a[i] * b[i] */
    qm31 (*dot)(qvec a, qvec b, size_t n);
    /* y[i] += c * row[i] */
    void (*axpy_m31)(qvec y, qm31 c, const m31 *row, size_t n);
    /* y[i] += sum over k < n_rows of c[k] * row[k * stride + i]; n_rows < 2^30 */
    void (*axpys_m31)(qvec y, const qm31 *c, const m31 *row, size_t stride, size_t n_rows, size_t n);
    /* y[i] += c * x[i] */
    void (*axpy)(qvec y, qm31 c, qvec x, size_t n);

    /* --- multilinear tables --- */
    /* hi[i] = lo[i] * z; lo[i] -= hi[i]: appends one variable to an eq table (in place in lo) */
    void (*eq_extend)(qvec lo, qvec hi, qm31 z, size_t n);
    /* lo[i] += r * (hi[i] - lo[i]) (in place in lo): binds the top variable to r */
    void (*fold)(qvec lo, qvec hi, qm31 r, size_t n);

    /* --- sumcheck rounds; lo and hi are the halves of a table at top variable 0 and 1 --- */
    /* out[0] = sum a0*b0, out[1] = sum (a1-a0)*(b1-b0): g(0) and g(inf) of a product */
    void (*round_product)(qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[2]);
    /* out = g(0), g(inf), g(-1) of sum e*a*b */
    void (*round_eq_product)(qvec e0, qvec e1, qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[3]);

    /* --- lookup argument (logup/logup.h) --- */
    /* One layer up: node i = p0[i]/q0[i] + p1[i]/q1[i] over n nodes:
     * p[i] = p0[i]*q1[i] + p1[i]*q0[i], q[i] = q0[i]*q1[i]. */
    void (*fraction_add)(qvec p0, qvec q0, qvec p1, qvec q1, qvec p, qvec q, size_t n);
    /* The same of numerators 1: p[i] = q0[i] + q1[i], q[i] = q0[i]*q1[i]. */
    void (*fraction_add_ones)(qvec q0, qvec q1, qvec p, qvec q, size_t n);
    /* out[0], out[1] = h(0), h(inf) of sum_i e[i] * ( (p0*q1 + p1*q0) + lambda * q0*q1 ), where each of the
     * four tables is given by its halves (index 0: top variable 0, 1: top variable 1) and e is the eq table
     * of the remaining variables. Order of t: p0, q0, p1, q1. */
    void (*round_fraction)(qvec e, const qvec t[4][2], qm31 lambda, size_t n, qm31 out[2]);
    /* out[0] = sum_i e[i] * (a0 + s[0]) (b0 + s[0]), out[1] = sum_i e[i] * (a1 - a0 + s[1]) (b1 - b0 + s[1]),
     * where a and b are given by their halves t[0], t[1] as above. */
    void (*round_shifted)(qvec e, const qvec t[2][2], const qm31 s[2], size_t n, qm31 out[2]);

    /* --- code (code/line_code.h) --- */
    /* Butterflies of one FFT layer on two half-blocks: (u, v) -> (u + x[i] v, u - x[i] v), i < n (in place).
     * With broadcast != 0 every i uses x[0]. */
    void (*butterfly)(m31 *u, m31 *v, const m31 *x, int broadcast, size_t n);
    /* Two layers on four quarter-blocks a_q = a + q step: butterflies (a_0, a_1) and (a_2, a_3) with x[i],
     * then (a_0, a_2) with y[i] and (a_1, a_3) with z[i]; broadcast and n <= step as above. */
    void (*butterflies)(m31 *a, size_t step, const m31 *x, const m31 *y, const m31 *z, int broadcast,
                        size_t n);

    /* --- integer layers (simd/products.h) --- */
    products_fn *products;
    combine_fn *combine;
    /* What one butterfly costs, in multiply-adds of `products`, on a CPU with this table: for choices between
     * ways to the same values. */
    unsigned products_per_butterfly;

    /* --- field elements as limbs (simd/limbs.h) --- */
    /* v[i], centred, = sum_j 2^(11 j) limb[j * stride + i], i < n. Returns how many limbs are not all zero,
     * counted from the lowest: 0 to 3; of the others, only those below the number are written, but always
     * limb 0. All limbs are within +-LIMB_MOST. */
    unsigned (*limbs_split)(int16_t *limb, size_t stride, const m31 *v, size_t n);
    /* acc[i] += sum_j 2^(11 j) sum[j * stride + i], j < 3, modulo p; |sum| <= 2^30. */
    void (*limbs_join)(m31 *acc, const int32_t *sum, size_t stride, size_t n);

    /* sum[w] = sum of |v[i]| over HALVES_WINDOW w <= i < HALVES_WINDOW (w + 1), i < n: of all windows, the
     * last one shorter. */
    void (*abs_sums)(uint32_t *sum, const int16_t *v, size_t n);
    /* acc[i] += scale[i] * sum over q < parts of (low + 2^16 high), low = sum[q * part_stride + i], high =
     * sum[q * part_stride + stride + i], modulo p, i < n; |low|, |high| < p; parts <= 32. */
    void (*halves_join)(m31 *acc, const int32_t *sum, size_t stride, size_t parts, size_t part_stride,
                        const m31 *scale, size_t n);

    /* --- hashing (simd/hash_kernels.h, hash/blake2s.h) --- */
    /* digest + 32 i (32 bytes) is the hash of the message whose 32-bit words are word[w][first + i], w <
     * n_words, LE, for i < n, under the state h0 that has absorbed `counted` bytes (a multiple of 64), key
     * block included. n_words >= 1. */
    void (*hash_columns)(const uint32_t h0[8], uint64_t counted, const m31 *const *word, size_t n_words,
                         size_t first, size_t n, uint8_t *digest);
    /* parent + 32 i is the hash of the 64 bytes child + 64 i, i < n, under h0, after the words of both halves
     * have been masked by `kept`. parent and child do not overlap. */
    void (*hash_nodes)(const uint32_t h0[8], uint64_t counted, const uint32_t kept[8], const uint8_t *child,
                       size_t n, uint8_t *parent);
    /* The first nonce in [first, first + count) whose digest (32-byte state, then nonce as 8 bytes LE) under
     * h0 has its first `bits` bits (LE 64-bit word, low bits) zero; UINT64_MAX if none. bits <= 63; first +
     * count < 2^64. */
    uint64_t (*grind)(const uint32_t h0[8], uint64_t counted, const uint8_t state[32], unsigned bits,
                      uint64_t first, uint64_t count);
} mica_kernels;

/* The table for the current CPU level (base/cpu.h). */
const mica_kernels *kernels(void);
/* The table of one level, NULL if this build has none. */
const mica_kernels *kernels_of(mica_cpu_level level);

#endif
