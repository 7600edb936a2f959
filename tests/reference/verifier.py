"""The walk through the transcript (docs/protocol.md, "Transcript" and "Verification")."""
from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional, Sequence

from . import tables
from .circuit import BATCH, Circuit, Kind, Port, VerifierParameters, Visibility
from .field import HALF, ONE, P, ZERO, F, bits, eq, felt, less_than, log2_ceil, product
from .opening import Group, Opening, OpeningClaim, make_group, quadratic
from .parameters import (UNIT, OpeningParameters, digest_bytes, group_rows, lookup_bits, lookup_work, opening_budget,
                         opening_parameters, over)
from .plan import (AT_HALF, AT_ONE, AT_ZERO, Block, Final, Leaves, LinearForms, OutputPoint, Plan, Rounds, Send)
from .relations import PlacementMatrices, linear_form, public_extension
from .transcript import Channel, Rejected, Tag, Transcript, Unreadable

PROOF_MAGIC, PROOF_VERSION, MAX_NONCE = b"MICAPRF\n", 2, 64
CONSTANTS = {AT_ZERO: ZERO, AT_ONE: ONE, AT_HALF: HALF}


@dataclass
class Statement:
    """The head of a proof file ("Proof file" of docs/formats.md)."""

    raw: bytes
    batch: int
    nonce: bytes
    inputs: list[list[int]]  # empty where a port is not public
    outputs: list[list[int]]
    digests: list[bytes]  # of committed inputs, then outputs, item by item
    proof: bytes


def check_magic(data: bytes) -> None:
    if len(data) < 12 or data[:8] != PROOF_MAGIC or int.from_bytes(data[8:12], "little") != PROOF_VERSION:
        raise Unreadable("not a proof of this version")


def read_statement(data: bytes, vk: VerifierParameters) -> Statement:
    """Step 1 of "Verification"."""
    if len(data) < 52:
        raise Rejected("MALFORMED", "the statement is truncated")
    batch, length = struct.unpack_from("<II", data, 44)
    if data[12:44] != vk.digest:
        raise Rejected("STATEMENT", "the digest is that of other verifier parameters")
    if not 1 <= batch <= vk.circuit.max_batch:
        raise Rejected("STATEMENT", f"a batch of {batch}")
    if length > MAX_NONCE:
        raise Rejected("STATEMENT", f"a nonce of {length} bytes")
    position = 52 + length
    ports = vk.circuit.inputs + vk.circuit.outputs
    values: list[list[int]] = []
    digests: list[bytes] = []
    for port in ports:
        count = batch if port.visibility == Visibility.PUBLIC else 0
        for size in vk.circuit.tensors[port.tensor].dims:
            count *= size
        hashes = batch if port.visibility == Visibility.COMMITTED else 0
        if len(data) < position + 4 * count + 32 * hashes:
            raise Rejected("MALFORMED", "the statement is truncated")
        values.append(list(struct.unpack_from(f"<{count}i", data, position)))
        digests += [data[position + 32 * i:position + 32 * (i + 1)] for i in range(hashes)]
        position += 4 * count + 32 * hashes
    for port, cells in zip(ports, values):
        tensor = vk.circuit.tensors[port.tensor]
        if cells and (min(cells) < tensor.lo or max(cells) > tensor.hi):
            raise Rejected("STATEMENT", f"a value of {port.name!r} is out of range")
    split = len(vk.circuit.inputs)
    return Statement(data[:position], batch, data[52:52 + length], values[:split], values[split:], digests,
                     data[position:])


