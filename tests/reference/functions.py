"""Elementwise functions of lookup tables (docs/formats.md, "Tables"): y of each kind from LEAKY on.

A function takes N and e of x = N 2^e and the table, and returns a pair (a, e) that R rounds, or an integer y."""
from __future__ import annotations

from typing import Callable

from .arithmetic import COEFFICIENTS, LN2, UNIT, clamp, exponent_units, exponential, shifted, wide_units
from .circuit import Dyadic, Table, TableKind

HALF_PI = 1811004864519280710
UNIT40 = 2**40
Rounded = tuple[int, int]


def logarithm(a: int, e: int) -> int:
    """Ln(a, e)."""
    bits = a.bit_length()
    m, k = shifted(a, 61 - bits), e + bits - 1
    s = (m - UNIT) * UNIT // (m + UNIT)
    q = s * s >> 60
    p = UNIT // 39
    for j in range(18, -1, -1):
        p = UNIT // (2 * j + 1) + (p * q >> 60)
    return 2 * (p * s >> 60) + k * LN2


def sine(u: int, quarters: int) -> int:
    """C(u, q)."""
    k, r = divmod(u, HALF_PI)
    i = (k + quarters) % 4
    v = r * r >> 60
    p = COEFFICIENTS[17 + i % 2]
    for j in range(15 + i % 2, -1, -2):
        p = COEFFICIENTS[j] - (p * v >> 60)
    if i % 2 == 0:
        p = p * r >> 60
    return p if i < 2 else -p


