"""Verifier parameters and circuits as bytes (docs/formats.md, "Verifier parameters" and "Circuit")."""
from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Callable, TypeVar

from .field import log2_ceil
from .transcript import Unreadable, keyed_hash

T = TypeVar("T")
MAX_AXES = 8
BATCH = -1  # the batch as an axis
NO_ENTRY = 2**32 - 1
VK_MAGIC, VK_VERSION, MAX_TARGET = b"MICAVK\r\n", 5, 120
MAX_RECORD = 2**24


class Kind(IntEnum):
    INPUT = 0
    WEIGHT = 1
    WITNESS = 2
    LINEAR = 3
    CONTRACT = 4
    PLACEMENT = 5


class Visibility(IntEnum):
    PUBLIC = 0
    COMMITTED = 1
    PRIVATE = 2


class TableKind(IntEnum):
    RANGE = 0
    RELU = 1
    IDENTITY = 2
    RELU_SCALED = 3
    CLIP = 4
    SIGMOID = 5
    TANH = 6
    EXP = 7
    LEAKY = 8
    THRESHOLD = 9
    SHRINK = 10
    HARD_SIGMOID = 11
    HARD_SWISH = 12
    ELU = 13
    SOFTPLUS = 14
    SOFTSIGN = 15
    MISH = 16
    ERF = 17
    GELU = 18
    GELU_TANH = 19
    LOG = 20
    POW = 21
    SIN = 22
    COS = 23
    FLOOR = 24
    CEIL = 25
    ROUND = 26
    SIGN = 27


@dataclass
class Tensor:
    kind: Kind
    batched: bool
    dims: list[int]
    lo: int
    hi: int
    layer: int
    definition: int

    def axes(self) -> list[int]:
        """All axes, the one with the lowest bits first, the batch last."""
        return [*reversed(range(len(self.dims))), *([BATCH] if self.batched else [])]

    def size(self, axis: int, batch: int) -> int:
        return batch if axis == BATCH else self.dims[axis]

    def variables(self, batch: int) -> int:
        return sum(log2_ceil(self.size(axis, batch)) for axis in self.axes())


@dataclass
class Linear:
    shift: int
    terms: range
    boxes: range


@dataclass
class Term:
    tensor: int
    coefficient: int
    view: list[int]


@dataclass
class Box:
    constant: int
    lo: list[int]
    hi: list[int]


@dataclass
class Contraction:
    label_dims: list[int]
    out_labels: list[int]
    a: int
    b: int
    a_view: list[int]
    b_view: list[int]


@dataclass
class Factor:
    out_axes: list[int]
    strides: list[int]
    src_axes: list[int]
    offset: int
    norm: int
    count_axis: int
    first_index: int
    n_indices: int


@dataclass
class Placement:
    source: int
    factors: list[Factor]


@dataclass
class Lookup:
    table: int
    entries: list[int]
    layer: int


@dataclass(frozen=True)
class Dyadic:
    mantissa: int
    exponent: int


@dataclass(frozen=True)
class Table:
    kind: TableKind
    bits: int
    lo_key: int
    in_scale: Dyadic
    out_scale: Dyadic
    lo_value: int
    hi_value: int
    params: tuple[Dyadic, Dyadic]
    multiplicity: int


@dataclass
class Port:
    name: str
    tensor: int
    scale: Dyadic
    onnx_dims: list[int]
    axis_order: list[int]
    onnx_batched: bool
    visibility: Visibility
    exact: bool


@dataclass
class Circuit:
    max_batch: int
    layers: list[tuple[str, str]]
    tensors: list[Tensor]
    linears: list[Linear]
    terms: list[Term]
    boxes: list[Box]
    contractions: list[Contraction]
    placements: list[Placement]
    indices: list[int]
    lookups: list[Lookup]
    tables: list[Table]
    inputs: list[Port]
    outputs: list[Port]

    def of_kind(self, kind: Kind) -> list[int]:
        return [i for i, t in enumerate(self.tensors) if t.kind == kind]


@dataclass
class VerifierParameters:
    digest: bytes
    target: int
    weight_b: int
    weight_rate: int
    weight_root: bytes
    circuit: Circuit


