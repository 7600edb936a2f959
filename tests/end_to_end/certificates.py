"""Weight certificates: accepted beside the parameters they were made for, and nowhere else."""
import json
import struct

from .harness import run, tail

HEAD = 8 + 4 + 32  # magic, version, digest of the parameters


def of_model(m):
    """Every compiled model has one that is accepted."""
    code, out, err = run([m.mica, "verify-params", m.vk, m.certificate, "--json"])
    if not m.check("verify-params accepts", code == 0 and json.loads(out)["accepted"], f"exit code {code}: {tail(out + err)}"):
        return
    result = json.loads(out)
    m.check("the certificate has the bits asked for", result["tensors"] == 0 or result["proven_bits"] >= 100, out)


def words(m):
    text = m.expect("verify-params in words", [m.mica, "verify-params", m.vk, m.certificate], 0)
    m.check("says what it confirms", "declared ranges" in text and "zero in padding" in text and "within the bounds" in
            text and "close to a codeword" in text, text)
    m.expect("more bits than there are: rejected", [m.mica, "verify-params", m.vk, m.certificate, "--min-security", "110"], 1)
    m.expect("verify-params takes two files", [m.mica, "verify-params", m.vk], 2)
    m.expect("missing certificate: unreadable", [m.mica, "verify-params", m.vk, m.work / "absent.cert"], 2)
    m.expect("a proof is no certificate", [m.mica, "verify-params", m.vk, m.single], 2)


def with_a_proof(m):
    """verify --certificate: both hold, or it is a rejection; both programs."""
    m.expect_verdict("proof and certificate", m.single, 0, "--certificate", m.certificate)
    text = m.expect("in words", [m.mica, "verify", m.single, "--vk", m.vk, "--certificate", m.certificate], 0)
    m.check("says what both confirm", "declared ranges" in text and "statement about integers" in text and
            "arithmetic modulo" not in text, text)
    code, out, err = run([m.prover, "verify", m.single, "--certificate", m.certificate, "--json"])
    said = json.loads(out) if code == 0 else {}
    m.check("the same as JSON", said.get("accepted") and said["certificate"]["proven_bits"] >= 100 and
            not any("arithmetic modulo" in note for note in said["notes"]), tail(out + err))
    data, bad = m.certificate.read_bytes(), m.work / "tampered.cert"
    for what, other in (("changed", data[:-1] + bytes([data[-1] ^ 1])), ("truncated", data[:-1]),
                        ("of other parameters", data[:20] + bytes([data[20] ^ 1]) + data[21:])):
        bad.write_bytes(other)
        m.expect_verdict(f"a good proof, a certificate {what}", m.single, 1, "--certificate", bad)
    code, out, err = run([m.mica, "verify", m.single, "--vk", m.vk, "--certificate", bad, "--json"])
    said = json.loads(out) if code == 1 else {}
    m.check("the reason names the certificate", said.get("reason") == "certificate rejected" and not said["accepted"], tail(out + err))
    proof = m.work / "tampered.proof"
    data = m.single.read_bytes()
    proof.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    m.expect_verdict("a bad proof, a good certificate", proof, 1, "--certificate", m.certificate)
    m.expect_verdict("a good proof, a proof for its certificate", m.single, 2, "--certificate", m.single)
    m.expect_verdict("a good proof, no such certificate", m.single, 2, "--certificate", m.work / "absent.cert")
    bad.unlink()
    proof.unlink()


def changed(m):
    data, bad = m.certificate.read_bytes(), m.work / "tampered.cert"
    command = [m.mica, "verify-params", m.vk, bad]
    for place in sorted({12, 20, HEAD - 1, HEAD, HEAD + 32, len(data) - 1} | set(range(HEAD, len(data), len(data) // 40))):
        bad.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1:])
        m.expect(f"byte {place} of the certificate changed: rejected", command, 1)
    for what, other in (("truncated", data[:-1]), ("half", data[:len(data) // 2]), ("head alone", data[:HEAD]),
                        ("half a head", data[:HEAD - 9]), ("trailing byte", data + b"\0")):
        bad.write_bytes(other)
        m.expect(f"certificate, {what}: rejected", command, 1)
    for what, other, found in (("old", data[:8] + struct.pack("<I", 77) + data[12:], "format version 77"),
                               ("foreign", b"GIF89a.." + data[8:], "foreign magic"), ("empty", b"", "foreign magic")):
        bad.write_bytes(other)
        text = m.expect(f"{what} certificate: unreadable", command, 2)
        m.check(f"{what} certificate: message", found in text, text)
    bad.unlink()


def left_out(m):
    """--no-certificate makes none, and leaves none of earlier parameters."""
    name = m.work / "bare"
    options = [m.mica, "compile", m.onnx, "--emit-only", "--quiet", "-o", name]
    m.expect("compile with a certificate", options, 0)
    parameters = name.with_suffix(".vk").read_bytes()
    m.check("it is there", name.with_suffix(".cert").is_file())
    m.expect("compile without", [*options, "--no-certificate"], 0)
    m.check("it is not there any more", not name.with_suffix(".cert").exists())
    m.check("the parameters are the same", name.with_suffix(".vk").read_bytes() == parameters)
    code, out, err = run([*options, "--json"])
    said = json.loads(out)["certificate"] if code == 0 else None
    m.check("compile --json has its cost", said and said["bytes"] == name.with_suffix(".cert").stat().st_size and
            said["seconds"] > 0, tail(out[:200] + err))


GROUPS = (words, with_a_proof, changed, left_out)


def other_models(models, results):
    """A certificate of one model's parameters is not one of another's."""
    for m, other in zip(models, models[1:] + models[:1]):
        if m is not other and m.certificate.is_file():
            got, out, err = run([m.mica, "verify-params", other.vk, m.certificate])
            results.check(f"{m.name}: its certificate is not one of {other.name}", got == 1, tail(out + err))
