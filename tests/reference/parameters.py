"""Logarithms, the search for the opening's parameters and the error budget.

docs/formats.md, "Parameters", and docs/soundness.md, "Budget". All arithmetic is on unsigned integers.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Sequence

from .field import log2_ceil, packed_bytes

UNIT = 2**16  # a bit, in the units of all results but `each`
FIELD_BITS = 124 * UNIT - 1
WORK = range(10, 23)  # the bits of work that a search tries
MAX_RATE, MAX_FOLD, MAX_LEVELS, MAX_CLEAR, MAX_LOOKUP_WORK = 8, 7, 8, 12, 40


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def clog(n: int, f: int) -> int:
    """log2 n in units of 2^-f, rounded up."""
    e = n.bit_length() - 1
    if n == 1 << e:
        return e << f
    m = n << (31 - e) if e <= 31 else ceil_div(n, 1 << (e - 31))
    result = e << f
    for i in range(1, f + 1):
        if m >= 2**32:
            return result + (1 << (f - i + 1)) + 1
        m = ceil_div(m * m, 2**31)
        if m >= 2**32:
            result += 1 << (f - i)
            m = ceil_div(m, 2)
    return result + 1


def over(n: int) -> int:
    return FIELD_BITS - clog(n, 16)


@lru_cache(maxsize=None)
def each(rate: int) -> int:
    return (rate + 1) * 2**28 - clog(2**rate + 1, 28)


def query_bits(rate: int, count: int, work: int) -> int:
    return count * each(rate) // 2**12 + work * UNIT


def query_count(target: int, rate: int, work: int) -> int:
    return 1 if target <= work else ceil_div((target - work) * 2**28, each(rate))


def lookup_bits(leaves: int, work: int) -> int:
    return FIELD_BITS - clog(leaves, 16) - clog(3, 16) + work * UNIT


def lookup_work(leaves: int, target: int) -> int:
    return next((w for w in range(MAX_LOOKUP_WORK) if lookup_bits(leaves, w) >= target * UNIT), MAX_LOOKUP_WORK)


def max_code(target: int) -> int:
    """K, the log2 of the longest code whose fold meets the target."""
    return next((k for k in range(26, 0, -1) if over(2**k + 2) >= target * UNIT), 0)


def digest_bytes(target: int) -> int:
    """How much of a child's digest enters its parent."""
    return min(32, ceil_div(target + 1, 4))


