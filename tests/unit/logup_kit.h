/* Instances of the lookup argument: fractions that sum to zero. */
#ifndef MICA_TESTS_LOGUP_KIT_H
#define MICA_TESTS_LOGUP_KIT_H

#include <check.h>
#include <stdlib.h>

#include "logup/logup.h"
#include "poly/mle.h"

static uint64_t random_state;

static inline uint64_t random_u64(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline m31 random_nonzero(void) {
    return (m31)(1 + random_u64() % (M31_P - 1));
}

static inline qm31 random_qm31(void) {
    return (qm31){{random_nonzero(), random_nonzero(), random_nonzero(), random_nonzero()}};
}

/* --- instances --- */

typedef struct instance {
    size_t count;
    unsigned bits;
    m31 *p;
    qvec q;
    mica_arena arena; /* of the leaves */
} instance;

/* Fractions p s / (q s) over a handful of q, their p summing to zero for each q; at random places. */
static inline instance make_instance(uint64_t seed, size_t count, unsigned bits) {
    instance in = {.count = count, .bits = bits};
    const size_t groups = count / 3 + 1;
    mica_status st = {0};
    random_state = seed;
    ck_assert(arena_create(&in.arena, 64 + 80 * (count + 64), &st));
    in.p = arena_alloc(&in.arena, count, sizeof(m31), &st);
    in.q = qvec_alloc(&in.arena, count, &st);
    size_t *place = calloc(count, sizeof *place);
    for (size_t i = 0; i < count; i++) {
        const size_t j = random_u64() % (i + 1);
        place[i] = place[j];
        place[j] = i;
    }
    for (size_t g = 0, i = 0; g < groups && i < count; g++) {
        const qm31 q = random_qm31();
        const size_t last = g == groups - 1 ? count - 1 : i + random_u64() % 5;
        m31 sum = 0;
        for (; i <= last && i < count; i++) {
            const bool closes = i == last || i == count - 1;
            const m31 p = closes ? m31_neg(sum) : random_nonzero(), s = random_nonzero();
            sum = m31_add(sum, p);
            in.p[place[i]] = m31_mul(p, s);
            qvec_set(in.q, place[i], qm31_mul_m31(q, s));
        }
    }
    free(place);
    return in;
}

/* As a circuit's lookups are: numerators 1, but for tables of 8 to 264 rows at random places, whose
 * numerators are the negated multiplicities. */
static inline instance make_lookups(uint64_t seed, size_t count, unsigned bits) {
    enum { MOST_ROWS = 264 };
    instance in = make_instance(seed, count, bits);
    qm31 row[MOST_ROWS];
    size_t begin = 0;
    while (begin < count) { /* a group: some lookups, the table, more lookups */
        const size_t left = count - begin, rows = 8 + random_u64() % (MOST_ROWS - 8);
        const size_t size = left < 2 * rows + 1500 ? left : rows + 1 + random_u64() % 1500;
        const size_t table = size > rows ? random_u64() % (size - rows) : 0;
        for (size_t i = 0; i < rows; i++)
            row[i] = random_qm31();
        for (size_t i = 0; i < rows && i < size; i++) {
            in.p[begin + table + i] = 0;
            qvec_set(in.q, begin + table + i, row[i]);
        }
        for (size_t i = 0; i < size; i++) {
            if (i >= table && i < table + rows)
                continue;
            const size_t found = random_u64() % rows;
            in.p[begin + i] = 1;
            qvec_set(in.q, begin + i, row[found]);
            in.p[begin + table + found] = m31_sub(in.p[begin + table + found], 1);
        }
        begin += size;
    }
    return in;
}

static inline void free_instance(instance *in) {
    arena_destroy(&in->arena);
}

/* sum over all 2^bits leaves of eq(rho, i) p_i and of eq(rho, i) q_i */
static inline void evaluate(const instance *in, const qm31 *rho, qm31 *p, qm31 *q) {
    *p = *q = qm31_zero();
    for (size_t i = 0; i < (size_t)1 << in->bits; i++) {
        const qm31 eq = mle_eq_index(rho, in->bits, i);
        *p = qm31_add(*p, i < in->count ? qm31_mul_m31(eq, in->p[i]) : qm31_zero());
        *q = qm31_add(*q, i < in->count ? qm31_mul(eq, qvec_get(in->q, i)) : eq);
    }
}

#endif
