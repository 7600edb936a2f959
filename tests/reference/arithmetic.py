"""Primitives of lookup tables (docs/formats.md, "Tables")."""
from math import factorial

UNIT = 2**60
LN2 = 799144290325165978
COEFFICIENTS = [UNIT // factorial(j) for j in range(19)]


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


def shifted(a: int, e: int) -> int:
    """floor(a 2^e)."""
    return a << e if e >= 0 else a >> -e


def wide_units(a: int, e: int) -> int:
    """W(a, e)."""
    return clamp(shifted(a, e + 60), -2**110, 2**110)


def exponent_units(a: int, e: int) -> int:
    """S(a, e)."""
    return clamp(wide_units(a, e), -2**67, 2**67)


def exponential(u: int) -> tuple[int, int]:
    """E(u)."""
    k, r = divmod(u, LN2)
    m = COEFFICIENTS[18]
    for coefficient in reversed(COEFFICIENTS[:18]):
        m = coefficient + (m * r >> 60)
    return m, k