def error_function(a: int) -> int:
    """F(a)."""
    if a >= 21 * 2**38:
        return UNIT
    q = a * a >> 40
    t, total, n = UNIT40, UNIT40, 1
    while t:
        t = t * (2 * q // (2 * n + 1)) >> 40
        total, n = total + t, n + 1
    m, k = exponential(-q << 20)
    return min(shifted(total * (m >> 20), k - 40) * a * 1240666014761 >> 60, UNIT)


def decay(n: int, e: int) -> int:
    """exp(-|x|) in units of 2^-60."""
    return shifted(*exponential(exponent_units(-abs(n), e)))


def units(number: Dyadic) -> int:
    return wide_units(number.mantissa, number.exponent)


# --- gates: G(N, e) ---


def hard_gate(n: int, e: int, table: Table) -> int:
    slope, offset = table.params
    return clamp(wide_units(n * slope.mantissa, e + slope.exponent) + units(offset), 0, UNIT)


def mish_gate(n: int, e: int) -> int:
    t = decay(n, e)
    q = t * t >> 60
    if n >= 0:
        return (UNIT // 2 + t) * UNIT // (UNIT // 2 + t + q)
    return (t + q // 2) * UNIT // (t + q // 2 + UNIT)


def gelu_gate(n: int, e: int) -> int:
    f = error_function(exponent_units(abs(n), e) * 777472127993 >> 60)
    return (UNIT + (f if n >= 0 else -f)) // 2


def gelu_tanh_gate(n: int, e: int) -> int:
    a = min(exponent_units(abs(n), e), 2**64) >> 20
    b = UNIT40 + ((a * a >> 40) * 49164662436 >> 40)
    z = (a * b >> 40) * 1754566704451 >> 40
    t = shifted(*exponential(max(-z << 20, -2**67)))
    return (UNIT if n >= 0 else t) * UNIT // (UNIT + t)


# --- functions ---


def signed(n: int, y: int) -> Rounded:
    return (y if n >= 0 else -y), -60


def leaky(n: int, e: int, table: Table) -> Rounded:
    slope = table.params[0]
    return (n, e) if n > 0 else (n * slope.mantissa, e + slope.exponent)


def threshold(n: int, e: int, table: Table) -> Rounded:
    return (n, e) if wide_units(n, e) > units(table.params[0]) else (0, 0)


def shrink(n: int, e: int, table: Table) -> Rounded:
    x, (limit, bias) = wide_units(n, e), map(units, table.params)
    return (x + bias if x < -limit else x - bias if x > limit else 0), -60


def elu(n: int, e: int, table: Table) -> Rounded:
    factor = table.params[0]
    return (n, e) if n > 0 else ((decay(n, e) - UNIT) * factor.mantissa, factor.exponent - 60)


def softplus(n: int, e: int, table: Table) -> Rounded:
    tail = logarithm(UNIT + decay(n, e), -60)
    return (wide_units(n, e) + tail if n > 0 else tail), -60


def softsign(n: int, e: int, table: Table) -> Rounded:
    g = clamp(-e, 0, 60)
    v = min(shifted(abs(n), e + g), UNIT)
    return signed(n, v * UNIT // (2**g + v))


def erf(n: int, e: int, table: Table) -> Rounded:
    return signed(n, error_function(exponent_units(abs(n), e) >> 20))


def log(n: int, e: int, table: Table) -> Rounded | int:
    return (logarithm(n, e), -60) if n > 0 else table.lo_value


def power(n: int, e: int, table: Table) -> Rounded | int:
    m, f = table.params[0].mantissa, table.params[0].exponent
    if n == 0 and m != 0:
        return 0 if m > 0 else table.hi_value
    integer = f >= 0 or m % 2**-f == 0
    if n < 0 and not integer:
        return 0
    ln = logarithm(abs(n), e) if n else 0
    value, k = exponential(clamp(shifted(ln * m, f), -2**67, 2**67))
    odd = integer and f <= 0 and (m >> -f) % 2 == 1
    return (-value if n < 0 and odd else value), k - 60


def wave(quarters: int) -> Callable[[int, int, Table], Rounded]:
    return lambda n, e, table: (sine(clamp(wide_units(n, e), -2**80, 2**80), quarters), -60)


def whole(n: int, e: int) -> int:
    """I(N 2^e)."""
    return clamp(shifted(n, e), -2**110, 2**110)


def nearest(n: int, e: int, table: Table) -> Rounded:
    up, down = (whole(n, e + 1) + 1) // 2, -((whole(-n, e + 1) + 1) // 2)
    return (up if up % 2 == 0 else down), 0


def gated(gate: Callable[[int, int], int]) -> Callable[[int, int, Table], Rounded]:
    return lambda n, e, table: (n * gate(n, e), e - 60)


FUNCTIONS: dict[TableKind, Callable[[int, int, Table], Rounded | int]] = {
    TableKind.LEAKY: leaky,
    TableKind.THRESHOLD: threshold,
    TableKind.SHRINK: shrink,
    TableKind.HARD_SIGMOID: lambda n, e, table: (hard_gate(n, e, table), -60),
    TableKind.HARD_SWISH: lambda n, e, table: (n * hard_gate(n, e, table), e - 60),
    TableKind.ELU: elu,
    TableKind.SOFTPLUS: softplus,
    TableKind.SOFTSIGN: softsign,
    TableKind.MISH: gated(mish_gate),
    TableKind.ERF: erf,
    TableKind.GELU: gated(gelu_gate),
    TableKind.GELU_TANH: gated(gelu_tanh_gate),
    TableKind.LOG: log,
    TableKind.POW: power,
    TableKind.SIN: wave(0),
    TableKind.COS: wave(1),
    TableKind.FLOOR: lambda n, e, table: (whole(n, e), 0),
    TableKind.CEIL: lambda n, e, table: (-whole(-n, e), 0),
    TableKind.ROUND: nearest,
    TableKind.SIGN: lambda n, e, table: ((n > 0) - (n < 0), 0),
}
# How many parameters a kind reads; the others are zero.
PARAMETERS = {
    TableKind.CLIP: 2, TableKind.SHRINK: 2, TableKind.HARD_SIGMOID: 2, TableKind.HARD_SWISH: 2, TableKind.LEAKY: 1,
    TableKind.THRESHOLD: 1, TableKind.ELU: 1, TableKind.POW: 1,
}
