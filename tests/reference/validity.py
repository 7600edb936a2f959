"""Which circuits verifier parameters may have (docs/protocol.md, "Validity")."""
from __future__ import annotations

from itertools import product as cartesian
from math import prod
from operator import mul
from typing import Optional, Sequence

from . import tables
from .circuit import (MAX_AXES, NO_ENTRY, Circuit, Contraction, Factor, Kind, Linear, Table, TableKind, Tensor,
                      VerifierParameters, Visibility)
from .field import P
from .parameters import MAX_RATE
from .transcript import Unreadable

MAX_ROWS, MAX_FACTOR = 2**30, 2**24
MAX_EXPONENT = 200
MAX_DIGESTS = 256
Range = tuple[int, int]
Form = dict[tuple[int, tuple[int, ...]], int]  # coefficients by operand and view
Boxes = dict[tuple[tuple[int, int], ...], int]  # constants by the range of indices on every axis


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Unreadable(f"not a valid circuit: {what}")


def validate(vk: VerifierParameters, certificate: bool = False) -> None:
    """The circuit of a certificate has no output, and need not read all weights."""
    require(certificate or bool(vk.circuit.outputs), "no output")
    if vk.circuit.of_kind(Kind.WEIGHT):
        require(1 <= vk.weight_rate <= MAX_RATE, "the rate of the weights' code")
    try:
        Validator(vk.circuit).run(certificate)
    except IndexError:
        raise Unreadable("not a valid circuit: an index is out of range") from None


def scaled(bounds: Range, factor: int) -> Range:
    ends = bounds[0] * factor, bounds[1] * factor
    return min(ends), max(ends)


