"""Evaluations that the verifier makes itself: public tensors, linear forms, placements (docs/protocol.md)."""
from __future__ import annotations

from typing import Callable, Iterator, Optional, Sequence

from .circuit import BATCH, NO_ENTRY, Factor, Tensor
from .field import (F, ONE, ZERO, Point, dot, dot_elements, eq_columns, eq_table, felt, less_than, log2_ceil)
from .plan import Plan

Evaluate = Callable[[Sequence[int]], tuple[F, ...]]  # symbolic coordinates to field elements


def public_extension(tensor: Tensor, batch: int, cells: Sequence[int], point: Point) -> F:
    """The extension of public values, valid cells row-major, zero outside the valid box."""
    axes = tensor.axes()
    if not axes:
        return felt(cells[0])
    spans, position = [], 0
    for axis in axes:
        count = log2_ceil(tensor.size(axis, batch))
        spans.append(tuple(point[position:position + count]))
        position += count
    size = tensor.size(axes[0], batch)
    weights = eq_columns(spans[0], size)
    values = [dot(weights, cells[i:i + size]) for i in range(0, len(cells), size)]
    for axis, span in zip(axes[1:], spans[1:]):
        size = tensor.size(axis, batch)
        table = eq_table(span)[:size]
        values = [dot_elements(table, values[i:i + size]) for i in range(0, len(values), size)]
    return values[0]


def linear_form(plan: Plan, number: int, values: Sequence[Optional[F]], evaluate: Evaluate) -> tuple[F, F]:
    """Both sides of the equation of "Linear forms"."""
    claim = plan.claims[number]
    tensor = plan.circuit.tensors[claim.tensor]
    form = plan.circuit.linears[tensor.definition]
    point = {axis: evaluate(plan.part(claim, axis)) for axis in tensor.axes()}
    right = ZERO
    for index in form.terms:
        term = plan.circuit.terms[index]
        operand = plan.circuit.tensors[term.tensor]
        part = values[plan.term_operand(claim, index)] * term.coefficient
        followed = {entry for entry in term.view if entry >= 0}
        followed |= {BATCH} if operand.batched else set()
        for axis in set(tensor.axes()) - followed:
            part = part * less_than(point[axis], tensor.size(axis, plan.batch))
        for axis, entry in enumerate(term.view):
            if entry == -1:
                part = part * 2**log2_ceil(operand.dims[axis])
        right = right + part
    for index in form.boxes:
        box = plan.circuit.boxes[index]
        part = felt(box.constant)
        for axis, z in point.items():
            low, high = (0, plan.batch) if axis == BATCH else (box.lo[axis], box.hi[axis])
            part = part * (less_than(z, high) - less_than(z, low))
        right = right + part
    return values[number] * 2**form.shift, right


class PlacementMatrices:
    """M_f(z, s) of "Strata" for the factors of one circuit."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.cache: dict[tuple[int, int, tuple[F, ...], tuple[F, ...]], F] = {}

    def product(self, tensor: int, z: dict[int, tuple[F, ...]], s: dict[int, tuple[F, ...]]) -> F:
        """The product over the factors that do not pass through; z and s by axis of result and source."""
        placement = self.plan.placement(tensor)
        result, source = self.plan.circuit.tensors[tensor], self.plan.circuit.tensors[placement.source]
        value = ONE
        for factor in self.plan.factors(tensor):
            z_f = [z[axis] for axis in factor.out_axes]
            s_f = [s[axis] for axis in factor.src_axes]
            key = (tensor, id(factor), sum(z_f, ()), sum(s_f, ()))
            if key not in self.cache:
                rows = factor_rows(factor, result, source, self.plan.circuit.indices)
                self.cache[key] = matrix_value(rows, box_eq(result, factor.out_axes, z_f),
                                               box_eq(source, factor.src_axes, s_f))
            value = value * self.cache[key]
        return value


def box_eq(tensor: Tensor, axes: Sequence[int], points: Sequence[tuple[F, ...]]) -> list[F]:
    """eq(point, index) for all valid indices, row-major over some axes."""
    table = [ONE]
    for axis, point in zip(axes, points):
        inner = eq_table(point)[:tensor.dims[axis]]
        table = [outer * value for outer in table for value in inner]
    return table


def matrix_value(rows: Iterator[tuple[int, int, int]], z_eq: Sequence[F], s_eq: Sequence[F]) -> F:
    """sum of w eq(z, out) eq(s, src)."""
    total = ZERO
    for out, src, weight in rows:
        part = z_eq[out] * s_eq[src]
        total = total + (part if weight == 1 else part * weight)
    return total


def row_major(sizes: Sequence[int]) -> Iterator[list[int]]:
    index = [0] * len(sizes)
    total = 1
    for size in sizes:
        total *= size
    for _ in range(total):
        yield index
        for position in reversed(range(len(sizes))):
            index[position] += 1
            if index[position] < sizes[position]:
                break
            index[position] = 0


def factor_rows(factor: Factor, result: Tensor, source: Tensor, indices: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(out, src, w) of every row that has an entry, both numbers row-major over the valid sizes ("PLACEMENT")."""
    sizes = [result.dims[axis] for axis in factor.out_axes]
    cells = 1
    for axis in factor.src_axes:
        cells *= source.dims[axis]
    if factor.n_indices:
        for out in range(factor.n_indices):
            if indices[factor.first_index + out] != NO_ENTRY:
                yield out, indices[factor.first_index + out], 1
        return
    counts: dict[int, int] = {}
    for out, index in enumerate(row_major(sizes)):
        flat = factor.offset + sum(stride * i for stride, i in zip(factor.strides, index))
        if not 0 <= flat < cells:
            continue
        if factor.norm == 0:
            yield out, flat, 1
            continue
        stride = factor.strides[factor.count_axis]
        rest = flat - stride * index[factor.count_axis]  # the same for all values of the counted axis
        if rest not in counts:
            counts[rest] = sum(0 <= rest + stride * i < cells for i in range(sizes[factor.count_axis]))
        yield out, flat, factor.norm // counts[rest]
