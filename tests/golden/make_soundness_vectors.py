#!/usr/bin/env python3
"""Writes soundness_vectors.h: the error terms of docs/soundness.md (unique decoding) in 60-digit decimal arithmetic.

Usage: make_soundness_vectors.py > soundness_vectors.h
Bits are printed in units of 2^-32, rounded down. The formulas:
  field     log2 q, q = (2^31 - 1)^4
  fold      log2 q - log2(sum over codewords of (n + 2))
  query     -t log2((1 + rho)/2) + pow
  queries   the least t whose query bits reach the target
  logup     log2 q - log2(N k) + pow, N lookups and table rows, k the tuple length
"""
from decimal import Decimal, ROUND_CEILING, ROUND_FLOOR, getcontext

getcontext().prec = 60
LN2 = Decimal(2).ln()
Q = (2**31 - 1) ** 4


def log2(x):
    return Decimal(x).ln() / LN2


def unit32(bits):
    # The tolerance absorbs the last digits of ln for powers of two, whose logarithm is an integer.
    scaled = bits * 2**32
    near = scaled.to_integral_value()
    exact = abs(scaled - near) < Decimal(10) ** -30
    return int(near if exact else scaled.to_integral_value(ROUND_FLOOR))


def per_query(rate_bits):
    rho = Decimal(1) / 2**rate_bits
    return -log2((1 + rho) / 2)


def queries(rate_bits, target, pow_bits):
    return int(((target - pow_bits) / per_query(rate_bits)).to_integral_value(ROUND_CEILING))


def rows(name, fields, values):
    print("static const struct {\n    %s\n} %s[] = {" % (fields, name))
    for v in values:
        print("    {%s}," % ", ".join(str(x) for x in v))
    print("};\n")


LOGS = sorted({1, 2, 3, 5, 7, 255, 256, 257, 1000, 65535, 65537, 2**31 - 1, 2**32 - 1, 2**32 + 1, 10**12,
               3**39, 2**53 + 1, 2**62 + 2**30, 2**63 - 1, 2**63, 2**64 - 1})
FOLDS = [2**k + 2 for k in range(1, 31)] + [3 * 2**k + 4 for k in range(1, 24)] + [1, 12345, 999983]
QUERY = [(r, t, p) for r in (1, 2, 3, 4, 5, 6, 8) for t in (1, 21, 80, 118, 193, 500) for p in (0, 20)]
COUNTS = [(r, target, p) for r in (1, 2, 3, 4, 6, 8) for target in (60, 80, 100, 128) for p in (0, 10, 17, 20)]
LOGUP = [(n, k, p) for n in (1, 6, 1000, 2**20 + 17, 2**28 + 2**16, 3 * 2**33) for k in (1, 2, 3) for p in (0, 12)]

print("/* Written by make_soundness_vectors.py; do not edit. Bits in units of 2^-32, rounded down. */")
print("#ifndef MICA_GOLDEN_SOUNDNESS_VECTORS_H\n#define MICA_GOLDEN_SOUNDNESS_VECTORS_H\n")
print("#include <stdint.h>\n")
print("static const int64_t vector_field = %d;\n" % unit32(log2(Q)))
rows("vector_log", "uint64_t n;\n    int64_t bits;", [("%dull" % n, unit32(log2(n))) for n in LOGS])
rows("vector_fold", "uint64_t total;\n    int64_t bits;", [("%dull" % n, unit32(log2(Q) - log2(n))) for n in FOLDS])
rows("vector_query", "unsigned rate_bits, queries, pow_bits;\n    int64_t bits;",
     [(r, t, p, unit32(t * per_query(r) + p)) for r, t, p in QUERY])
rows("vector_count", "unsigned rate_bits, target_bits, pow_bits, queries;",
     [(r, target, p, queries(r, target, p)) for r, target, p in COUNTS])
rows("vector_logup", "uint64_t n;\n    unsigned tuple_length, pow_bits;\n    int64_t bits;",
     [("%dull" % n, k, p, unit32(log2(Q) - log2(n * k) + p)) for n, k, p in LOGUP])
print("#endif")
