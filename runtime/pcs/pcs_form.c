#include "pcs/pcs_form.h"

#include "poly/mle.h"

static qm31 one_minus(qm31 x) {
    return qm31_sub(qm31_one(), x);
}

/* The factor of variable v at r: (1 - r)(1 - z) + r z, or (1 - r) + r t, or a selector bit. */
static qm31 factor_at(const pcs_term *term, unsigned v, qm31 r) {
    if (v >= term->vars)
        return term->offset >> v & 1 ? r : one_minus(r);
    if (term->t)
        return qm31_add(one_minus(r), qm31_mul_m31(r, term->t[v]));
    const qm31 z = term->z[v], rz = qm31_mul(r, z);
    return qm31_add(qm31_sub(one_minus(r), z), qm31_add(rz, rz));
}

void pcs_term_fold(pcs_term *term, unsigned low, const qm31 *r, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        term->coef = qm31_mul(term->coef, factor_at(term, low + i, r[i]));
    term->offset &= (1ull << low) - 1;
    term->vars = term->vars < low ? term->vars : low;
}

/* Four products of canonical elements add to at most 4 (p - 1)^2 < 2^64; the two parts of such a sum, 31 bits
 * and 33, to less than 2^34, so 2^30 of them fit in 64 bits. */
qm31 pcs_dot_m31(const qm31 *x, const m31 *w, size_t n) {
    uint64_t sum[QM31_DEGREE] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (unsigned c = 0; c < QM31_DEGREE; c++) {
            const uint64_t four = (uint64_t)x[i].v[c] * w[i] + (uint64_t)x[i + 1].v[c] * w[i + 1] +
                                  (uint64_t)x[i + 2].v[c] * w[i + 2] + (uint64_t)x[i + 3].v[c] * w[i + 3];
            sum[c] += (four & M31_P) + (four >> 31);
        }
    }
    qm31 out;
    for (unsigned c = 0; c < QM31_DEGREE; c++)
        out.v[c] = m31_reduce64(sum[c]);
    for (; i < n; i++)
        out = qm31_add(out, qm31_mul_m31(x[i], w[i]));
    return out;
}

/* w[i] = prod_j t_j^{i_j}. */
static void expand_powers(const m31 *t, unsigned vars, m31 *w) {
    w[0] = 1;
    for (unsigned j = 0; j < vars; j++) {
        const size_t half = (size_t)1 << j;
        for (size_t i = 0; i < half; i++)
            w[half + i] = m31_mul(w[i], t[j]);
    }
}

/* The tensor is the product of one on its low variables and one on its high variables: weights within a
 * block, and of the blocks, of which there are at most 8. */
#define MAX_BLOCKS 8

qm31 pcs_term_at(const pcs_term *term, const qm31 *message, qm31 *scratch) {
    const qm31 *part = message + term->offset;
    const unsigned high_vars = term->vars > 6 ? 3 : 0, low_vars = term->vars - high_vars;
    const size_t block = (size_t)1 << low_vars, blocks = (size_t)1 << high_vars;
    qm31 sum = qm31_zero();
    if (term->t) {
        m31 *low = (m31 *)(void *)scratch,
            high[MAX_BLOCKS]; /* 2^vars words fit in the room of 2^vars elements */
        expand_powers(term->t, low_vars, low);
        expand_powers(term->t + low_vars, high_vars, high);
        for (size_t h = 0; h < blocks; h++)
            sum = qm31_add(sum, qm31_mul_m31(pcs_dot_m31(part + h * block, low, block), high[h]));
    } else {
        qm31 *low = scratch, high[MAX_BLOCKS];
        mle_eq_table(term->z, low_vars, low);
        mle_eq_table(term->z + low_vars, high_vars, high);
        for (size_t h = 0; h < blocks; h++)
            sum = qm31_add(sum, qm31_mul(mle_dot(part + h * block, low, block), high[h]));
    }
    return sum;
}
