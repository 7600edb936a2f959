"""The commitment's groups and their opening (docs/protocol.md, "Code" and "Commitment")."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product as cartesian
from typing import Sequence, Union

from .circuit import Circuit, Tensor
from .field import (ONE, P, ZERO, F, Columns, columns, dot, eq, eq_table, horner, log2_ceil, product)
from .parameters import GroupCode, Level, OpeningParameters, ceil_div
from .transcript import Channel, Rejected, Tag, leaf, root_of_opened


class Layout:
    """Where a group's tensors are, and which of its rows are present ("Groups")."""

    def __init__(self, circuit: Circuit, tensors: Sequence[int], batch: int):
        self.circuit, self.batch = circuit, batch
        self.log_size = {t: circuit.tensors[t].variables(batch) for t in tensors}
        self.offset: dict[int, int] = {}
        end = 0
        for t in sorted(tensors, key=lambda t: (-self.log_size[t], t)):
            self.offset[t] = end
            end += 2**self.log_size[t]
        self.cells = end
        self.variables = log2_ceil(end)

    def present_rows(self, b: int) -> list[int]:
        """The rows of 2^b cells that are encoded, in order."""
        rows: list[int] = []
        for t, offset in self.offset.items():
            if self.log_size[t] >= b:
                rows += [(offset >> b) + row for row in rows_with_cells(self.circuit.tensors[t], self.batch, b)]
        shared = sum(2**n for n in self.log_size.values() if n < b)
        start = (self.cells - shared) >> b
        return rows + list(range(start, start + ceil_div(shared, 2**b)))


def rows_with_cells(tensor: Tensor, batch: int, b: int) -> list[int]:
    """The rows of 2^b cells of a tensor that meet its valid box: those whose least indices are valid."""
    position, valid = 0, []
    for axis in tensor.axes():
        size = tensor.size(axis, batch)
        width = log2_ceil(size)
        inside = min(max(b - position, 0), width)  # variables of the axis within a row
        shift = position + inside - b
        valid.append([part << shift for part in range(ceil_div(size, 2**inside))] if inside < width else [0])
        position += width
    return sorted(map(sum, cartesian(*valid)))


# --- code ---

GENERATOR = (2, 1268011823)