class Reader:
    """Bytes that must be there, and be in range."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, size: int) -> bytes:
        piece = self.data[self.position:self.position + size]
        if len(piece) < size:
            raise Unreadable("the parameters are truncated")
        self.position += size
        return piece

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def i32(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def flag(self) -> bool:
        value = self.u8()
        if value > 1:
            raise Unreadable("a boolean is neither 0 nor 1")
        return bool(value)

    def below(self, limit: int) -> int:
        value = self.u8()
        if value >= limit:
            raise Unreadable("a field is out of range")
        return value

    def text(self, size: int) -> str:
        raw = self.take(size)
        text = raw.split(b"\0")[0]
        if raw != text.ljust(size, b"\0") or len(text) == size:
            raise Unreadable("a text is not padded with zeros")
        if any(byte < 32 or byte == 127 for byte in text):
            raise Unreadable("a control character in a text")
        return text.decode("utf-8", errors="replace")

    def array(self, element: Callable[[], T]) -> list[T]:
        return [element() for _ in range(self.u32())]

    def dyadic(self) -> Dyadic:
        return Dyadic(self.i32(), self.i32())


class CircuitReader(Reader):
    """The circuit's arrays. How many entries of a fixed array are used depends on other arrays: `trim` cuts the rest."""

    def tensor(self) -> Tensor:
        kind, batched, rank = Kind(self.below(len(Kind))), self.flag(), self.below(MAX_AXES + 1)
        return Tensor(kind, batched, [self.u32() for _ in range(rank)], self.i32(), self.i32(), self.u32(), self.u32())

    def linear(self) -> Linear:
        shift, first_term, terms, first_box, boxes = self.u8(), self.u32(), self.u32(), self.u32(), self.u32()
        return Linear(shift, range(first_term, first_term + terms), range(first_box, first_box + boxes))

    def eight(self, read: Callable[[], int]) -> list[int]:
        return [read() for _ in range(MAX_AXES)]

    def term(self) -> Term:
        return Term(self.u32(), self.i32(), self.eight(self.i32))

    def box(self) -> Box:
        return Box(self.i32(), self.eight(self.u32), self.eight(self.u32))

    def contraction(self) -> Contraction:
        dims = [self.u32() for _ in range(self.u8())]
        out_labels = self.eight(self.u8)
        return Contraction(dims, out_labels, self.u32(), self.u32(), self.eight(self.i32), self.eight(self.i32))

    def factor(self) -> Factor:
        n_out, n_src = self.u8(), self.u8()
        out = [(self.u8(), self.i32()) for _ in range(n_out)]
        src = [self.u8() for _ in range(n_src)]
        return Factor([a for a, _ in out], [s for _, s in out], src, self.i32(), self.u32(), self.u8(), self.u32(),
                      self.u32())

    def placement(self) -> Placement:
        source = self.u32()
        return Placement(source, [self.factor() for _ in range(self.u8())])

    def lookup(self) -> Lookup:
        table = self.u32()
        return Lookup(table, [self.u32() for _ in range(self.u8())], self.u32())

    def table(self) -> Table:
        kind, size, lo_key = TableKind(self.below(len(TableKind))), self.u8(), self.i32()
        in_scale, out_scale, lo_value, hi_value = self.dyadic(), self.dyadic(), self.i32(), self.i32()
        return Table(kind, size, lo_key, in_scale, out_scale, lo_value, hi_value, (self.dyadic(), self.dyadic()), self.u32())

    def port(self) -> Port:
        name, tensor, scale = self.text(64), self.u32(), self.dyadic()
        dims = [self.u32() for _ in range(self.u8())]
        order, batched, visibility = self.eight(self.u8), self.flag(), self.u8()
        exact = self.flag()
        if visibility > Visibility.PRIVATE:
            raise Unreadable("an unknown visibility")
        return Port(name, tensor, scale, dims, order, batched, Visibility(visibility), exact)

    def circuit(self) -> Circuit:
        return Circuit(
            self.u32(), self.array(lambda: (self.text(64), self.text(32))), self.array(self.tensor),
            self.array(self.linear), self.array(self.term), self.array(self.box), self.array(self.contraction),
            self.array(self.placement), self.array(self.u32), self.array(self.lookup), self.array(self.table),
            self.array(self.port), self.array(self.port))


def used(values: list[int], count: int) -> list[int]:
    """The entries of a fixed array that mean something; the others must be zero."""
    if count > MAX_AXES or any(values[count:]):
        raise Unreadable("an unused entry is not zero")
    return values[:count]


def trim(circuit: Circuit) -> None:
    """Cuts fixed arrays to the ranks of the tensors that they describe."""
    def rank(tensor: int) -> int:
        return len(circuit.tensors[tensor].dims)

    def defined(kind: Kind, count: int) -> list[int]:
        """The ranks of the tensors of a kind, which has as many definitions."""
        ids = circuit.of_kind(kind)
        if [circuit.tensors[t].definition for t in ids] != list(range(count)):
            raise Unreadable("definitions are not used once and in order")
        return [rank(t) for t in ids]

    try:
        for term in circuit.terms:
            term.view = used(term.view, rank(term.tensor))
        for c, count in zip(circuit.contractions, defined(Kind.CONTRACT, len(circuit.contractions))):
            c.out_labels = used(c.out_labels, count)
            c.a_view, c.b_view = used(c.a_view, rank(c.a)), used(c.b_view, rank(c.b))
        for form, count in zip(circuit.linears, defined(Kind.LINEAR, len(circuit.linears))):
            for box in circuit.boxes[form.boxes.start:form.boxes.stop]:
                box.lo, box.hi = used(box.lo, count), used(box.hi, count)
        defined(Kind.PLACEMENT, len(circuit.placements))
    except IndexError:
        raise Unreadable("an index is out of range") from None


def check_record(record: bytes) -> None:
    """"Record": lines of a key and a value; nothing of it is looked at."""
    if len(record) > MAX_RECORD or re.fullmatch(rb"([a-z0-9-]{1,48} [^\x00-\x1f\x7f]*\n)*", record) is None:
        raise Unreadable("the record is malformed")


def read_parameters(data: bytes) -> VerifierParameters:
    """"Verifier parameters"; the circuit is not validated here."""
    reader = CircuitReader(data)
    if reader.take(8) != VK_MAGIC or reader.u32() != VK_VERSION:
        raise Unreadable("not verifier parameters of this version")
    target, b, rate, root = reader.u32(), reader.u8(), reader.u8(), reader.take(32)
    reader.text(64)
    reader.text(32)
    check_record(reader.take(reader.u32()))
    circuit = reader.circuit()
    trim(circuit)
    if reader.position != len(data):
        raise Unreadable("bytes after the circuit")
    if not 1 <= target <= MAX_TARGET:
        raise Unreadable("the security target is out of range")
    return VerifierParameters(keyed_hash("mica vk v1", data), target, b, rate, root, circuit)
