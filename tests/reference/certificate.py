"""Weight certificates (docs/protocol.md, "Weight certificate"; docs/formats.md, "Certificate")."""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from typing import Iterable, Optional

from .circuit import MAX_AXES, Box, Circuit, Dyadic, Kind, Linear, Lookup, Table, TableKind, Tensor, Term, VerifierParameters
from .transcript import Rejected, Unreadable, keyed_hash
from .validity import Range, added, hull, scaled, validate
from .verifier import PROOF_MAGIC, PROOF_VERSION, Statement, Verifier

MAGIC, VERSION = b"MICACRT\n", 3
HEAD = 8 + 4 + 32
WEIGHT_RANGE = -(2**30 - 1), 2**30 - 1
MULTIPLICITIES = 0, 2**31 - 3
MOST_BITS, MOST_SPREAD = 30, 2**30
MOST_LOOKUPS, MOST_PARTS = 2**26, 64
NONE, ONE = Dyadic(0, 0), Dyadic(2**30, -30)


@dataclass
class View:
    """A term: a coefficient, and an operand as it is seen; None sees it cell by cell."""

    coefficient: int
    tensor: int
    axes: Optional[list[int]] = None


@dataclass
class Derivation:
    model: Circuit
    layer: int = 0
    tensors: list[Tensor] = field(default_factory=list)
    linears: list[Linear] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)

    def __post_init__(self) -> None:
        cells = sum(prod(self.model.tensors[t].dims) for t in self.model.of_kind(Kind.WEIGHT))
        self.digit = next((d for d in range(8, 16) if 2**(d + 1) > cells), 16)
        self.table_of: dict[tuple[TableKind, int], int] = {}

    # --- tensors, forms, lookups ---

    def tensor(self, kind: Kind, dims: list[int], bounds: Range) -> int:
        definition = len(self.linears) if kind == Kind.LINEAR else 0
        self.tensors.append(Tensor(kind, False, list(dims), 0, 0, self.layer, definition))
        self.ranges.append(bounds)
        return len(self.tensors) - 1

    def linear(self, dims: list[int], terms: Iterable[View], constant: int = 0) -> int:
        total = constant, constant
        first_term, first_box = len(self.terms), len(self.boxes)
        for term in terms:
            operand = self.tensors[term.tensor].dims
            axes = term.axes if term.axes is not None else list(range(len(operand)))
            summed = prod(size for size, axis in zip(operand, axes) if axis == -1)
            total = added(total, scaled(self.ranges[term.tensor], term.coefficient * summed))
            self.terms.append(Term(term.tensor, term.coefficient, axes))
        if constant:
            self.boxes.append(Box(constant, [0] * len(dims), list(dims)))
        number = self.tensor(Kind.LINEAR, dims, hull(total, (0, 0)))
        self.linears.append(Linear(0, range(first_term, len(self.terms)), range(first_box, len(self.boxes))))
        return number

    def look_up(self, x: int, kind: TableKind, top: int) -> None:
        """0 <= x <= top, in a RANGE table (of top + 1 rows) or in that of the identity saturated at top."""
        if (kind, top) not in self.table_of:
            scale, high = (NONE, 0) if kind == TableKind.RANGE else (ONE, top)
            self.table_of[kind, top] = len(self.tables)
            self.tables.append(Table(kind, top.bit_length(), 0, scale, scale, 0, high, (NONE, NONE), 0))
        self.lookups.append(Lookup(self.table_of[kind, top], [x] * (1 if kind == TableKind.RANGE else 2), self.layer))
        self.ranges[x] = max(self.ranges[x][0], 0), min(self.ranges[x][1], top)

    # --- numbers ---

    def number(self, x: int, bits: int) -> int:
        dims, digits = self.tensors[x].dims, []
        for at in range(0, bits, self.digit):
            width = min(self.digit, bits - at)
            digits.append(self.tensor(Kind.WITNESS, dims, (0, 2**width - 1)))
            self.look_up(digits[-1], TableKind.RANGE, 2**width - 1)
        if len(digits) == 1:
            return digits[0]
        return self.linear(dims, [View(2**(self.digit * k), digit) for k, digit in enumerate(digits)])

    def zero(self, dims: list[int], terms: list[View]) -> None:
        self.look_up(self.linear(dims, terms), TableKind.RANGE, 0)

    def settle(self, x: int, bits: int) -> int:
        if bits <= self.digit:
            self.look_up(x, TableKind.RANGE, 2**bits - 1)
            return x
        if bits > MOST_BITS:
            raise Unreadable("a range is too wide for a certificate")
        number = self.number(x, bits)
        self.zero(self.tensors[x].dims, [View(1, x), View(-1, number)])
        return number

    def cap(self, x: int, top: int) -> int:
        if top + 1 != 2**top.bit_length():
            self.settle(self.linear(self.tensors[x].dims, [View(-1, x)], top), top.bit_length())
        return x

    def exactly(self, x: int, top: int) -> int:
        bits = top.bit_length()
        if top + 1 != 2**bits and bits <= self.digit and 2**bits <= prod(self.tensors[x].dims):
            self.look_up(x, TableKind.IDENTITY, top)
            return x
        return self.cap(self.settle(x, bits), top)

    # --- weights ---

    def weight(self, w: int, of_model: Tensor, split: bool) -> dict[str, int]:
        """The parts p and n of a weight that a row reads."""
        dims, lo, hi = of_model.dims, of_model.lo, of_model.hi
        self.layer = of_model.layer
        if not split:
            self.exactly(self.linear(dims, [View(1, w)], -lo), hi - lo)
            return {}
        if lo == 0:
            return {"p": self.exactly(self.linear(dims, [View(1, w)]), hi)}
        if hi == 0:
            return {"n": self.exactly(self.linear(dims, [View(-1, w)]), -lo)}
        if max(hi, -lo).bit_length() > MOST_BITS:
            raise Unreadable("a range is too wide for a certificate")
        if hi.bit_length() <= self.digit:
            p = self.exactly(self.tensor(Kind.WITNESS, dims, (0, 2**self.digit - 1)), hi)
        else:
            p = self.cap(self.number(w, hi.bit_length()), hi)
        if (-lo).bit_length() <= self.digit:
            n = self.exactly(self.linear(dims, [View(1, p), View(-1, w)]), -lo)
        else:
            n = self.number(w, (-lo).bit_length())
            self.zero(dims, [View(1, p), View(-1, w), View(-1, n)])
            n = self.cap(n, -lo)
        return {"p": p, "n": n}

    # --- rows ---

    def needs_rows(self, number: int) -> Optional[tuple[int, list[int], int]]:
        """The weights of a contraction, their view, and the other operand."""
        tensor = self.model.tensors[number]
        if tensor.kind != Kind.CONTRACT:
            return None
        c = self.model.contractions[tensor.definition]
        a, b = self.model.tensors[c.a], self.model.tensors[c.b]
        if Kind.WEIGHT not in (a.kind, b.kind):
            return None
        summed = prod(size for label, size in enumerate(c.label_dims) if label not in c.out_labels)
        follows = scaled(hull(scaled((a.lo, a.hi), b.lo), scaled((a.lo, a.hi), b.hi)), summed)
        if tensor.lo <= follows[0] and follows[1] <= tensor.hi:
            return None
        return (c.a, c.a_view, c.b) if a.kind == Kind.WEIGHT else (c.b, c.b_view, c.a)

    def rows(self, number: int, parts: dict[int, dict[str, int]]) -> None:
        needed = self.needs_rows(number)
        if needed is None:
            return
        weight, labels, other = needed
        if weight not in parts:
            return
        tensor, x = self.model.tensors[number], self.model.tensors[other]
        kept = self.model.contractions[tensor.definition].out_labels
        dims, axes, count = [], [], 1
        for size, label in zip(self.model.tensors[weight].dims, labels):
            if label < 0:
                axes.append(label)
            elif label in kept:
                axes.append(len(dims))
                dims.append(size)
            else:
                axes.append(-1)
                count *= size
        self.layer = tensor.layer
        for bound, up, down in ((tensor.hi, x.hi, -x.lo), (-tensor.lo, -x.lo, x.hi)):
            sums = [(coefficient, parts[weight][part]) for part, coefficient in (("p", up), ("n", down))
                    if part in parts[weight] and coefficient]
            if sums:
                self.side(dims, axes, count, bound, sums)

    def side(self, dims: list[int], axes: list[int], count: int, bound: int, sums: list[tuple[int, int]]) -> None:
        if sum(coefficient * count * self.ranges[part][1] for coefficient, part in sums) <= MOST_SPREAD:
            rest = self.linear(dims, [View(-coefficient, part, axes) for coefficient, part in sums], bound)
            self.settle(rest, bound.bit_length())
            return
        left = None
        for coefficient, part in sums:
            if count * self.ranges[part][1] > MOST_SPREAD:
                raise Unreadable("sums are too long for a certificate")
            total = self.settle(self.linear(dims, [View(1, part, axes)]), (bound // coefficient).bit_length())
            if left is None:
                left = self.linear(dims, [View(-coefficient, total)], bound)
            else:
                left = self.linear(dims, [View(1, left), View(-coefficient, total)])
            left = self.settle(left, bound.bit_length())

    # --- the whole ---

    def split(self) -> set[int]:
        """The weights of contractions that need rows."""
        needed = [self.needs_rows(t) for t in range(len(self.model.tensors))]
        return {row[0] for row in needed if row}

    def parts(self) -> list[list[int]]:
        parts: list[list[int]] = []
        lookups, split = 0, self.split()
        for t in self.model.of_kind(Kind.WEIGHT):
            own = 2**self.model.tensors[t].variables(1) * (2 if t in split else 1)
            if not parts or lookups + own > MOST_LOOKUPS:
                parts.append([])
                lookups = 0
            parts[-1].append(t)
            lookups += own
        if len(parts) > MOST_PARTS:
            raise Unreadable("too many parts")
        return parts

    def circuit(self, part: list[int]) -> Circuit:
        """Of the WEIGHT tensors in `part`."""
        model = self.model
        weights = model.of_kind(Kind.WEIGHT)
        for t in weights:
            self.layer = model.tensors[t].layer
            self.tensor(Kind.WEIGHT, model.tensors[t].dims, WEIGHT_RANGE)
        split = self.split()
        parts = {t: self.weight(place, model.tensors[t], t in split) for place, t in enumerate(weights) if t in part}
        for t in range(len(model.tensors)):
            self.rows(t, parts)
        self.layer = 0
        for i, table in enumerate(self.tables):
            number = self.tensor(Kind.WITNESS, [2**table.bits], MULTIPLICITIES)
            self.tables[i] = Table(table.kind, table.bits, table.lo_key, table.in_scale, table.out_scale, table.lo_value,
                                   table.hi_value, table.params, number)
        for tensor, (lo, hi) in zip(self.tensors, self.ranges):
            tensor.lo, tensor.hi = lo, hi
        return Circuit(1, model.layers, self.tensors, self.linears, self.terms, self.boxes, [], [], [], self.lookups,
                       self.tables, [], [])


def padded(values: list[int]) -> list[int]:
    return values + [0] * (MAX_AXES - len(values))


def circuit_bytes(c: Circuit) -> bytes:
    """"Circuit" of docs/formats.md, of a circuit with linear forms and lookups only."""
    def dyadic(x: Dyadic) -> bytes:
        return struct.pack("<ii", x.mantissa, x.exponent)

    arrays = [
        [name.encode().ljust(64, b"\0") + op.encode().ljust(32, b"\0") for name, op in c.layers],
        [struct.pack(f"<BBB{len(t.dims)}IiiII", t.kind, t.batched, len(t.dims), *t.dims, t.lo, t.hi, t.layer, t.definition)
         for t in c.tensors],
        [struct.pack("<BIIII", f.shift, f.terms.start, len(f.terms), f.boxes.start, len(f.boxes)) for f in c.linears],
        [struct.pack("<Ii8i", t.tensor, t.coefficient, *padded(t.view)) for t in c.terms],
        [struct.pack("<i8I8I", b.constant, *padded(b.lo), *padded(b.hi)) for b in c.boxes], [], [], [],
        [struct.pack(f"<IB{len(k.entries)}II", k.table, len(k.entries), *k.entries, k.layer) for k in c.lookups],
        [struct.pack("<BBi", t.kind, t.bits, t.lo_key) + dyadic(t.in_scale) + dyadic(t.out_scale) +
         struct.pack("<ii", t.lo_value, t.hi_value) + dyadic(t.params[0]) + dyadic(t.params[1]) +
         struct.pack("<I", t.multiplicity) for t in c.tables], [], []]
    return struct.pack("<I", c.max_batch) + b"".join(struct.pack("<I", len(a)) + b"".join(a) for a in arrays)


def derive(vk: VerifierParameters, part: list[int]) -> VerifierParameters:
    circuit = Derivation(vk.circuit).circuit(part)
    digest = keyed_hash("mica certificate v1", vk.digest + circuit_bytes(circuit))
    return VerifierParameters(digest, vk.target, vk.weight_b, vk.weight_rate, vk.weight_root, circuit)


def verify_part(vk: VerifierParameters, part: list[int], proof: bytes, min_bits: int) -> Verifier:
    derived = derive(vk, part)
    validate(derived, certificate=True)
    raw = PROOF_MAGIC + struct.pack("<I", PROOF_VERSION) + derived.digest + struct.pack("<II", 1, 0)
    verifier = Verifier(derived, Statement(raw, 1, b"", [], [], [], proof))
    verifier.run(min_bits)
    return verifier


def verify_certificate(vk: VerifierParameters, data: bytes, min_bits: int = 100) -> list[tuple[int, Verifier]]:
    """Accepts by returning the parts' verifications and where their proofs start; raises Rejected or Unreadable."""
    if len(data) < 12 or data[:8] != MAGIC or int.from_bytes(data[8:12], "little") != VERSION:
        raise Unreadable("not a weight certificate of this version")
    if len(data) < HEAD:
        raise Rejected("MALFORMED", "the head is truncated")
    if data[12:HEAD] != vk.digest:
        raise Rejected("STATEMENT", "the digest is that of other verifier parameters")
    position, verified = HEAD, []
    for part in Derivation(vk.circuit).parts():
        size = int.from_bytes(data[position:position + 8], "little")
        position += 8
        if position > len(data) or size > len(data) - position:
            raise Rejected("MALFORMED", "the certificate is truncated")
        verified.append((position, verify_part(vk, part, data[position:position + size], min_bits)))
        position += size
    if position != len(data):
        raise Rejected("MALFORMED", "bytes behind the last proof")
    return verified
