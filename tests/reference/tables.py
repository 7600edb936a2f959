"""Lookup tables by exact integer arithmetic (docs/formats.md, "Tables")."""
from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from .arithmetic import UNIT, clamp, exponent_units, exponential, shifted
from .circuit import Dyadic, Table, TableKind
from .field import F, Point, ZERO, columns, dot, eq_table
from .functions import FUNCTIONS, PARAMETERS


def rounded(a: int, e: int, out_scale: Dyadic) -> int:
    """R(a, e)."""
    e -= out_scale.exponent
    numerator, denominator = (a << e, out_scale.mantissa) if e >= 0 else (a, out_scale.mantissa << -e)
    return clamp((2 * numerator + denominator) // (2 * denominator), -2**31, 2**31 - 1)


def clip_bound(bound: Dyadic, out_scale: Dyadic) -> int:
    return rounded(bound.mantissa, bound.exponent, out_scale)


def sigmoid(n: int, e: int, out_scale: Dyadic) -> int:
    m, k = exponential(exponent_units(-abs(n), e))
    denominator = UNIT + shifted(m, k)
    if n >= 0:
        return rounded(2**120 // denominator, -60, out_scale)
    return rounded(m * UNIT // denominator, k - 60, out_scale)


def tanh(n: int, e: int, out_scale: Dyadic) -> int:
    u = exponent_units(abs(n), e)
    if u < 2**50:
        return rounded(n * (UNIT - (u * u >> 60) // 3), e - 60, out_scale)
    m, k = exponential(exponent_units(-abs(n), e + 1))
    t = shifted(m, k)
    q = (UNIT - t) * UNIT // (UNIT + t)
    return rounded(q if n >= 0 else -q, -60, out_scale)


def unsaturated(table: Table, key: int) -> int:
    """y of "Values"."""
    n, e, out = key * table.in_scale.mantissa, table.in_scale.exponent, table.out_scale
    if table.kind == TableKind.IDENTITY:
        return rounded(n, e, out)
    if table.kind == TableKind.RELU_SCALED:
        return rounded(n, e, out) if key > 0 else 0
    if table.kind == TableKind.CLIP:
        return clamp(rounded(n, e, out), clip_bound(table.params[0], out), clip_bound(table.params[1], out))
    if table.kind == TableKind.EXP:
        m, k = exponential(exponent_units(n, e))
        return rounded(m, k - 60, out)
    if table.kind in FUNCTIONS:
        y = FUNCTIONS[table.kind](n, e, table)
        return y if isinstance(y, int) else rounded(*y, out)
    return (sigmoid if table.kind == TableKind.SIGMOID else tanh)(n, e, out)


@lru_cache(maxsize=64)
def values(table: Table) -> list[int]:
    """The values of all rows; for RANGE none."""
    keys = range(table.lo_key, table.lo_key + 2**table.bits)
    if table.kind == TableKind.RANGE:
        return []
    if table.kind == TableKind.RELU:
        return [max(key, 0) for key in keys]
    return [clamp(unsaturated(table, key), table.lo_value, table.hi_value) for key in keys]


def weighted_index(point: Point) -> F:
    """The extension of the row's number."""
    total = ZERO
    for i, coordinate in enumerate(point):
        total = total + coordinate * 2**i
    return total


def key_extension(table: Table, point: Point) -> F:
    return weighted_index(point) + table.lo_key


def value_extension(table: Table, point: Point) -> F:
    """"Leaves' check" of docs/protocol.md."""
    if table.kind == TableKind.RANGE:
        return ZERO
    if table.kind == TableKind.RELU:
        return weighted_index(point) if table.lo_key == 0 else point[-1] * weighted_index(point[:-1])
    return dot(columns(eq_table(tuple(point))), values(table))


def real(number: Dyadic) -> Fraction:
    return Fraction(number.mantissa) * Fraction(2)**number.exponent


def well_formed(number: Dyadic) -> bool:
    """The normal form of a dyadic."""
    if number == Dyadic(0, 0):
        return True
    return 2**30 <= abs(number.mantissa) < 2**31 and -96 <= number.exponent <= 96


def valid(table: Table) -> bool:
    """"Definition"."""
    plain = table.kind in (TableKind.RANGE, TableKind.RELU)
    scales, zero = (table.in_scale, table.out_scale), Dyadic(0, 0)
    structured = plain or table.kind in (TableKind.IDENTITY, TableKind.RELU_SCALED) and scales[0] == scales[1]
    if table.bits > (20 if structured else 18) or not all(map(well_formed, (*scales, *table.params))):
        return False
    symmetric = table.bits >= 1 and table.lo_key == -2**(table.bits - 1)
    if table.lo_key != 0 and (table.kind == TableKind.RANGE or not symmetric):
        return False
    if plain and (scales != (zero, zero) or table.lo_value or table.hi_value):
        return False
    if not plain and (min(s.mantissa for s in scales) <= 0 or not -2**30 < table.lo_value <= table.hi_value < 2**30):
        return False
    if any(number != zero for number in table.params[PARAMETERS.get(table.kind, 0):]):
        return False
    return table.kind != TableKind.CLIP or real(table.params[0]) <= real(table.params[1])
