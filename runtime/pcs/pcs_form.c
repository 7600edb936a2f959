#include "pcs/pcs_form.h"

#include <stdlib.h>
#include <string.h>

#include "field/qm31_bind.h"

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

qm31 pcs_dot_m31(const qm31 *x, const m31 *w, size_t n) {
    qm31_sum sum = qm31_sum_zero(); /* n/4 parts */
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        sum = qm31_sum_add_four(sum, x + i, w + i);
    qm31 out = qm31_sum_value(sum);
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

qm31 pcs_query_at(const pcs_term *term, const qm31 *message, m31 *scratch) {
    const qm31 *part = message + term->offset;
    const unsigned high_vars = term->vars > 6 ? 3 : 0, low_vars = term->vars - high_vars;
    const size_t block = (size_t)1 << low_vars, blocks = (size_t)1 << high_vars;
    m31 *low = scratch, high[MAX_BLOCKS];
    qm31 sum = qm31_zero();
    expand_powers(term->t, low_vars, low);
    expand_powers(term->t + low_vars, high_vars, high);
    for (size_t h = 0; h < blocks; h++)
        sum = qm31_add(sum, qm31_mul_m31(pcs_dot_m31(part + h * block, low, block), high[h]));
    return sum;
}

/* Terms on one part of the message stand together, and among these such with the same first coordinates. */
static int compare_terms(const void *a, const void *b) {
    const pcs_term *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset > y->offset ? 1 : -1;
    if (x->vars != y->vars)
        return x->vars > y->vars ? 1 : -1;
    return memcmp(x->z, y->z, x->vars * sizeof(qm31));
}

static unsigned common_coordinates(const pcs_term *x, const pcs_term *y) {
    unsigned n = 0;
    if (x->offset != y->offset || x->vars != y->vars)
        return 0;
    while (n < x->vars && qm31_eq(x->z[n], y->z[n]))
        n++;
    return n;
}

/* out[i] = in[2i] (1 - z) + in[2i + 1] z: the lowest variable is bound to z. */
static void bind_lowest(const qm31 *in, qm31 z, size_t n, qm31 *out) {
    const qm31_factor factor = qm31_factor_of(z);
    for (size_t i = 0; i < n; i++)
        out[i] = qm31_bind(&factor, &in[2 * i], &in[2 * i + 1]);
}

/* The part of the message with its lowest variables bound, one after the other, to the coordinates of a term;
 * what a term shares with the one before is not computed again. After d variables 2^(vars - d) elements are
 * left, for d = 1 ... vars together less than 2^vars. */
qm31 pcs_claims_at(pcs_term *term, size_t n, const qm31 *message, qm31 *scratch) {
    qm31 sum = qm31_zero();
    if (n) /* no array need be there otherwise */
        qsort(term, n, sizeof *term, compare_terms);
    for (size_t k = 0; k < n; k++) {
        const pcs_term *t = &term[k];
        const unsigned shared = k ? common_coordinates(&term[k - 1], t) : 0;
        const qm31 *bound = message + t->offset;
        qm31 *room = scratch;
        for (unsigned d = 0; d < t->vars; d++) {
            const size_t left = (size_t)1 << (t->vars - d - 1);
            if (d >= shared)
                bind_lowest(bound, t->z[d], left, room);
            bound = room;
            room += left;
        }
        sum = qm31_add(sum, qm31_mul(t->coef, *bound));
    }
    return sum;
}
