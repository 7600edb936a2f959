"""The fields M31 and QM31 and multilinear polynomials over them (docs/protocol.md, "Field")."""
from __future__ import annotations

from functools import lru_cache
from operator import mul
from typing import Sequence, Union

P = 2**31 - 1


class F(tuple):
    """An element (a + bi) + (c + di)u of QM31, u^2 = 2 + i; the other operand may be an integer."""

    __slots__ = ()

    def __add__(self, other: Scalar) -> F:  # type: ignore[override]
        a, b, c, d = self
        if other.__class__ is int:
            return F(((a + other) % P, b, c, d))
        e, f, g, h = other
        return F(((a + e) % P, (b + f) % P, (c + g) % P, (d + h) % P))

    __radd__ = __add__

    def __neg__(self) -> F:
        a, b, c, d = self
        return F((-a % P, -b % P, -c % P, -d % P))

    def __sub__(self, other: Scalar) -> F:
        a, b, c, d = self
        if other.__class__ is int:
            return F(((a - other) % P, b, c, d))
        e, f, g, h = other
        return F(((a - e) % P, (b - f) % P, (c - g) % P, (d - h) % P))

    def __rsub__(self, other: int) -> F:
        a, b, c, d = self
        return F(((other - a) % P, -b % P, -c % P, -d % P))

    def __mul__(self, other: Scalar) -> F:  # type: ignore[override]
        a, b, c, d = self
        if other.__class__ is int:
            return F((a * other % P, b * other % P, c * other % P, d * other % P))
        e, f, g, h = other
        real, imaginary = c * g - d * h, c * h + d * g
        return F(((a * e - b * f + 2 * real - imaginary) % P, (a * f + b * e + real + 2 * imaginary) % P,
                  (a * g - b * h + c * e - d * f) % P, (a * h + b * g + c * f + d * e) % P))

    __rmul__ = __mul__

    def inverse(self) -> F:
        """1/x, by the conjugates x0 - x1 u and then n0 - n1 i of the norm to CM31."""
        a, b, c, d = self
        real, imaginary = c * c - d * d, 2 * c * d
        n0 = a * a - b * b - 2 * real + imaginary
        n1 = 2 * a * b - real - 2 * imaginary
        scale = pow(n0 * n0 + n1 * n1, -1, P)
        return self.conjugate() * F((n0 * scale % P, -n1 * scale % P, 0, 0))

    def conjugate(self) -> F:
        a, b, c, d = self
        return F((a, b, -c % P, -d % P))


Scalar = Union[F, int]
Point = Sequence[F]  # variable 0, the lowest bit of a cell's index, first

ZERO, ONE = F((0, 0, 0, 0)), F((1, 0, 0, 0))
HALF = F(((P + 1) // 2, 0, 0, 0))


def felt(value: int) -> F:
    return F((value % P, 0, 0, 0))


def packed_bytes(words: int) -> int:
    """Bytes of `words` elements of M31, 31 bits each."""
    return (31 * words + 7) // 8


def log2_ceil(n: int) -> int:
    """ceil(log2 n) for n >= 1."""
    return (n - 1).bit_length()


def bits(value: int, count: int) -> tuple[F, ...]:
    """The corner of the cube that an index names."""
    return tuple(ONE if value >> i & 1 else ZERO for i in range(count))


def product(factors: Sequence[F]) -> F:
    result = ONE
    for factor in factors:
        result = result * factor
    return result


def eq(z: Point, x: Point) -> F:
    """eq(z, x) = prod (z_i x_i + (1 - z_i)(1 - x_i))."""
    return product([1 - a - b + 2 * (a * b) for a, b in zip(z, x, strict=True)])


@lru_cache(maxsize=4096)
def eq_table(z: tuple[F, ...]) -> list[F]:
    """eq(z, x) for all x of the cube, by index."""
    table = [ONE]
    for coordinate in z:
        high = [value * coordinate for value in table]
        table = [value - part for value, part in zip(table, high)] + high
    return table


@lru_cache(maxsize=256)
def eq_columns(z: tuple[F, ...], count: int) -> Columns:
    """The first values of `eq_table`, as columns."""
    return columns(eq_table(z)[:count])


def less_than(z: Point, bound: int) -> F:
    """lt_n(z, bound), the sum of eq(z, x) over x < bound."""
    if bound == 1 << len(z):
        return ONE
    result = ZERO
    for i, coordinate in enumerate(z):
        rest = coordinate * result
        result = 1 - coordinate + rest if bound >> i & 1 else result - rest
    return result


# Vectors over F as four lists of coordinates: inner products with integers then run at the speed of `sum` and `map`.
Columns = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]


def columns(values: Sequence[F]) -> Columns:
    return tuple(zip(*values)) if values else ((), (), (), ())  # type: ignore[return-value]


def dot(weights: Columns, values: Sequence[int]) -> F:
    """sum of weights_i values_i for integers values_i."""
    return F([sum(map(mul, column, values)) % P for column in weights])


def dot_elements(weights: Sequence[F], values: Sequence[F]) -> F:
    """sum of weights_i values_i."""
    total = ZERO
    for weight, value in zip(weights, values):
        total = total + weight * value
    return total


def horner(coefficients: Sequence[Scalar], x: F) -> F:
    """sum of coefficients_i x^i."""
    result = ZERO
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result
