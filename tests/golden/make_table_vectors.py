#!/usr/bin/env python3
"""Recomputes lookup tables from the text of docs/formats.md ("Tables") alone, with Python's unbounded integers.

Usage: make_table_vectors.py > table_vectors.h

Each vector is a definition, some sampled rows with their values, and a checksum over all values:
h = 0; h = (h * 1000003 + value) mod 2^64 for each row in order.
"""
from fractions import Fraction
from math import factorial, floor

NAMES = ["RANGE", "RELU", "IDENTITY", "RELU_SCALED", "CLIP", "SIGMOID", "TANH", "EXP", "LEAKY", "THRESHOLD", "SHRINK",
         "HARD_SIGMOID", "HARD_SWISH", "ELU", "SOFTPLUS", "SOFTSIGN", "MISH", "ERF", "GELU", "GELU_TANH", "LOG", "POW",
         "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SIGN"]
(RANGE, RELU, IDENTITY, RELU_SCALED, CLIP, SIGMOID, TANH, EXP, LEAKY, THRESHOLD, SHRINK, HARD_SIGMOID, HARD_SWISH, ELU,
 SOFTPLUS, SOFTSIGN, MISH, ERF, GELU, GELU_TANH, LOG, POW, SIN, COS, FLOOR, CEIL, ROUND, SIGN) = range(len(NAMES))
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
    def W(a, e):
        return clamp(floor(a * power(e + 60)), -(1 << 110), 1 << 110)

    @staticmethod
    def S(a, e):
        return clamp(Table.W(a, e), -(1 << 67), 1 << 67)

    @staticmethod
    def E(u):
        k = u // LN2
        r = u - k * LN2
        m = COEFFICIENTS[18]
        for j in range(17, -1, -1):
            m = COEFFICIENTS[j] + m * r // ONE
        assert ONE <= m < 2 * ONE and 0 <= r < LN2
        return m, k

    @staticmethod
    def L(a, e):
        length = a.bit_length()
        m, k = floor(a * power(61 - length)), e + length - 1
        s = (m - ONE) * ONE // (m + ONE)
        square = s * s // ONE
        p = ONE // 39
        for j in range(18, -1, -1):
            p = ONE // (2 * j + 1) + p * square // ONE
        return 2 * (p * s // ONE) + k * LN2

    @staticmethod
    def C(u, quarters):
        half_pi = 1811004864519280710
        k = u // half_pi
        r = u - k * half_pi
        q = (k + quarters) % 4
        square = r * r // ONE
        last = 17 + q % 2
        p = COEFFICIENTS[last]
        for j in range(last - 2, -1, -2):
            p = COEFFICIENTS[j] - p * square // ONE
        if q % 2 == 0:
            p = p * r // ONE
        return -p if q >= 2 else p

    @staticmethod
    def F(a):
        if a >= 21 << 38:
            return ONE
        square = a * a >> 40
        term = total = 1 << 40
        n = 1
        while term > 0:
            term = term * (2 * square // (2 * n + 1)) >> 40
            total += term
            n += 1
        m, k = Table.E(-square * (1 << 20))
        v = floor(total * (m >> 20) * power(k - 40))
        return min(v * a * 1240666014761 >> 60, ONE)

    def gate(self, n, ei):
        """A factor in [0, 2^60] of x."""
        if self.kind in (HARD_SIGMOID, HARD_SWISH):
            (m0, e0), (m1, e1) = self.params
            return clamp(self.W(n * m0, ei + e0) + self.W(m1, e1), 0, ONE)
        if self.kind == MISH:
            m, k = self.E(self.S(-abs(n), ei))
            t = floor(m * power(k))
            square = t * t // ONE
            if n >= 0:
                return (ONE // 2 + t) * ONE // (ONE // 2 + t + square)
            return (t + square // 2) * ONE // (t + square // 2 + ONE)
        if self.kind == GELU:
            f = self.F(self.S(abs(n), ei) * 777472127993 // ONE)
            return (ONE - f if n < 0 else ONE + f) // 2
        a = min(self.S(abs(n), ei), 1 << 64) >> 20
        factor = (1 << 40) + ((a * a >> 40) * 49164662436 >> 40)
        z = (a * factor >> 40) * 1754566704451 >> 40
        m, k = self.E(max(-z * (1 << 20), -(1 << 67)))
        t = floor(m * power(k))
        return (t if n < 0 else ONE) * ONE // (ONE + t)

    def y_elementwise(self, n, ei):
        (m0, e0), (m1, e1) = self.params
        x = n * power(ei)
        if self.kind == LEAKY:
            return self.R(n, ei) if n > 0 else self.R(n * m0, ei + e0)
        if self.kind == THRESHOLD:
            return self.R(n, ei) if self.W(n, ei) > self.W(m0, e0) else 0
        if self.kind == SHRINK:
            u, limit, bias = self.W(n, ei), self.W(m0, e0), self.W(m1, e1)
            if u < -limit:
                return self.R(u + bias, -60)
            return self.R(u - bias, -60) if u > limit else 0
        if self.kind == HARD_SIGMOID:
            return self.R(self.gate(n, ei), -60)
        if self.kind in (HARD_SWISH, MISH, GELU, GELU_TANH):
            return self.R(n * self.gate(n, ei), ei - 60)
        if self.kind in (FLOOR, CEIL, ROUND, SIGN):
            if self.kind == SIGN:
                return self.R((n > 0) - (n < 0), 0)
            # W's clamp, in units of 1 and of 1/2
            unit = clamp(floor(x), -(1 << 110), 1 << 110)
            up = clamp(floor(2 * x), -(1 << 110), 1 << 110)
            down = clamp(floor(-2 * x), -(1 << 110), 1 << 110)
            if self.kind == FLOOR:
                return self.R(unit, 0)
            if self.kind == CEIL:
                return self.R(-clamp(floor(-x), -(1 << 110), 1 << 110), 0)
            a, b = (up + 1) // 2, -((down + 1) // 2)
            return self.R(a if a % 2 == 0 else b, 0)
        if self.kind == SOFTSIGN:
            g = clamp(-ei, 0, 60)
            v = min(floor(abs(n) * power(ei + g)), ONE)
            q = v * ONE // ((1 << g) + v)
            return self.R(q if n >= 0 else -q, -60)
        if self.kind == ERF:
            f = self.F(self.S(abs(n), ei) >> 20)
            return self.R(f if n >= 0 else -f, -60)
        if self.kind == LOG:
            return self.R(self.L(n, ei), -60) if n > 0 else self.lo
        if self.kind == POW:
            p = m0 * power(e0)
            if n == 0 and m0 != 0:
                return 0 if m0 > 0 else self.hi
            if n < 0 and p.denominator != 1:
                return 0
            log = self.L(abs(n), ei) if n else 0
            m, k = self.E(clamp(floor(log * p), -(1 << 67), 1 << 67))
            return self.R(-m if n < 0 and p % 2 == 1 else m, k - 60)
        if self.kind in (SIN, COS):
            return self.R(self.C(clamp(self.W(n, ei), -(1 << 80), 1 << 80), self.kind - SIN), -60)
        m, k = self.E(self.S(-abs(n), ei))
        t = floor(m * power(k))
        if self.kind == ELU:
            return self.R(n, ei) if n > 0 else self.R((t - ONE) * m0, e0 - 60)
        tail = self.L(ONE + t, -60)
        return self.R(self.W(n, ei) + tail if n > 0 else tail, -60)

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
        if self.kind >= LEAKY:
            return self.y_elementwise(n, ei)
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
PARAMS = {
    LEAKY: [(dyadic(Fraction(1, 100)), ZERO), (dyadic(-1), ZERO)],
    THRESHOLD: [(dyadic(1), ZERO), (dyadic(Fraction(-7, 3)), ZERO)],
    SHRINK: [(dyadic(Fraction(3, 2)), dyadic(Fraction(1, 2))), (dyadic(-1), dyadic(Fraction(-1, 3))), (LARGE, LARGE)],
    HARD_SIGMOID: [(dyadic(Fraction(1, 5)), dyadic(Fraction(1, 2))), (dyadic(Fraction(-1, 3)), ZERO), (LARGE, SMALL)],
    HARD_SWISH: [(dyadic(Fraction(1, 6)), dyadic(Fraction(1, 2))), (LARGE, dyadic(-1))],
    ELU: [(dyadic(1), ZERO), (dyadic(Fraction(-5, 3)), ZERO), (ZERO, ZERO)],
    POW: [(p, ZERO) for p in (ZERO, dyadic(1), dyadic(2), dyadic(3), dyadic(-1), dyadic(Fraction(1, 2)),
                              dyadic(Fraction(-1, 2)), dyadic(Fraction(7, 3)), SMALL, LARGE)],
}
for kind in range(LEAKY, len(NAMES)):
    for params in PARAMS.get(kind, [(ZERO, ZERO)]):
        TABLES.append(Table(kind, 9, centred(9), dyadic(Fraction(1, 37)), dyadic(Fraction(1, 1 << 14)), -TOP, TOP, params))
        TABLES.append(Table(kind, 6, centred(6), dyadic(Fraction(1, 2)), dyadic(1), -40, 40, params))
    for scales in ((SMALL, SMALL), (SMALL, LARGE), (LARGE, SMALL), (LARGE, LARGE)):
        TABLES.append(Table(kind, 5, centred(5), *scales, -TOP, TOP, PARAMS.get(kind, [(ZERO, ZERO)])[0]))
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