def item_group(circuit: Circuit, tensor: int, digest: bytes) -> Group:
    """"Digests" of docs/formats.md."""
    n = circuit.tensors[tensor].variables(1)
    return make_group(circuit, [tensor], 1, n - n // 3, 3, digest, 32)


class Verifier:
    """One verification: the plan, the values of its claims and challenges, and the proof."""

    def __init__(self, vk: VerifierParameters, statement: Statement):
        self.vk, self.circuit, self.statement = vk, vk.circuit, statement
        self.plan = Plan(vk.circuit, statement.batch)
        self.channel = Channel(Transcript(), statement.proof)
        self.challenges: list[F] = [ZERO] * self.plan.slots
        self.values: list[Optional[F]] = [None] * len(self.plan.claims)
        self.matrices = PlacementMatrices(self.plan)
        self.group_tensors = [t for t in (self.circuit.of_kind(Kind.WEIGHT), self.circuit.of_kind(Kind.WITNESS)) if t]
        self.groups = [self._group(tensors) for tensors in self.group_tensors]
        for i, digest in enumerate(statement.digests):
            tensor = self.plan.claims[self.plan.committed[i // statement.batch]].tensor
            self.groups.append(item_group(self.circuit, tensor, digest))
        self.items: list[F] = [ZERO] * len(statement.digests)
        self.opening = self._opening_parameters()
        self.lookup_work = lookup_work(self.plan.leaves, vk.target) if self.plan.blocks else 0

    # --- parameters ---

    def _group(self, tensors: Sequence[int]) -> Group:
        circuit, batch, digest = self.circuit, self.statement.batch, digest_bytes(self.vk.target)
        if circuit.tensors[tensors[0]].kind == Kind.WEIGHT:
            return make_group(circuit, tensors, batch, self.vk.weight_b, self.vk.weight_rate, self.vk.weight_root,
                              digest)
        cells = sum(2**self.plan.variables[t] for t in tensors)
        b, rate = group_rows(cells, self.vk.target)
        return make_group(circuit, tensors, batch, b, rate, b"", digest)

    def _opening_parameters(self) -> Optional[OpeningParameters]:
        if not self.groups:
            return None
        parameters = opening_parameters([g.code for g in self.groups], self.vk.target)
        if parameters is None:
            raise Unreadable("no opening meets the security target")
        return parameters

    def committed_claims(self) -> list[int]:
        kinds = (Kind.WEIGHT, Kind.WITNESS)
        return [i for i, claim in enumerate(self.plan.claims) if self.circuit.tensors[claim.tensor].kind in kinds]

    def budget(self) -> list[tuple[str, int]]:
        """"Budget" of docs/soundness.md, in units of 2^-16 bit."""
        lines = []
        if self.plan.blocks:
            lines += [("lookup challenges", lookup_bits(self.plan.leaves, self.lookup_work)), ("lookup rounds", over(3))]
        variables = [len(event.slots) for event in self.plan.events if isinstance(event, OutputPoint)]
        if variables and max(variables):
            lines.append(("inputs and outputs", over(max(variables))))
        strata = [event for event in self.plan.events if isinstance(event, Rounds)]
        if strata:
            lines += [("strata: claims combined", over(2)), ("strata: rounds", over(max(s.degree for s in strata)))]
        if self.opening is not None:
            lines += opening_budget([g.code for g in self.groups], self.opening,
                                    len(self.committed_claims()) + len(self.items))
        return lines

    # --- verification ---

    def run(self, min_bits: int) -> None:
        """Accepts by returning."""
        for name, units in self.budget():
            if units < min_bits * UNIT:
                raise Rejected("SECURITY", f"{name}: {units / UNIT:.1f} bits")
        self.channel.transcript.absorb(Tag.VK, self.vk.digest)
        self.channel.transcript.absorb(Tag.STATEMENT, self.statement.raw)
        if self.circuit.of_kind(Kind.WITNESS):
            self.groups[len(self.group_tensors) - 1].root = self.channel.receive_bytes(Tag.WITNESS_ROOT, 32)
        if self.plan.blocks:
            self._fraction_tree()
        steps = {Send: self._send, LinearForms: self._linear_forms, Leaves: self._leaves, OutputPoint: self._output_point,
                 Rounds: self._rounds, Final: self._final}
        for event in self.plan.events:
            steps[type(event)](event)
        if self.opening is not None:
            Opening(self.channel, self.groups, self.opening).run(self._opening_claims())
        self.channel.finish()

    def coordinates(self, symbolic: Sequence[int]) -> tuple[F, ...]:
        return tuple(self.challenges[c] if c >= 0 else CONSTANTS[c] for c in symbolic)

    def point_by_axis(self, number: int) -> dict[int, tuple[F, ...]]:
        claim = self.plan.claims[number]
        return {axis: self.coordinates(self.plan.part(claim, axis)) for axis in self.plan.spans[claim.tensor]}

    def value(self, number: int) -> F:
        value = self.values[number]
        assert value is not None, "claims are sent before they are used"
        return value

    # --- lookups ---

    def _fraction_tree(self) -> None:
        """"Tree" and "Layer k": from the root to a claim on the leaves."""
        channel = self.channel
        channel.proof_of_work(self.lookup_work)
        self.alpha, self.beta = channel.draw(Tag.LOOKUP, 2)
        p0, q0, p1, q1 = channel.receive(Tag.GKR_ROOT, 4)
        if p0 * q1 + p1 * q0 != ZERO or q0 * q1 == ZERO:
            raise Rejected("LOGUP_ROOT", "the fractions do not add up to zero")
        point = [channel.draw_one(Tag.GKR_MERGE)]
        p, q = p0 + point[0] * (p1 - p0), q0 + point[0] * (q1 - q0)
        for k in range(1, log2_ceil(self.plan.leaves)):
            p, q, point = self._layer(k, p, q, point)
        self.leaf_claims = p, q
        self.challenges[:len(point)] = point

    def _layer(self, k: int, p: F, q: F, r: Sequence[F]) -> tuple[F, F, list[F]]:
        channel = self.channel
        factor = channel.draw_one(Tag.GKR_LAMBDA)
        claim, x = p + factor * q, [ZERO] * k
        for i in reversed(range(k)):
            at_zero, at_infinity = channel.receive(Tag.GKR_ROUND, 2)
            x[i] = channel.draw_one(Tag.SUMCHECK_POINT)
            if r[i] == ZERO:
                raise Rejected("LOGUP_ROUND", f"round {k}: a coordinate is zero")
            at_one = (claim - (1 - r[i]) * at_zero) * r[i].inverse()
            claim = quadratic(at_zero + at_one, at_zero, at_infinity, x[i])
        p0, q0, p1, q1 = channel.receive(Tag.GKR_VALUES, 4)
        if p0 * q1 + p1 * q0 + factor * (q0 * q1) != claim:
            raise Rejected("LOGUP_ROUND", f"round {k}: the values do not match the claim")
        mu = channel.draw_one(Tag.GKR_MERGE)
        return p0 + mu * (p1 - p0), q0 + mu * (q1 - q0), [mu, *x]

    def _leaves(self, _: Leaves) -> None:
        """"Leaves' check"."""
        plan, n = self.plan, log2_ceil(self.plan.leaves)
        rho = self.challenges[:n]
        p, q, covered = ZERO, ZERO, ZERO
        for block in plan.blocks:
            weight = eq(rho[block.log_size:], bits(block.start >> block.log_size, n - block.log_size))
            p_j, q_j = self._block_values(block, rho[:block.log_size])
            p, q, covered = p + weight * p_j, q + weight * q_j, covered + weight
        if (p, q + 1 - covered) != self.leaf_claims:
            raise Rejected("LOGUP_LEAF", "the blocks do not give the claims on the leaves")

    def _block_values(self, block: Block, rho: Sequence[F]) -> tuple[F, F]:
        alpha, beta = self.alpha, self.beta
        if block.kind == Block.ZERO:
            return felt(-self.plan.zero_cells), alpha - 1
        claims = [self.value(c) for c in block.claims]
        if block.kind == Block.TABLE:
            table = self.circuit.tables[block.index]
            key, value = tables.key_extension(table, rho), tables.value_extension(table, rho)
            return -claims[0], alpha - (block.index + 2) - beta * key - beta * beta * value
        lookup = self.circuit.lookups[block.index]
        tensor = self.circuit.tensors[lookup.entries[0]]
        inside = product([less_than(rho[span], tensor.size(axis, self.plan.batch))
                          for axis, span in self.plan.spans[lookup.entries[0]].items()])
        fingerprint, power = 1 + (lookup.table + 1) * inside, beta
        for claim in claims:
            fingerprint, power = fingerprint + power * claim, power * beta
        return ONE, alpha - fingerprint

    # --- claims ---

    def _send(self, event: Send) -> None:
        for number in event.claims:
            claim = self.plan.claims[number]
            if claim.output >= 0:
                self.values[number] = self._public(self.circuit.outputs[claim.output], self.statement.outputs[claim.output],
                                                   number)
                self._check_public_input(number)
            elif claim.committed >= 0:
                self.values[number] = self._committed(number)
                self._check_public_input(number)
            elif self.circuit.tensors[claim.tensor].kind == Kind.INPUT:
                self.values[number] = self._input(number)
            else:
                self.values[number] = self.channel.receive(Tag.CLAIMS, 1)[0]

    def _committed(self, number: int) -> F:
        """The items' values, combined over the batch."""
        claim, batch = self.plan.claims[number], self.plan.batch
        z, total = self.point_by_axis(number)[BATCH], ZERO
        for i in range(batch):
            value = self.channel.receive(Tag.CLAIMS, 1)[0]
            self.items[claim.committed * batch + i] = value
            total = total + eq(z, bits(i, len(z))) * value
        return total

    def _public(self, port: Port, cells: Sequence[int], number: int) -> F:
        point = self.coordinates(self.plan.claims[number].point)
        return public_extension(self.circuit.tensors[port.tensor], self.plan.batch, cells, point)

    def _input(self, number: int) -> F:
        tensor = self.plan.claims[number].tensor
        index = next(i for i, port in enumerate(self.circuit.inputs) if port.tensor == tensor)
        return self._public(self.circuit.inputs[index], self.statement.inputs[index], number)

    def _check_public_input(self, number: int) -> None:
        """An output that is an input ("Outputs")."""
        if self.circuit.tensors[self.plan.claims[number].tensor].kind == Kind.INPUT:
            if self._input(number) != self.values[number]:
                raise Rejected("PUBLIC", "an output that is an input differs from it")

    def _linear_forms(self, event: LinearForms) -> None:
        for number in event.claims:
            left, right = linear_form(self.plan, number, self.values, self.coordinates)
            if left != right:
                raise Rejected("LINEAR", f"round {number}: a linear form differs from its terms")

    def _output_point(self, event: OutputPoint) -> None:
        if event.slots:
            self.challenges[event.slots.start:event.slots.stop] = self.channel.draw(Tag.OUTPUT_POINT, len(event.slots))

    # --- strata ---

    def _rounds(self, stratum: Rounds) -> None:
        """"Rounds": leaves the stratum's final claim and lambdas."""
        channel = self.channel
        claims = [c for instance in stratum.instances for c in instance.claims]
        self.lambdas = dict(zip(claims, channel.draw(Tag.BATCH_LAMBDA, len(claims))))
        total = ZERO
        for number, factor in self.lambdas.items():
            total = total + factor * self.value(number)
        for slot in reversed(stratum.slots):
            message = channel.receive(Tag.SUMCHECK_ROUND, stratum.degree)
            x = channel.draw_one(Tag.SUMCHECK_POINT)
            total = quadratic(total, *message, x) if stratum.degree == 2 else cubic(total, *message, x)
            self.challenges[slot] = x
        self.final_claim = total

    def _final(self, event: Final) -> None:
        """"Final check"."""
        stratum = event.stratum
        most, total = len(stratum.slots), ZERO
        for instance in stratum.instances:
            by_variable = {name: tuple(self.challenges[stratum.slots[v]] for v in span)
                           for name, span in instance.variables.items()}
            if stratum.kind == Kind.CONTRACT:
                part = self._contract(instance.tensor, instance.claims[0], by_variable)
            else:
                part = ZERO
                for number in instance.claims:
                    matrices = self.matrices.product(instance.tensor, self.point_by_axis(number), by_variable)
                    part = part + self.lambdas[number] * matrices
            for operand in instance.operands:
                part = part * self.value(operand)
            total = total + part * pow(2, -(most - instance.count), P)
        if total != self.final_claim:
            raise Rejected(stratum.kind.name, f"round {stratum.slots.start}: the final check of a stratum")

    def _contract(self, tensor: int, number: int, s: dict[int, tuple[F, ...]]) -> F:
        """lambda eq(z_paired, s_paired)."""
        z, axes = self.point_by_axis(number), self.plan.out_axes(tensor)
        return product([self.lambdas[number], *(eq(z[axes[label]], s[label]) for label in self.plan.paired_labels(tensor))])

    # --- opening ---

    def _opening_claims(self) -> list[OpeningClaim]:
        claims = []
        for number in self.committed_claims():
            claim = self.plan.claims[number]
            g = next(i for i, tensors in enumerate(self.group_tensors) if claim.tensor in tensors)
            layout, inner = self.groups[g].layout, self.coordinates(claim.point)
            offset = layout.offset[claim.tensor] >> len(inner)
            point = [*inner, *bits(offset, layout.variables - len(inner))]
            claims.append(OpeningClaim(g, point, self.value(number)))
        for i, value in enumerate(self.items):
            claim = self.plan.claims[self.plan.committed[i // self.plan.batch]]
            g = len(self.group_tensors) + i
            item_point = self.coordinates(claim.point)[:self.groups[g].layout.variables]
            claims.append(OpeningClaim(g, list(item_point), value))
        return claims


def cubic(claim: F, at_zero: F, at_infinity: F, at_minus_one: F, x: F) -> F:
    """g(x) of degree 3 with g(0) + g(1) = claim."""
    at_one = claim - at_zero
    s, d = at_one - at_zero - at_infinity, at_minus_one - at_zero + at_infinity
    return at_zero + x * (HALF * (s - d) + x * (HALF * (s + d) + x * at_infinity))


def verify(vk: VerifierParameters, proof: bytes, min_bits: int = 100) -> Verifier:
    """Accepts a proof file by returning its verification; raises Rejected or Unreadable."""
    check_magic(proof)
    verifier = Verifier(vk, read_statement(proof, vk))
    verifier.run(min_bits)
    return verifier