def added(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def hull(*bounds: Range) -> Range:
    return min(b[0] for b in bounds), max(b[1] for b in bounds)


def table_columns(table: Table) -> list[Range]:
    """The ranges of keys and values: of values the saturation, whether or not it is reached."""
    keys = table.lo_key, table.lo_key + 2**table.bits - 1
    if table.kind == TableKind.RANGE:
        return [keys]
    return [keys, (0, max(keys[1], 0)) if table.kind == TableKind.RELU else (table.lo_value, table.hi_value)]


class Validator:
    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.tensors = circuit.tensors
        self.multiplicities = [table.multiplicity for table in circuit.tables]
        self.columns: list[list[Range]] = [[] for _ in circuit.tables]
        self.looked_up: dict[int, list[Range]] = {}
        self.maxima: dict[int, Range] = {}

    def run(self, certificate: bool) -> None:
        for tensor in self.tensors:
            self._tensor(tensor)
        self._lists_in_order()
        for number, tensor in enumerate(self.tensors):
            check = {Kind.LINEAR: self._linear, Kind.CONTRACT: self._contraction, Kind.PLACEMENT: self._placement}
            if tensor.kind in check:
                check[tensor.kind](number, tensor)
        self._tables()
        self._lookups()
        self._ports()
        may_rest = set(self.circuit.of_kind(Kind.WEIGHT)) if certificate else set()
        require(self._read() | may_rest == set(range(len(self.tensors))), "a tensor is not read")
        self._padding()
        self._ranges()

    # --- structure ---

    def _tensor(self, tensor: Tensor) -> None:
        require(tensor.layer < len(self.circuit.layers), "a layer does not exist")
        require(min(tensor.dims, default=1) >= 1, "an axis of size 0")
        require(tensor.variables(self.circuit.max_batch) <= 30, "a tensor is too large")
        require(tensor.lo <= 0 <= tensor.hi and tensor.hi - tensor.lo < P, "a range")
        require(tensor.kind != Kind.INPUT or tensor.batched, "an input is not batched")
        require(tensor.kind != Kind.WEIGHT or not tensor.batched, "a weight is batched")
        require(tensor.kind >= Kind.LINEAR or tensor.definition == 0, "a definition of a tensor that has none")

    def _lists_in_order(self) -> None:
        """Terms, boxes and lists are used once and in order."""
        circuit = self.circuit
        require(circuit.max_batch >= 1, "no batch")
        term = box = index = 0
        for form in circuit.linears:
            require(form.terms.start == term and form.boxes.start == box, "terms and boxes are not in order")
            term, box = form.terms.stop, form.boxes.stop
        require(term == len(circuit.terms) and box == len(circuit.boxes), "a term or box is left over")
        for factor in (factor for placement in circuit.placements for factor in placement.factors):
            require(factor.first_index == (index if factor.n_indices else 0), "lists are not in order")
            index += factor.n_indices
        require(index == len(circuit.indices), "an index is left over")

    def _linear(self, number: int, tensor: Tensor) -> None:
        form = self.circuit.linears[tensor.definition]
        for term in (self.circuit.terms[i] for i in form.terms):
            require(term.tensor < number, "an operand is not older")
            require(term.coefficient != 0, "a coefficient of zero")
            operand = self.tensors[term.tensor]
            require(tensor.batched or not operand.batched, "a batched operand")
            followed = [entry for entry in term.view if entry >= 0]
            require(len(set(followed)) == len(followed), "an axis is followed twice")
            for size, entry in zip(operand.dims, term.view):
                if entry >= 0:
                    require(entry < len(tensor.dims) and tensor.dims[entry] == size, "a view")
                require(entry >= -1 or -2 - entry < size, "a fixed index")
        for box in (self.circuit.boxes[i] for i in form.boxes):
            require(all(lo < hi <= size for lo, hi, size in zip(box.lo, box.hi, tensor.dims)), "a box")

    def _contraction(self, number: int, tensor: Tensor) -> None:
        c = self.circuit.contractions[tensor.definition]
        a, b = self.tensors[c.a], self.tensors[c.b]
        require(max(c.a, c.b) < number, "an operand is not older")
        require(Kind.CONTRACT not in (a.kind, b.kind), "an operand is a contraction")
        require(tensor.batched == (a.batched or b.batched), "the batch of a contraction")
        uses = [0] * len(c.label_dims)
        for dims, labels, operand in ((tensor.dims, c.out_labels, False), (a.dims, c.a_view, True), (b.dims, c.b_view, True)):
            carried = [label for label in labels if label >= 0]
            require(len(set(carried)) == len(carried), "a label twice")
            for size, label in zip(dims, labels):
                if label >= 0:
                    require(label < len(uses) and c.label_dims[label] == size, "a label")
                    uses[label] += 1
                else:
                    require(operand and label <= -2 and -2 - label < size, "a fixed index")
        require(all(count >= 2 for count in uses), "a label of one tensor")

    def _placement(self, number: int, tensor: Tensor) -> None:
        placement = self.circuit.placements[tensor.definition]
        require(placement.source < number, "an operand is not older")
        source = self.tensors[placement.source]
        require(source.kind != Kind.CONTRACT, "the source is a contraction")
        require(source.batched == tensor.batched, "the batch of a placement")
        out_axes = [axis for f in placement.factors for axis in f.out_axes]
        src_axes = [axis for f in placement.factors for axis in f.src_axes]
        require(sorted(out_axes) == list(range(len(tensor.dims))), "the factors do not split the axes")
        require(sorted(src_axes) == list(range(len(source.dims))), "the factors do not split the source's axes")
        for factor in placement.factors:
            self._factor(factor, tensor, source)

    def _factor(self, factor: Factor, tensor: Tensor, source: Tensor) -> None:
        rows = prod(tensor.dims[axis] for axis in factor.out_axes)
        cells = prod(source.dims[axis] for axis in factor.src_axes)
        require(rows <= MAX_FACTOR and cells <= MAX_FACTOR, "a factor is too large")
        require(factor.count_axis == 0 or (factor.norm > 0 and factor.count_axis < len(factor.out_axes)), "a counted axis")
        require(factor.norm == 0 or len(factor.out_axes) > 0, "a counted axis")
        if factor.n_indices:
            plain = not any(factor.strides) and (factor.offset, factor.norm, factor.count_axis) == (0, 0, 0)
            require(plain and factor.n_indices == rows, "a list")
            listed = self.circuit.indices[factor.first_index:factor.first_index + factor.n_indices]
            require(all(index < cells or index == NO_ENTRY for index in listed), "a list names no cell")

    def _ports(self) -> None:
        inputs = [port.tensor for port in self.circuit.inputs]
        public = [port.tensor for port in self.circuit.inputs if port.visibility == Visibility.PUBLIC]
        require(public == self.circuit.of_kind(Kind.INPUT), "the public inputs are not the ports")
        require(all(a < b for a, b in zip(inputs, inputs[1:])), "the inputs are not in order")
        for port in self.circuit.inputs:
            if port.visibility != Visibility.PUBLIC:
                self._digits(port.tensor)
        require(len(self._committed()) * self.circuit.max_batch <= MAX_DIGESTS, "too many digests")
        for port in self.circuit.inputs + self.circuit.outputs:
            require(self.tensors[port.tensor].batched, "a port is not batched")
            dims = self.tensors[port.tensor].dims
            require(sorted(port.axis_order[:len(dims)]) == list(range(len(dims))), "an order of axes")
            require(max(port.axis_order) < MAX_AXES, "an order of axes")
            require(len(port.onnx_dims) <= MAX_AXES and prod(port.onnx_dims) == prod(dims), "the shape of a port")
            require(port.scale.mantissa > 0 and abs(port.scale.exponent) <= MAX_EXPONENT, "the scale of a port")

    def _committed(self) -> list[int]:
        ports = self.circuit.inputs + self.circuit.outputs
        return [port.tensor for port in ports if port.visibility == Visibility.COMMITTED]

    def _digits(self, number: int) -> None:
        """An input that is not public: "Validity"."""
        tensor = self.tensors[number]
        require(tensor.kind == Kind.LINEAR and tensor.batched, "an input is not a form of digits")
        form = self.circuit.linears[tensor.definition]
        terms = [self.circuit.terms[i] for i in form.terms]
        boxes = [self.circuit.boxes[i] for i in form.boxes]
        require(form.shift == 0 and bool(terms) and len(boxes) <= 1, "the form of an input")
        require(all((box.lo, box.hi) == ([0] * len(tensor.dims), tensor.dims) for box in boxes), "the box of an input")
        unit, newest = 1, -1
        for term in terms:
            digit = self.tensors[term.tensor]
            require(digit.kind == Kind.WITNESS and digit.batched and digit.dims == tensor.dims, "a digit")
            require(term.view == list(range(len(tensor.dims))) and term.coefficient == unit, "the place of a digit")
            sizes = [2**self.circuit.tables[lookup.table].bits for lookup in self.circuit.lookups
                     if lookup.entries == [term.tensor] and self.circuit.tables[lookup.table].kind == TableKind.RANGE]
            require(bool(sizes) and term.tensor > newest, "the table of a digit")
            unit, newest = unit * min(sizes), term.tensor
        low = boxes[0].constant if boxes else 0
        require((tensor.lo, tensor.hi) == (low, low + unit - 1), "the range of an input")

    # --- lookups ---

    def _tables(self) -> None:
        require(len(set(self.multiplicities)) == len(self.multiplicities), "multiplicities of two tables")
        for i, table in enumerate(self.circuit.tables):
            require(tables.valid(table), "a table")
            tensor = self.tensors[table.multiplicity]
            require(tensor.kind == Kind.WITNESS and not tensor.batched and tensor.dims == [2**table.bits], "multiplicities")
            self.columns[i] = table_columns(table)
        require(sum(2**table.bits for table in self.circuit.tables) <= MAX_ROWS, "too many rows")

    def _lookups(self) -> None:
        circuit, cells = self.circuit, 0
        for lookup in circuit.lookups:
            require(lookup.layer < len(circuit.layers), "a layer does not exist")
            columns = self.columns[lookup.table]
            require(len(lookup.entries) == len(columns), "the entries of a lookup")
            first = self.tensors[lookup.entries[0]]
            for entry, column in zip(lookup.entries, columns):
                tensor = self.tensors[entry]
                require((tensor.dims, tensor.batched) == (first.dims, first.batched), "entries of different shapes")
                self.looked_up.setdefault(entry, []).append(column)
            cells += 2**first.variables(circuit.max_batch)
        require(cells < P, "too many lookups")
        require(not set(self.looked_up) & set(self.multiplicities), "multiplicities are looked up")

    def _operands(self, tensor: Tensor) -> list[int]:
        if tensor.kind == Kind.LINEAR:
            return [self.circuit.terms[i].tensor for i in self.circuit.linears[tensor.definition].terms]
        if tensor.kind == Kind.CONTRACT:
            contraction = self.circuit.contractions[tensor.definition]
            return [contraction.a, contraction.b]
        return [self.circuit.placements[tensor.definition].source] if tensor.kind == Kind.PLACEMENT else []

    def _read(self) -> set[int]:
        read = {operand for tensor in self.tensors for operand in self._operands(tensor)}
        return read | set(self.looked_up) | set(self.multiplicities) | set(self._committed()) | {
            port.tensor for port in self.circuit.outputs}

    def _newest(self, entry: int) -> Optional[int]:
        """The newest operand of a LINEAR tensor, if it is read once, cell by cell."""
        tensor = self.tensors[entry]
        if tensor.kind != Kind.LINEAR:
            return None
        terms = [self.circuit.terms[i] for i in self.circuit.linears[tensor.definition].terms]
        newest = [t for t in terms if t.tensor == max(term.tensor for term in terms)]
        if len(newest) != 1 or newest[0].coefficient % P == 0:
            return None
        same_batch = self.tensors[newest[0].tensor].batched == tensor.batched
        whole = sorted(newest[0].view) == list(range(len(tensor.dims)))
        return newest[0].tensor if whole and same_batch else None

    def _padding(self) -> None:
        bound = set(self.looked_up) | set(self.multiplicities) | {self._newest(entry) for entry in self.looked_up}
        require(set(self.circuit.of_kind(Kind.WITNESS)) <= bound, "a witness is not bound in the padding")

    # --- ranges ---

    def _range(self, number: int) -> Range:
        return self.tensors[number].lo, self.tensors[number].hi

    def _form(self, number: int) -> tuple[Form, Boxes]:
        """The terms of a LINEAR tensor and its boxes, equal ones combined."""
        form: Linear = self.circuit.linears[self.tensors[number].definition]
        terms: Form = {}
        for term in (self.circuit.terms[i] for i in form.terms):
            key = term.tensor, tuple(term.view)
            terms[key] = terms.get(key, 0) + term.coefficient
        boxes: Boxes = {}
        for box in (self.circuit.boxes[i] for i in form.boxes):
            key = tuple(zip(box.lo, box.hi))
            boxes[key] = boxes.get(key, 0) + box.constant
        return terms, boxes

    def _term_range(self, operand: int, view: Sequence[int], coefficient: int) -> Range:
        cells = prod(size for size, entry in zip(self.tensors[operand].dims, view) if entry == -1)
        return scaled(self._range(operand), coefficient * cells)

    def _form_range(self, number: int) -> Range:
        """The values inside the valid box that the ranges of a form's operands admit, terms taken one by one."""
        _, boxes = self._form(number)
        dims = self.tensors[number].dims
        constants = Grid(dims, boxes, [()] * len(dims)).constants
        total = min(constants), max(constants)
        for term in (self.circuit.terms[i] for i in self.circuit.linears[self.tensors[number].definition].terms):
            total = added(total, self._term_range(term.tensor, term.view, term.coefficient))
        return total

    def _padded_range(self, dims: Sequence[int], terms: Form, boxes: Boxes) -> Range:
        """Likewise, region by region: a PLACEMENT is zero where its rows have no entry."""
        supports = {key: self._support(*key) for key in terms}
        more = [[i for support in supports.values() if axis in support for i in range(1, size)
                 if support[axis][i] != support[axis][i - 1]] for axis, size in enumerate(dims)]
        grid = Grid(dims, boxes, more)
        ranges = []
        for cell, constant in zip(cartesian(*grid.cuts), grid.constants):
            total = constant, constant
            for (operand, view), coefficient in terms.items():
                if all(valid[cell[axis]] for axis, valid in supports[operand, view].items()):
                    total = added(total, self._term_range(operand, view, coefficient))
            ranges.append(total)
        return hull(*ranges)

    def _support(self, operand: int, view: Sequence[int]) -> dict[int, list[bool]]:
        """By axis of the form: for which indices the rows of a PLACEMENT operand can have an entry."""
        result = self.tensors[operand]
        support: dict[int, list[bool]] = {}
        if result.kind != Kind.PLACEMENT:
            return support
        placement = self.circuit.placements[result.definition]
        source = self.tensors[placement.source]
        for factor in placement.factors:
            free = [i for i, axis in enumerate(factor.out_axes) if view[axis] >= 0]
            if len(free) != 1 or factor.n_indices or any(view[axis] == -1 for axis in factor.out_axes):
                continue
            cells = prod(source.dims[axis] for axis in factor.src_axes)
            start = factor.offset + sum(factor.strides[i] * (-2 - view[axis]) for i, axis in enumerate(factor.out_axes)
                                        if i != free[0])
            axis, stride = factor.out_axes[free[0]], factor.strides[free[0]]
            valid = [0 <= start + stride * i < cells for i in range(result.dims[axis])]
            before = support.get(view[axis], [True] * len(valid))
            support[view[axis]] = [x and y for x, y in zip(before, valid)]
        return support

    def _find_maxima(self) -> None:
        """"maxima": lookups (a - b, m - b) in an exact ReLU table; the range of m."""
        for lookup in self.circuit.lookups:
            if self.circuit.tables[lookup.table].kind != TableKind.RELU:
                continue
            difference, excess = lookup.entries
            newest = self._newest(excess)
            if newest is None or self.tensors[newest].kind != Kind.WITNESS:
                continue
            bounds = self._maximum(difference, excess, newest)
            if bounds:
                self.maxima[newest] = bounds

    def _maximum(self, difference: int, excess: int, m: int) -> Optional[Range]:
        if self.tensors[difference].kind != Kind.LINEAR:
            return None
        if any(self.circuit.linears[self.tensors[t].definition].shift for t in (difference, excess)):
            return None
        (d_terms, d_boxes), (e_terms, e_boxes) = self._form(difference), self._form(excess)
        key = next(key for key in e_terms if key[0] == m)
        if e_terms.pop(key) != 1 or key[1] != tuple(range(len(key[1]))):
            return None
        b = {k: -v for k, v in e_terms.items() if v}, {k: -v for k, v in e_boxes.items() if v}
        a = combined(b[0], d_terms), combined(b[1], d_boxes)
        if any(operand >= m for terms in (a[0], b[0]) for operand, _ in terms):
            return None
        dims = self.tensors[excess].dims
        return hull(self._padded_range(dims, *a), self._padded_range(dims, *b))

    def _derived(self, number: int) -> Optional[Range]:
        """What the declared range must contain; None if it is taken as given."""
        tensor = self.tensors[number]
        columns = self.looked_up.get(number)
        if tensor.kind == Kind.WITNESS:
            if columns:
                return intersection(columns)
            if number in self.multiplicities:
                return None
            require(number in self.maxima, "a witness without a range")
            return self.maxima[number]
        if tensor.kind == Kind.LINEAR:
            shift = self.circuit.linears[tensor.definition].shift
            require(shift == 0 or columns is not None, "a shifted form that is not looked up")
            low, high = self._form_range(number)
            quotients = -(-low >> shift), high >> shift  # the division is exact
            return intersection([quotients, *(columns or [])])
        if tensor.kind == Kind.CONTRACT:
            return self._contraction_range(self.circuit.contractions[tensor.definition])
        if tensor.kind == Kind.PLACEMENT:
            placement = self.circuit.placements[tensor.definition]
            weight = prod(factor.norm or 1 for factor in placement.factors)
            return hull(scaled(self._range(placement.source), weight), (0, 0))
        return None

    def _contraction_range(self, c: Contraction) -> Optional[Range]:
        if Kind.WEIGHT in (self.tensors[c.a].kind, self.tensors[c.b].kind):
            return None
        summed = prod(size for label, size in enumerate(c.label_dims) if label not in c.out_labels)
        products = [scaled(self._range(c.a), end) for end in self._range(c.b)]
        return scaled(hull(*products), summed)

    def _ranges(self) -> None:
        self._find_maxima()
        for number in range(len(self.tensors)):
            derived, declared = self._derived(number), self._range(number)
            require(derived is None or (declared[0] <= derived[0] and derived[1] <= declared[1]), f"the range of {number}")
        for number, columns in self.looked_up.items():
            tensor, shift, total = self.tensors[number], 0, self._range(number)
            if tensor.kind == Kind.LINEAR:
                shift, total = self.circuit.linears[tensor.definition].shift, self._form_range(number)
            for column in columns:
                difference = added(scaled(column, 2**shift), scaled(total, -1))
                require(-P < difference[0] and difference[1] < P, f"the no-wrap rule for {number}")


class Grid:
    """The valid cells of a tensor, cut where boxes begin or end and wherever else a form changes."""

    def __init__(self, dims: Sequence[int], boxes: Boxes, more: Sequence[Sequence[int]]):
        ends = [{0, size, *(end for box in boxes for end in box[axis]), *more[axis]} for axis, size in enumerate(dims)]
        self.cuts = [sorted(cuts - {size}) for cuts, size in zip(ends, dims)]
        self.constants = self._constants(boxes)

    def _constants(self, boxes: Boxes) -> list[int]:
        """The sum of the constants in every region, row-major: the running sum, axis by axis, over the boxes' corners."""
        places = [{cut: i for i, cut in enumerate(axis)} for axis in self.cuts]
        strides = [prod(len(axis) for axis in self.cuts[i + 1:]) for i in range(len(self.cuts))]
        sums = [0] * prod(map(len, self.cuts))
        for box, constant in boxes.items():
            for ends in cartesian((0, 1), repeat=len(strides)):
                corner = [place.get(box[axis][end]) for axis, (place, end) in enumerate(zip(places, ends))]
                if None not in corner:
                    sums[sum(map(mul, strides, corner))] += (-1)**sum(ends) * constant
        for stride, axis in zip(strides, self.cuts):
            for i in range(len(sums)):
                if i // stride % len(axis):
                    sums[i] += sums[i - stride]
        return sums


def combined(a: dict, b: dict) -> dict:
    total = {key: a.get(key, 0) + b.get(key, 0) for key in {*a, *b}}
    return {key: value for key, value in total.items() if value}


def intersection(columns: Sequence[Range]) -> Range:
    return max(c[0] for c in columns), min(c[1] for c in columns)
