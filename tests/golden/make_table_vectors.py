#!/usr/bin/env python3
"""Recomputes lookup tables from the text of docs/formats.md ("Tables") alone, with Python's unbounded integers.

Usage: make_table_vectors.py > table_vectors.h

Each vector is a definition, some sampled rows with their values, and a checksum over all values:
h = 0; h = (h * 1000003 + value) mod 2^64 for each row in order.
"""
from fractions import Fraction
from math import factorial, floor

RANGE, RELU, IDENTITY, RELU_SCALED, CLIP, SIGMOID, TANH, EXP = range(8)
NAMES = ["RANGE", "RELU", "IDENTITY", "RELU_SCALED", "CLIP", "SIGMOID", "TANH", "EXP"]
ONE = 1 << 60
LN2 = 799144290325165978
COEFFICIENTS = [ONE // factorial(j) for j in range(19)]
ZERO = (0, 0)


def power(e):
    return Fraction(1 << e) if e >= 0 else Fraction(1, 1 << -e)


def clamp(x, lo, hi):
    return min(max(x, lo), hi)


def real(x):
    return x[0] * power(x[1])


def dyadic(x):
    """A rational as a dyadic in normal form, its mantissa rounded down."""
    x = Fraction(x)
    e = 0
    while abs(x) >= 1 << 31:
        x, e = x / 2, e + 1
    while abs(x) < 1 << 30:
        x, e = x * 2, e - 1
    return (floor(x), e)


class Table:
    def __init__(self, kind, bits, lo_key, in_scale=ZERO, out_scale=ZERO, lo=0, hi=0, params=(ZERO, ZERO)):
        self.kind, self.bits, self.lo_key = kind, bits, lo_key
        self.in_scale, self.out_scale, self.lo, self.hi, self.params = in_scale, out_scale, lo, hi, params

    def R(self, a, e):
        mo, eo = self.out_scale
        return clamp(floor(a * power(e - eo) / mo + Fraction(1, 2)), -(1 << 31), (1 << 31) - 1)

    @staticmethod
    def S(a, e):
        return clamp(floor(a * power(e + 60)), -(1 << 67), 1 << 67)

    @staticmethod
    def E(u):
        k = u // LN2
        r = u - k * LN2
        m = COEFFICIENTS[18]
        for j in range(17, -1, -1):
            m = COEFFICIENTS[j] + m * r // ONE
        assert ONE <= m < 2 * ONE and 0 <= r < LN2
        return m, k

    def y(self, key):
        mi, ei = self.in_scale
        n = key * mi
        if self.kind == IDENTITY:
            return self.R(n, ei)
        if self.kind == RELU_SCALED:
            return self.R(n, ei) if key > 0 else 0
        if self.kind == CLIP:
            return clamp(self.R(n, ei), self.R(*self.params[0]), self.R(*self.params[1]))
        if self.kind == EXP:
            m, k = self.E(self.S(n, ei))
            return self.R(m, k - 60)
        if self.kind == SIGMOID:
            m, k = self.E(self.S(-abs(n), ei))
            d = ONE + floor(m * power(k))
            return self.R((1 << 120) // d, -60) if n >= 0 else self.R(m * ONE // d, k - 60)
        u = self.S(abs(n), ei)
        if u < 1 << 50:
            c = ONE - (u * u // ONE) // 3
            return self.R(n * c, ei - 60)
        m, k = self.E(self.S(-abs(n), ei + 1))
        t = floor(m * power(k))
        q = (ONE - t) * ONE // (ONE + t)
        return self.R(q if n >= 0 else -q, -60)

    def value(self, key):
        if self.kind == RANGE:
            return 0
        if self.kind == RELU:
            return max(key, 0)
        return clamp(self.y(key), self.lo, self.hi)


def centred(bits):
    return -(1 << (bits - 1))


SMALL, LARGE = (1 << 30, -96), ((1 << 31) - 1, 96)
TOP = (1 << 30) - 1
TABLES = [
    Table(RANGE, 0, 0),
    Table(RANGE, 8, 0),
    Table(RELU, 1, -1),
    Table(RELU, 9, -256),
    Table(RELU, 6, 0),
    # ties: one half of an output unit per key
    Table(IDENTITY, 4, -8, dyadic(1), dyadic(2), -128, 127),
    Table(IDENTITY, 10, centred(10), dyadic(Fraction(3, 7)), dyadic(Fraction(5, 3)), -100, 90),
    Table(IDENTITY, 8, centred(8), SMALL, LARGE, -TOP, TOP),
    Table(IDENTITY, 8, centred(8), LARGE, SMALL, -TOP, TOP),
    Table(IDENTITY, 6, centred(6), dyadic(1 << 24), dyadic(1), -TOP, TOP),
    Table(IDENTITY, 18, centred(18), LARGE, LARGE, -32768, 32767),
    Table(RELU_SCALED, 10, centred(10), dyadic(Fraction(1, 100)), dyadic(Fraction(1, 30)), 0, 127),
    Table(RELU_SCALED, 5, centred(5), dyadic(1), dyadic(2), 3, 5),
    Table(CLIP, 10, centred(10), dyadic(Fraction(1, 64)), dyadic(Fraction(6, 255)), -128, 255, (ZERO, dyadic(6))),
    Table(CLIP, 8, centred(8), dyadic(Fraction(1, 16)), dyadic(Fraction(1, 12)), -128, 127,
          (dyadic(Fraction(-5, 2)), dyadic(Fraction(-1, 3)))),
    Table(CLIP, 5, centred(5), dyadic(1), dyadic(1), -TOP, TOP, ((-(1 << 31) + 1, 96), ((1 << 31) - 1, 96))),
    Table(SIGMOID, 12, centred(12), dyadic(Fraction(1, 256)), dyadic(Fraction(1, 255)), 0, 255),
    Table(SIGMOID, 10, centred(10), dyadic(Fraction(1, 8)), dyadic(Fraction(1, 1 << 30)), -TOP, TOP),
    Table(SIGMOID, 8, centred(8), LARGE, dyadic(Fraction(1, 1000)), -TOP, TOP),
    Table(SIGMOID, 8, centred(8), SMALL, dyadic(Fraction(1, 1000)), -TOP, TOP),
    Table(SIGMOID, 8, centred(8), dyadic(Fraction(1, 4)), SMALL, -TOP, TOP),
    Table(TANH, 12, centred(12), dyadic(Fraction(1, 500)), dyadic(Fraction(1, 127)), -127, 127),
    Table(TANH, 10, centred(10), dyadic(Fraction(1, 1 << 18)), dyadic(Fraction(1, 1 << 37)), -TOP, TOP),
    Table(TANH, 8, centred(8), SMALL, (1 << 30, -92), -TOP, TOP),
    Table(TANH, 8, centred(8), LARGE, dyadic(Fraction(1, 100000)), -TOP, TOP),
    Table(TANH, 8, centred(8), dyadic(Fraction(1, 9)), LARGE, -TOP, TOP),
    Table(EXP, 10, centred(10), dyadic(Fraction(1, 100)), dyadic(Fraction(1, 1000)), 0, 65535),
    Table(EXP, 11, 0, dyadic(Fraction(1, 97)), dyadic(1), 0, TOP),
    Table(EXP, 8, centred(8), LARGE, SMALL, -TOP, TOP),
    Table(EXP, 8, centred(8), SMALL, dyadic(Fraction(1, 1 << 28)), -TOP, TOP),
    Table(EXP, 8, centred(8), dyadic(1), LARGE, -TOP, TOP),
    Table(EXP, 8, centred(8), dyadic(1), SMALL, -TOP, TOP),
]
SAMPLES = 16


def c_dyadic(x):
    return "{%d, %d}" % x


def c_samples(rows):
    lines = []
    for i in range(0, len(rows), 4):
        lines.append("      " + ", ".join("{%d, %d}" % kv for kv in rows[i : i + 4]))
    return ",\n".join(lines)


def main():
    print("/* Written by make_table_vectors.py; do not edit. */")
    print("#ifndef MICA_TESTS_TABLE_VECTORS_H\n#define MICA_TESTS_TABLE_VECTORS_H\n")
    print('#include "mica/table.h"\n')
    print("#define TABLE_VECTOR_SAMPLES %d\n" % SAMPLES)
    print("typedef struct table_vector {")
    print("    mica_table_def def;\n    uint32_t n_samples;\n    int32_t sample[TABLE_VECTOR_SAMPLES][2]; /* key, value */")
    print("    uint64_t checksum;           /* of all values: h = h * 1000003 + value */\n} table_vector;\n")
    print("static const table_vector table_vectors[] = {")
    for t in TABLES:
        rows = 1 << t.bits
        h, values = 0, []
        for j in range(rows):
            values.append(t.value(t.lo_key + j))
            h = (h * 1000003 + values[-1]) % (1 << 64)
        picks = sorted({j * (rows - 1) // (SAMPLES - 1) for j in range(SAMPLES)})
        samples = [(t.lo_key + j, values[j]) for j in picks]
        print("    {{MICA_TABLE_%s, %d, %d, %s, %s, %d, %d, {%s, %s}}," % (
            NAMES[t.kind], t.bits, t.lo_key, c_dyadic(t.in_scale), c_dyadic(t.out_scale), t.lo, t.hi,
            c_dyadic(t.params[0]), c_dyadic(t.params[1])))
        print("     %d,\n     {\n%s},\n     UINT64_C(0x%016x)}," % (len(samples), c_samples(samples), h))
    print("};\n\n#endif")


main()