@lru_cache(maxsize=None)
def distinct(d: int, t: int) -> int:
    """E(d, t): 256 times the expected number of distinct values among t draws of d bits."""
    pairs = t * (t - 1) // 2
    if d >= 20 or pairs < 2**d:
        return 256 * t - 256 * pairs // 2**d
    base, missed, exponent = 2**32 - 2**(32 - d), 2**32, t
    while exponent:
        if exponent & 1:
            missed = (missed // 2) * base // 2**31
        base = base * base // 2**32
        exponent >>= 1
    return (2**32 - missed) // 2**(24 - d)


@dataclass(frozen=True)
class Level:
    """A code of a level: 2^a rows of 2^b columns at rate 2^-rate."""

    a: int
    b: int
    rate: int


@dataclass(frozen=True)
class Tail:
    cost: int
    levels: tuple[Level, ...]


class Costs:
    """The cost model of "Costs" for a security target, `work` bits of work and codes of at most 2^k_max points."""

    def __init__(self, target: int, work: int, k_max: int):
        self.work_bits, self.k_max = work, k_max
        self.queries = {r: query_count(target, r, work) for r in range(1, MAX_RATE + 1)}
        self.work = 8 + 144 * 2**work // 9600
        self.digest = digest_bytes(target)
        self._tails: dict[tuple[int, int], Optional[Tail]] = {}
        self._siblings: dict[tuple[int, int], int] = {}

    def siblings(self, rate: int, k: int) -> int:
        """X(r, k), the expected siblings of a multiproof, times 256."""
        key = rate, k
        if key not in self._siblings:
            t = self.queries[rate]
            self._siblings[key] = sum(max(0, 2 * distinct(j - 1, t) - distinct(j, t)) for j in range(1, k + 1))
        return self._siblings[key]

    def columns(self, rate: int, k: int, words: int, digest: int) -> int:
        return (packed_bytes(words) * distinct(k, self.queries[rate]) + digest * self.siblings(rate, k)) // 256

    @staticmethod
    def commit(k: int, words: int) -> int:
        return (words * (2 * k + 1) + 144 * (ceil_div(words, 16) + 1)) * 2**k // 9600

    def form(self, rate: int, b: int) -> int:
        return 5 * self.queries[rate] * 2**b // 9600

    def level(self, level: Level, rows: int) -> int:
        k = level.b + level.rate
        return (32 + self.work + 32 * level.a + self.commit(k, 4 * rows) + self.columns(level.rate, k, 4 * rows, self.digest) +
                self.form(level.rate, level.b) + 48 * 2**(level.a + level.b) // 9600)

    def tail(self, m: int, size: int) -> Optional[Tail]:
        """The cheapest continuation of a message of 2^m elements, the first among equals."""
        key = m, size
        if key not in self._tails:
            self._tails[key] = self._search(m, size)
        return self._tails[key]

    def _search(self, m: int, size: int) -> Optional[Tail]:
        best = Tail(18 * size, ()) if m <= MAX_CLEAR else None
        for a in range(1, min(m, MAX_FOLD) + 1):
            b = m - a
            for rate in range(1, MAX_RATE + 1):
                if b + rate > self.k_max:
                    break
                rest = self.tail(b, 2**b)
                if rest is None or len(rest.levels) >= MAX_LEVELS:
                    continue
                level = Level(a, b, rate)
                cost = self.level(level, ceil_div(size, 2**b)) + rest.cost
                if best is None or cost < best.cost:
                    best = Tail(cost, (level, *rest.levels))
        return best


def group_rows(cells: int, target: int) -> tuple[int, int]:
    """b and r of a group ("Witness rows")."""
    longest = max_code(target)
    k_max = longest - 2 if longest > 3 else 1
    c = log2_ceil(cells)
    best = None
    for work in WORK:
        costs = Costs(target, work, k_max)
        for b in range(min(k_max - 1, c) + 1):
            rows = ceil_div(cells, 2**b)
            rest = costs.tail(b, 2**b)
            if rows > 2**20 or rest is None:
                continue
            for rate in range(1, min(k_max - b, MAX_RATE) + 1):
                cost = (costs.columns(rate, b + rate, rows, costs.digest) + costs.form(rate, b) + costs.commit(b + rate, rows) +
                        32 * log2_ceil(rows) + costs.work + rest.cost)
                if best is None or cost < best[0]:
                    best = cost, b, rate
    return best[1:] if best else (min(c, k_max - 1), 1)


@dataclass(frozen=True)
class GroupCode:
    """What the search needs to know of a group: log2 of its rows' length, its rate, its present rows and the bytes of its
    tree's digests."""

    b: int
    rate: int
    present: int
    digest: int


@dataclass(frozen=True)
class OpeningParameters:
    work: int
    message_size: int
    levels: tuple[Level, ...]
    queries: dict[int, int]  # by rate
    digest: int  # bytes of the digests of the levels' trees


def opening_parameters(groups: Sequence[GroupCode], target: int) -> Optional[OpeningParameters]:
    """"Levels"; None if no opening meets the target."""
    if over(sum(2**(g.b + g.rate) + 2 for g in groups)) < target * UNIT:
        return None
    size = sum(2**g.b for g in groups)
    m, best = log2_ceil(size), None
    for work in WORK:
        costs = Costs(target, work, max_code(target))
        tail = costs.tail(m, size)
        if tail is None:
            continue
        cost = tail.cost + costs.work + sum(
            costs.columns(g.rate, g.b + g.rate, g.present, g.digest) + costs.form(g.rate, g.b) for g in groups)
        if best is None or cost < best[0]:
            best = cost, OpeningParameters(work, size, tail.levels, costs.queries, costs.digest)
    if best is None:
        return None
    parameters = best[1]
    met = min(bits for _, bits in opening_budget(groups, parameters, 1))
    return parameters if met >= target * UNIT else None


def opening_budget(groups: Sequence[GroupCode], parameters: OpeningParameters, claims: int) -> list[tuple[str, int]]:
    """The lines of the opening, in units of 2^-16 bit."""
    def queries(rate: int) -> int:
        return query_bits(rate, parameters.queries[rate], parameters.work)

    lines = [("opening: collisions of digests", (4 * parameters.digest - 1) * UNIT),
             ("opening: combination of claims", over(claims)),
             ("opening: fold of the groups", over(sum(2**(g.b + g.rate) + 2 for g in groups)))]
    lines += [(f"opening: group {i}, queries", queries(g.rate)) for i, g in enumerate(groups)]
    asked = sum(parameters.queries[g.rate] for g in groups)
    for i, level in enumerate(parameters.levels, 1):
        lines += [(f"level {i}: combination of queries", over(1 + asked)),
                  (f"level {i}: fold", over(2**(level.b + level.rate) + 2)), (f"level {i}: queries", queries(level.rate))]
        asked = parameters.queries[level.rate]
    return lines