def circle_multiply(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    return (p[0] * q[0] - p[1] * q[1]) % P, (p[0] * q[1] + p[1] * q[0]) % P


@lru_cache(maxsize=None)
def circle_power_of_two(log_power: int) -> tuple[int, int]:
    """The generator to the power 2^log_power."""
    point = GENERATOR
    for _ in range(log_power):
        point = circle_multiply(point, point)
    return point


@lru_cache(maxsize=None)
def code_point(k: int, index: int) -> int:
    """S_k[index], the x-coordinate of Q_(k+2)^(1 + 4 index)."""
    square, power, result = circle_power_of_two(31 - (k + 2)), 1 + 4 * index, (1, 0)
    while power:
        if power & 1:
            result = circle_multiply(result, square)
        square = circle_multiply(square, square)
        power >>= 1
    return result[0]


def chebyshev(x: int, count: int) -> list[int]:
    """T_0(x), T_1(x), ...: T_0 = x, T_(j+1) = 2 T_j^2 - 1."""
    values = []
    for _ in range(count):
        values.append(x)
        x = (2 * x * x - 1) % P
    return values


def functional(t: Sequence[int]) -> list[int]:
    """w_x, the tensor product of (1, T_j)."""
    table = [1]
    for value in t:
        table += [value * entry % P for entry in table]
    return table


# --- linear form ---


@dataclass
class EqTerm:
    """coefficient * selector of an offset (x) eq(point, .)."""

    coefficient: F
    offset: int
    point: list[F]

    def fold(self, variable: int, r: F) -> None:
        if variable < len(self.point):
            z = self.point.pop()
            self.coefficient = self.coefficient * (1 - z - r + 2 * (z * r))
        else:
            self.coefficient = self.coefficient * (r if self.offset >> variable & 1 else 1 - r)
            self.offset &= (1 << variable) - 1

    def value(self, message: Columns) -> F:
        table = eq_table(tuple(self.point))
        total = ZERO
        for i, weight in enumerate(table, self.offset):
            total = total + weight * F([column[i] for column in message])
        return self.coefficient * total


@dataclass
class QueryTerm:
    """coefficient * selector of an offset (x) w_x."""

    coefficient: F
    offset: int
    t: list[int]

    def fold(self, variable: int, r: F) -> None:
        if variable < len(self.t):
            self.coefficient = self.coefficient * (1 - r + r * self.t.pop())
        else:
            self.coefficient = self.coefficient * (r if self.offset >> variable & 1 else 1 - r)
            self.offset &= (1 << variable) - 1

    def inner(self, message: Columns) -> F:
        end = self.offset + 2**len(self.t)
        return dot(tuple(column[self.offset:end] for column in message), functional(self.t))  # type: ignore[arg-type]

    def value(self, message: Columns) -> F:
        return self.coefficient * self.inner(message)


# --- opening ---


@dataclass
class Group:
    layout: Layout
    code: GroupCode
    root: bytes
    rows: list[int]

    @property
    def row_variables(self) -> int:
        return self.layout.variables - self.code.b


@dataclass
class OpeningClaim:
    group: int
    point: list[F]
    value: F


@dataclass
class Source:
    """A committed matrix that is queried: a group, or the matrix of a level."""

    root: bytes
    b: int
    rate: int
    weights: Columns  # per row: the factor of its fold
    rows: int
    width: int  # words per row
    offset: int  # of its fold in the message
    number: int  # for messages: 0 for the groups, else the level
    digest: int  # bytes of the digests of its tree


def make_group(circuit: Circuit, tensors: Sequence[int], batch: int, b: int, rate: int, root: bytes,
               digest: int) -> Group:
    layout = Layout(circuit, tensors, batch)
    b = min(b, layout.variables)
    rows = layout.present_rows(b)
    return Group(layout, GroupCode(b, rate, len(rows), digest), root, rows)


def bind(channel: Channel, claim: F) -> tuple[F, F]:
    """A round of degree 2: the challenge and the claim that is left."""
    at_zero, at_infinity = channel.receive(Tag.OPEN_ROUND, 2)
    r = channel.draw_one(Tag.OPEN_POINT)
    return r, quadratic(claim, at_zero, at_infinity, r)


def quadratic(claim: F, at_zero: F, at_infinity: F, x: F) -> F:
    """g(x) with g(0) + g(1) = claim."""
    at_one = claim - at_zero
    return at_zero + x * (at_one - at_zero - at_infinity + x * at_infinity)


class Opening:
    """Steps 16 to 23 of the transcript."""

    def __init__(self, channel: Channel, groups: Sequence[Group], parameters: OpeningParameters):
        self.channel, self.groups, self.parameters = channel, groups, parameters
        self.terms: list[Union[EqTerm, QueryTerm]] = []
        self.claim = ZERO

    def run(self, claims: Sequence[OpeningClaim]) -> None:
        point = self._rows(claims)
        sources, size = self._group_sources(point), self.parameters.message_size
        variables = log2_ceil(size)
        for step, level in enumerate(self.parameters.levels, 1):
            root = self.channel.receive_bytes(Tag.OPEN_ROOT, 32)
            queries = self._query(sources)
            self._add_queries(queries)
            point = self._fold(level, variables)
            variables = level.b
            rows = ceil_div(size, 2**level.b) if step == 1 else 2**level.a
            sources = [Source(root, level.b, level.rate, columns(eq_table(tuple(point))[:rows]), rows, 4, 0, step,
                              self.parameters.digest)]
            size = 2**level.b
        self._finish(sources, size)

    def _rows(self, claims: Sequence[OpeningClaim]) -> list[F]:
        """"Rows": claims combined by gamma become one linear form on the stack of the y_g, the point is returned."""
        for claim in claims:
            self.channel.transcript.absorb_elements(Tag.CLAIMS, [claim.value])
        gamma = self.channel.draw_one(Tag.OPEN_GAMMA)
        self.claim = horner([claim.value for claim in claims], gamma)
        count = max(group.row_variables for group in self.groups)
        point = [ZERO] * count
        for variable in reversed(range(count)):
            point[variable], self.claim = bind(self.channel, self.claim)
        offsets, weight = self._offsets(), ONE
        classes: dict[tuple[int, tuple[F, ...]], F] = {}
        for claim in claims:
            group = self.groups[claim.group]
            inner, outer = claim.point[:group.code.b], claim.point[group.code.b:]
            key = claim.group, tuple(inner)
            classes[key] = classes.get(key, ZERO) + weight * eq(outer, point[:len(outer)])
            weight = weight * gamma
        self.terms = [EqTerm(weight, offsets[g], list(inner)) for (g, inner), weight in classes.items()]
        return point

    def _offsets(self) -> list[int]:
        """Where the y_g are in the message of level 1."""
        offsets, end = [0] * len(self.groups), 0
        for g in sorted(range(len(self.groups)), key=lambda g: (-self.groups[g].code.b, g)):
            offsets[g] = end
            end += 2**self.groups[g].code.b
        return offsets

    def _group_sources(self, point: Sequence[F]) -> list[Source]:
        sources = []
        for group, offset in zip(self.groups, self._offsets()):
            a = group.row_variables
            missing = product([1 - r for r in point[a:]])
            table = eq_table(tuple(point[:a]))
            weights = columns([missing * table[row] for row in group.rows])
            sources.append(Source(group.root, group.code.b, group.code.rate, weights, len(group.rows), 1, offset, 0,
                                  group.code.digest))
        return sources

    def _query(self, sources: Sequence[Source]) -> list[tuple[QueryTerm, F]]:
        """"Queries": the functionals, each with its kappa."""
        self.channel.proof_of_work(self.parameters.work)
        found = []
        for source in sources:
            found += self._query_source(source)
        return found

    def _query_source(self, source: Source) -> list[tuple[QueryTerm, F]]:
        k = source.b + source.rate
        drawn = self.channel.transcript.draw_indices(Tag.OPEN_QUERY, self.parameters.queries[source.rate], k)
        indices = sorted(set(drawn))
        values = {index: self.channel.receive_column(source.width * source.rows) for index in indices}
        leaves = {index: leaf(column) for index, column in values.items()}
        if root_of_opened(self.channel, leaves, k, source.digest) != source.root:
            raise Rejected("MERKLE", f"round {source.number}: the opened columns do not hash to the root")
        return [(QueryTerm(ONE, source.offset, chebyshev(code_point(k, index), source.b)),
                 folded_column(source, column)) for index, column in values.items()]

    def _add_queries(self, queries: Sequence[tuple[QueryTerm, F]]) -> None:
        gamma = self.channel.draw_one(Tag.OPEN_GAMMA)
        power = gamma
        for term, kappa in queries:
            self.claim = self.claim + power * kappa
            term.coefficient = power
            self.terms.append(term)
            power = power * gamma

    def _fold(self, level: Level, variables: int) -> list[F]:
        """The sumcheck over a level's row variables; its point."""
        point = [ZERO] * level.a
        for variable in reversed(range(level.b, variables)):
            r, self.claim = bind(self.channel, self.claim)
            point[variable - level.b] = r
            for term in self.terms:
                term.fold(variable, r)
        return point

    def _finish(self, sources: Sequence[Source], size: int) -> None:
        """"End": the clear message."""
        message = columns(self.channel.receive(Tag.OPEN_MESSAGE, size))
        where = f"round {len(self.parameters.levels)}"
        for term, kappa in self._query(sources):
            if term.inner(message) != kappa:
                raise Rejected("OPENING", f"{where}: a query does not agree with the message")
        total = ZERO
        for term in self.terms:
            total = total + term.value(message)
        if total != self.claim:
            raise Rejected("OPENING", f"{where}: the linear form does not give the claim")


def folded_column(source: Source, column: Sequence[int]) -> F:
    """kappa: the rows' values, weighted."""
    if source.width == 1:
        return dot(source.weights, column)
    # the product by an element is the sum of its coordinates times 1, i, u, iu
    total = ZERO
    for coordinate, unit in enumerate((ONE, F((0, 1, 0, 0)), F((0, 0, 1, 0)), F((0, 0, 0, 1)))):
        total = total + unit * dot(source.weights, column[coordinate::4])
    return total
