"""What the artefacts say of themselves: the record, audits, float results, versions. One model is enough."""
import json
import os
import shutil
import struct

from .harness import run, tail


def record(m):
    code, out, err = run([m.mica, "inspect", m.vk, "--json"])
    if not m.check("inspect shows verifier parameters", code == 0, tail(err)):
        return
    lines = json.loads(out)["record"]
    m.check("the record has digests of 32 bytes", all(len(lines[key][0]) == 64 for key in
                                                      ("model", "calibration", "float-model")), str(lines)[:300])
    m.check("the record has the options", lines["option-model-id"] == [m.name] and "option-max-batch" in lines,
            str(lines)[:300])
    m.check("the record has ranges", len(lines["input"]) == 1 and len(lines["range"]) > 5, str(lines)[:300])
    code, out, _ = run([m.prover, "info", "--json"])
    m.check("info shows the same record", code == 0 and json.loads(out)["record"] == lines, out[:300])
    text = m.expect("inspect as text", [m.mica, "inspect", m.vk], 0)
    m.check("inspect names the model's digest", lines["model"][0] in text, text[-500:])


def audit(m):
    """Confirmed on every CPU and with any number of threads; other samples and models differ."""
    samples = m.data / "calibration"
    command = [m.mica, "audit", m.onnx, "--calibration", samples, m.vk]
    for cpu, threads in (("", ""), ("portable", "1"), ("avx2", "3")):
        environment = {**os.environ, **({"MICA_CPU": cpu, "MICA_THREADS": threads} if cpu else {})}
        code, out, err = run([*command, "--json"], env=environment)
        result = json.loads(out) if code in (0, 1) else {}
        m.check(f"audit confirms ({cpu or 'this CPU'})", code == 0 and result.get("confirmed") and
                all(c["same"] for c in result["checks"]), tail(out + err))
    fewer = m.work / "fewer"
    shutil.copytree(sorted(samples.iterdir())[0], fewer / "case_00")
    code, out, err = run([m.mica, "audit", m.onnx, "--calibration", fewer, m.vk, "--json"])
    different = [c["what"] for c in json.loads(out)["checks"] if not c["same"]] if code == 1 else []
    m.check("other samples differ", code == 1 and "calibration" in different and "model" not in different,
            tail(out + err))
    other = m.work / "other.onnx"
    other.write_bytes(m.onnx.read_bytes() + b"\x12\x01x")  # the producer's name: another file, the same network
    code, out, err = run([m.mica, "audit", other, "--calibration", samples, m.vk, "--json"])
    different = [c["what"] for c in json.loads(out)["checks"] if not c["same"]] if code == 1 else []
    m.check("another file of the same network differs", code == 1 and "model" in different and
            not {"circuit", "weight root", "options"} & set(different), tail(out + err))
    text = m.expect("options are refused", [*command, "--security", "80"], 2)
    m.check("the message names the option and where to read", "'--security'" in text and "mica audit --help" in text, text)
    text = m.expect("help of audit", [m.mica, "audit", "--help"], 0)
    m.check("it says where options come from", "options that the verifier parameters record" in " ".join(text.split()), text)
    m.expect("samples are asked for", [m.mica, "audit", m.onnx, m.vk], 2)
    m.expect("a proof is no vk", [m.mica, "audit", m.onnx, "--calibration", samples, m.single], 2)
    m.expect("a vk is no model", [m.mica, "audit", m.vk, "--calibration", samples, m.vk], 2)


