"""The list of claims and events, a function of circuit and batch (docs/protocol.md, "Claims" and "Strata").

A coordinate of a point is a challenge's slot (>= 0) or one of the constants below.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Sequence, Union

from .circuit import BATCH, Circuit, Contraction, Factor, Kind, Placement, Tensor, Visibility
from .field import log2_ceil

AT_ZERO, AT_ONE, AT_HALF = -1, -2, -3
Coordinates = tuple[int, ...]


@dataclass
class Claim:
    tensor: int
    point: Coordinates
    output: int = -1  # the public output this claim is for
    committed: int = -1  # the committed port this claim is for, counted over inputs and outputs


@dataclass
class Block:
    """Leaves of the fraction tree: of a lookup, of a table, or the one that stands for zero tuples."""

    kind: int
    index: int
    log_size: int
    start: int = 0
    claims: list[int] = field(default_factory=list)

    LOOKUP, TABLE, ZERO = range(3)


@dataclass
class Instance:
    """One summand of a stratum; a CONTRACT has one claim and two operands, a PLACEMENT one operand."""

    tensor: int
    claims: list[int]
    variables: dict[int, range]  # of a label or of an axis of the source: its variables
    count: int
    operands: list[int] = field(default_factory=list)


@dataclass
class Send:
    claims: list[int]


@dataclass
class LinearForms:
    claims: list[int]


@dataclass
class Leaves:
    pass


@dataclass
class OutputPoint:
    slots: range


@dataclass
class Rounds:
    """The sumcheck of a stratum."""

    kind: Kind
    instances: list[Instance]
    slots: range
    degree: int


@dataclass
class Final:
    stratum: Rounds


Event = Union[Send, LinearForms, Leaves, OutputPoint, Rounds, Final]


def constant_bits(value: int, count: int) -> Coordinates:
    return tuple(AT_ONE if value >> i & 1 else AT_ZERO for i in range(count))


def passes_through(factor: Factor, result: Tensor, source: Tensor) -> bool:
    """Whether a factor is the identity on one axis ("PLACEMENT")."""
    if len(factor.out_axes) != 1 or len(factor.src_axes) != 1 or factor.n_indices or factor.norm or factor.offset:
        return False
    return factor.strides[0] == 1 and result.dims[factor.out_axes[0]] == source.dims[factor.src_axes[0]]


def labels_of(view: Sequence[int]) -> dict[int, int]:
    """The axis of an operand that carries a label."""
    return {entry: axis for axis, entry in enumerate(view) if entry >= 0}


def stages(circuit: Circuit) -> list[int]:
    """The stage of every tensor: even for CONTRACT, odd for PLACEMENT."""
    stage = [0] * len(circuit.tensors)
    for t in reversed(range(len(circuit.tensors))):
        tensor = circuit.tensors[t]
        operands: list[int] = []
        if tensor.kind == Kind.LINEAR:
            operands = [circuit.terms[i].tensor for i in circuit.linears[tensor.definition].terms]
            least = stage[t]
        elif tensor.kind == Kind.CONTRACT:
            contraction = circuit.contractions[tensor.definition]
            operands = [contraction.a, contraction.b]
            stage[t] += stage[t] % 2
            least = stage[t] + 1
        elif tensor.kind == Kind.PLACEMENT:
            operands = [circuit.placements[tensor.definition].source]
            stage[t] += 1 - stage[t] % 2
            least = stage[t] + 1
        for operand in operands:
            stage[operand] = max(stage[operand], least)
    return stage


class Plan:
    """Claims and events for a batch."""

    def __init__(self, circuit: Circuit, batch: int):
        self.circuit, self.batch = circuit, batch
        self.claims: list[Claim] = []
        self.events: list[Event] = []
        self.slots = 0
        self.claims_of: list[list[int]] = [[] for _ in circuit.tensors]
        self._found: dict[tuple[int, Coordinates], int] = {}
        self._settled = self._sent = 0
        self.spans = [self._spans(tensor) for tensor in circuit.tensors]
        self.variables = [tensor.variables(batch) for tensor in circuit.tensors]
        self.blocks, self.leaves, self.zero_cells = self._blocks()
        self._plan_lookups()
        self.committed: list[int] = []  # the claims of committed ports
        self._plan_ports()
        self._plan_strata()

    # --- shapes ---

    def _spans(self, tensor: Tensor) -> dict[int, slice]:
        """The variables of every axis."""
        spans, position = {}, 0
        for axis in tensor.axes():
            count = log2_ceil(tensor.size(axis, self.batch))
            spans[axis] = slice(position, position + count)
            position += count
        return spans

    def part(self, claim: Claim, axis: int) -> Coordinates:
        """The coordinates of an axis of a claim's tensor."""
        return claim.point[self.spans[claim.tensor][axis]]

    def _valid_cells(self, tensor: Tensor) -> int:
        cells = 1
        for axis in tensor.axes():
            cells *= tensor.size(axis, self.batch)
        return cells

    def take_slots(self, count: int) -> range:
        self.slots += count
        return range(self.slots - count, self.slots)

    # --- claims ---

    def new_claim(self, tensor: int, point: Coordinates) -> int:
        self.claims.append(Claim(tensor, point))
        number = len(self.claims) - 1
        self.claims_of[tensor].append(number)
        self._found[tensor, point] = number
        return number

    def claim(self, tensor: int, parts: Mapping[int, Coordinates]) -> int:
        """The claim at a point given axis by axis, created unless there is one."""
        point = tuple(c for axis in self.circuit.tensors[tensor].axes() for c in parts[axis])
        found = self._found.get((tensor, point))
        return self.new_claim(tensor, point) if found is None else found

    def term_operand(self, claim: Claim, term_index: int) -> int:
        """The claim on a term's operand ("Linear forms")."""
        term = self.circuit.terms[term_index]
        operand = self.circuit.tensors[term.tensor]
        parts: dict[int, Coordinates] = {}
        for axis in operand.axes():
            count = log2_ceil(operand.size(axis, self.batch))
            entry = BATCH if axis == BATCH else term.view[axis]
            if axis == BATCH or entry >= 0:
                parts[axis] = self.part(claim, entry)
            elif entry == -1:
                parts[axis] = (AT_HALF,) * count
            else:
                parts[axis] = constant_bits(-2 - entry, count)
        return self.claim(term.tensor, parts)

    def terms_of(self, claim: Claim) -> range:
        tensor = self.circuit.tensors[claim.tensor]
        return self.circuit.linears[tensor.definition].terms

    def _settle(self) -> None:
        """"Settling"."""
        first = self._settled
        while self._settled < len(self.claims):
            claim = self.claims[self._settled]
            self._settled += 1
            if self.circuit.tensors[claim.tensor].kind == Kind.LINEAR:
                for term in self.terms_of(claim):
                    self.term_operand(claim, term)
        new = range(first, len(self.claims))
        self.events.append(Send(list(range(self._sent, len(self.claims)))))
        self._sent = len(self.claims)
        self.events.append(
            LinearForms([c for c in new if self.circuit.tensors[self.claims[c].tensor].kind == Kind.LINEAR]))

    # --- lookups ---

    def _blocks(self) -> tuple[list[Block], int, int]:
        """The blocks in order, the number of leaves and N_0."""
        if not self.circuit.lookups:
            return [], 0, 0
        blocks, zero_cells = [], 0
        for i, lookup in enumerate(self.circuit.lookups):
            entry = lookup.entries[0]
            log_size = self.variables[entry]
            zero_cells += 2**log_size - self._valid_cells(self.circuit.tensors[entry])
            blocks.append(Block(Block.LOOKUP, i, log_size))
        blocks += [Block(Block.TABLE, i, table.bits) for i, table in enumerate(self.circuit.tables)]
        blocks.append(Block(Block.ZERO, 0, 0))
        blocks.sort(key=lambda b: (-b.log_size, b.kind, b.index))
        leaves = 0
        for block in blocks:
            block.start = leaves
            leaves += 2**block.log_size
        return blocks, leaves, zero_cells

    def _plan_lookups(self) -> None:
        if not self.blocks:
            return
        point = tuple(self.take_slots(log2_ceil(self.leaves)))
        for block in self.blocks:
            tensors = []
            if block.kind == Block.LOOKUP:
                tensors = self.circuit.lookups[block.index].entries
            elif block.kind == Block.TABLE:
                tensors = [self.circuit.tables[block.index].multiplicity]
            for tensor in tensors:
                spans = self.spans[tensor]
                block.claims.append(self.claim(tensor, {axis: point[span] for axis, span in spans.items()}))
        self._settle()
        self.events.append(Leaves())

    def _plan_ports(self) -> None:
        """"Inputs and outputs"."""
        for port in self.circuit.inputs:
            if port.visibility == Visibility.COMMITTED:
                self._plan_committed(port.tensor)
        for output, port in enumerate(self.circuit.outputs):
            if port.visibility == Visibility.COMMITTED:
                self._plan_committed(port.tensor)
            else:
                self._plan_port(port.tensor, output if port.visibility == Visibility.PUBLIC else -1)

    def _plan_committed(self, tensor: int) -> None:
        self.committed.append(self._plan_port(tensor, -1, len(self.committed)))

    def _plan_port(self, tensor: int, output: int, committed: int = -1) -> int:
        slots = self.take_slots(self.variables[tensor])
        self.events.append(OutputPoint(slots))
        number = self.new_claim(tensor, tuple(slots))
        self.claims[number].output, self.claims[number].committed = output, committed
        self._settle()
        return number

    # --- strata ---

    def _plan_strata(self) -> None:
        stage = stages(self.circuit)
        reduced = [t for t, tensor in enumerate(self.circuit.tensors) if tensor.kind in (Kind.CONTRACT, Kind.PLACEMENT)]
        for number in sorted({stage[t] for t in reduced}):
            tensors = [t for t in reduced if stage[t] == number and self.claims_of[t]]
            if tensors:
                self._plan_stratum(Kind.PLACEMENT if number % 2 else Kind.CONTRACT, tensors)

    def _plan_stratum(self, kind: Kind, tensors: Sequence[int]) -> None:
        build = self._contract_instances if kind == Kind.CONTRACT else self._placement_instances
        instances = [instance for t in tensors for instance in build(t)]
        degree = 3 if kind == Kind.CONTRACT and any(self._has_eq(i.tensor) for i in instances) else 2
        slots = self.take_slots(max(i.count for i in instances))
        stratum = Rounds(kind, instances, slots, degree)
        self.events.append(stratum)
        for instance in instances:
            operands = self._contract_operands if kind == Kind.CONTRACT else self._placement_operands
            instance.operands = operands(instance, slots)
        self._settle()
        self.events.append(Final(stratum))

    def contraction(self, tensor: int) -> Contraction:
        return self.circuit.contractions[self.circuit.tensors[tensor].definition]

    def placement(self, tensor: int) -> Placement:
        return self.circuit.placements[self.circuit.tensors[tensor].definition]

    def summed_labels(self, tensor: int) -> list[int]:
        """Labels in both operands, and the batch if both are batched; the last label first, the batch last."""
        c = self.contraction(tensor)
        labels = sorted(set(labels_of(c.a_view)) & set(labels_of(c.b_view)), reverse=True)
        both = self.circuit.tensors[c.a].batched and self.circuit.tensors[c.b].batched
        return labels + [BATCH] * both

    def out_axes(self, tensor: int) -> dict[int, int]:
        """The axis of a CONTRACT tensor that carries a label; the batch is a label of its own."""
        axes = {label: axis for axis, label in enumerate(self.contraction(tensor).out_labels)}
        return {**axes, BATCH: BATCH}

    def paired_labels(self, tensor: int) -> list[int]:
        """Labels in the result and both operands."""
        return [label for label in self.summed_labels(tensor) if label in self.out_axes(tensor)]

    def _has_eq(self, tensor: int) -> bool:
        return bool(self.paired_labels(tensor))

    def _contract_instances(self, tensor: int) -> list[Instance]:
        dims = self.contraction(tensor).label_dims
        variables, count = {}, 0
        for label in self.summed_labels(tensor):
            width = log2_ceil(self.batch if label == BATCH else dims[label])
            variables[label] = range(count, count + width)
            count += width
        return [Instance(tensor, [claim], variables, count) for claim in reversed(self.claims_of[tensor])]

    def _contract_operands(self, instance: Instance, slots: range) -> list[int]:
        c, claim = self.contraction(instance.tensor), self.claims[instance.claims[0]]
        out_axes = self.out_axes(instance.tensor)
        operands = []
        for tensor, view in ((c.a, c.a_view), (c.b, c.b_view)):
            operand = self.circuit.tensors[tensor]
            parts: dict[int, Coordinates] = {}
            for axis in operand.axes():
                label = BATCH if axis == BATCH else view[axis]
                if label in instance.variables:
                    parts[axis] = tuple(slots[v] for v in instance.variables[label])
                elif label <= -2:
                    parts[axis] = constant_bits(-2 - label, log2_ceil(operand.dims[axis]))
                else:
                    parts[axis] = self.part(claim, out_axes[label])
            operands.append(self.claim(tensor, parts))
        return operands

    def passing(self, tensor: int) -> dict[int, int]:
        """Axes of a PLACEMENT that pass through: of the source, and the result's axis for each."""
        placement, result = self.placement(tensor), self.circuit.tensors[tensor]
        source = self.circuit.tensors[placement.source]
        axes = {f.src_axes[0]: f.out_axes[0] for f in placement.factors if passes_through(f, result, source)}
        return {**axes, BATCH: BATCH} if source.batched else axes

    def factors(self, tensor: int) -> list[Factor]:
        """The factors that take part in the sumcheck."""
        placement, result = self.placement(tensor), self.circuit.tensors[tensor]
        source = self.circuit.tensors[placement.source]
        return [f for f in placement.factors if not passes_through(f, result, source)]

    def _placement_instances(self, tensor: int) -> list[Instance]:
        passing = self.passing(tensor)
        source = self.circuit.tensors[self.placement(tensor).source]
        variables, count = {}, 0
        for axis in source.axes():
            if axis not in passing:
                width = log2_ceil(source.size(axis, self.batch))
                variables[axis] = range(count, count + width)
                count += width
        sets: dict[tuple[Coordinates, ...], list[int]] = {}
        for number in reversed(self.claims_of[tensor]):
            key = tuple(self.part(self.claims[number], axis) for axis in passing.values())
            sets.setdefault(key, []).append(number)
        return [Instance(tensor, claims, variables, count) for claims in sets.values()]

    def _placement_operands(self, instance: Instance, slots: range) -> list[int]:
        source, claim = self.placement(instance.tensor).source, self.claims[instance.claims[0]]
        parts = {axis: self.part(claim, out_axis) for axis, out_axis in self.passing(instance.tensor).items()}
        parts.update({axis: tuple(slots[v] for v in span) for axis, span in instance.variables.items()})
        return [self.claim(source, parts)]
