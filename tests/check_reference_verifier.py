#!/usr/bin/env python3
"""Agreement of `mica verify` and the reference verifier, on honest and on changed proofs.

    check_reference_verifier.py MICA NAME.vk PROOF...

Every verdict is compared, and the reason of every rejection. Weight certificates are compared likewise, by
compare_certificate.
"""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Callable, Iterator

from reference.certificate import HEAD, verify_certificate
from reference.circuit import read_parameters
from reference.transcript import Rejected, Unreadable
from reference.validity import validate
from reference.verifier import Verifier, verify

Check = Callable[[str, bool, str], bool]

# what `mica verify --json` calls the reasons of docs/protocol.md, "Verification"
REASONS = {"statement differs": "STATEMENT", "statement not admissible": "STATEMENT", "malformed proof": "MALFORMED",
           "lookup sum": "LOGUP_ROOT", "lookup round": "LOGUP_ROUND", "linear relation": "LINEAR",
           "lookup columns": "LOGUP_LEAF", "contraction": "CONTRACT", "placement": "PLACEMENT", "proof of work": "POW",
           "commitment path": "MERKLE"}


def reference_verdict(vk: bytes, proof: bytes) -> tuple[int, str]:
    return judged(vk, proof, verify)


def judged(vk: bytes, file: bytes, judge: Callable) -> tuple[int, str]:
    """Exit code and reason."""
    try:
        parameters = read_parameters(vk)
        validate(parameters)
        judge(parameters, file)
    except Rejected as rejection:
        return 1, rejection.reason
    except Unreadable:
        return 2, ""
    return 0, ""


def mica_verdict(mica: pathlib.Path, vk: pathlib.Path, proof: pathlib.Path, certificate: bool = False) -> tuple[int, str]:
    command = ["verify-params", "--json", vk, proof] if certificate else ["verify", "--json", "--vk", vk, proof]
    run = subprocess.run([mica, *command], capture_output=True, timeout=60, check=False)
    reason = json.loads(run.stdout)["reason"] if run.returncode == 1 else ""
    return run.returncode, REASONS.get(reason, reason)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1:]


def accepted(vk: bytes, proof: bytes) -> Verifier:
    parameters = read_parameters(vk)
    validate(parameters)
    return verify(parameters, proof)


def places(verifier: Verifier, per_kind: int) -> Iterator[tuple[str, int]]:
    """Bytes of the statement and of items of every kind."""
    head = len(verifier.statement.raw)
    yield from (("magic", 3), ("version", 8), ("digest", 30), ("batch", 44), ("batch", 46), ("nonce", 48), ("nonce", 51))
    yield from (("values", 52 + (head - 53) * i // 4) for i in range(5))
    yield from items(verifier, per_kind, head)


def items(verifier: Verifier, per_kind: int, head: int) -> Iterator[tuple[str, int]]:
    """Bytes of a proof part that starts at `head`."""
    kinds: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in verifier.channel.items:
        if end > start:
            kinds.setdefault(name, []).append((start, end))
    for name, spans in kinds.items():
        chosen = {len(spans) * (2 * i + 1) // (2 * per_kind) for i in range(per_kind)}
        for i, (start, end) in enumerate(spans[number] for number in sorted(chosen)):
            yield name, head + start + (end - start) * (i + 1) // (per_kind + 2)


def changed_proofs(verifier: Verifier, proof: bytes, per_kind: int) -> Iterator[tuple[str, bytes]]:
    head = len(verifier.statement.raw)
    for name, place in places(verifier, per_kind):
        yield f"byte {place} ({name})", flipped(proof, place)
    last = max(start for name, start, _ in verifier.channel.items if name != "SIBLING") + head
    for size in (0, 11, 12, 51, head - 1, head, head + 31, last, len(proof) - 1):
        yield f"the first {size} bytes", proof[:size]
    yield "a word that is not a field element", proof[:last - last % 4] + b"\xff" * (len(proof) - last + last % 4)
    yield "one byte more", proof + b"\0"
    yield "32 bytes more", proof + bytes(32)


def compare(check: Check, mica: pathlib.Path, vk: pathlib.Path, proof: pathlib.Path, per_kind: int, parameters: int) -> None:
    """Honest, then with changed proofs, then with changed verifier parameters."""
    vk_bytes, proof_bytes = vk.read_bytes(), proof.read_bytes()
    verifier = accepted(vk_bytes, proof_bytes)
    got = mica_verdict(mica, vk, proof)
    check("reference verifier: mica accepts as well", got == (0, ""), str(got))
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad"
        for what, data in changed_proofs(verifier, proof_bytes, per_kind):
            bad.write_bytes(data)
            ours, theirs = reference_verdict(vk_bytes, data), mica_verdict(mica, vk, bad)
            check(f"reference verifier: {what}", ours[0] != 0 and ours == theirs, f"reference {ours}, mica {theirs}")
        for i in range(parameters):
            place = (len(vk_bytes) - 1) * i // max(1, parameters - 1)
            bad.write_bytes(flipped(vk_bytes, place))
            ours, theirs = reference_verdict(bad.read_bytes(), proof_bytes), mica_verdict(mica, bad, proof)
            check(f"reference verifier: byte {place} of the parameters", ours[0] != 0 and ours == theirs,
                  f"reference {ours}, mica {theirs}")


def compare_certificate(check: Check, mica: pathlib.Path, vk: pathlib.Path, certificate: pathlib.Path,
                        per_kind: int) -> None:
    vk_bytes, data = vk.read_bytes(), certificate.read_bytes()
    parameters = read_parameters(vk_bytes)
    validate(parameters)
    parts = verify_certificate(parameters, data)
    got = mica_verdict(mica, vk, certificate, True)
    check("reference verifier: mica accepts the certificate as well", got == (0, "") and len(parts) > 0, str(got))
    changes = [(f"byte {place}", flipped(data, place)) for place in (3, 8, 12, HEAD - 1, HEAD, HEAD + 7)]
    for start, verifier in parts:
        changes += [(f"byte {place} ({name})", flipped(data, place)) for name, place in items(verifier, per_kind, start)]
    changes += [(f"the first {size} bytes", data[:size]) for size in (0, 11, 12, HEAD - 1, HEAD, len(data) - 1)]
    changes.append(("one byte more", data + b"\0"))
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad"
        for what, changed in changes:
            bad.write_bytes(changed)
            ours, theirs = judged(vk_bytes, changed, verify_certificate), mica_verdict(mica, vk, bad, True)
            check(f"reference verifier: certificate, {what}", ours[0] != 0 and ours == theirs,
                  f"reference {ours}, mica {theirs}")


def main() -> int:
    mica, vk, *proofs = map(pathlib.Path, sys.argv[1:])
    counts = [0, 0]

    def check(name: str, ok: bool, detail: str) -> bool:
        counts[ok] += 1
        if not ok:
            print(f"FAIL {name}: {detail}")
        return ok

    for proof in proofs:
        compare(check, mica, vk, proof, 3, 60)
    print(f"{counts[1]} passed, {counts[0]} failed")
    return 1 if counts[0] else 0


if __name__ == "__main__":
    sys.exit(main())
