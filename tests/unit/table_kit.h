/* Random table definitions, their extremes often. */
#ifndef MICA_TESTS_TABLE_KIT_H
#define MICA_TESTS_TABLE_KIT_H

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "mica/table.h"
#include "suite.h"

#define TOP MICA_MAX_TABLE_VALUE

static uint64_t random_state;

static inline uint64_t random_u64(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline int random_in(int lo, int hi) {
    return lo + (int)(random_u64() % (uint64_t)(hi - lo + 1));
}

static inline mica_dyadic dyadic(double x) {
    mica_dyadic d;
    ck_assert(mica_dyadic_from_double(&d, x));
    return d;
}

/* A positive scale of any admissible size, its extremes often. */
static inline mica_dyadic random_scale(int exponent_lo, int exponent_hi) {
    const uint32_t mantissa = 1u << 30 | (uint32_t)(random_u64() >> 34);
    const int pick = random_in(0, 5);
    return (mica_dyadic){(int32_t)(pick == 0   ? 1u << 30
                                   : pick == 1 ? 0x7fffffffu
                                               : mantissa),
                         pick == 2   ? exponent_lo
                         : pick == 3 ? exponent_hi
                                     : random_in(exponent_lo, exponent_hi)};
}

static inline mica_table_def scaled_def(mica_table_kind kind, unsigned bits, double in_scale,
                                        double out_scale) {
    return (mica_table_def){.kind = kind,
                            .bits = (uint8_t)bits,
                            .lo_key = bits ? -(1 << (bits - 1)) : 0,
                            .in_scale = dyadic(in_scale),
                            .out_scale = dyadic(out_scale),
                            .lo_value = -TOP,
                            .hi_value = TOP};
}

static inline void order(mica_dyadic param[2]) {
    if (mica_dyadic_to_double(param[0]) > mica_dyadic_to_double(param[1])) {
        const mica_dyadic t = param[0];
        param[0] = param[1];
        param[1] = t;
    }
}

static inline int param_count(mica_table_kind kind) {
    switch (kind) {
    case MICA_TABLE_CLIP:
    case MICA_TABLE_SHRINK:
    case MICA_TABLE_HARD_SIGMOID:
    case MICA_TABLE_HARD_SWISH:
        return 2;
    case MICA_TABLE_LEAKY:
    case MICA_TABLE_THRESHOLD:
    case MICA_TABLE_ELU:
    case MICA_TABLE_POW:
        return 1;
    default:
        return 0;
    }
}

static inline mica_table_def random_def(void) {
    mica_table_def def = scaled_def((mica_table_kind)random_in(MICA_TABLE_IDENTITY, MICA_TABLE_KINDS - 1),
                                    (unsigned)random_in(0, 9), 1, 1);
    const int near = random_in(0, 1); /* half of them near ordinary scales */
    def.in_scale = random_scale(near ? -45 : -96, near ? -25 : 96);
    def.out_scale = random_scale(near ? -60 : -96, near ? -25 : 96);
    if (random_in(0, 3) == 0)
        def.lo_key = 0;
    if (random_in(0, 1)) {
        def.lo_value = random_in(-TOP, 100);
        def.hi_value = random_in(def.lo_value, TOP);
    }
    for (int i = 0; i < param_count(def.kind); i++) {
        def.param[i] =
            random_in(0, 7) ? random_scale(near ? -33 : -96, near ? -28 : 96) : (mica_dyadic){0, 0};
        if (random_in(0, 1))
            def.param[i].mantissa = -def.param[i].mantissa;
        if (def.kind == MICA_TABLE_POW && random_in(0, 1))
            def.param[i] = dyadic(random_in(-4, 4) / 2.0);
    }
    if (def.kind == MICA_TABLE_CLIP)
        order(def.param);
    return def;
}

#endif
