"""Inputs and outputs that proofs do not show: digests, what is private, and what outsiders can check."""
import json
import struct

import check_reference_verifier

from .harness import run, tail
from .model import Model


def compiled(m, name, *options):
    """Model m once more under another name, or None."""
    other = Model(name, m.onnx, m.data, m.work.parent, m.mica, m.results)
    return other if other.compile(*options) else None


def shown(m, proof):
    """The statement as `mica verify --json` shows it."""
    code, out, err = run([m.mica, "verify", "--json", "--vk", m.vk, proof])
    return json.loads(out) if m.check("verified", code == 0, tail(out + err)) else None


def digests(m, what, *options):
    """What both digest commands say, in order of ports and items."""
    said = []
    for command in ([m.mica, "digest", "--vk", m.vk], [m.prover, "digest"]):
        code, out, err = run([*command, "--json", *options])
        m.check(f"{what}: digest", code == 0, tail(err))
        said.append([d for port in json.loads(out)["digests"] for d in port["digests"]] if code == 0 else [])
    m.check(f"{what}: both programs compute one digest", said[0] == said[1], str(said))
    return said[0]


def contains_integers(proof, ports):
    """Whether a proof's bytes hold an item's integers as a statement would."""
    data = proof.read_bytes()
    return any(struct.pack(f"<{len(item)}i", *item) in data for port in ports for item in port["integers"])


def committed(m):
    c = compiled(m, f"{m.name}_committed", "--input-visibility", "committed", "--output-visibility", "committed")
    if not c:
        return
    first, second = c.cases[:2]
    one, again, both = (c.work / f"{name}.proof" for name in ("one", "again", "both"))
    proven = c.prove("prove one input", [first], one)
    if not (proven and c.prove("prove it with a nonce", [first], again, "--nonce", "07") and
            c.prove("prove a batch", [second, first], both)):
        return
    c.check("the proof does not contain the integers", not contains_integers(one, proven["inputs"] + proven["outputs"]))
    statements = [shown(c, proof) for proof in (one, again, both)]
    if not all(statements):
        return
    for kind in ("inputs", "outputs"):
        port, same, batch = (s[kind][0] for s in statements)
        c.check(f"{kind}: shown as digests only", port["visibility"] == "committed" and port["values"] is None)
        c.check(f"{kind}: two proofs of one tensor show one digest", port["digests"] == same["digests"])
        c.check(f"{kind}: the digest of an item is the same in a batch", batch["digests"][1:] == port["digests"])
    c.check("input's digest from the file", digests(c, "input", "--input", first) == statements[0]["inputs"][0]["digests"])
    integers = c.work / "integers.json"
    integers.write_text(json.dumps({"output_data": [proven["outputs"][0]["integers"][0]]}))
    c.check("output's digest from its integers", digests(c, "output", "--output", integers, "--integers") ==
            statements[0]["outputs"][0]["digests"])
    c.expect_verdict("own input accepted", one, 0, "--input", first)
    c.expect_verdict("another input rejected", one, 1, "--input", second)
    c.expect_verdict("items in another order rejected", both, 1, "--input", first, "--input", second)
    check_reference_verifier.compare(c.check, c.mica, c.vk, both, 1, 0)


def private(m):
    p = compiled(m, f"{m.name}_private", "--input-visibility", "private")
    if not p:
        return
    first, second = p.cases[:2]
    proof = p.work / "one.proof"
    proven = p.prove("prove a private input", [first], proof)
    if not proven:
        return
    p.check("the proof does not contain the input", not contains_integers(proof, proven["inputs"]))
    statement = shown(p, proof)
    p.check("the statement has the output only", bool(statement) and statement["inputs"][0]["values"] is None and
            "digests" not in statement["inputs"][0] and statement["outputs"][0]["values"] == proven["outputs"][0]["values"])
    p.check("the output is near that of the public model",
            max(abs(a - b) for a, b in zip(proven["output_data"][0], m.inferred[first][0])) <=
            0.02 * max(map(abs, m.inferred[first][0])))
    text = p.expect("what is private cannot be compared", [p.mica, "verify", "--vk", p.vk, proof, "--input", second], 2)
    p.check("the message says so", "private" in text, text)
    check_reference_verifier.compare(p.check, p.mica, p.vk, proof, 1, 0)


def refused(m):
    """Options that make no sense."""
    for option in ("hidden", "nothing=private", "=private"):
        code, out, err = run([m.mica, "compile", m.onnx, "--input-visibility", option, "-o", m.work / "refused"])
        m.check(f"--input-visibility {option}: usage", code == 2 and "--input-visibility" in err, tail(out + err))


GROUPS = (committed, private, refused)
