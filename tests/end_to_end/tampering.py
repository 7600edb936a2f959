"""What must be rejected: proofs of other statements, changed proofs, files that are no proofs."""
import json

from .harness import run, tail

START = 12  # after magic and version


def other_statements(m):
    """A proof for another input, output or nonce must not be taken for this one."""
    first = m.cases[0]
    own = m.work / "own.json"
    own.write_text(json.dumps({"output_data": m.inferred[first]}))
    m.expect_verdict("own output accepted", m.single, 0, "--output", own)
    m.expect_verdict("missing nonce rejected", m.single, 1, "--nonce", "00")
    if len(m.cases) < 2:
        return
    second, other = m.cases[1], m.work / "other.json"
    m.expect_verdict("another input rejected", m.single, 1, "--input", second)
    if m.inferred[first] != m.inferred[second]:
        other.write_text(json.dumps({"output_data": m.inferred[second]}))
        m.expect_verdict("another output rejected", m.single, 1, "--output", other)


def statement_bytes(m):
    code, out, _ = run([m.prover, "verify", m.single, "--json"])
    return json.loads(out)["statement_bytes"] if code == 0 else None


def proofs_to_splice(m):
    """The first case under a nonce, and another case: proofs that lend their parts. Empty if one cannot be made."""
    wanted = [("nonce.proof", m.cases[0], ["--nonce", "00ff"])] + [("second.proof", c, []) for c in m.cases[1:2]]
    made = [(m.work / name, m.prove(f"prove for {name}", [case], m.work / name, *options)) for name, case, options in wanted]
    return [proof for proof, said in made if said]


def in_memory(m, samples):
    """Thousands of changed proofs and parameters, judged in one process (tests/tamper/)."""
    tamper = m.mica.parent / "tamper"
    if not m.check("the program that changes proofs is built", tamper.is_file(), str(tamper)):
        return
    batch = m.work / "batch.proof"
    sets = [("changed in memory", [m.single, *proofs_to_splice(m)])]
    sets += [("a batch changed in memory", [batch, m.single])] if batch.is_file() else []
    for what, proofs in sets:
        code, out, err = run([tamper, "--samples", samples, m.vk, *proofs])
        m.check(f"{what}: all rejected", code == 0, f"exit code {code}: {tail(out + err)}")
        print(f"     {m.name}, {what}: {tail(out).split(' | ')[-1]}", flush=True)


def changed_bytes(m, positions):
    """One changed byte anywhere after the magic and version is a rejection."""
    data = m.single.read_bytes()
    step = max(1, (len(data) - START) // positions)
    statement = statement_bytes(m)
    if not m.check("statement size is reported", statement is not None):
        return
    places = sorted(set(range(START, len(data), step)) | {START, 44, 48, 52, statement - 1, statement, len(data) - 1})
    bad = m.work / "tampered.proof"
    for place in places:
        bad.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1:])
        m.expect(f"byte {place} of {len(data)} changed: rejected", m.verifiers(bad)[place % 2][1], 1)
    bad.unlink()


def changed_lengths(m):
    data = m.single.read_bytes()
    bad = m.work / "tampered.proof"
    for what, changed in (("truncated", data[:-1]), ("half", data[:len(data) // 2]), ("trailing byte", data + b"\0")):
        bad.write_bytes(changed)
        m.expect_verdict(what + ": rejected", bad, 1)
    bad.unlink()


def unreadable(m):
    data = m.single.read_bytes()
    bad = m.work / "foreign.proof"
    for what, changed in (("foreign magic", b"X" + data[1:]), ("foreign version", data[:8] + b"\xff" + data[9:]),
                          ("empty file", b"")):
        bad.write_bytes(changed)
        m.expect_verdict(what + ": unreadable", bad, 2)
    bad.unlink()
    m.expect_verdict("missing proof: unreadable", m.work / "absent.proof", 2)


def other_models(models, results):
    """A proof of one model is not a proof of another."""
    proven = [m for m in models if m.single]
    for m, other in zip(proven, proven[1:] + proven[:1]):
        if m is not other:
            got, out, err = run([m.mica, "verify", m.single, "--vk", other.vk])
            results.check(f"{m.name}: its proof is not one of {other.name}", got == 1, tail(out + err))