def float_results(m):
    case = m.cases[0]
    code, out, err = run([m.prover, "infer", case, "--float", "--json"])
    if not m.check("infer --float", code == 0, tail(err)):
        return
    result = json.loads(out)
    reference = m.references(case)[0][1]
    output = result["float"]["outputs"][0]
    got, proven = output["values"][0], result["outputs"][0]["values"][0]
    m.check("float results are those of the reference", max(abs(a - b) for a, b in zip(got, reference, strict=True)) <
            1e-4 * (max(reference) - min(reference)), str(got))
    largest = max(abs(a - b) for a, b in zip(got, proven, strict=True))
    m.check("the difference is that of the values", abs(output["largest_difference"] - largest) < 1e-6 and
            0 < output["mean_difference"] <= output["largest_difference"] and output["range_is_calibrated"], str(output))
    code, out, err = run([m.prover, "prove", *m.cases[:2], "-o", m.work / "float.proof", "--float", "--json"])
    m.check("prove --float", code == 0 and json.loads(out)["float"]["outputs"][0]["values"][0] == got, tail(err))
    m.expect_verdict("its proof is accepted", m.work / "float.proof", 0, "--input", m.cases[0], "--input", m.cases[1])

    file, away = m.vk.with_suffix(".float"), m.work / "moved.float"
    file.rename(away)
    proof = m.work / "without.proof"
    m.expect("no float model: unreadable", [m.prover, "prove", case, "-o", proof, "--float"], 2)
    m.check("and no proof is left", not proof.exists())
    m.expect("proofs need no float model", [m.prover, "prove", case, "-o", proof], 0)
    m.expect("--float-model finds it", [m.prover, "infer", case, "--float-model", away], 0)
    data = away.read_bytes()
    for what, changed, words in (("changed", data[:-9] + b"\1" + data[-8:], "not the float model of these"),
                                 ("old", data[:8] + b"\0" + data[9:], "format version 0; this program reads version"),
                                 ("foreign", b"X" + data[1:], "foreign magic")):
        file.write_bytes(changed)
        text = m.expect(f"{what} float model: refused", [m.prover, "infer", case, "--float"], 2)
        m.check(f"{what} float model: message", words in text, text)
    away.rename(file)


def versions(m):
    text = m.expect("mica --version", [m.mica, "--version"], 0)
    version = text.split()[1]
    m.check("mica names its formats", "verifier parameters" in text and "proof" in text, text)
    text = m.expect("prover --version", [m.prover, "--version"], 0)
    m.check("the prover names model, versions and formats", f'"{m.name}"' in text and text.count(version) == 2 and
            "formats" in text, text)
    for name in (f"{m.name}.c", f"{m.name}.h", "build.sh", "MANIFEST", "program.txt"):
        start = (m.work / f"{m.name}-src" / name).read_text()[:600]
        m.check(f"{name} names the version", f"mica {version}" in start, start)
    m.check("the report names the version", f"mica {version}" in m.vk.with_suffix(".report.html").read_text())
    for command in ([m.mica, "inspect", m.onnx], [m.mica, "verify", "--vk", m.vk, m.single], [m.prover, "verify", m.single],
                    [m.prover, "infer", m.cases[0]], [m.prover, "bench", "--runs", "1"]):
        code, out, err = run([*command, "--json"])
        m.check(f"{command[1]} --json names the version", code == 0 and json.loads(out)["version"] == version,
                tail(out[:200] + err))


def foreign(m):
    """An old or foreign file is refused by name: what was found, and what is supported."""
    bad = m.work / "bad.file"
    readers = {m.vk: [m.mica, "verify", m.single, "--vk", bad], m.single: [m.prover, "verify", bad]}
    for path, command in readers.items():
        data = path.read_bytes()
        supported = struct.unpack("<I", data[8:12])[0]
        for what, changed, words in (("old", data[:8] + struct.pack("<I", 77) + data[12:],
                                      f"format version 77; this program reads version {supported}"),
                                     ("foreign", b"GIF89a..", "foreign magic"), ("empty", b"", "foreign magic")):
            bad.write_bytes(changed)
            text = m.expect(f"{what} {path.suffix}: unreadable", command, 2)
            m.check(f"{what} {path.suffix}: message", words in text, text)


def model_id(m):
    for who, command in m.verifiers(m.single, "--model-id", m.name):
        m.expect(f"own model id accepted ({who})", command, 0)
    for who, command in m.verifiers(m.single, "--model-id", "another"):
        text = m.expect(f"another model id rejected ({who})", command, 1)
        m.check("the message names both", f'"{m.name}"' in text and '"another"' in text, text)


def warnings(m):
    out = m.work / "unsure"
    options = [m.mica, "compile", m.onnx, "--emit-only", "-o", out]
    code, _, err = run(options)
    m.check("no samples: warned", code == 0 and "warning: no calibration samples" in err and "'image'" in err, tail(err))
    code, _, err = run([*options, "--calibration", m.data / "calibration" / "case_00"])
    m.check("few samples: warned", code == 0 and "warning: 1 calibration sample, fewer than 8" in err, tail(err))
    code, _, err = run([*options, "--calibration", m.data / "calibration"])
    m.check("enough samples: no warning", code == 0 and "warning" not in err, tail(err))


GROUPS = (record, audit, float_results, versions, foreign, model_id, warnings)
