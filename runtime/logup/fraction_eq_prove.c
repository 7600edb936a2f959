#include "logup/fraction_eq.h"
#include "logup/fraction_layer.h"
#include "poly/eq_prove.h"

bool fraction_eq_init(fraction_eq *eq, const qm31 *r, unsigned vars, size_t n, mica_arena *arena,
                      mica_status *st) {
    eq->low_bits = vars < FRACTION_CHUNK_BITS ? vars : FRACTION_CHUNK_BITS;
    eq->high_bits = 0;
    while (eq->low_bits + eq->high_bits < vars && (n - 1) >> (eq->low_bits + eq->high_bits))
        eq->high_bits++;
    eq->low = qvec_alloc(arena, FRACTION_CHUNK, st);
    eq->high = qvec_alloc(arena, (size_t)1 << eq->high_bits, st);
    if (!eq->low.p || !eq->high.p)
        return false;
    eq_table_build(eq->low, r, eq->low_bits, qm31_one());
    eq_table_build(eq->high, r + eq->low_bits, eq->high_bits, qm31_one());
    return true;
}

/* Drops the top variable of 2^bits entries: eq sums to 1 over a variable. */
static void halve(qvec table, unsigned bits) {
    const size_t half = (size_t)1 << (bits - 1);
    for (size_t i = 0; i < half; i++)
        qvec_set(table, i, qm31_add(qvec_get(table, i), qvec_get(table, half + i)));
}

void fraction_eq_shrink(fraction_eq *eq, unsigned vars) {
    while (eq->low_bits + eq->high_bits > vars) {
        if (eq->high_bits)
            halve(eq->high, eq->high_bits--);
        else
            halve(eq->low, eq->low_bits--);
    }
}

/* high: at most as many entries as there are chunks, rounded up to a power of two and to 16. */
size_t fraction_eq_bytes(size_t n) {
    const size_t chunks = n / FRACTION_CHUNK + 1;
    return (FRACTION_CHUNK + 2 * chunks + 16) * QM31_DEGREE * sizeof(m31);
}
